"""What Google's events look like when they are odd: zones, ends, kinds, people, identity."""

from typing import Any

import pytest

from gateway.adapters.google.assembly import Assembler
from gateway.adapters.google.normalise import CalendarFacts
from gateway.adapters.google.times import read_spot
from gateway.freebusy.busytime import BusyType
from gateway.model.collection import BusyRules
from gateway.model.timerange import format_utc
from gateway.model.zones import UTC_ZONE
from tests.google_items import ZURICH, an_item, at, busy, event, objects, spans

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
