"""What the Graph normaliser makes of events that the cases do not hold."""

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.adapters.graph.normalise import render
from gateway.adapters.graph.plain_text import plain_text
from gateway.freebusy.blocking import blocking_periods
from gateway.model.collection import BusyRules
from gateway.model.component import Component
from gateway.model.objects import check_object
from gateway.model.recurrence import compile_object
from gateway.model.timerange import HOUR, TimeRange
from gateway.model.zones import zone

BERLIN = zone("Europe/Berlin")
NOON = 1772622000
"""2026-03-04T11:00:00Z, noon in Berlin."""
NO_END = {"type": "noEnd", "startDate": "2026-03-04", "endDate": "0001-01-01"}


def an_item(**values: Any) -> dict[str, Any]:
    """Return an hour at noon in Berlin on 4 March 2026."""
    return {
        "id": "AAMk=",
        "iCalUId": "uid-1",
        "subject": "Lunch",
        "type": "singleInstance",
        "start": {"dateTime": "2026-03-04T11:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-03-04T12:00:00.0000000", "timeZone": "UTC"},
        "originalStartTimeZone": "W. Europe Standard Time",
        "showAs": "busy",
    } | values


def a_series(pattern: Mapping[str, Any], reach: Mapping[str, Any] = NO_END, **values: Any) -> Any:
    """Return a series; unused fields are there, as Graph sends them."""
    unused = {"interval": 1, "month": 0, "dayOfMonth": 0, "firstDayOfWeek": "sunday"}
    told = {"recurrenceTimeZone": "W. Europe Standard Time", **reach}
    recurrence = {"pattern": {**unused, "index": "first", **pattern}, "range": told}
    return an_item(type="seriesMaster", recurrence=recurrence, **values)


def members(item: Mapping[str, Any], *exceptions: Mapping[str, Any]) -> list[Component]:
    """Return the components, which pass the strict reading of a PUT."""
    assert BERLIN is not None
    data = render(item, exceptions, BERLIN).data
    assert data is not None
    return check_object(data).members


def kinds(item: Mapping[str, Any], rules: BusyRules | None = None) -> list[str]:
    """Return the types of busy time at noon."""
    assert BERLIN is not None
    data = render(item, (), BERLIN).data
    assert data is not None
    times = compile_object(check_object(data), BERLIN)
    found = times.occurrences(TimeRange(NOON, NOON + HOUR))
    return [one.type.value for one in blocking_periods(found, rules or BusyRules(), address="")]


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        ({"type": "daily", "interval": 3}, "FREQ=DAILY;INTERVAL=3"),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["tuesday", "sunday"]},
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
        ),
        (
            {"type": "weekly", "daysOfWeek": ["friday"], "firstDayOfWeek": "monday"},
            "FREQ=WEEKLY;BYDAY=FR;WKST=MO",
        ),
        (
            {"type": "absoluteMonthly", "dayOfMonth": 29},
            "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1",
        ),
        ({"type": "absoluteMonthly", "dayOfMonth": 28}, "FREQ=MONTHLY;BYMONTHDAY=28"),
        (
            {"type": "relativeMonthly", "index": "second", "daysOfWeek": ["saturday", "sunday"]},
            "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=2",
        ),
        (
            {"type": "absoluteYearly", "month": 2, "dayOfMonth": 29},
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1",
        ),
        (
            {"type": "absoluteYearly", "month": 12, "dayOfMonth": 31},
            "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31",
        ),
        (
            {"type": "relativeYearly", "month": 11, "index": "last", "daysOfWeek": ["monday"]},
            "FREQ=YEARLY;BYMONTH=11;BYDAY=-1MO",
        ),
    ],
)
def test_each_pattern_has_its_rule(pattern: dict[str, Any], rule: str) -> None:
    """A pattern reads the fields of its type only, and clamps where a month is shorter."""
    (event,) = members(a_series(pattern))

    assert event.value("RRULE") == rule


@pytest.mark.parametrize(
    ("pattern", "reach"),
    [
        ({"type": "fortnightly"}, NO_END),
        ({"type": "weekly"}, NO_END),
        ({"type": "daily", "interval": 0}, NO_END),
        ({"type": "daily", "interval": "1"}, NO_END),
        ({"type": "absoluteMonthly", "dayOfMonth": 32}, NO_END),
        ({"type": "absoluteYearly", "month": 13, "dayOfMonth": 1}, NO_END),
        ({"type": "relativeMonthly", "index": "fifth", "daysOfWeek": ["monday"]}, NO_END),
        ({"type": "daily"}, {"type": "numbered", "numberOfOccurrences": 0}),
        ({"type": "daily"}, {"type": "endDate", "endDate": "2026-02-30"}),
        ({"type": "daily"}, {"type": "whenever"}),
    ],
)
def test_a_rule_without_meaning_is_unreadable(
    pattern: dict[str, Any], reach: dict[str, Any]
) -> None:
    """What cannot be understood raises, so that what was stored of it stays."""
    assert BERLIN is not None
    with pytest.raises(ValueError, match=r"."):
        render(a_series(pattern, reach), (), BERLIN)


@pytest.mark.parametrize(
    ("shown", "answer", "expected"),
    [
        ("busy", "organizer", ["BUSY"]),
        ("busy", "accepted", ["BUSY"]),
        ("busy", "none", ["BUSY"]),
        ("unknown", "none", ["BUSY"]),
        ("", "", ["BUSY"]),
        ("oof", "accepted", ["BUSY-UNAVAILABLE"]),
        ("tentative", "accepted", ["BUSY-TENTATIVE"]),
        ("busy", "tentativelyAccepted", ["BUSY-TENTATIVE"]),
        ("busy", "notResponded", ["BUSY-TENTATIVE"]),
        ("tentative", "notResponded", ["BUSY-TENTATIVE"]),
        ("busy", "declined", []),
        ("oof", "declined", []),
        ("free", "accepted", []),
        ("workingElsewhere", "organizer", []),
    ],
)
def test_busy_time_follows_the_policy(shown: str, answer: str, expected: list[str]) -> None:
    """Busy, out of office and unknown block; tentative and unanswered tentatively; the rest not."""
    item = an_item(showAs=shown, responseStatus={"response": answer})

    assert kinds(item) == expected


def test_an_owner_may_not_mind_what_is_unanswered() -> None:
    """The rules of a calendar reach a Graph invitation that nobody answered."""
    item = an_item(responseStatus={"response": "notResponded"})

    assert kinds(item, BusyRules(unanswered_blocks=False)) == []


def test_a_cancelled_meeting_is_free() -> None:
    """It stays in the calendar as cancelled."""
    (event,) = members(an_item(isCancelled=True, showAs="busy"))

    assert (event.value("STATUS"), event.value("TRANSP")) == ("CANCELLED", "TRANSPARENT")


@pytest.mark.parametrize(
    "name", ["tzone://Microsoft/Custom", "Customized Time Zone", "Nowhere Standard Time", ""]
)
def test_a_series_in_a_zone_of_its_own_repeats_in_the_mailbox_zone(name: str) -> None:
    """Graph tells no more of a custom zone than that it is one."""
    item = a_series({"type": "daily"}, originalStartTimeZone=name)
    item["recurrence"]["range"]["recurrenceTimeZone"] = name
    (event,) = members(item)

    start = event.first("DTSTART")
    assert start is not None
    assert (start.param("TZID"), start.value) == ("Europe/Berlin", "20260304T120000")


@pytest.mark.parametrize(
    ("name", "tzid"),
    [
        ("tzone://Microsoft/Utc", ""),
        ("UTC", ""),
        ("India Standard Time", "Asia/Kolkata"),
        ("FLE Standard Time", "Europe/Kyiv"),
        ("America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Amsterdam"),
        ("Mexico Standard Time 2", "America/Mazatlan"),
    ],
)
def test_a_zone_may_have_any_kind_of_name(name: str, tzid: str) -> None:
    """Windows, IANA, display and obsolete names are all known."""
    (event,) = members(an_item(originalStartTimeZone=name))

    start = event.first("DTSTART")
    assert start is not None
    assert start.param("TZID") == tzid


@pytest.mark.parametrize(
    "original", ["2026-03-05T11:00:00Z", "2026-03-05T12:00:00+01:00", "2026-03-05T11:00:00.0000000"]
)
def test_an_original_start_may_carry_any_offset(original: str) -> None:
    """It means an instant, and stands in the master's zone."""
    moved = an_item(id="x", type="exception", originalStart=original, subject="Later")
    _, override = members(a_series({"type": "daily"}), moved)

    told = override.first("RECURRENCE-ID")
    assert told is not None
    assert (told.param("TZID"), told.value) == ("Europe/Berlin", "20260305T120000")


def test_an_exception_may_name_its_day_only() -> None:
    """Without an original start the day in its occurrence id says which instance it was."""
    moved = an_item(id="x", type="exception", occurrenceId="OID.AAMk=.2026-03-06")
    _, override = members(a_series({"type": "daily"}), moved)

    assert override.value("RECURRENCE-ID") == "20260306T120000"


def test_an_exception_of_an_unknown_day_counts_beside_the_series() -> None:
    """Nothing is opened by an exception that does not say what it replaces."""
    start = {"dateTime": "2026-03-04T15:00:00.0000000", "timeZone": "UTC"}
    end = {"dateTime": "2026-03-04T16:00:00.0000000", "timeZone": "UTC"}
    moved = an_item(id="x", type="exception", start=start, end=end)
    _, override = members(a_series({"type": "daily"}), moved)

    assert override.value("RECURRENCE-ID") == "20260304T160000"


def test_a_changed_day_of_a_whole_day_series_is_a_date() -> None:
    """Neither a label nor an offset shifts it."""
    days = {
        "start": {"dateTime": "2026-03-04T00:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-03-05T00:00:00.0000000", "timeZone": "UTC"},
        "isAllDay": True,
    }
    for original in ("2026-03-05T00:00:00Z", "2026-03-04T23:00:00Z"):
        moved = an_item(id="x", type="exception", originalStart=original) | days
        _, override = members(a_series({"type": "daily"}) | days, moved)
        assert override.value("RECURRENCE-ID") == "20260305"


def test_a_time_in_another_zone_is_the_same_instant() -> None:
    """The answer's zone is whatever was asked for."""
    start = {"dateTime": "2026-03-04T20:00:00.0000000", "timeZone": "Tokyo Standard Time"}
    (event,) = members(an_item(start=start))

    assert event.value("DTSTART") == "20260304T120000"


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": None},
        {"start": {"dateTime": "soon", "timeZone": "UTC"}},
        {"start": {"dateTime": "2026-03-04T11:00:00", "timeZone": "Nowhere"}},
        {"isAllDay": True, "end": {}},
    ],
)
def test_a_time_without_meaning_is_unreadable(wrong: dict[str, Any]) -> None:
    """It raises, and is not left out in silence."""
    assert BERLIN is not None
    with pytest.raises(ValueError, match=r"."):
        render(an_item(**wrong), (), BERLIN)


def test_an_end_before_the_start_is_an_hour() -> None:
    """What lasts less than nothing is still not free."""
    assert kinds(an_item(end={"dateTime": "2026-03-04T10:00:00", "timeZone": "UTC"})) == ["BUSY"]


def test_everything_but_id_and_times_may_be_missing() -> None:
    """Subject, body, place, organizer and attendees are null in practice."""
    bare = {"id": "AAMk=", "start": an_item()["start"], "end": an_item()["end"]}
    nulls = dict.fromkeys(("subject", "body", "location", "organizer", "attendees", "iCalUId"))
    (event,) = members(bare | nulls)

    assert event.text("UID") == "AAMk=@graph"
    assert kinds(bare | nulls) == ["BUSY"]


def test_a_changed_exception_changes_the_etag() -> None:
    """A master's own change key may stay when only an exception moves."""
    assert BERLIN is not None
    series = a_series({"type": "daily"})
    one = an_item(id="x", type="exception", originalStart="2026-03-05T11:00:00Z")

    before = render(series, [one], BERLIN).etag
    after = render(series, [one | {"subject": "Other"}], BERLIN).etag
    assert before != after


def test_html_becomes_text() -> None:
    """Blocks end lines, styles and scripts are unseen, entities are characters."""
    html = "<style>p{}</style><div>One &amp; two</div><ul><li>three<li>four</ul><script>x</script>"

    assert plain_text(html).split() == ["One", "&", "two", "three", "four"]
    assert plain_text("<b>unclosed <i>and </div>broken") == "unclosed and\nbroken"
