"""What calendars list, rendered once per revision: clients ask for all tags again and again.

Law: what is told of the objects of a calendar depends on its revision and on the question alone, so
a kept listing is never out of date; one that is not asked for again makes room.
"""

from collections import OrderedDict
from dataclasses import dataclass

from gateway.dav.tree import CalendarResource
from gateway.dav.wire.requests import PropRequest

MAX_BYTES = 16 << 20
MAX_ONE = 4 << 20


@dataclass(frozen=True, slots=True)
class ListingKey:
    """A calendar at a revision, and what is asked of its objects."""

    href: str
    public_id: str
    revision: int
    names: tuple[str, ...]
    all: bool
    names_only: bool
    minimal: bool


def key_of(calendar: CalendarResource, wanted: PropRequest, *, minimal: bool) -> ListingKey:
    """Return the key of a question about a calendar's objects."""
    return ListingKey(
        calendar.href,
        calendar.collection.public_id,
        calendar.collection.revision,
        wanted.names,
        wanted.all,
        wanted.names_only,
        minimal,
    )


class Listings:
    """The listings that are kept, the one asked for last at the end."""

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_one: int = MAX_ONE) -> None:
        self._kept: OrderedDict[ListingKey, str] = OrderedDict()
        self._size = 0
        self._max_bytes = max_bytes
        self._max_one = max_one

    def get(self, key: ListingKey) -> str | None:
        """Return a listing that is kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: ListingKey, listing: str) -> None:
        """Keep a listing; too large a one is not kept, the longest unused ones go."""
        if len(listing) > self._max_one or key in self._kept:
            return
        self._kept[key] = listing
        self._size += len(listing)
        while self._size > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped)
