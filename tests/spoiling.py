"""Changes that make a good answer a wrong one, for what must refuse it."""

from collections.abc import Callable
from typing import Any


def put(*path: Any) -> Callable[[Any], None]:
    """Return a change of an answer: the last of these becomes the value at the others."""
    *way, last, value = path

    def change(answer: Any) -> None:
        for step in way:
            answer = answer[step]
        if value is ...:
            del answer[last]
        else:
            answer[last] = value

    return change
