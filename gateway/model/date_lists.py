"""Lists of dates, times and periods read by the column, not by the value (RFC 5545 section 3.3).

A hundred thousand exceptions or dates are as many moments to make one by one. Here each different
day and time of day is read once, whatever forms the values mix.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from gateway.model.local_time import (
    Duration,
    WallTime,
    day_of,
    parse_day,
    parse_duration,
    parse_time_of_day,
    parse_wall,
)
from gateway.model.timerange import DAY

DATE, LOCAL, UTC = len("20260105"), len("20260105T090000"), len("20260105T090000Z")
FORMS = (DATE, LOCAL, UTC)
"""How a value is told, by its length; any other length is none."""
_MONTH, _DAY, _HHMM = len("202601"), len("20260105"), len("T0900")
_SHORTEST = "28"
_DAYS = {f"{number:02}": number * DAY for number in range(1, 32)}
_NEVER: WallTime = -(1 << 60)
"""What a value comes to of which any part is broken: less than half of this."""


class Walls(NamedTuple):
    """Values as columns: the wall time of each, and its form; 0 for what is none."""

    walls: list[WallTime]
    forms: list[int]

    def of(self, form: int) -> list[WallTime]:
        """Return the wall times of one form."""
        if self.forms.count(form) == len(self.forms):
            return self.walls
        return [wall for wall, own in zip(self.walls, self.forms, strict=True) if own == form]


def split_values(values: Iterable[str]) -> list[str]:
    """Return the values of some lists, without what is odd about how they are written."""
    joined = ",".join(values)
    upper = joined.upper()
    texts = (joined if upper == joined or not joined.isascii() else upper).split(",")
    if not joined.isascii():
        stripped = (text.strip() for text in texts)
        return [text.upper() if text.isascii() else "" for text in stripped]
    if joined.split() != [joined]:
        return [text.strip() for text in texts]
    return texts


def parse_walls(texts: Sequence[str], *, lenient: bool) -> Walls:
    """Return dates and times of any forms; strict: raise ValueError for the first that is none."""
    days, times, forms = _Memo(_DayReader()), _Memo(_TimeReader()), [*map(len, texts)]
    if max(forms, default=DATE) <= DATE:
        walls = [days[text] for text in texts]
    else:
        walls = [days[text[:_DAY]] + times[text[_DAY:]] for text in texts]
    if walls and (min(walls) < _NEVER // 2 or not set(forms) <= set(FORMS)):
        for number, wall in enumerate(walls):
            if wall < _NEVER // 2 or forms[number] not in FORMS:
                if not lenient:
                    parse_wall(texts[number])
                    raise ValueError(f"no date or time: {texts[number][:40]}")
                forms[number] = 0
    return Walls(walls, forms)


def parse_durations(texts: Iterable[str]) -> Mapping[str, Duration | None]:
    """Return each different duration; None for what is none."""
    return {text: _duration(text) for text in set(texts)}


class _Memo(dict[str, int]):
    """What parts of values come to, each read when it first occurs."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[str], int]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> int:
        value = self[text] = self._read(text)
        return value


class _DayReader:
    """Reads days; of a hundred thousand different ones the months are few."""

    def __init__(self) -> None:
        self._firsts = _Memo(_month)

    def __call__(self, text: str) -> WallTime:
        number = text[_MONTH:]
        if number > _SHORTEST and not _is_day(text):
            return _NEVER
        return self._firsts[text[:_MONTH]] + _DAYS.get(number, _NEVER)


class _TimeReader:
    """Reads times of day behind their T; of different ones the minutes and seconds are few."""

    def __init__(self) -> None:
        self._minutes, self._seconds = _Memo(_minute), _Memo(_second)

    def __call__(self, text: str) -> int:
        return self._minutes[text[:_HHMM]] + self._seconds[text[_HHMM:]]


def _month(text: str) -> WallTime:
    """Return the day before a month as a wall time."""
    if len(text) != _MONTH or not text.isdigit():
        return _NEVER
    year, month = int(text[:4]), int(text[4:])
    if year < 1 or not 1 <= month <= 12:  # noqa: PLR2004 - the calendar
        return _NEVER
    return (day_of(year, month, 1) - 1) * DAY


@lru_cache(maxsize=4096)
def _is_day(text: str) -> bool:
    try:
        parse_day(text)
    except ValueError:
        return False
    return True


def _minute(text: str) -> int:
    if not text:
        return 0
    return _time(text[1:] + "00") if text[0] == "T" else _NEVER


def _second(text: str) -> int:
    return _time("0000" + text.removesuffix("Z")) if text else 0


def _time(text: str) -> int:
    try:
        return parse_time_of_day(text) if len(text) == len("090000") else _NEVER
    except ValueError:
        return _NEVER


def _duration(text: str) -> Duration | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None
