"""How a copy of a calendar says which of its events is a booking's (pure).

An event that was written under the booking's own UID says it by that. A provider that gives out
UIDs of its own says it by a property: with the booking's UID, or with what was made of it where the
provider keeps no more than that.
"""

import uuid
from collections.abc import Iterable

from gateway.model.booking import Booking
from gateway.model.content_line import Property, text_property
from gateway.model.objects import read_one

NAME = "X-CALGATE-BOOKING"
_NEEDLE = NAME.encode()
_NAMESPACE = uuid.UUID("6f1c6d1e-8d0a-4c49-9b3f-2c5d0e7a41b8")


def transaction_of(uid: str) -> str:
    """Return the UUID that stands for a booking where only a UUID is kept."""
    return str(uuid.uuid5(_NAMESPACE, uid))


def mark(value: str) -> Property:
    """Return the property that marks a booking's event."""
    return text_property(NAME, value)


class Marks:
    """The bookings of a calendar, by what their events are known by."""

    def __init__(self, bookings: Iterable[Booking]) -> None:
        self._known: dict[str, Booking] = {}
        for one in bookings:
            self._known[one.uid] = self._known[transaction_of(one.uid)] = one

    def __bool__(self) -> bool:
        return bool(self._known)

    def booking_of(self, uid: str, data: bytes) -> Booking | None:
        """Return the booking whose event this object is."""
        found = self._known.get(uid)
        if found is None and _NEEDLE in data:
            found = self._known.get(read_one(data).members[0].text(NAME))
        return found
