"""Lists of dates: read by the list or one by one, they say the same."""

from collections import Counter
from itertools import repeat

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.model.component import Component, parse_many
from gateway.model.content_line import Property
from gateway.model.local_time import format_wall
from gateway.model.moment import Moments
from gateway.model.objects import read_one
from gateway.model.recurrence import ObjectTimes, compile_object
from gateway.model.timerange import DAY, HOUR, TimeRange, merge
from gateway.model.told_dates import read_dates
from gateway.model.zones import UTC_ZONE, zone

YEAR = TimeRange(1_767_225_600, 1_767_225_600 + 365 * DAY)
EVENT = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:x
DTSTART{start}
DURATION:PT30M
{lines}
END:VEVENT
END:VCALENDAR
"""
VFREEBUSY = """BEGIN:VCALENDAR
BEGIN:VFREEBUSY
UID:x
DTSTART:20260105T090000Z
DTEND:20260106T090000Z
{lines}
END:VFREEBUSY
END:VCALENDAR
"""
NEAR = YEAR.start + 4 * DAY
WALLS = st.lists(st.integers(YEAR.start // HOUR, YEAR.end // HOUR), min_size=1, max_size=30)
FORMS = {"utc": ("", "Z"), "zone": (";TZID=Europe/Amsterdam", ""), "floating": ("", "")}
AMSTERDAM = zone("Europe/Amsterdam") or UTC_ZONE


def _times(start: str, lines: list[str]) -> ObjectTimes:
    data = EVENT.format(start=start, lines="\n".join(lines)).encode()
    return compile_object(read_one(data), AMSTERDAM)


def _occurrences(start: str, lines: list[str]) -> list[tuple[int, int]]:
    return [(one.start, one.end) for one in _times(start, lines).occurrences(YEAR)]


@pytest.mark.parametrize("start", FORMS)
@pytest.mark.parametrize("form", FORMS)
@given(WALLS, WALLS)
@example([491250], [491250, 491250])  # 2026-01-15T18:00, twice
def test_a_plain_list_says_what_its_dates_say(
    start: str, form: str, added: list[int], removed: list[int]
) -> None:
    """Dates and exceptions in a list are those that stand on lines of their own, written oddly."""
    param, end = FORMS[form]
    head = f"{FORMS[start][0]}:20260105T090000{FORMS[start][1]}"
    told = {
        name: [format_wall(hour * HOUR) + end for hour in hours]
        for name, hours in (("RDATE", added), ("EXDATE", removed))
    }
    lists = [f"{name}{param}:{','.join(texts)}" for name, texts in told.items()]
    # A small t is read, by another way.
    single = [
        f"{name}{param}:{text.replace('T', 't')}" for name, texts in told.items() for text in texts
    ]

    assert _occurrences(head, lists) == _occurrences(head, single)


def test_each_list_is_told_in_its_own_zone() -> None:
    """Lists that follow each other keep their zones."""
    lines = [
        f"RDATE{zone}:20260201T120000" for zone in ("", ";TZID=Asia/Tokyo", ";TZID=Asia/Dubai")
    ]
    starts = [start % DAY // HOUR for start, _ in _occurrences(":20260105T090000Z", lines)]

    assert starts == [9, 3, 8, 12]


def test_an_object_with_floating_dates_floats() -> None:
    """Dates without a zone make an object change with the calendar's zone."""
    assert _times(":20260105T090000Z", ["RDATE:20260201T120000"]).floating
    assert not _times(":20260105T090000Z", ["RDATE:20260201T120000Z"]).floating


DAYS = st.sampled_from(
    ["20260105", "20240229", "20260229", "20260431", "00000101", "20261301", "2026"]
)
TIMES = st.sampled_from(
    ["", "T090000", "T090000Z", "t235960z", "T240000", "T0900", "X090000", "T090000ZZ", "T09:000"]
)
ODD = st.sampled_from(
    ["", " ", "20260105T09000Z", "\uff12\uff10260105", "\u00a020260105", "-0260105T090000"]
)
VALUES = st.builds(lambda pad, day, time: pad + day + time, st.sampled_from(["", " "]), DAYS, TIMES)
ENDS = VALUES | st.sampled_from(["PT1H", "p1d", "-PT1H", "P1DT2H", "P", "", " PT5M ", "+P1W"])
PERIODS = st.builds(lambda start, end: f"{start}/{end}", VALUES, ENDS)
LISTS = st.lists(VALUES | ODD | PERIODS, min_size=1, max_size=8).map(",".join)
TZIDS = st.sampled_from([{}, {"TZID": ("Europe/Amsterdam",)}, {"TZID": ("Odd",)}])
ODD_ZONE = """BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:Odd
BEGIN:STANDARD
DTSTART:20251225T000000
RDATE:20260105T100000,20260105T230000
TZOFFSETFROM:+0300
TZOFFSETTO:-0200
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20251228T080000
RDATE:20260105T120000,20260106T010000
TZOFFSETFROM:-0200
TZOFFSETTO:+0300
END:DAYLIGHT
END:VTIMEZONE
END:VCALENDAR
"""


def _moments() -> Moments:
    return Moments(parse_many(ODD_ZONE.encode())[0], AMSTERDAM, lenient=True)


@given(st.lists(st.builds(Property, st.just("RDATE"), TZIDS, LISTS), min_size=1, max_size=3))
def test_columns_say_what_the_values_say(items: list[Property]) -> None:
    """Whatever forms, zones, periods and nonsense lists mix, each value is placed as by itself."""
    one_by_one = [
        (*start[:2], *start[3:], None if end is None else end - start.instant)
        for start, end in _moments().each(items, 100)
    ]
    columns = [
        (instant, wall, dates.is_date, dates.is_floating, length)
        for dates in read_dates(_moments(), items, 100)
        for instant, wall, length in zip(
            dates.instants, dates.walls, dates.lengths or repeat(None), strict=False
        )
    ]

    assert Counter(columns) == Counter(one_by_one)


@given(LISTS)
def test_a_strict_list_is_refused_where_a_value_is(text: str) -> None:
    """Strictly, a list with a value that is no date, time or period is refused as that value is."""
    items = [Property("RDATE", {}, text)]
    refused = []
    for read in (Moments.each, read_dates):
        try:
            list(read(Moments(Component("VCALENDAR"), UTC_ZONE, lenient=False), items, 100))
            refused.append(False)
        except (ValueError, Refused):
            refused.append(True)

    assert refused[0] is refused[1]


@pytest.mark.parametrize("name", ["Europe/Amsterdam", "Pacific/Apia", "Africa/Casablanca", "Odd"])
@given(st.lists(st.integers(-50 * 365 * DAY, 200 * 365 * DAY) | st.integers(NEAR, NEAR + 3 * DAY)))
def test_many_times_are_placed_as_one_by_one(name: str, times: list[int]) -> None:
    """A zone tells many instants and wall times as it tells each, also where it changes often."""
    place = _moments().zone(name)

    assert place.instants_of(times) == [place.instant_of(one) for one in times]
    assert place.walls_of(times) == [place.wall_of(one) for one in times]


def test_of_too_many_exceptions_the_first_count() -> None:
    """However many lists they stand in, the limit is one."""
    texts = ["20260105T090000Z", "20260105T100000"]
    items = [Property("EXDATE", {}, ",".join([text] * 600)) for text in texts]
    moments = Moments(Component("VCALENDAR"), UTC_ZONE, lenient=True)
    counts = [len(dates.walls) for dates in read_dates(moments, items * 2, 1_000)]

    assert sorted(counts) == [400, 600]


def test_too_many_busy_periods_are_refused() -> None:
    """Of a list of more periods than are read none is left out: it is refused."""
    period = "20260105T090000Z/PT1H"
    text = ",".join([period] * 60_000)
    data = VFREEBUSY.format(lines=f"FREEBUSY:{text}\nFREEBUSY:{text}").encode()

    with pytest.raises(Refused, match="more than 100,000 dates"):
        compile_object(read_one(data), UTC_ZONE)


def test_busy_periods_that_touch_are_one() -> None:
    """Periods of one type are kept as what they cover together, in whichever lists they stand."""
    lines = [
        "FREEBUSY:20260105T090000Z/PT1H,20260105T110000Z/20260105T120000Z",
        "FREEBUSY;FBTYPE=BUSY:20260105T100000Z/PT1H",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260105T120000Z/PT1H",
    ]
    data = VFREEBUSY.format(lines="\n".join(lines)).encode()
    told = compile_object(read_one(data), UTC_ZONE).freebusy

    assert [(end - start, fbtype) for start, end, fbtype in told] == [
        (3 * HOUR, "BUSY"),
        (HOUR, "BUSY-TENTATIVE"),
    ]


@pytest.mark.parametrize("start", [":20260105T090000Z", ";TZID=Europe/Amsterdam:20260105T090000"])
@pytest.mark.parametrize("length", ["PT0S", "PT40M"])
@settings(max_examples=8)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 5)), max_size=20), st.booleans())
def test_dense_dates_are_busy_as_each_of_them(
    start: str, length: str, periods: list[tuple[int, int]], ruled: bool
) -> None:
    """Dates told with their ends keep busy, joined, what their instances keep busy one by one."""
    first = YEAR.start + 4 * DAY
    spans = [f"{format_wall(first + at * HOUR // 4)}Z/PT{size * 10}M" for at, size in periods]
    minutes = [f"{format_wall(first + 20 * DAY + at * 60)}Z" for at in range(2_001)]
    lines = [f"DURATION:{length}", f"RDATE:{','.join(minutes)}", f"EXDATE:{format_wall(first)}Z"]
    lines += [f"RDATE;VALUE=PERIOD:{','.join(spans)}"] * bool(spans)
    lines += ["RRULE:FREQ=HOURLY;COUNT=90"] * ruled
    text = EVENT.replace("DURATION:PT30M\n", "").format(start=start, lines="\n".join(lines))
    times = compile_object(read_one(text.encode()), AMSTERDAM)
    window = TimeRange(first, first + 30 * DAY)
    one_by_one = [(one.start, one.end) for one in times.occurrences(window)]
    joined = [(one.start, one.end) for one in times.occurrences(window, joined=True)]

    assert merge(span for span in joined if span[0] < span[1]) == merge(
        span for span in one_by_one if span[0] < span[1]
    )
