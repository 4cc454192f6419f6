"""Every bomb of tests/cases/bombs.json at the core's two doors: a PUT (strict), a feed (lenient).

Here stands what must come out; who waits meanwhile is measured by `tests.campaigns.responsive`.
"""

import re
from datetime import datetime
from typing import Any

import pytest

from gateway.errors import Refused
from gateway.freebusy.busytime import BusyPeriod, BusyType, busy_of
from gateway.model.objects import check_object
from gateway.model.recurrence import compile_object
from gateway.model.stream import read_stream
from gateway.model.timerange import HOUR, MAX_INSTANT, TimeRange, to_instant
from gateway.model.zone import UTC_ZONE
from tests.bombs import BOMBS, bytes_of

BY_NAME = {case["name"]: case for case in BOMBS}
# Over the limit of 1 MiB nobody reads on to find what else is wrong (docs/policies.md, size-first).
SIZE_FIRST = {"100k-exdates", "100k-rdates", "100k-attendees"}
WHOLE_MONTH = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]


def _expected(case: dict[str, Any]) -> str:
    text = str(case["on_put"])
    return str(BY_NAME[text.removeprefix("as ")]["on_put"]) if text.startswith("as ") else text


def _outcome(data: bytes) -> str:
    try:
        compile_object(check_object(data), UTC_ZONE, lenient=False)
    except Refused as refused:
        return refused.condition.value
    return "201"


def _busy(name: str) -> list[BusyPeriod]:
    case = BY_NAME[name]
    start, end = case.get("window", WHOLE_MONTH)
    last = to_instant(datetime.fromisoformat(end)) if end else MAX_INSTANT
    window = TimeRange(to_instant(datetime.fromisoformat(start)), last)
    found = read_stream(bytes_of(case))
    return [
        period
        for item in found.objects
        for period in busy_of(compile_object(item, UTC_ZONE, lenient=True), window)
    ]


@pytest.mark.parametrize("case", BOMBS, ids=lambda case: case["name"])
def test_a_put_is_taken_or_refused_by_its_rule(case: dict[str, Any]) -> None:
    """A client's bomb is stored or refused with the precondition that the case names."""
    allowed = set(re.findall(r"CALDAV:([a-z-]+)|\b(201)\b", _expected(case)))
    names = {name or status for name, status in allowed}
    if case["name"] in SIZE_FIRST:
        names = {"max-resource-size"}

    assert _outcome(bytes_of(case)) in names


@pytest.mark.parametrize("case", BOMBS, ids=lambda case: case["name"])
def test_a_feed_with_a_bomb_is_read_or_refused_whole(case: dict[str, Any]) -> None:
    """A subscription's bomb gives objects, refused items, or one refusal; never another error."""
    try:
        found = read_stream(bytes_of(case))
    except Refused:
        assert case["name"] == "html-login-page"
        return
    for item in found.objects:
        compile_object(item, UTC_ZONE, lenient=True)

    dropped = {"dtstart-year-0", "impossible-time"}
    assert bool(found.refused) is (case["name"] in dropped)


def test_an_overlapping_second_by_second_rule_is_one_busy_period() -> None:
    """An event of an hour every second keeps the whole window busy, in one piece."""
    case = BY_NAME["secondly-duration-1h"]
    ends = [to_instant(datetime.fromisoformat(text)) for text in case["window"]]

    assert _busy("secondly-duration-1h") == [BusyPeriod(*ends, BusyType.BUSY)]


@pytest.mark.parametrize(
    ("name", "hours"), [("dtend-and-duration", 1), ("dtend-before-dtstart", 0)]
)
def test_an_odd_end_is_never_negative(name: str, hours: int) -> None:
    """DTEND wins over DURATION, and an end before the start is no length at all."""
    assert [end - start for start, end, _ in _busy(name)] == [hours * HOUR] * bool(hours)


def test_a_length_beyond_all_dates_is_busy_to_the_end() -> None:
    """A huge duration keeps everything after its start busy."""
    (period,) = _busy("duration-huge")

    assert period.end == to_instant(datetime.fromisoformat(WHOLE_MONTH[1]))


def test_endless_windows_find_their_first_instance_at_once() -> None:
    """The first instance of an endless window costs one step, not an expansion."""
    case = BY_NAME["report-window-open-end-infinite"]
    times = compile_object(check_object(bytes_of(case)), UTC_ZONE)
    start = to_instant(datetime.fromisoformat(case["window"][0]))

    assert next(times.occurrences(TimeRange(start, MAX_INSTANT))).start == start + 9 * HOUR


def test_a_year_one_event_recurs_to_this_day() -> None:
    """A daily event that starts in the year 1 has seven instances in a week of ours."""
    case = BY_NAME["dtstart-year-1"]
    (item,) = read_stream(bytes_of(case)).objects
    ends = [to_instant(datetime.fromisoformat(text)) for text in case["window"]]
    times = compile_object(item, UTC_ZONE, lenient=True)

    assert len(list(times.occurrences(TimeRange(*ends)))) == 7
