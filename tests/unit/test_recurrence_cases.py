"""Every recurrence vector of tests/cases/recurrence.json, through the doors that data comes in by.

`docs/policies.md` decides the ambiguous ones; a case that follows a policy instead of the vector's
first answer is named there.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Refused
from gateway.freebusy.busytime import BusyPeriod, BusyType, busy_of, coalesce
from gateway.model.component import parse_many
from gateway.model.objects import split
from gateway.model.recurrence import ObjectTimes, compile_object
from gateway.model.timerange import TimeRange, format_rfc3339, to_instant
from gateway.model.zone import Zone
from gateway.model.zones import zone

HERE = Path(__file__)
CASES = json.loads((HERE.parents[1] / "cases" / "recurrence.json").read_text())["cases"]
POLICIES = (HERE.parents[2] / "docs" / "policies.md").read_text()
# Where our policy is none of the vector's answers: what it gives, see docs/policies.md.
BY_POLICY = {
    "libical/075 yearly, by Feb 29th day of month": [
        ["2024-02-29", "2024-03-01"],
        ["2024-03-29", "2024-03-30"],
        ["2024-04-29", "2024-04-30"],
    ],
    "libical/076 yearly, by last and -29th of Feb": [
        ["2024-02-01", "2024-02-02"],
        ["2024-02-29", "2024-03-01"],
        ["2024-03-03", "2024-03-04"],
        ["2024-03-31", "2024-04-01"],
    ],
    "libical/129 github issue1223": [
        ["2027-01-03T00:00:00Z", "2027-01-03T00:05:00Z"],
        ["2032-12-30T00:00:00Z", "2032-12-30T00:05:00Z"],
    ],
}
# What a PUT may not hold and a feed may: lenient reading gives the vector's answer.
REFUSED_AT_PUT = {"tz/broken-no-observance"}


def _times(case: dict[str, Any], *, lenient: bool) -> list[ObjectTimes]:
    home = _home(case)
    times = []
    for calendar in parse_many(case["ics"].encode(), lenient=lenient):
        objects, refused = split(calendar)
        assert not refused
        times += [compile_object(item, home, lenient=lenient) for item in objects]
    return times


def _home(case: dict[str, Any]) -> Zone:
    found = zone(case["calendar_timezone"])
    assert found is not None
    return found


def _window(case: dict[str, Any]) -> TimeRange:
    start, end = (to_instant(datetime.fromisoformat(text)) for text in case["window_utc"])
    return TimeRange(start, end)


def _instances(case: dict[str, Any], times: list[ObjectTimes]) -> list[list[str]]:
    home, window = _home(case), _window(case)
    found = []
    for item in times:
        starts = []
        for one in item.occurrences(window):
            starts.append(one.start)
            if one.component.name != "VEVENT":
                continue
            if one.all_day:
                days = (home.to_local(one.start), home.to_local(one.end))
                found.append([f"{day:%Y-%m-%d}" for day in days])
            else:
                found.append([format_rfc3339(one.start), format_rfc3339(one.end)])
        assert starts == sorted(starts)
    return sorted(found)


def _busy(case: dict[str, Any], times: list[ObjectTimes]) -> list[list[str]]:
    window = _window(case)
    periods = [period for item in times for period in busy_of(item, window)]
    return [
        [format_rfc3339(start), format_rfc3339(end), kind.value]
        for start, end, kind in coalesce(periods, window)
    ]


def _union(case: dict[str, Any], instances: list[list[str]]) -> list[list[str]]:
    home, window = _home(case), _window(case)
    spans = []
    for start, end in instances:
        walls = [datetime.fromisoformat(text) for text in (start, end)]
        ends = [to_instant(wall) if wall.tzinfo else home.to_instant(wall) for wall in walls]
        spans.append(BusyPeriod(ends[0], ends[1], BusyType.BUSY))
    return [
        [format_rfc3339(start), format_rfc3339(end), kind.value]
        for start, end, kind in coalesce(spans, window)
    ]


def _accepted(case: dict[str, Any]) -> list[list[list[str]]]:
    if case["name"] in BY_POLICY:
        return [BY_POLICY[case["name"]]]
    others = case.get("accept_alternatives", [])
    first = case["expect_instances"]
    return [sorted(first), *(sorted(item.get("expect_instances", first)) for item in others)]


@pytest.mark.parametrize("lenient", [True, False], ids=["lenient", "strict"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_vector_has_its_instances(case: dict[str, Any], *, lenient: bool) -> None:
    """An object has the instances the vector lists, in order, whichever door it came in by."""
    if not lenient and case["name"] in REFUSED_AT_PUT:
        with pytest.raises(Refused):
            _times(case, lenient=False)
        return
    instances = _instances(case, _times(case, lenient=lenient))

    assert instances in _accepted(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_vector_has_its_busy_time(case: dict[str, Any]) -> None:
    """Busy time is what the vector lists; with another answer's instances it is their union."""
    times = _times(case, lenient=True)
    instances = _instances(case, times)
    expected = case["expect_busy"]
    if instances != sorted(case["expect_instances"]):
        expected = _union(case, instances)

    assert _busy(case, times) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_bounds_hold_every_instance(case: dict[str, Any]) -> None:
    """`first_start` and `last_end` never hide an instance from a plain overlap test."""
    window = _window(case)
    for item in _times(case, lenient=True):
        for one in item.occurrences(window):
            assert item.first_start < window.end
            assert item.first_start <= one.start
            assert item.last_end is None or one.end <= item.last_end


@pytest.mark.parametrize(
    "name", [case["name"] for case in CASES if case.get("ambiguous")], ids=lambda name: name
)
def test_every_ambiguous_vector_is_decided(name: str) -> None:
    """docs/policies.md names each case that the RFCs leave open."""
    assert f"`{name}`" in POLICIES
