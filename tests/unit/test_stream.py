"""Streams of several calendars, read as one (gateway/model/stream.py)."""

from gateway.model.recurrence import compile_object
from gateway.model.stream import read_stream
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.model.zone import UTC_ZONE
from tests.builders import an_event

ZONE = (
    b"BEGIN:VTIMEZONE\r\nTZID:Own\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    b"TZOFFSETFROM:+0500\r\nTZOFFSETTO:+0500\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)
MIDNIGHT = 1796083200
"""2026-12-01T00:00:00Z."""


def test_a_moved_instance_brings_its_zone() -> None:
    """An instance in a calendar of its own is where that calendar's definition puts it."""
    master = an_event("a", end="20261201T100000Z", rrule="FREQ=DAILY;COUNT=3")
    moved = an_event(
        "a",
        start=";TZID=Own:20261202T190000",
        end=";TZID=Own:20261202T200000",
        recurrence_id="20261202T090000Z",
    )
    moved = moved.replace(b"BEGIN:VEVENT", ZONE + b"BEGIN:VEVENT")

    for stream in (master + moved, moved + master):
        (item,) = read_stream(stream).objects
        times = compile_object(item, UTC_ZONE, lenient=True)
        found = times.occurrences(TimeRange(MIDNIGHT, MIDNIGHT + 4 * DAY))
        hours = [(one.start - MIDNIGHT) // HOUR for one in found]

        assert hours == [9, 24 + 14, 48 + 9]
