"""What Google's events look like when they are odd: every trap of the threads, one by one."""

from typing import Any

import pytest

from gateway.adapters.google.assembly import Assembler
from gateway.adapters.google.normalise import CalendarFacts
from gateway.adapters.google.recurrence import read_recurrence, rule_text
from gateway.adapters.google.times import date_spot, read_spot
from gateway.freebusy.blocking import blocking_periods
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.collection import BusyRules
from gateway.model.component import CalendarObject, Component
from gateway.model.local_time import parse_day
from gateway.model.objects import check_object
from gateway.model.recurrence import compile_object
from gateway.model.timerange import DAY, TimeRange, format_utc
from gateway.model.zones import UTC_ZONE, Zone, zone

ZURICH = zone("Europe/Zurich")
assert ZURICH is not None
WEEK = TimeRange(1799625600, 1799625600 + 7 * DAY)
"""From 2027-01-11T00:00:00Z, a Monday."""


def an_item(**values: Any) -> dict[str, Any]:
    """Return an event on Tuesday 12 January 2027, 10:00 to 11:00 in Zurich."""
    return {
        "id": "e1",
        "iCalUID": "e1@google.com",
        "status": "confirmed",
        "updated": "2026-11-02T10:11:12.345Z",
        "summary": "Meeting",
        "start": {"dateTime": "2027-01-12T10:00:00+01:00", "timeZone": "Europe/Zurich"},
        "end": {"dateTime": "2027-01-12T11:00:00+01:00", "timeZone": "Europe/Zurich"},
    } | values


def objects(*items: Any, facts: CalendarFacts | None = None) -> list[CalendarObject]:
    """Return the objects of some items, each read strictly."""
    assembler = Assembler(facts or CalendarFacts(zone=ZURICH))
    found = {one.key: one for one in [*assembler.add(items), *assembler.finish()]}
    return [check_object(one.data) for one in found.values() if one.data is not None]


def event(*items: Any, facts: CalendarFacts | None = None) -> Component:
    """Return the one component of some items."""
    (item,) = objects(*items, facts=facts)
    (member,) = item.members
    return member


def busy(*items: Any, rules: BusyRules | None = None, home: Zone = ZURICH) -> list[BusyPeriod]:
    """Return the busy periods of some items in the week."""
    found = [
        period
        for item in objects(*items, facts=CalendarFacts(zone=home))
        for period in blocking_periods(
            compile_object(item, home).occurrences(WEEK), rules or BusyRules(), address=""
        )
    ]
    return sorted(found)


def spans(*items: Any) -> list[tuple[str, str]]:
    """Return the busy times of some items as texts."""
    return [(format_utc(one.start), format_utc(one.end)) for one in busy(*items)]


def at(text: str, name: str | None = None) -> dict[str, str]:
    """Return an EventDateTime."""
    return {"dateTime": text} | ({"timeZone": name} if name else {})


# --- zones ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("GMT+02:00", "Etc/GMT-2"),
        ("Asia/Calcutta", "Asia/Calcutta"),
        ("Customized Time Zone", "Etc/GMT-2"),
    ],
)
def test_an_odd_zone_is_written_by_a_known_name(name: str, written: str) -> None:
    """Windows names, offsets and names that say nothing become zones that every client knows."""
    start = at("2027-01-12T10:00:00+02:00", name)
    found = event(an_item(start=start, end=at("2027-01-12T11:00:00+02:00", name)))
    line = found.first("DTSTART")

    assert line is not None
    assert line.param("TZID") == written
    assert spans(an_item(start=start, end=at("2027-01-12T11:00:00+02:00", name))) == [
        ("20270112T080000Z", "20270112T090000Z")
    ]


def test_a_zone_of_half_hours_that_nobody_names_is_utc() -> None:
    """A single event in an offset without a name is told in UTC, a series defines its offset."""
    start, end = (
        at("2027-01-12T10:00:00+04:51", "Somewhere"),
        at("2027-01-12T11:00:00+04:51", "Somewhere"),
    )
    single = event(an_item(start=start, end=end))
    (series,) = objects(an_item(start=start, end=end, recurrence=["RRULE:FREQ=DAILY;COUNT=2"]))

    assert single.value("DTSTART") == "20270112T050900Z"
    assert [one.value("TZID") for one in series.calendar.inside("VTIMEZONE")] == ["UTC+04:51"]
    assert spans(an_item(start=start, end=end, recurrence=["RRULE:FREQ=DAILY;COUNT=2"])) == [
        ("20270112T050900Z", "20270112T060900Z"),
        ("20270113T050900Z", "20270113T060900Z"),
    ]


def test_a_zulu_time_without_zone_is_in_the_calendars_zone() -> None:
    """An instant without a zone of its own repeats on the calendar's wall."""
    line = event(an_item(start=at("2027-01-12T09:00:00Z"), end=at("2027-01-12T10:00:00Z"))).first(
        "DTSTART"
    )

    assert line is not None
    assert (line.param("TZID"), line.value) == ("Europe/Zurich", "20270112T100000")


def test_fractions_of_a_second_are_dropped() -> None:
    """ICalendar knows nothing finer than a second."""
    found = read_spot(at("2027-01-12T10:00:00.999+01:00"), UTC_ZONE)

    assert format_utc(found.instant) == "20270112T090000Z"


# --- ends ----------------------------------------------------------------------------------------


def test_no_length_is_no_busy_time() -> None:
    """An event that ends where it starts is a reminder."""
    start = at("2027-01-12T10:00:00+01:00")

    assert busy(an_item(start=start, end=start)) == []


@pytest.mark.parametrize("end", [None, at("2027-01-12T08:00:00+01:00"), at("nonsense"), {}, 7])
def test_an_end_that_makes_no_sense_is_an_hour(end: object) -> None:
    """What is there but cannot be told is busy, never free."""
    assert spans(an_item(end=end)) == [("20270112T090000Z", "20270112T100000Z")]


def test_a_day_and_a_time_end_at_the_days_midnight() -> None:
    """A start with a time and an end without one is busy until that day begins."""
    assert spans(an_item(end={"date": "2027-01-13"})) == [("20270112T090000Z", "20270112T230000Z")]


def test_a_room_gives_days_as_midnights() -> None:
    """A room's whole days come as times from midnight to midnight, and stay that."""
    found = event(
        an_item(start=at("2027-01-12T00:00:00+01:00"), end=at("2027-01-13T00:00:00+01:00"))
    )

    assert found.value("DTSTART") == "20270112T000000"


# --- series --------------------------------------------------------------------------------------

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


# --- what blocks ---------------------------------------------------------------------------------


def _invited(answer: str) -> dict[str, Any]:
    guest = {"email": "ana@example.com", "self": True, "responseStatus": answer}
    return an_item(attendees=[{"email": "boss@example.org", "organizer": True}, guest])


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (an_item(), BusyType.BUSY),
        (an_item(status="tentative"), BusyType.TENTATIVE),
        (_invited("accepted"), BusyType.BUSY),
        (_invited("tentative"), BusyType.TENTATIVE),
        (_invited("needsAction"), BusyType.TENTATIVE),
        (_invited("brand-new-answer"), BusyType.TENTATIVE),
        (_invited("declined"), None),
        (an_item(transparency="transparent"), None),
        (an_item(eventType="outOfOffice"), BusyType.UNAVAILABLE),
        (an_item(eventType="focusTime"), BusyType.BUSY),
        (an_item(eventType="workingLocation"), None),
        (an_item(eventType="birthday"), None),
        (an_item(eventType="fromGmail"), BusyType.BUSY),
        (an_item(eventType="somethingNew"), BusyType.BUSY),
        (an_item(eventType=None, transparency=None, attendees=None), BusyType.BUSY),
    ],
)
def test_an_event_blocks_by_what_it_is(item: dict[str, Any], kind: BusyType | None) -> None:
    """The policy table: by answer, transparency and type, with all rules at their defaults."""
    assert [one.type for one in busy(item)] == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("item", "rules"),
    [
        (_invited("needsAction"), BusyRules(unanswered_blocks=False)),
        (_invited("tentative"), BusyRules(tentative_blocks=False)),
        (an_item(status="tentative"), BusyRules(tentative_blocks=False)),
        (an_item(eventType="outOfOffice"), BusyRules(out_of_office_blocks=False)),
        (
            an_item(start={"date": "2027-01-12"}, end={"date": "2027-01-13"}),
            BusyRules(all_day_blocks=False),
        ),
    ],
)
def test_an_owner_can_let_a_kind_not_block(item: dict[str, Any], rules: BusyRules) -> None:
    """Each rule of the calendar frees its kind and no other."""
    assert busy(item, rules=rules) == []
    assert len(busy(an_item(), rules=rules)) == 1


def test_an_unanswered_event_blocks_where_tentative_ones_do_not() -> None:
    """The rule for unanswered invitations is its own."""
    assert len(busy(_invited("needsAction"), rules=BusyRules(tentative_blocks=False))) == 1


# --- what people read ----------------------------------------------------------------------------


def test_a_hidden_event_is_called_busy() -> None:
    """Whoever may not see the details sees that there is something."""
    item = an_item(visibility="private")
    del item["summary"]

    assert event(item, facts=CalendarFacts(zone=ZURICH, role="reader")).text("SUMMARY") == "Busy"
    assert event(item).first("SUMMARY") is None


def test_a_working_location_is_called_by_its_place() -> None:
    """Without a summary the label of the office stands in."""
    item = an_item(
        eventType="workingLocation",
        workingLocationProperties={"type": "officeLocation", "officeLocation": {"label": "Bern"}},
    )
    del item["summary"]

    assert event(item).text("SUMMARY") == "Bern"


def test_people_are_told_as_people() -> None:
    """Organizer, roles, rooms, answers and comments become their parameters."""
    item = an_item(
        organizer={"email": "boss@example.org", "displayName": 'The "Boss"; Ltd'},
        attendees=[
            {"email": "room@resource.calendar.google.com", "resource": True},
            {"email": "x@example.org", "optional": True, "comment": "late", "additionalGuests": 2},
            {"displayName": "without address"},
            "not an object",
        ],
    )
    found = event(item)
    room, guest = found.all("ATTENDEE")
    organizer = found.first("ORGANIZER")

    assert organizer is not None
    assert organizer.param("CN") == 'The "Boss"; Ltd'
    assert room.param("CUTYPE") == "ROOM"
    assert (guest.param("ROLE"), guest.param("PARTSTAT")) == ("OPT-PARTICIPANT", "NEEDS-ACTION")
    assert (guest.param("X-RESPONSE-COMMENT"), guest.param("X-NUM-GUESTS")) == ("late", "2")


def test_without_attendees_nobody_organizes() -> None:
    """An ORGANIZER alone would put clients into scheduling mode."""
    assert event(an_item(organizer={"email": "ana@example.com"})).first("ORGANIZER") is None


@pytest.mark.parametrize(
    "reminders", [{"useDefault": False}, {}, None, {"overrides": "x"}, {"overrides": [{}, 3]}]
)
def test_no_reminders_are_no_alarms(reminders: object) -> None:
    """What is switched off, empty or nonsense rings nowhere."""
    facts = CalendarFacts(zone=ZURICH, reminders=[{"method": "popup", "minutes": 10}])

    assert event(an_item(reminders=reminders), facts=facts).inside("VALARM") == []


def test_a_call_is_a_conference() -> None:
    """The video entry point comes before the old link."""
    item = an_item(
        hangoutLink="https://meet.example/old",
        conferenceData={
            "entryPoints": [{"entryPointType": "video", "uri": "https://meet.example/a"}]
        },
    )

    assert event(item).value("CONFERENCE") == "https://meet.example/a"


# --- identity ------------------------------------------------------------------------------------


def test_of_two_imports_the_newer_counts() -> None:
    """Two items of one UID are one resource: the newer one, whichever comes first."""
    older = an_item(id="old", summary="Old", updated="2026-01-01T00:00:00Z")
    newer = an_item(id="new", summary="New", updated="2026-02-01T00:00:00Z")

    for items in ((older, newer), (newer, older)):
        assert event(*items).text("SUMMARY") == "New"


def test_what_cannot_be_read_is_named() -> None:
    """An event without a time is named by its key, so that what is stored of it stays."""
    assembler = Assembler(CalendarFacts(zone=ZURICH))
    done = assembler.add([an_item(id="bad", start={}), an_item(), {"no": "id"}, None])

    assert [one.key for one in done] == ["e1"]
    assert assembler.unreadable == ["bad"]
    assert len(assembler.notes) == 2


def test_the_same_event_has_the_same_etag() -> None:
    """Nothing of the reading itself is in the object; any change of the event is."""

    def etag(**values: Any) -> str:
        (made,) = Assembler(CalendarFacts(zone=ZURICH)).add([an_item(**values)])
        return made.etag

    assert etag() == etag()
    assert etag() != etag(summary="Other")
