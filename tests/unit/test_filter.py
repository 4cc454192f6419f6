"""Filters of RFC 4791 section 9.7 held against objects."""

import pytest

from gateway.model.filter import CompFilter, ParamFilter, PropFilter, TextMatch
from gateway.model.matching import Matcher
from gateway.model.objects import read_one
from gateway.model.text_match import Collation
from gateway.model.timerange import TimeRange
from gateway.model.zone import Zone
from gateway.model.zones import UTC_ZONE, zone

DECEMBER_1 = 1796083200
"""2026-12-01T00:00:00Z, a Tuesday."""
HOUR, DAY = 3600, 86400


def an_object(*lines: str, kind: str = "VEVENT", more: str = "") -> bytes:
    """Return a calendar with one component that has these lines."""
    body = "\r\n".join(["UID:x", "DTSTAMP:20260101T000000Z", *lines])
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n"
        f"BEGIN:{kind}\r\n{body}\r\nEND:{kind}\r\n{more}END:VCALENDAR\r\n"
    ).encode()


def matches(data: bytes, inner: CompFilter, home: Zone = UTC_ZONE) -> bool:
    """Tell whether the object matches a filter inside VCALENDAR."""
    return Matcher(read_one(data), home).matches(CompFilter(name="VCALENDAR", comps=(inner,)))


def within(start: int, end: int, kind: str = "VEVENT") -> CompFilter:
    """Ask for a component in the hours from the first of December on."""
    return CompFilter(
        name=kind, time_range=TimeRange(DECEMBER_1 + start * HOUR, DECEMBER_1 + end * HOUR)
    )


def with_prop(name: str, text: str | None = None, kind: str = "VEVENT", **more: object):
    """Ask for a component that has a property, perhaps with a text in it."""
    match = None if text is None else TextMatch(text)
    return CompFilter(name=kind, props=(PropFilter(name=name, text_match=match, **more),))


NINE_TO_TEN = an_object("DTSTART:20261201T090000Z", "DTEND:20261201T100000Z", "SUMMARY:Coffee")


# --- components and properties


def test_an_empty_filter_asks_for_the_component_only() -> None:
    """A component of that name is enough, and no other will do."""
    assert matches(NINE_TO_TEN, CompFilter(name="VEVENT"))
    assert not matches(NINE_TO_TEN, CompFilter(name="VTODO"))


def test_is_not_defined_wants_no_component() -> None:
    """Events without alarms are those that have no VALARM."""
    no_alarm = CompFilter(name="VEVENT", comps=(CompFilter(name="VALARM", is_not_defined=True),))
    alarmed = an_object(
        "DTSTART:20261201T090000Z",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT5M",
        "END:VALARM",
    )

    assert matches(NINE_TO_TEN, no_alarm)
    assert not matches(alarmed, no_alarm)


def test_is_not_defined_wants_no_property() -> None:
    """Open to-dos are those without COMPLETED."""
    opened = CompFilter(name="VTODO", props=(PropFilter(name="COMPLETED", is_not_defined=True),))

    assert matches(an_object("SUMMARY:x", kind="VTODO"), opened)
    assert not matches(an_object("COMPLETED:20261201T000000Z", kind="VTODO"), opened)


def test_one_component_must_meet_everything() -> None:
    """A master's summary and an override's time are not one match."""
    data = an_object(
        "DTSTART:20261201T090000Z",
        "DTEND:20261201T100000Z",
        "RRULE:FREQ=DAILY;COUNT=2",
        "SUMMARY:Plain",
        more=(
            "BEGIN:VEVENT\r\nUID:x\r\nDTSTAMP:20260101T000000Z\r\n"
            "RECURRENCE-ID:20261202T090000Z\r\nDTSTART:20261202T200000Z\r\n"
            "DTEND:20261202T210000Z\r\nSUMMARY:Moved\r\nEND:VEVENT\r\n"
        ),
    )
    evening = TimeRange(DECEMBER_1 + 44 * HOUR, DECEMBER_1 + 45 * HOUR)

    def asked(summary: str) -> CompFilter:
        match = PropFilter(name="SUMMARY", text_match=TextMatch(summary))
        return CompFilter(name="VEVENT", time_range=evening, props=(match,))

    assert matches(data, asked("moved"))
    assert not matches(data, asked("plain"))
    assert not matches(data, within(33, 34)), "the replaced instance is at its old time no more"


# --- text


@pytest.mark.parametrize(
    ("needle", "collation", "found"),
    [
        ("COFFEE", Collation.ASCII_CASEMAP, True),
        ("off", Collation.ASCII_CASEMAP, True),
        ("COFFEE", Collation.OCTET, False),
        ("Coffee", Collation.OCTET, True),
        ("C.ffee", Collation.ASCII_CASEMAP, False),
        ("", Collation.ASCII_CASEMAP, True),
    ],
)
def test_text_is_looked_for_as_it_is(needle: str, collation: Collation, found: bool) -> None:
    """Substrings match under their collation; nothing is read as a pattern."""
    asked = PropFilter(name="SUMMARY", text_match=TextMatch(needle, collation))

    assert matches(NINE_TO_TEN, CompFilter(name="VEVENT", props=(asked,))) is found


def test_only_the_unicode_collation_folds_beyond_ascii() -> None:
    """i;ascii-casemap keeps Ü and ü apart (RFC 4790 section 9.2.1), i;unicode-casemap does not."""
    data = an_object("DTSTART:20261201T090000Z", "SUMMARY:ÜBUNG")

    def found(collation: Collation) -> bool:
        match = PropFilter(name="SUMMARY", text_match=TextMatch("übung", collation))
        return matches(data, CompFilter(name="VEVENT", props=(match,)))

    assert not found(Collation.ASCII_CASEMAP)
    assert found(Collation.UNICODE_CASEMAP)


def test_negation_turns_a_match_round_but_needs_the_property() -> None:
    """Without a SUMMARY there is none that differs (section 9.7.2)."""
    other = PropFilter(name="SUMMARY", text_match=TextMatch("tea", negate=True))
    same = PropFilter(name="SUMMARY", text_match=TextMatch("coffee", negate=True))

    assert matches(NINE_TO_TEN, CompFilter(name="VEVENT", props=(other,)))
    assert not matches(NINE_TO_TEN, CompFilter(name="VEVENT", props=(same,)))
    assert not matches(
        an_object("DTSTART:20261201T090000Z"), CompFilter(name="VEVENT", props=(other,))
    )


def test_text_is_compared_as_it_reads() -> None:
    """Escapes are no part of a text, and each of several categories is one by itself."""
    data = an_object(
        "DTSTART:20261201T090000Z", "SUMMARY:a\\, b\\; c\\nd", "CATEGORIES:Work\\, hard,Home"
    )

    assert matches(data, with_prop("SUMMARY", "a, b; c\nd"))
    assert matches(data, with_prop("CATEGORIES", "work, hard"))
    assert matches(data, with_prop("CATEGORIES", "home"))


def test_parameters_can_be_asked() -> None:
    """The attendee who has not answered is found by PARTSTAT, one without CN by its absence."""
    data = an_object(
        "DTSTART:20261201T090000Z",
        'ATTENDEE;PARTSTAT=ACCEPTED;CN="Ann":mailto:ann@example.org',
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org",
    )

    def asked(address: str, *params: ParamFilter) -> CompFilter:
        return with_prop("ATTENDEE", address, params=params)

    waiting = ParamFilter(name="PARTSTAT", text_match=TextMatch("needs-action"))
    nameless = ParamFilter(name="CN", is_not_defined=True)

    assert matches(data, asked("bob", waiting, nameless))
    assert not matches(data, asked("ann", waiting))
    assert not matches(data, asked("ann", nameless))
    assert matches(data, asked("ann", ParamFilter(name="CN")))


# --- time


@pytest.mark.parametrize(
    ("start", "end", "found"), [(8, 9, False), (8, 10, True), (9, 10, True), (10, 11, False)]
)
def test_ranges_are_half_open(start: int, end: int, found: bool) -> None:
    """What ends when the range starts, and starts when it ends, is outside (section 9.9)."""
    assert matches(NINE_TO_TEN, within(start, end)) is found


def test_dates_and_floating_times_are_told_in_the_given_zone() -> None:
    """A day in Amsterdam begins an hour before it does in UTC."""
    day = an_object("DTSTART;VALUE=DATE:20261201")
    amsterdam = zone("Europe/Amsterdam")

    assert matches(day, within(-1, 0), amsterdam)
    assert not matches(day, within(-1, 0))


def test_a_recurring_event_is_found_years_later() -> None:
    """An endless rule that began in 2005 still takes place."""
    data = an_object("DTSTART:20050101T090000Z", "DTEND:20050101T100000Z", "RRULE:FREQ=DAILY")

    assert matches(data, within(9, 10))
    assert not matches(data, within(10, 11))


def test_todos_follow_their_own_table() -> None:
    """A to-do that is due at the end of the range is in it, one due at its start is not."""
    due = an_object("DUE:20261201T100000Z", kind="VTODO")

    assert matches(due, within(9, 10, "VTODO"))
    assert not matches(due, within(10, 11, "VTODO"))
    assert matches(an_object("SUMMARY:some day", kind="VTODO"), within(9, 10, "VTODO"))


def test_a_journal_without_a_date_is_never_in_a_range() -> None:
    """Section 9.9: a VJOURNAL without DTSTART overlaps nothing."""
    assert not matches(an_object("SUMMARY:x", kind="VJOURNAL"), within(0, 24, "VJOURNAL"))
    dated = an_object("DTSTART;VALUE=DATE:20261201", kind="VJOURNAL")
    assert matches(dated, within(23, 24, "VJOURNAL"))


def test_stored_free_busy_is_found_by_its_periods() -> None:
    """A VFREEBUSY without DTSTART overlaps where its periods do."""
    data = an_object("FREEBUSY:20261201T090000Z/PT1H", kind="VFREEBUSY")

    assert matches(data, within(9, 10, "VFREEBUSY"))
    assert not matches(data, within(10, 11, "VFREEBUSY"))


def test_a_time_range_asks_a_property_too() -> None:
    """COMPLETED within a range; a date counts as its whole day."""
    done = an_object("COMPLETED:20261201T120000Z", kind="VTODO")

    def asked(start: int, end: int) -> CompFilter:
        window = TimeRange(DECEMBER_1 + start * HOUR, DECEMBER_1 + end * HOUR)
        return with_prop("COMPLETED", kind="VTODO", time_range=window)

    assert matches(done, asked(12, 13))
    assert not matches(done, asked(11, 12))


# --- alarms


def alarmed(*lines: str, rule: str = "") -> bytes:
    """Return an event from nine to ten with an alarm."""
    return an_object(
        "DTSTART:20261201T090000Z",
        "DTEND:20261201T100000Z",
        *([rule] if rule else []),
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        *lines,
        "END:VALARM",
    )


def ringing(minutes: int, length: int = 1) -> CompFilter:
    """Ask for an alarm that goes off that many minutes into the first of December."""
    start = DECEMBER_1 + minutes * 60
    alarm = CompFilter(name="VALARM", time_range=TimeRange(start, start + length * 60))
    return CompFilter(name="VEVENT", comps=(alarm,))


@pytest.mark.parametrize(
    ("lines", "minutes"),
    [
        (["TRIGGER;VALUE=DATE-TIME:20261201T001500Z"], 15),
        (["TRIGGER:-PT15M"], 9 * 60 - 15),
        (["TRIGGER;RELATED=END:PT5M"], 10 * 60 + 5),
        (["TRIGGER:-PT15M", "REPEAT:3", "DURATION:PT5M"], 9 * 60),
    ],
)
def test_an_alarm_is_found_when_it_rings(lines: list[str], minutes: int) -> None:
    """Absolute, before the start, after the end, and repeating (sections 3.6.6 and 3.8.6)."""
    data = alarmed(*lines)

    assert matches(data, ringing(minutes))
    assert not matches(data, ringing(minutes + 2))


def test_every_instance_has_its_alarm() -> None:
    """A daily event rings daily, years on, days ahead of the instance too."""
    data = alarmed("TRIGGER:-P2D", rule="RRULE:FREQ=DAILY")

    assert matches(data, ringing(9 * 60 + 700 * 24 * 60))
    assert not matches(data, ringing(8 * 60 + 700 * 24 * 60))
    assert not matches(data, ringing(9 * 60 - 3 * 24 * 60)), "two days before the first, not three"


@pytest.mark.parametrize(
    "lines",
    [
        ["TRIGGER:-PT15M", "REPEAT:2147483647", "DURATION:PT1S"],
        ["TRIGGER:-PT15M", "REPEAT:999999999999999999999999", "DURATION:P999999999W"],
        ["TRIGGER:-P999999999W", "REPEAT:2147483647", "DURATION:PT0S"],
        ["TRIGGER:nonsense", "REPEAT:-1", "DURATION:x"],
    ],
)
def test_a_hostile_alarm_costs_a_division(lines: list[str]) -> None:
    """Repetitions are never counted one by one, whatever they claim."""
    data = alarmed(*lines)

    assert matches(data, ringing(540)) is ("PT1S" in lines[-1])
