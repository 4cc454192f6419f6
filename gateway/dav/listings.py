"""What calendars list, rendered once per revision: clients ask for all tags again and again.

Law: what is told of the objects of a calendar depends on its revision and on the question alone, so
a kept listing is never out of date; one that is not asked for again makes room.
"""

from dataclasses import dataclass

from gateway.dav.tree import CalendarResource
from gateway.dav.wire.requests import PropRequest
from gateway.services.kept import Kept

MAX_BYTES = 16 << 20
MAX_ONE = 4 << 20


@dataclass(frozen=True, slots=True)
class ListingKey:
    """A calendar at a revision, and what is asked of its objects."""

    href: str
    public_id: str
    version: str
    names: tuple[str, ...]
    all: bool
    names_only: bool
    minimal: bool


def key_of(calendar: CalendarResource, wanted: PropRequest, *, minimal: bool) -> ListingKey:
    """Return the key of a question about a calendar's objects."""
    return ListingKey(
        calendar.href,
        calendar.collection.public_id,
        calendar.collection.version,
        wanted.names,
        wanted.all,
        wanted.names_only,
        minimal,
    )


class Listings(Kept[ListingKey, str]):
    """The listings that are kept, weighed by their length."""

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_one: int = MAX_ONE) -> None:
        super().__init__(max_weight=max_bytes, max_one=max_one)
