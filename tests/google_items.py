"""Events as Google tells them, and what the gateway makes of them, for tests of odd ones."""

from typing import Any

from gateway.adapters.google.assembly import Assembler
from gateway.adapters.google.normalise import CalendarFacts
from gateway.freebusy.blocking import blocking_periods
from gateway.freebusy.busytime import BusyPeriod
from gateway.model.collection import BusyRules
from gateway.model.component import CalendarObject, Component
from gateway.model.objects import check_object
from gateway.model.recurrence import compile_object
from gateway.model.timerange import DAY, TimeRange, format_utc
from gateway.model.zones import Zone, zone

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
