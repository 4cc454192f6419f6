"""Lists of dates: read by the list or one by one, they say the same."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.model.component import Component
from gateway.model.content_line import Property
from gateway.model.local_time import format_wall, parse_wall, parse_wall_list
from gateway.model.moment import Moments
from gateway.model.objects import read_one
from gateway.model.recurrence import ObjectTimes, compile_object
from gateway.model.timerange import DAY, HOUR, TimeRange
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
WALLS = st.lists(st.integers(YEAR.start // HOUR, YEAR.end // HOUR), min_size=1, max_size=30)
FORMS = {"utc": ("", "Z"), "zone": (";TZID=Europe/Amsterdam", ""), "floating": ("", "")}
AMSTERDAM = zone("Europe/Amsterdam")
assert AMSTERDAM is not None


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


@pytest.mark.parametrize(
    "value",
    [
        "20260105T090000Z,20260105T090000",
        "20260105T090000,20260105T090000Z",
        "20260105T090000Z,20260105",
        "20260105T090000Z,",
        "20260105T090000,,0260105T090000",
        "20260105T090000Z20260105T090000Z",
        "20260105",
        "",
    ],
)
def test_a_list_of_several_forms_is_no_plain_list(value: str) -> None:
    """What is not of one form all through is left to be read date by date."""
    assert parse_wall_list(value, 100) is None


@pytest.mark.parametrize("value", ["20260230T090000Z", "20260105T250000", "2026-W01T090000"])
def test_an_impossible_date_in_a_list_is_refused(value: str) -> None:
    """A day or time that there is not is an error, however it is written."""
    with pytest.raises(ValueError, match=r"no time of day|day is out of range|no date"):
        parse_wall_list(value, 100)


@given(st.lists(st.integers(-50 * 365 * DAY, 200 * 365 * DAY), min_size=1), st.booleans())
def test_a_plain_list_is_read_as_one_by_one(walls: list[int], is_utc: bool) -> None:
    """A list gives the wall times of its values, of the first ones where no more are wanted."""
    texts = [format_wall(wall) + "Z" * is_utc for wall in walls]

    told = [parse_wall(text).wall for text in texts]

    assert parse_wall_list(",".join(texts), len(texts)) == (told, is_utc)
    assert parse_wall_list(",".join(texts), 1) == (told[:1], is_utc)


def test_of_too_many_exceptions_the_first_count() -> None:
    """However many lists they stand in, the limit is one."""
    hour = ["20260105T090000Z", "20260105T100000"]
    items = [Property("EXDATE", {}, ",".join([text] * 600)) for text in hour]
    moments = Moments(Component("VCALENDAR"), UTC_ZONE, lenient=True)
    plain, others = moments.instants(items * 2, 1_000, UTC_ZONE)

    assert (len(plain), others) == (1_000, [])
