"""Streams of several calendars, read as one (gateway/model/stream.py)."""

import pytest

from gateway.errors import Refused
from gateway.model.component import MAX_COMPONENTS, MAX_STRAY_ENDS
from gateway.model.recurrence import compile_object
from gateway.model.stream import read_stream
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.model.zone import UTC_ZONE
from tests.builders import an_event

ZONE = (
    b"BEGIN:VTIMEZONE\r\nTZID:Own\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    b"TZOFFSETFROM:+0500\r\nTZOFFSETTO:+0500\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)
DATES = b",".join([b"20261130T090000Z"] * 100_001)
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


def test_a_fold_inside_a_character_costs_no_text() -> None:
    """Octets are unfolded before they are decoded (section 3.1), in the whole stream."""
    stream = an_event("a", summary="Caf\u00e9") + an_event("b", summary="Caf\u00e9")
    stream = stream.replace(b"\xc3\xa9", b"\xc3\r\n \xa9", 1)

    texts = [item.members[0].text("SUMMARY") for item in read_stream(stream).objects]
    assert texts == ["Caf\u00e9", "Caf\u00e9"]


def test_more_components_than_are_read_are_no_calendar() -> None:
    """What would be left out would be free: the whole stream is refused."""
    many = b"BEGIN:X-A\r\nEND:X-A\r\n" * MAX_COMPONENTS
    stream = b"BEGIN:VCALENDAR\r\n" + many + b"END:VCALENDAR\r\n"

    with pytest.raises(Refused, match="100,000 components"):
        read_stream(stream)


def test_hosts_of_stray_ends_are_no_calendar() -> None:
    """Some ENDs of nothing are passed over; ten thousands of them are refused."""
    begin, end = b"BEGIN:VCALENDAR\r\n", b"END:VCALENDAR\r\n"
    few = read_stream(begin + b"END:X-A\r\n" * MAX_STRAY_ENDS + end)

    assert few.objects == ()
    with pytest.raises(Refused, match="ENDs of nothing"):
        read_stream(begin + b"END:X-A\r\n" * (MAX_STRAY_ENDS + 1) + end)


def test_more_dates_than_are_read_are_refused() -> None:
    """Of a series with more RDATEs than are read nothing is told, rather than that it is free."""
    event = an_event("a").replace(b"END:VEVENT", b"RDATE:" + DATES + b"\r\nEND:VEVENT")
    (item,) = read_stream(event).objects

    with pytest.raises(Refused, match="100,000 dates"):
        compile_object(item, UTC_ZONE, lenient=True)


def _event(uid: str, *lines: str) -> str:
    body = "".join(f"{line}\n" for line in lines)
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTART:20261130T090000Z\n{body}END:VEVENT\n"


CALENDAR, ENDED = "BEGIN:VCALENDAR\n", "END:VCALENDAR\n"
LOST_ENDS = {
    "of alarms": _event("a", *["BEGIN:VALARM"] * 10) + _event("b"),
    "of a zone": "BEGIN:VTIMEZONE\nTZID:T\n" + _event("a") + _event("b"),
    "of an observance": "BEGIN:VTIMEZONE\nTZID:T\nBEGIN:STANDARD\n" + _event("a") + _event("b"),
    "of an event": _event("a").replace("END:VEVENT\n", "") + _event("b"),
    "none, but joined": _event("a") + CALENDAR + _event("b") + ENDED,
}


@pytest.mark.parametrize("text", LOST_ENDS.values(), ids=LOST_ENDS)
def test_a_lost_end_loses_no_event(text: str) -> None:
    """What follows a component that is not ended stands in the calendar, not in that component."""
    found = read_stream((CALENDAR + text + ENDED).encode())

    assert sorted(item.uid for item in found.objects) == ["a", "b"]
    assert not found.refused


def test_a_calendar_that_is_not_ended_is_refused() -> None:
    """Of a stream whose last calendar goes on nothing is told, whatever was whole before."""
    whole, joined = CALENDAR + _event("x") + ENDED, CALENDAR + _event("a") + CALENDAR

    with pytest.raises(Refused, match="VCALENDAR is not ended"):
        read_stream((whole + joined + _event("b") + ENDED).encode())


def test_a_nested_event_of_an_unknown_component_is_no_event() -> None:
    """What a component holds that nobody here knows, a poll's choices say, is its own matter."""
    text = "BEGIN:VPOLL\nUID:p\n" + _event("a") + "END:VPOLL\n" + _event("b")
    found = read_stream((CALENDAR + text + ENDED).encode())

    assert [item.uid for item in found.objects] == ["b"]


def test_a_folded_first_and_last_line_are_what_they_say() -> None:
    """A fold may stand anywhere, in the names that a stream is told by too."""
    text = (CALENDAR + _event("a") + ENDED).replace("VCALENDAR", "VCAL\r\n ENDAR")

    assert [item.uid for item in read_stream(text.encode()).objects] == ["a"]
