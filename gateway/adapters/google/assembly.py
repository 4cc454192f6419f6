"""Google's items in, calendar objects out: puts masters and exceptions together (pure).

They come in no order, over any number of pages, an item perhaps twice. What stands alone is done
at once, so that a large calendar is never held as a whole; series wait for their exceptions.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from gateway.adapters.google.normalise import (
    CalendarFacts,
    Rendered,
    is_cancelled,
    key_of,
    render,
)
from gateway.adapters.google.people import Item, text_of
from gateway.ports import UpstreamObject

VERSION = 1
"""Changes with every change of what is rendered, so that everything is written anew."""
MAX_NOTES = 20


class Assembler:
    """Takes pages of items and gives the objects that they make; the last word on a key counts."""

    def __init__(self, facts: CalendarFacts) -> None:
        self.facts = facts
        self.unreadable: list[str] = []
        self.notes: list[str] = []
        self._masters: dict[str, Item] = {}
        self._exceptions: dict[str, dict[str, Item]] = {}
        self._gone: set[str] = set()
        self._by_uid: dict[str, tuple[str, str]] = {}

    def add(self, items: Iterable[object]) -> list[UpstreamObject]:
        """Take a page; return what is finished already."""
        done: list[UpstreamObject] = []
        for item in items:
            if isinstance(item, Mapping) and text_of(item, "id"):
                done += self._add(item)
            else:
                self._note("An event without an id was left out.")
        return done

    def _add(self, item: Item) -> Iterator[UpstreamObject]:
        key, own = key_of(item), text_of(item, "id")
        if key != own:
            self._exceptions.setdefault(key, {})[own] = item
            return
        self._masters.pop(key, None)
        self._gone.discard(key)
        if is_cancelled(item):
            self._gone.add(key)
            yield _gone(key)
        elif item.get("recurrence"):
            self._masters[key] = item
        else:
            yield from self._put(key, item, ())

    @property
    def orphans(self) -> list[str]:
        """The series of which only exceptions came."""
        return [
            key
            for key, items in self._exceptions.items()
            if key not in self._masters
            and key not in self._gone
            and not all(map(is_cancelled, items.values()))
        ]

    def bury(self, key: str) -> None:
        """Take a series as deleted, whatever came of it."""
        self._masters.pop(key, None)
        self._gone.add(key)

    def finish(self) -> list[UpstreamObject]:
        """Return the series; a deleted master takes every exception with it, whenever it came."""
        done: list[UpstreamObject] = []
        for key in [*self._masters, *(self._exceptions.keys() - self._masters.keys())]:
            if key in self._gone:
                continue
            master = self._masters.get(key)
            exceptions = list(self._exceptions.get(key, {}).values())
            if master is None and all(map(is_cancelled, exceptions)):
                done.append(_gone(key))
            else:
                done += self._put(key, master, exceptions)
        return done

    def _put(
        self, key: str, master: Item | None, exceptions: Iterable[Item]
    ) -> Iterator[UpstreamObject]:
        try:
            made = render(master, list(exceptions), self.facts)
        except (ValueError, OverflowError):
            self.unreadable.append(key)
            name = text_of(master, "summary")[:80]
            self._note(f"“{name or 'An event'}” cannot be read and was left as it was.")
            return
        for note in made.notes:
            self._note(note)
        known = self._by_uid.get(made.uid)
        if known is not None and known[1] != key:
            # An event that was imported twice: the newer one is the resource.
            if made.updated < known[0]:
                return
            yield _gone(known[1])
        self._by_uid[made.uid] = made.updated, key
        yield _object(key, made)

    def _note(self, sentence: str) -> None:
        if len(self.notes) < MAX_NOTES and sentence not in self.notes:
            self.notes.append(sentence)


def _object(key: str, made: Rendered) -> UpstreamObject:
    etag = hashlib.sha256(b"%d:" % VERSION + made.data).hexdigest()[:32]
    return UpstreamObject(key=key, uid=made.uid, etag=etag, data=made.data)


def _gone(key: str) -> UpstreamObject:
    return UpstreamObject(key=key, uid="", etag="", data=None)
