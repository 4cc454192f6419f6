"""The cases of Graph and of Exchange: items in, components and busy time out."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from gateway.adapters.exchange.normalise import render as render_ews
from gateway.adapters.graph.normalise import render as render_graph
from gateway.freebusy.blocking import blocking_periods
from gateway.freebusy.busytime import coalesce
from gateway.model.collection import BusyRules
from gateway.model.component import CalendarObject, Component
from gateway.model.moment import Moments
from gateway.model.objects import check_object
from gateway.model.recurrence import compile_object
from gateway.model.timerange import TimeRange, format_utc, to_instant
from gateway.model.zones import zone
from gateway.ports import UpstreamObject

FILE = Path(__file__).parents[1] / "cases" / "microsoft.json"
CASES = json.loads(FILE.read_text())


def home_of(case: Mapping[str, Any]) -> Any:
    """Return the zone of a case's mailbox."""
    return zone(case["mailbox_tz"])


def objects_of(case: Mapping[str, Any]) -> list[CalendarObject]:
    """Run the normaliser over a case; every object must pass the strict reading of a PUT."""
    made = _of_ews(case) if case["provider"] == "ews" else _of_graph(case)
    return [check_object(item.data) for item in made if item.data is not None]


def _of_ews(case: Mapping[str, Any]) -> list[UpstreamObject]:
    return [render_ews(ET.fromstring(text), (), home_of(case)) for text in case["items"]]


def _of_graph(case: Mapping[str, Any]) -> list[UpstreamObject]:
    items = [item for item in case["items"] if item["type"] != "occurrence"]
    masters = [item for item in items if item["type"] != "exception"]
    found = []
    for master in masters:
        own = [item for item in items if item.get("seriesMasterId") == master["id"]]
        found.append(render_graph(master, own, home_of(case)))
    return found


def instant(text: str) -> int:
    """Return the instant of an RFC 3339 text."""
    return to_instant(datetime.fromisoformat(text))


def _told(event: Component, name: str) -> list[dict[str, str]]:
    found = []
    for item in event.all(name):
        text = item.value
        day = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
        if item.param("VALUE") == "DATE":
            found.append({"date": day})
        else:
            local = f"{day}T{text[9:11]}:{text[11:13]}:{text[13:15]}"
            found.append({"local": local, "tzid": item.param("TZID") or "UTC"})
    return found


def _as_expected(event: Component) -> dict[str, Any]:
    found: dict[str, Any] = {
        "uid": event.text("UID"),
        "summary": event.text("SUMMARY"),
        "dtstart": _told(event, "DTSTART")[0],
        "dtend": _told(event, "DTEND")[0],
        "status": event.value("STATUS"),
        "transp": event.value("TRANSP"),
        "class": event.value("CLASS"),
    }
    if event.first("RRULE"):
        found["rrule"] = sorted(event.value("RRULE").split(";"))
    if event.first("RECURRENCE-ID"):
        found["recurrence_id"] = _told(event, "RECURRENCE-ID")[0]
    if event.first("EXDATE"):
        found["exdates"] = _told(event, "EXDATE")
    return found


def _wanted(expected: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {name: value for name, value in expected.items() if name != "instances_in_window"}
    for name in {"dtstart", "dtend", "recurrence_id"} & wanted.keys():
        wanted[name] = {key: value for key, value in wanted[name].items() if key != "utc"}
    if "rrule" in wanted:
        wanted["rrule"] = sorted(wanted["rrule"].split(";"))
    if "exdates" in wanted:
        wanted["exdates"] = [
            {key: value for key, value in one.items() if key != "utc"} for one in wanted["exdates"]
        ]
    return wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_components_are_as_expected(case: dict[str, Any]) -> None:
    """UIDs, times in their zones, rules, exceptions, status, transparency, class and summary."""
    found = [_as_expected(event) for item in objects_of(case) for event in item.members]

    assert found == [_wanted(one) for one in case["expect"]["components"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_busy_time_is_as_expected(case: dict[str, Any]) -> None:
    """All busy time in the window with its types, coalesced."""
    window = TimeRange(*map(instant, case["window"]))
    periods = [
        period
        for item in objects_of(case)
        for period in blocking_periods(
            compile_object(item, home_of(case)).occurrences(window), BusyRules(), address=""
        )
    ]
    found = [(period.start, period.end, period.type.value) for period in coalesce(periods, window)]

    assert found == [
        (instant(low), instant(high), kind) for low, high, kind in case["expect"]["freebusy"]
    ], [format_utc(low) for low, _, _ in found]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_zone_that_is_named_is_defined(case: dict[str, Any]) -> None:
    """Each TZID has its VTIMEZONE."""
    for item in objects_of(case):
        defined = {one.value("TZID") for one in item.calendar.inside("VTIMEZONE")}
        used = {line.param("TZID") for one in item.members for line in one.properties} - {""}
        assert used == defined
        moments = Moments(item.calendar, zone("UTC"), lenient=False)
        assert all(moments.zone(name) for name in used)
