"""Builders of values: each names what matters to the test and fills in the rest."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from gateway.model.booking import Booking, BookingState
from gateway.model.collection import Collection, ObjectRecord
from gateway.model.connection import Connection
from gateway.model.page import SchedulingPage
from gateway.model.principal import Owner
from gateway.model.timerange import HOUR, TimeRange, to_instant
from gateway.ports import Store
from gateway.services.passwords import Cost

_numbers = count(1)
NOON = 1795521600
"""2026-11-24T12:00:00Z, where the fake clock starts."""
CHEAP = Cost(passes=1, kibibytes=8)
"""What hashing costs where a test is not about it."""


def _id(prefix: str) -> str:
    return f"{prefix}_{next(_numbers):016d}"


def an_owner(**values: Any) -> Owner:
    """Return an owner to be added."""
    return Owner(**({"id": 0, "email": "jane@example.org", "name": "Jane"} | values))


def a_collection(owner_id: int, **values: Any) -> Collection:
    """Return a local calendar to be added."""
    defaults = {
        "id": 0,
        "public_id": _id("cal"),
        "owner_id": owner_id,
        "name": "home",
        "display_name": "Home",
        "time_zone": "Europe/Amsterdam",
    }
    return Collection(**(defaults | values))


def an_event(
    uid: str = "event@example.org",
    *,
    start: str = "20261201T090000Z",
    end: str | None = None,
    **lines: str,
) -> bytes:
    """Return a VCALENDAR with one VEVENT; `lines` are further properties, `rrule="FREQ=DAILY"`."""
    properties = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//example.org//tests//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20261101T000000Z",
        f"DTSTART{start}" if start[0] in ";:" else f"DTSTART:{start}",
        *([] if end is None else [f"DTEND{end}" if end[0] in ";:" else f"DTEND:{end}"]),
        *(f"{name.upper().replace('_', '-')}:{value}" for name, value in lines.items()),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(properties).encode()


def an_hour(hour: int, day: int = 1) -> TimeRange:
    """Return an hour of a day in December 2026."""
    start = to_instant(datetime(2026, 12, day, hour, tzinfo=UTC))
    return TimeRange(start, start + HOUR)


async def a_full_calendar(store: Store, many: int) -> int:
    """Add an owner with a calendar of so many objects, `0.ics` and on; return the calendar's id."""
    async with store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
        collection = await tx.collections.add(a_collection(owner.id))
        await tx.objects.add([an_object(collection.id, f"{n}.ics") for n in range(many)])
    return collection.id


def an_object(collection_id: int, name: str = "event.ics", **values: Any) -> ObjectRecord:
    """Return a calendar object resource to be stored; its bytes need not be a calendar."""
    defaults = {
        "id": 0,
        "collection_id": collection_id,
        "name": name,
        "uid": f"{name}@example.org",
        "component": "VEVENT",
        "etag": f'"{name}"',
        "data": b"data",
        "revision": 0,
        "created_at": NOON,
        "modified_at": NOON,
    }
    return ObjectRecord(**(defaults | values))


def a_booking(owner_id: int, *, start: int, minutes: int = 30, **values: Any) -> Booking:
    """Return a held booking to be added."""
    identifier = _id("bk")
    defaults = {
        "id": identifier,
        "owner_id": owner_id,
        "page_id": "pg_1",
        "state": BookingState.HELD,
        "start": start,
        "end": start + minutes * 60,
        "time_zone": "Europe/Amsterdam",
        "name": "Vera",
        "email": "vera@example.net",
        "uid": f"{identifier}@example.org",
        "manage_digest": identifier,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Booking(**(defaults | values))


def a_page(owner_id: int, **values: Any) -> SchedulingPage:
    """Return a scheduling page to be added."""
    defaults = {"id": _id("pg"), "owner_id": owner_id, "slug": "jane/intro", "title": "Intro"}
    return SchedulingPage(**(defaults | values))


def a_connection(owner_id: int, **values: Any) -> Connection:
    """Return a connection to be added."""
    defaults = {"id": _id("cn"), "owner_id": owner_id, "provider": "ics", "account": "a feed"}
    return Connection(**(defaults | values))
