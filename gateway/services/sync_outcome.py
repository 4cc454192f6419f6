"""What a tick does with a calendar: how it reads, who watches it, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.model.collection import Collection

Watch = Callable[[Collection, int], None]
"""Told of a calendar that is being read, and how many events are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a tick did with one calendar; `error` is a sentence when it failed."""

    collection: Collection
    changed: int = 0
    removed: int = 0
    error: str = ""
    notes: tuple[str, ...] = ()
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a tick reads, and who watches it."""

    full: bool = False
    watch: Watch | None = None

    def tell(self, collection: Collection, events: int) -> None:
        """Tell the watcher how many events are in."""
        if self.watch is not None:
            self.watch(collection, events)
