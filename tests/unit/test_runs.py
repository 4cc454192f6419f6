"""Dense rules with long events: told as runs they are busy exactly when all their instances are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.freebusy.busytime import busy_of
from gateway.model.objects import read_one
from gateway.model.recurrence import compile_object
from gateway.model.rrule_times import Budget
from gateway.model.timerange import DAY, HOUR, MINUTE, TimeRange, format_utc, merge
from gateway.model.zone import UTC_ZONE

MONDAY = 1767571200  # 2026-01-05T00:00:00Z
RULES = (
    "FREQ=SECONDLY;INTERVAL=7",
    "FREQ=SECONDLY;BYHOUR=9,10;BYMINUTE=0,1,30",
    "FREQ=SECONDLY;BYSECOND=0,1,2,30",
    "FREQ=MINUTELY",
    "FREQ=MINUTELY;INTERVAL=11",
    "FREQ=MINUTELY;BYDAY=MO,WE;BYHOUR=9,10,11",
    "FREQ=MINUTELY;BYSECOND=0,20,40;BYHOUR=9",
    "FREQ=MINUTELY;COUNT=500",
    "FREQ=MINUTELY;UNTIL=20260105T120500Z",
    "FREQ=HOURLY;BYMINUTE=0,5,10,15;BYSECOND=0,30",
    "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,10,20,30,40,50;BYSECOND=0,30",
)


def an_object(rule: str, seconds: int, *lines: str) -> bytes:
    """Return an event from 2026-01-05 09:00Z on."""
    body = (
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", "BEGIN:VEVENT", "UID:x",
        "DTSTAMP:20260101T000000Z", "DTSTART:20260105T090000Z", f"DURATION:PT{seconds}S",
        f"RRULE:{rule}", *lines, "END:VEVENT", "END:VCALENDAR", "",
    )  # fmt: skip
    return "\r\n".join(body).encode()


def joined(data: bytes, window: TimeRange) -> tuple[list, list]:
    """Return the busy time of all instances, and that of the runs, clipped and merged."""
    times = compile_object(read_one(data), UTC_ZONE, lenient=True)

    def spans(*, as_runs: bool) -> list[tuple[int, int]]:
        found = times.occurrences(window, joined=as_runs)
        return merge((max(one.start, window.start), min(one.end, window.end)) for one in found)

    return spans(as_runs=False), spans(as_runs=True)


@given(
    st.sampled_from(RULES),
    st.one_of(st.integers(1, 120), st.sampled_from([300, 660, 3600, 7200, DAY])),
    st.integers(-2 * HOUR, 30 * HOUR),
    st.integers(1, 3 * HOUR),
    st.lists(st.integers(0, 600), max_size=3),
)
def test_runs_cover_what_the_instances_cover(
    rule: str, seconds: int, at: int, long: int, removed: list[int]
) -> None:
    """Whatever the rule, the length, the window and the exceptions."""
    start = MONDAY + 9 * HOUR + at
    left_out = (f"EXDATE:{format_utc(MONDAY + 9 * HOUR + second)}" for second in removed)
    each, runs = joined(an_object(rule, seconds, *left_out), TimeRange(start, start + long))

    assert runs == each


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [
        ("FREQ=SECONDLY", HOUR),
        ("FREQ=SECONDLY;INTERVAL=2", 10 * MINUTE),
        ("FREQ=SECONDLY;BYSECOND=0,30", HOUR),
        ("FREQ=SECONDLY;BYHOUR=0,6,12,18", DAY),
        ("FREQ=MINUTELY;BYSECOND=0,10,20,30,40,50", HOUR),
        ("FREQ=MINUTELY", DAY),
    ],
)
def test_a_week_of_overlaps_costs_few_steps(
    monkeypatch: pytest.MonkeyPatch, rule: str, seconds: int
) -> None:
    """A week that is busy throughout is told so in some thousand steps, not a hundred thousand."""
    monkeypatch.setattr("gateway.model.recurrence.Budget", lambda: Budget(5_000))
    times = compile_object(read_one(an_object(rule, seconds)), UTC_ZONE, lenient=True)
    window = TimeRange(MONDAY + 140 * DAY, MONDAY + 147 * DAY)

    (period,) = busy_of(times, window)
    found = list(times.occurrences(window, joined=True))

    assert (period.start, period.end) == (window.start, window.end)
    assert len(found) == 1
