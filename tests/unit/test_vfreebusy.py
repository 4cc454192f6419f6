"""Busy time as VFREEBUSY."""

from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.freebusy.vfreebusy import render
from gateway.model.content_line import Property, read_lines
from gateway.model.timerange import TimeRange

MONDAY = 1767571200  # 2026-01-05T00:00:00Z
WEEK = TimeRange(MONDAY, MONDAY + 7 * 86400)


def test_periods_are_utc_with_their_type_written() -> None:
    """Every period has an FBTYPE, both its ends in UTC; the window and the stamp are there."""
    periods = [
        BusyPeriod(MONDAY + 9 * 3600, MONDAY + 10 * 3600 + 61, BusyType.BUSY),
        BusyPeriod(MONDAY + 23 * 3600, MONDAY + 25 * 3600, BusyType.UNAVAILABLE),
    ]

    assert render(periods, WEEK, now=MONDAY - 1, uid="a,b").decode().split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//calgate//calgate//EN",
        "BEGIN:VFREEBUSY",
        "UID:a\\,b",
        "DTSTAMP:20260104T235959Z",
        "DTSTART:20260105T000000Z",
        "DTEND:20260112T000000Z",
        "FREEBUSY;FBTYPE=BUSY:20260105T090000Z/20260105T100101Z",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260105T230000Z/20260106T010000Z",
        "END:VFREEBUSY",
        "END:VCALENDAR",
        "",
    ]


def test_a_reply_names_both_sides() -> None:
    """METHOD, ORGANIZER, ATTENDEE, UID and URL are written when given."""
    answer = render(
        [],
        WEEK,
        now=MONDAY,
        uid="u1",
        method="REPLY",
        organizer="mailto:a@example.org",
        attendee="mailto:b@example.org",
        url="https://example.org/b.ifb",
    )
    found = {item.name: item.value for item in read_lines(answer)}

    assert found["METHOD"] == "REPLY"
    assert found["ORGANIZER"] == "mailto:a@example.org"
    assert found["ATTENDEE"] == "mailto:b@example.org"
    assert found["UID"] == "u1"
    assert found["URL"] == "https://example.org/b.ifb"


def test_no_value_adds_a_line() -> None:
    """A line end inside an address or a UID cannot begin another property."""
    evil = "x\r\nX-EVIL:1\u2028\x85\x00"
    answer = render([], WEEK, now=MONDAY, uid=evil, organizer=evil, attendee=evil, url=evil)

    assert not [item for item in read_lines(answer) if item.name == "X-EVIL"]


def test_long_values_are_folded() -> None:
    """No line has more than 75 octets, and unfolding gives the value back."""
    url = "https://example.org/" + "é" * 200
    answer = render([], WEEK, now=MONDAY, url=url)

    assert max(map(len, answer.split(b"\r\n"))) <= 75
    assert Property("URL", {}, url) in list(read_lines(answer))
