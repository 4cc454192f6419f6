"""What holds for every rule: the engine against another library, and against itself.

dateutil steps from DTSTART through the same rules; it is used where the two must agree.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.freebusy.busytime import BusyPeriod, BusyType, coalesce
from gateway.model.local_time import datetime_of, wall_of
from gateway.model.objects import read_one
from gateway.model.recurrence import compile_object
from gateway.model.rrule import WEEKDAYS, parse_rule
from gateway.model.rrule_times import Budget, RuleTimes
from gateway.model.timerange import DAY, TimeRange
from gateway.model.zone import UTC_ZONE
from tests.builders import an_event

# Rules work on wall times, which have no zone.
FIRST, LAST = datetime_of(820454400), datetime_of(2114380799)
MOST = 60


def _list(low: int, high: int, *, signed: bool = False) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    if signed:
        numbers |= st.integers(-high, -low)
    return st.lists(numbers, min_size=1, max_size=4, unique=True).map(
        lambda found: ",".join(map(str, found))
    )


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Draw a rule that RFC 5545 allows and on which nobody differs."""
    frequency = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"]))
    parts = {"FREQ": frequency, "INTERVAL": str(draw(st.integers(1, 9)))}
    if draw(st.booleans()):
        parts["BYMONTH"] = draw(_list(1, 12))
    if frequency in ("MONTHLY", "DAILY", "HOURLY") and draw(st.booleans()):
        parts["BYMONTHDAY"] = draw(_list(1, 28, signed=True))
    if draw(st.booleans()):
        days = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True))
        ordinal = st.sampled_from(["1", "2", "3", "4", "-1", "-2"])
        # Of numbered and plain weekdays in one list dateutil finds none.
        monthly = frequency == "MONTHLY" and "BYMONTHDAY" not in parts
        numbered = monthly and draw(st.booleans())
        parts["BYDAY"] = ",".join((draw(ordinal) if numbered else "") + day for day in days)
    if frequency != "HOURLY" and draw(st.booleans()):
        parts["BYHOUR"] = draw(_list(0, 23))
    if draw(st.booleans()):
        parts["BYMINUTE"] = draw(_list(0, 59))
    # In the week that DTSTART is in dateutil counts positions from DTSTART on, the RFC does not.
    if frequency == "MONTHLY" and "BYDAY" in parts and draw(st.booleans()):
        parts["BYSETPOS"] = draw(_list(1, 4, signed=True))
    if draw(st.booleans()):
        parts["WKST"] = draw(st.sampled_from(WEEKDAYS))
    if draw(st.booleans()):
        parts["COUNT"] = str(draw(st.integers(1, 40)))
    return ";".join(f"{name}={value}" for name, value in parts.items())


starts = st.datetimes(FIRST, datetime_of(1451606400)).map(
    lambda found: found.replace(microsecond=0)
)


def _times(rule: str, start: datetime) -> RuleTimes:
    parsed = parse_rule(rule)
    assert parsed is not None
    return RuleTimes(parsed, wall_of(start), all_day=False)


def _ours(times: RuleTimes, low: datetime, high: datetime) -> list[datetime]:
    found = times.starts(wall_of(low), wall_of(high), Budget())
    return [datetime_of(wall) for wall in islice(found, MOST)]


def _theirs(rule: str, start: datetime) -> Sequence[datetime]:
    stepped = rrulestr(rule, dtstart=start)
    found: list[datetime] = []
    for one in stepped:
        if one > LAST or len(found) == MOST:
            break
        found.append(one)
    return found


@settings(max_examples=100, deadline=None)
@given(rules(), starts)
def test_a_rule_starts_when_another_library_says_so(rule: str, start: datetime) -> None:
    """The first starts of a rule are those that stepping from DTSTART finds."""
    assert _ours(_times(rule, start), start, LAST) == _theirs(rule, start)


@settings(max_examples=150, deadline=None)
@given(rules(), starts, st.integers(0, 5_000), st.integers(1, 400))
def test_a_window_shows_exactly_its_part(
    rule: str, start: datetime, after: int, length: int
) -> None:
    """Skipping ahead to a window finds what reading from the beginning finds there."""
    times = _times(rule, start)
    low = start + timedelta(days=after)
    high = low + timedelta(days=length)
    whole = times.starts(wall_of(start), wall_of(high), Budget())
    expected = [datetime_of(wall) for wall in whole if wall >= wall_of(low)]

    assert _ours(times, low, high) == expected[:MOST]


@settings(max_examples=100, deadline=None)
@given(
    rules(),
    st.integers(0, 700),
    st.lists(st.integers(1, 90), min_size=1, max_size=5),
    st.sampled_from(["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_windows_side_by_side_hold_the_whole(
    rule: str, first: int, lengths: list[int], tzid: str
) -> None:
    """Every occurrence of a long window is in the windows it is cut into, and nothing else is."""
    data = an_event(start=f";TZID={tzid}:20250315T013000", end=f";TZID={tzid}:20250315T034500")
    data = data.replace(b"END:VEVENT", f"RRULE:{rule}\r\nEND:VEVENT".encode())
    times = compile_object(read_one(data), UTC_ZONE)
    low = 1741910400 + first * DAY
    edges = [low]
    for length in lengths:
        edges.append(edges[-1] + length * DAY)
    cut = {
        (one.start, one.end)
        for start, end in pairwise(edges)
        for one in times.occurrences(TimeRange(start, end))
    }

    assert cut == {(one.start, one.end) for one in times.occurrences(TimeRange(low, edges[-1]))}


periods = st.builds(
    lambda start, length, kind: BusyPeriod(start, start + length, kind),
    st.integers(0, 60),
    st.integers(0, 20),
    st.sampled_from(BusyType),
)


@given(st.lists(periods, max_size=25), st.integers(0, 30), st.integers(1, 60))
def test_merged_busy_time_covers_the_same_seconds(
    found: list[BusyPeriod], low: int, length: int
) -> None:
    """Merging keeps each second's types, apart from each other, and leaves nothing to merge."""
    window = TimeRange(low, low + length)
    merged = coalesce(found, window)

    def seconds(of: Sequence[BusyPeriod]) -> set[tuple[int, BusyType]]:
        return {
            (second, kind)
            for start, end, kind in of
            for second in range(max(start, window.start), min(end, window.end))
            if kind is not BusyType.FREE
        }

    assert seconds(merged) == seconds(found)
    for kind in BusyType:
        own = [period for period in merged if period.type is kind]
        assert all(one.end < two.start for one, two in pairwise(own))
    assert coalesce(merged, window) == merged


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["Europe/Amsterdam", "America/Sao_Paulo", "Pacific/Apia", "Asia/Tehran"]),
    st.dates(date(1996, 1, 4), date(2035, 12, 28)),
    st.integers(0, 23),
)
def test_a_daily_event_stays_at_its_hour(tzid: str, day: date, hour: int) -> None:
    """A daily event keeps its wall time across every change of the clock; a gap moves it ahead."""
    home = ZoneInfo(tzid)
    data = an_event(
        start=f";TZID={tzid}:19950101T{hour:02d}3000", rrule="FREQ=DAILY", duration="PT1H"
    )
    walls = [
        datetime.combine(day + timedelta(days=number), time(hour, 30), home)
        for number in range(-2, 4)
    ]
    # With fold=0 a wall time in a gap takes the offset before it, as RFC 5545 section 3.3.5 does.
    instants = [int(wall.timestamp()) for wall in walls]
    found = compile_object(read_one(data), UTC_ZONE).occurrences(
        TimeRange(instants[0], instants[-1])
    )

    assert [one.start for one in found] == instants[:-1]
