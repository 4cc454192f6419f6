"""The Google cases: items in, components and busy time out."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.google.assembly import Assembler
from gateway.adapters.google.normalise import CalendarFacts
from gateway.freebusy.blocking import blocking_periods
from gateway.freebusy.busytime import coalesce
from gateway.model.collection import BusyRules
from gateway.model.component import CalendarObject, Component
from gateway.model.content_line import Property
from gateway.model.moment import Moments
from gateway.model.objects import check_object
from gateway.model.recurrence import compile_object
from gateway.model.timerange import TimeRange, merge, to_instant
from gateway.model.zones import zone
from gateway.ports import UpstreamObject

CASES = json.loads((Path(__file__).parents[1] / "cases" / "google.json").read_text())["cases"]


def facts_of(calendar: Mapping[str, Any]) -> CalendarFacts:
    """Return what the adapter makes of a calendarList entry."""
    home = zone(calendar["timeZone"])
    assert home is not None
    return CalendarFacts(
        zone=home, role=calendar["accessRole"], reminders=calendar["defaultReminders"]
    )


def objects_of(case: Mapping[str, Any]) -> list[CalendarObject]:
    """Run the normaliser over a case; every object must pass the strict reading of a PUT."""
    assembler = Assembler(facts_of(case["calendar"]))
    found: dict[str, UpstreamObject] = {}
    for item in [*assembler.add(case["calendar_items"]), *assembler.finish()]:
        found[item.key] = item
    assert not assembler.unreadable
    return [check_object(item.data) for item in found.values() if item.data is not None]


def instant(text: str) -> int:
    """Return the instant of an RFC 3339 text."""
    return to_instant(datetime.fromisoformat(text))


def window_of(case: Mapping[str, Any]) -> TimeRange:
    """Return a case's window."""
    start, end = case["expect"]["window_utc"]
    return TimeRange(instant(start), instant(end))


def _told(item: Property | None) -> tuple[str, str]:
    """Return a property as the cases write it: local time and zone."""
    assert item is not None
    text = item.value
    if item.param("VALUE") == "DATE":
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}", "DATE"
    local = f"{text[:4]}-{text[4:6]}-{text[6:11]}:{text[11:13]}:{text[13:15]}"
    return local, "UTC" if text.endswith("Z") else item.param("TZID")


def _as_expected(event: Component) -> dict[str, Any]:
    dtstart, tzid = _told(event.first("DTSTART"))
    dtend, tzid_end = _told(event.first("DTEND"))
    found: dict[str, Any] = {
        "uid": event.text("UID"),
        "dtstart": dtstart,
        "tzid": tzid,
        "dtend": dtend,
        "tzid_end": tzid_end,
        "status": event.value("STATUS"),
        "transp": event.value("TRANSP"),
        "class": event.value("CLASS") or None,
        "summary": event.text("SUMMARY") or None,
    }
    if event.first("RECURRENCE-ID"):
        found["recurrence_id"], found["recurrence_id_tzid"] = _told(event.first("RECURRENCE-ID"))
    elif event.first("RRULE") or event.first("RDATE"):
        found["rrule"] = sorted(item.value for item in event.all("RRULE"))
        for name, key in (("EXDATE", "exdates"), ("RDATE", "rdates")):
            zones = {_told(item)[1] for item in event.all(name)}
            assert zones <= {tzid}
            found[key] = sorted(_told(item)[0] for item in event.all(name))
    return found


def _ignoring_instants(expected: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in expected.items() if not name.endswith("_utc")}


@pytest.mark.parametrize("case", [c for c in CASES if c["strict"]], ids=lambda c: c["name"])
def test_the_components_are_as_expected(case: dict[str, Any]) -> None:
    """UIDs, times in their zones, rules, exceptions, status, transparency, class and summary."""
    found = [_as_expected(event) for item in objects_of(case) for event in item.members]
    wanted = [_ignoring_instants(one) for one in case["expect"]["components"]]
    for one in wanted:
        if "rrule" in one:
            one |= {name: sorted(one[name] or []) for name in ("rrule", "exdates", "rdates")}

    order = lambda one: (one["uid"], one.get("recurrence_id", ""))  # noqa: E731
    assert sorted(found, key=order) == sorted(wanted, key=order)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_the_busy_time_is_as_expected(case: dict[str, Any]) -> None:
    """The union of all busy time in the window, clipped; contested cases as we decided them."""
    window, home = window_of(case), zone(case["calendar"]["timeZone"])
    assert home is not None
    periods = [
        period
        for item in objects_of(case)
        for period in blocking_periods(
            compile_object(item, home).occurrences(window), BusyRules(), address=""
        )
    ]
    spans = merge((period.start, period.end) for period in coalesce(periods, window))

    assert spans == [(instant(low), instant(high)) for low, high in case["expect"]["busy_utc"]]


@pytest.mark.parametrize("case", [c for c in CASES if c["strict"]], ids=lambda c: c["name"])
def test_every_instance_blocks_by_its_type(case: dict[str, Any]) -> None:
    """Each busy instance has the FBTYPE of the policy; what is free has none."""
    window, home = window_of(case), zone(case["calendar"]["timeZone"])
    assert home is not None
    found = [
        (period.start, period.end, period.type.value)
        for item in objects_of(case)
        for period in blocking_periods(
            compile_object(item, home).occurrences(window), BusyRules(), address=""
        )
    ]
    wanted = [
        (instant(one["start"]), instant(one["end"]), one["fbtype"])
        for one in case["expect"]["instances_utc"]
        if one["fbtype"] != "FREE" and one["start"] != one["end"]
    ]

    assert sorted(found) == sorted(wanted)


def _case(name: str) -> dict[str, Any]:
    return next(case for case in CASES if case["name"] == name)


def test_text_stays_inside_its_property() -> None:
    """Whatever a description holds, the object has one event and the place reads as written."""
    case = _case("unicode_and_escaping")
    (item,) = objects_of(case)
    source = case["calendar_items"][0]

    assert len(item.members) == 1
    assert item.members[0].text("LOCATION") == case["expect"]["extra"]["location"]
    assert item.members[0].text("DESCRIPTION") == source["description"].replace("\r\n", "\n")


def test_control_characters_are_left_out() -> None:
    """What no iCalendar text may hold is not in it."""
    case = _case("control_characters")
    (item,) = objects_of(case)

    assert item.members[0].text("SUMMARY") == case["expect"]["extra"]["summary_without_controls"]


def test_usual_reminders_become_alarms() -> None:
    """The calendar's own reminders stand in where an event says so."""
    case = _case("reminders_default")
    (item,) = objects_of(case)
    triggers = [alarm.value("TRIGGER") for alarm in item.members[0].inside("VALARM")]

    assert triggers == ["-PT10M", "-P1D"]


def test_an_incomplete_guest_list_says_so() -> None:
    """A list that Google cut is marked, so that nobody writes it back."""
    (item,) = objects_of(_case("attendees_omitted"))

    assert item.members[0].value("X-CALGATE-ATTENDEES-OMITTED") == "TRUE"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_every_zone_that_is_named_is_defined(case: dict[str, Any]) -> None:
    """Each TZID has its VTIMEZONE, and both say the same about the event's start."""
    for item in objects_of(case):
        defined = {one.value("TZID") for one in item.calendar.inside("VTIMEZONE")}
        used = {line.param("TZID") for one in item.members for line in one.properties} - {""}
        assert used == defined
        moments = Moments(item.calendar, zone("UTC"), lenient=False)
        assert all(moments.zone(name) for name in used)
