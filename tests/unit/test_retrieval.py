"""Calendar data told as a client wants it (RFC 4791 section 9.6)."""

import pytest

from gateway.errors import Condition, Refused
from gateway.model.calendar_data import CalendarData, CompRequest, Room
from gateway.model.objects import read_one
from gateway.model.recurrence import compile_object
from gateway.model.retrieval import retrieve
from gateway.model.timerange import TimeRange
from gateway.model.zones import zone

DECEMBER_1 = 1796083200
"""2026-12-01T00:00:00Z, a Tuesday."""
DAY = 86400
AMSTERDAM = zone("Europe/Amsterdam")
WEEK = TimeRange(DECEMBER_1, DECEMBER_1 + 7 * DAY)


def a_calendar(*components: str) -> bytes:
    """Return a calendar with a time zone and these components, each a block of lines."""
    zone_lines = "BEGIN:VTIMEZONE\nTZID:Europe/Amsterdam\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
    zone_lines += "TZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE"
    text = "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", zone_lines, *components])
    return (text + "\nEND:VCALENDAR\n").replace("\n", "\r\n").encode()


def an_event(*lines: str, kind: str = "VEVENT") -> str:
    """Return a component's lines."""
    return "\n".join([f"BEGIN:{kind}", "UID:x", "DTSTAMP:20260101T000000Z", *lines, f"END:{kind}"])


def told(data: bytes, wanted: CalendarData, room: Room | None = None) -> str:
    """Return what a client gets, its line ends plain."""
    obj = read_one(data)
    times = compile_object(obj, AMSTERDAM)
    return retrieve(obj, times, wanted, AMSTERDAM, room or Room()).replace("\r\n", "\n")


DAILY = a_calendar(
    an_event(
        "DTSTART;TZID=Europe/Amsterdam:20261129T090000",
        "DURATION:PT30M",
        "RRULE:FREQ=DAILY;COUNT=4",
        "EXDATE;TZID=Europe/Amsterdam:20261201T090000",
        "SUMMARY:Stand-up",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT5M",
        "END:VALARM",
    ),
    an_event(
        "RECURRENCE-ID;TZID=Europe/Amsterdam:20261130T090000",
        "DTSTART;TZID=Europe/Amsterdam:20261203T100000",
        "DTEND;TZID=Europe/Amsterdam:20261203T110000",
        "SUMMARY:Moved",
    ),
)


def test_instances_are_told_in_utc_without_rules_and_zones() -> None:
    """Section 9.6.5: DTSTART and RECURRENCE-ID in UTC, no RRULE, EXDATE or VTIMEZONE."""
    text = told(DAILY, CalendarData(expand=WEEK))

    assert text == (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\n"
        "BEGIN:VEVENT\nRECURRENCE-ID:20261202T080000Z\nDTSTART:20261202T080000Z\n"
        "DTEND:20261202T083000Z\nUID:x\nDTSTAMP:20260101T000000Z\nSUMMARY:Stand-up\n"
        "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT\n"
        "BEGIN:VEVENT\nRECURRENCE-ID:20261130T080000Z\nDTSTART:20261203T090000Z\n"
        "DTEND:20261203T100000Z\nUID:x\nDTSTAMP:20260101T000000Z\nSUMMARY:Moved\nEND:VEVENT\n"
        "END:VCALENDAR\n"
    )


def test_days_stay_days_and_floating_times_float() -> None:
    """Only what refers to a time zone becomes UTC."""
    days = a_calendar(an_event("DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;COUNT=2"))
    floating = a_calendar(an_event("DTSTART:20261201T090000", "RRULE:FREQ=DAILY;COUNT=1"))

    lines = told(days, CalendarData(expand=WEEK)).splitlines()

    assert lines[4:6] == ["RECURRENCE-ID;VALUE=DATE:20261201", "DTSTART;VALUE=DATE:20261201"]
    assert "DTSTART;VALUE=DATE:20261202" in lines
    assert not [line for line in lines if line.startswith("DTEND")]
    assert "DTSTART:20261201T090000\n" in told(floating, CalendarData(expand=WEEK))


def test_what_does_not_recur_has_no_recurrence_id() -> None:
    """A single event keeps its identity, whenever it is."""
    data = a_calendar(an_event("DTSTART;TZID=Europe/Amsterdam:20270101T090000"))

    text = told(data, CalendarData(expand=WEEK))

    assert "RECURRENCE-ID" not in text
    assert "DTSTART:20270101T080000Z" in text
    assert "VTIMEZONE" not in text


def test_a_todo_and_a_journal_keep_what_times_they_have() -> None:
    """No start is made up where there is only a DUE, none at all where there is nothing."""
    due = a_calendar(an_event("DUE;TZID=Europe/Amsterdam:20261201T090000", kind="VTODO"))
    undated = a_calendar(an_event("CREATED:20261101T090000Z", kind="VTODO"))
    journal = a_calendar(an_event("SUMMARY:x", kind="VJOURNAL"))

    assert "\nDUE:20261201T080000Z\n" in told(due, CalendarData(expand=WEEK))
    assert "DTSTART" not in told(due, CalendarData(expand=WEEK))
    for data in (undated, journal):
        text = told(data, CalendarData(expand=WEEK))
        assert "DTSTART" not in text
        assert "DUE" not in text


def test_expansion_is_bounded() -> None:
    """What does not fit in the room is refused, not cut off."""
    data = a_calendar(an_event("DTSTART:20000101T000000Z", "RRULE:FREQ=HOURLY"))

    with pytest.raises(Refused) as refused:
        told(data, CalendarData(expand=TimeRange(DECEMBER_1, DECEMBER_1 + 366 * DAY)), Room(100))

    assert refused.value.condition is Condition.NUMBER_OF_MATCHES


def test_only_the_wanted_properties_are_told() -> None:
    """Section 9.6.1: what is not named is left out; a component named alone is told whole."""
    event = CompRequest(name="VEVENT", props={"SUMMARY": False, "RRULE": True}, comps={})
    wanted = CompRequest(
        name="VCALENDAR",
        props={"VERSION": False},
        comps={"VEVENT": event, "VTIMEZONE": CompRequest(name="VTIMEZONE")},
    )

    text = told(DAILY, CalendarData(comp=wanted))

    assert text.startswith("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:Europe/Amsterdam\n")
    assert "BEGIN:VEVENT\nRRULE:\nSUMMARY:Stand-up\nEND:VEVENT\n" in text
    assert "VALARM" not in text


def test_instances_too_tell_the_wanted_only() -> None:
    """Partial retrieval and expansion go together."""
    event = CompRequest(name="VEVENT", props={"DTSTART": False, "DTEND": True}, comps={})
    wanted = CompRequest(name="VCALENDAR", props={}, comps={"VEVENT": event})

    text = told(DAILY, CalendarData(comp=wanted, expand=WEEK))

    assert text == (
        "BEGIN:VCALENDAR\n"
        "BEGIN:VEVENT\nDTSTART:20261202T080000Z\nDTEND:\nEND:VEVENT\n"
        "BEGIN:VEVENT\nDTSTART:20261203T090000Z\nDTEND:\nEND:VEVENT\n"
        "END:VCALENDAR\n"
    )


@pytest.mark.parametrize(("day", "kept"), [(-3, False), (-1, True), (2, True), (4, False)])
def test_overrides_without_a_say_are_left_out(day: int, kept: bool) -> None:
    """Section 9.6.6: an override stays where it is, or where it was, in the window."""
    start = DECEMBER_1 + day * DAY
    text = told(DAILY, CalendarData(limit_recurrence_set=TimeRange(start, start + DAY)))

    assert ("SUMMARY:Moved" in text) is kept
    assert "RRULE:FREQ=DAILY" in text


def test_busy_periods_outside_the_window_are_left_out() -> None:
    """Section 9.6.7, on a stored VFREEBUSY."""
    data = a_calendar(
        an_event(
            "FREEBUSY;FBTYPE=BUSY:20261130T090000Z/PT1H,20261201T090000Z/PT1H",
            "FREEBUSY:20261215T090000Z/20261215T100000Z",
            kind="VFREEBUSY",
        )
    )

    text = told(data, CalendarData(limit_freebusy_set=WEEK))

    assert [line for line in text.splitlines() if line.startswith("FREEBUSY")] == [
        "FREEBUSY;FBTYPE=BUSY:20261201T090000Z/PT1H"
    ]
