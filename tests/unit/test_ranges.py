"""THISANDFUTURE overrides in numbers: each stretch has its own, and too many are refused."""

import pytest

from gateway.errors import Refused
from gateway.model.local_time import format_wall
from gateway.model.objects import read_one
from gateway.model.recurrence import MAX_RANGES, ObjectTimes, compile_object
from gateway.model.timerange import DAY, MINUTE, TimeRange, to_instant
from gateway.model.zones import UTC_ZONE, zone
from tests.bombs import START

AMSTERDAM = zone("Europe/Amsterdam") or UTC_ZONE
FIRST = to_instant(START)


def _series(count: int, *, all_day: bool) -> ObjectTimes:
    """Return a daily series whose n-th day and all after it are n minutes or days long."""
    kind, size = (";VALUE=DATE", 8) if all_day else ("", 15)
    days = [format_wall(FIRST + number * DAY)[:size] for number in range(count + 1)]
    members = [f"DTSTART{kind}:{days[0]}\nRRULE:FREQ=DAILY"]
    members += [
        f"RECURRENCE-ID;RANGE=THISANDFUTURE{kind}:{day}\nDTSTART{kind}:{day}\n"
        + (f"DURATION:P{number}D" if all_day else f"DURATION:PT{number}M")
        for number, day in enumerate(days[1:], start=1)
    ]
    events = "".join(f"BEGIN:VEVENT\nUID:x\n{text}\nEND:VEVENT\n" for text in members)
    data = f"BEGIN:VCALENDAR\n{events}END:VCALENDAR\n".encode()
    return compile_object(read_one(data), AMSTERDAM)


@pytest.mark.parametrize("all_day", [False, True])
def test_each_range_has_the_days_up_to_the_next(all_day: bool) -> None:
    """Of many ranges each tells its own day, the last one every day after it."""
    window = TimeRange(FIRST - DAY, FIRST + 40 * DAY)
    found = list(_series(30, all_day=all_day).occurrences(window))
    unit = DAY if all_day else MINUTE

    assert [round((one.end - one.start) / unit) for one in found][1:30] == list(range(1, 30))
    assert {round((one.end - one.start) / unit) for one in found[30:]} == {30}


def test_too_many_ranges_are_refused() -> None:
    """Ranges beyond the limit are not left out: the event is refused."""
    _series(MAX_RANGES, all_day=False)

    with pytest.raises(Refused, match="this and all that follows"):
        _series(MAX_RANGES + 1, all_day=False)
