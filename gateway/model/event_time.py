"""When the event of a calendar object is, and the same object at another time (pure)."""

from gateway.model.component import Component, serialize
from gateway.model.content_line import raw_property
from gateway.model.extent import read_extent
from gateway.model.moment import Moments
from gateway.model.objects import read_one
from gateway.model.timerange import MINUTE, TimeRange, format_utc
from gateway.model.zone import Zone

TIMES = ("DTSTART", "DTEND", "DURATION", "SEQUENCE")


def event_time(data: bytes, home: Zone) -> TimeRange | None:
    """Return when an object's event is, None where it is called off.

    Of a series it is the first instance. What makes no sense is Refused or ValueError.
    """
    item = read_one(data)
    event = _master(item.members)
    if event.value("STATUS").strip().upper() == "CANCELLED":
        return None
    extent = read_extent(Moments(item.calendar, home, lenient=True), event)
    if extent is None:
        raise ValueError("an event without a time")
    start = extent.start.instant
    return TimeRange(start, max(extent.end, start + MINUTE))


def at_another_time(data: bytes, span: TimeRange) -> bytes:
    """Return an object with its event moved, and everything else in it as its owner has it."""
    item = read_one(data)
    event = _master(item.members)
    told = event.value("SEQUENCE").strip()
    sequence = int(told) if told.isascii() and told.isdigit() else 0
    first = next((at for at, one in enumerate(event.properties) if one.name == "DTSTART"), 0)
    kept = [one for one in event.properties if one.name not in TIMES]
    event.properties = [
        *kept[:first],
        raw_property("SEQUENCE", str(sequence + 1)),
        raw_property("DTSTART", format_utc(span.start)),
        raw_property("DTEND", format_utc(span.end)),
        *kept[first:],
    ]
    return serialize(item.calendar)


def _master(members: list[Component]) -> Component:
    return next((one for one in members if one.first("RECURRENCE-ID") is None), members[0])
