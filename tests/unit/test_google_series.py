"""What Google's series look like when they are odd: rules, exceptions, lost masters."""

from typing import Any

import pytest

from gateway.adapters.google.assembly import Assembler
from gateway.adapters.google.normalise import CalendarFacts
from gateway.adapters.google.recurrence import read_recurrence, rule_text
from gateway.adapters.google.times import date_spot, read_spot
from gateway.model.local_time import parse_day
from gateway.model.objects import check_object
from tests.google_items import ZURICH, an_item, at, busy, event, objects, spans

WEEKLY = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]}


def an_exception(**values: Any) -> dict[str, Any]:
    """Return a changed instance of e1 on 12 January."""
    return an_item(
        id="e1_20270112T090000Z",
        recurringEventId="e1",
        originalStartTime=at("2027-01-12T10:00:00+01:00", "Europe/Zurich"),
    ) | {**values}


def test_an_exrule_takes_out_what_it_names() -> None:
    """EXRULE of RFC 2445 becomes EXDATEs."""
    lines = ["RRULE:FREQ=DAILY;COUNT=4", "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2"]

    assert spans(an_item(recurrence=lines)) == [
        ("20270113T090000Z", "20270113T100000Z"),
        ("20270115T090000Z", "20270115T100000Z"),
    ]


def test_an_exdate_may_name_a_windows_zone() -> None:
    """A Windows zone in EXDATE is that zone; the instance it names is gone."""
    lines = [
        "RRULE:FREQ=DAILY;COUNT=2",
        "EXDATE;TZID=Eastern Standard Time:20270113T040000",
    ]
    found = event(an_item(recurrence=lines))

    assert [line.value for line in found.all("EXDATE")] == ["20270113T100000"]
    assert len(busy(an_item(recurrence=lines))) == 1


def test_a_date_in_exdate_means_that_days_instance() -> None:
    """A date among the exceptions of a timed series takes the time of day of the start."""
    lines = ["RRULE:FREQ=DAILY;COUNT=2", "EXDATE;VALUE=DATE:20270113"]

    assert [line.value for line in event(an_item(recurrence=lines)).all("EXDATE")] == [
        "20270113T100000"
    ]


@pytest.mark.parametrize(
    "line", ["RRULE;", "RRULE:", "RRULE:FREQ=NEVER", "UNTIL;", "", 7, "RRULE:X"]
)
def test_a_rule_without_meaning_leaves_the_event(line: object) -> None:
    """A broken rule costs the repetition, never the event, and its owner is told."""
    assembler = Assembler(CalendarFacts(zone=ZURICH))
    assembler.add([an_item(recurrence=[line])])
    (made,) = assembler.finish()

    assert made.data is not None
    assert check_object(made.data).members[0].first("RRULE") is None
    assert assembler.notes == ["“Meeting” repeats in a way that cannot be read in full."]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("FREQ=YEARLY;BYMONTHDAY=12", "FREQ=YEARLY;BYMONTHDAY=12;BYMONTH=1"),
        ("FREQ=YEARLY;BYMONTHDAY=12;BYMONTH=3", "FREQ=YEARLY;BYMONTHDAY=12;BYMONTH=3"),
        ("FREQ=WEEKLY;UNTIL=20270120", "FREQ=WEEKLY;UNTIL=20270120T225959Z"),
        ("FREQ=WEEKLY;UNTIL=20270119T100000", "FREQ=WEEKLY;UNTIL=20270119T090000Z"),
        ("freq=weekly;byday=tu", "FREQ=WEEKLY;BYDAY=TU"),
        ("FREQ=DAILY;;X-A=1;COUNT=2", "FREQ=DAILY;COUNT=2"),
    ],
)
def test_a_rule_is_written_as_the_rfc_means_it(given: str, written: str) -> None:
    """UNTIL in the start's kind, Google's own month made plain, vendors' parts left out."""
    start = read_spot(an_item()["start"], ZURICH)

    assert rule_text(given, start) == written


def test_until_of_a_whole_day_series_is_a_date() -> None:
    """An UNTIL with a time becomes the date as written."""
    start = date_spot(parse_day("20270112"), ZURICH)

    assert rule_text("FREQ=DAILY;UNTIL=20270114T000000Z", start) == "FREQ=DAILY;UNTIL=20270114"


def test_a_time_in_utc_among_days_is_told_on_the_calendars_wall() -> None:
    """Midnight in Zurich written in UTC is the day that begins, not the one that ends."""
    start = date_spot(parse_day("20270112"), ZURICH)
    found = read_recurrence(["EXDATE:20270118T230000Z"], start)

    assert [one.day for one in found.excluded] == [parse_day("20270119")]


def test_an_instance_of_a_whole_day_series_can_have_a_time() -> None:
    """The override names the day that it replaces, and starts when it starts."""
    master = an_item(
        start={"date": "2027-01-12"}, end={"date": "2027-01-13"}, recurrence=["RRULE:FREQ=DAILY"]
    )
    moved = an_exception(originalStartTime={"date": "2027-01-13"})
    (found,) = objects(master, moved)
    line = found.members[1].first("RECURRENCE-ID")

    assert line is not None
    assert (line.param("VALUE"), line.value) == ("DATE", "20270113")
    assert found.members[1].value("DTSTART") == "20270112T100000"


def test_a_deleted_master_takes_later_exceptions_with_it() -> None:
    """Exceptions that come before or after the tombstone of their master are gone."""
    assert objects(an_exception(), {"id": "e1", "status": "cancelled"}, an_exception()) == []


def test_a_restored_instance_is_back() -> None:
    """The same instance cancelled and then confirmed again is there."""
    cancelled = an_exception(status="cancelled")
    (found,) = objects(an_item(**WEEKLY), cancelled, an_exception(summary="Back"))

    assert [one.text("SUMMARY") for one in found.members] == ["Meeting", "Back"]
    assert found.members[0].all("EXDATE") == []


def test_instances_without_their_master_are_one_object() -> None:
    """Somebody invited to two instances only gets both, under one UID, and both are busy."""
    other = an_exception(
        id="e1_20270114T090000Z",
        originalStartTime=at("2027-01-14T10:00:00+01:00"),
        start=at("2027-01-14T10:00:00+01:00"),
        end=at("2027-01-14T11:00:00+01:00"),
    )
    (found,) = objects(an_exception(), other)

    assert len(found.members) == 2
    assert len(busy(an_exception(), other)) == 2


def test_a_moved_instance_that_cannot_be_read_stays_where_it_was() -> None:
    """An override without a time is left out: the series keeps its instance busy."""
    assert spans(an_item(**WEEKLY), an_exception(start={})) == [
        ("20270112T090000Z", "20270112T100000Z")
    ]


def test_an_event_that_stops_repeating_forgets_its_rule() -> None:
    """The last word on an id counts: single after series, series after single."""
    single = event(an_item(**WEEKLY), an_item())
    series = event(an_item(), an_item(**WEEKLY))

    assert single.first("RRULE") is None
    assert series.first("RRULE") is not None
