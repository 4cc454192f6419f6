"""Modules that are loaded with the first connection: by one thread at a time.

Two threads that load packages which need each other see halves of them, and what one of them has
taken back the other never finds again: until a restart no connection could be opened.
"""

import importlib
from threading import RLock
from typing import Any

_ONE_AT_A_TIME = RLock()


def loaded(name: str) -> Any:
    """Return a module, loaded now if it is not yet; whoever comes second waits."""
    with _ONE_AT_A_TIME:
        return importlib.import_module(name)
