"""Recurrence rules as values (RFC 5545 section 3.3.10, RFC 7529): reading a RECUR, nothing else.

Strict reading raises ValueError for whatever the RFC forbids. Lenient reading, for what other
servers store, follows docs/policies.md: it mends what has one obvious meaning, and gives up on a
rule (None: only DTSTART is left) that has none.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeVar

from gateway.model.local_time import WallValue, parse_wall

MAX_NUMBER = 2**31 - 1
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BY_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")


class Frequency(IntEnum):
    """FREQ, from the finest to the coarsest."""

    SECONDLY = 0
    MINUTELY = 1
    HOURLY = 2
    DAILY = 3
    WEEKLY = 4
    MONTHLY = 5
    YEARLY = 6


class Skip(StrEnum):
    """What becomes of a date the month does not have (RFC 7529 section 4.1)."""

    OMIT = "OMIT"
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A recurrence rule; lists are sorted and free of duplicates, weekdays count from Monday.

    `by_day` holds (ordinal or 0, weekday).
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: WallValue | None = None
    by_second: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_hour: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_week_no: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0
    skip: Skip = Skip.OMIT


# Part name: lowest, highest, and whether its values may count from the end.
_RANGES: dict[str, tuple[int, int, bool]] = {
    "BYSECOND": (0, 60, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}
_KNOWN = {*_RANGES, "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST", "RSCALE", "SKIP"}
_MAX_ORDINAL = 53
_Item = TypeVar("_Item", int, tuple[int, int])


class _NoRule(Exception):
    """The rule has no meaning left."""


def parse_rule(value: str, *, lenient: bool = False) -> Rule | None:
    """Return a RECUR value; lenient reading returns None where nothing but DTSTART is left."""
    reader = _Reader(_parts(value, lenient=lenient), lenient=lenient)
    try:
        rule = reader.rule()
    except (_NoRule, ValueError):
        if lenient:
            return None
        raise
    return rule


def _parts(value: str, *, lenient: bool) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in value.strip().upper().split(";"):
        if not part:
            continue
        name, equals, text = part.partition("=")
        known = name in _KNOWN or name.startswith("X-")
        if not lenient and (not equals or not known or name in parts):
            raise ValueError(f"rule part {name[:20]} is unknown, empty or given twice")
        parts.setdefault(name, text.strip())
    return parts


class _Reader:
    """The parts of one rule and how strictly they are read."""

    def __init__(self, parts: dict[str, str], *, lenient: bool) -> None:
        self.parts = parts
        self.lenient = lenient

    def rule(self) -> Rule:
        """Return the rule, or raise."""
        try:
            frequency = Frequency[self.parts.get("FREQ", "")]
        except KeyError as error:
            raise ValueError("no FREQ, or an unknown one") from error
        if self.parts.get("RSCALE", "GREGORIAN") != "GREGORIAN":
            raise ValueError("only RSCALE=GREGORIAN is supported")
        self._forbid("UNTIL" in self.parts and "COUNT" in self.parts, "both UNTIL and COUNT")
        lists = {name: self._numbers(name) for name in _RANGES}
        by_day = self._by_day(frequency, by_week=bool(lists["BYWEEKNO"]))
        self._check_parts(frequency)
        return Rule(
            frequency=frequency,
            interval=self._interval(),
            count=self._count(),
            until=self._until(),
            # A leap second reads as the second before it (RFC 5545 section 3.3.12).
            by_second=tuple(sorted({min(number, 59) for number in lists["BYSECOND"]})),
            by_minute=lists["BYMINUTE"],
            by_hour=lists["BYHOUR"],
            by_day=by_day,
            by_month_day=lists["BYMONTHDAY"],
            by_year_day=lists["BYYEARDAY"],
            by_week_no=lists["BYWEEKNO"],
            by_month=lists["BYMONTH"],
            by_set_pos=lists["BYSETPOS"],
            week_start=self._week_start(),
            skip=self._skip(),
        )

    def _forbid(self, broken: bool, what: str) -> None:  # noqa: FBT001 - the condition itself
        if broken and not self.lenient:
            raise ValueError(f"a rule may not have {what}")

    def _check_parts(self, frequency: Frequency) -> None:
        """Forbid what the table of section 3.3.10 marks as not applicable."""
        parts = self.parts
        daily_to_monthly = Frequency.DAILY <= frequency <= Frequency.MONTHLY
        self._forbid(
            "BYWEEKNO" in parts and frequency is not Frequency.YEARLY,
            f"BYWEEKNO with FREQ={frequency.name}",
        )
        self._forbid(
            "BYYEARDAY" in parts and daily_to_monthly, f"BYYEARDAY with FREQ={frequency.name}"
        )
        self._forbid(
            "BYMONTHDAY" in parts and frequency is Frequency.WEEKLY, "BYMONTHDAY with FREQ=WEEKLY"
        )
        others = any(name.startswith("BY") and name != "BYSETPOS" for name in parts)
        self._forbid("BYSETPOS" in parts and not others, "BYSETPOS without another BY part")
        self._forbid("SKIP" in parts and "RSCALE" not in parts, "SKIP without RSCALE")

    def _number(self, name: str) -> int | None:
        text = self.parts.get(name)
        if text is None:
            return None
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"{name} is no number")
        return int(text)

    def _interval(self) -> int:
        number = self._number("INTERVAL")
        if number is None or (number == 0 and self.lenient):
            return 1
        if number < 1 or (number > MAX_NUMBER and not self.lenient):
            raise ValueError("INTERVAL out of range")
        return min(number, MAX_NUMBER)

    def _count(self) -> int | None:
        number = self._number("COUNT")
        if number is None:
            return None
        if number > MAX_NUMBER and self.lenient:
            return None
        if not 1 <= number <= MAX_NUMBER:
            raise ValueError("COUNT out of range")
        return number

    def _until(self) -> WallValue | None:
        text = self.parts.get("UNTIL")
        return parse_wall(text) if text is not None else None

    def _week_start(self) -> int:
        text = self.parts.get("WKST", "MO")
        if text in WEEKDAYS:
            return WEEKDAYS.index(text)
        self._forbid(broken=True, what="an unknown WKST")
        return 0

    def _skip(self) -> Skip:
        text = self.parts.get("SKIP", "OMIT")
        self._forbid(text not in Skip.__members__, "an unknown SKIP")
        return Skip(text) if text in Skip.__members__ else Skip.OMIT

    def _numbers(self, name: str) -> tuple[int, ...]:
        text = self.parts.get(name)
        if text is None:
            return ()
        low, high, signed = _RANGES[name]
        return self._kept(name, (self._in_range(item, low, high, signed) for item in _items(text)))

    def _in_range(self, item: str, low: int, high: int, signed: bool) -> int | None:  # noqa: FBT001 - a column of _RANGES
        if not _NUMBER.fullmatch(item):
            return None
        number = int(item)
        size = abs(number) if signed else number
        return number if low <= size <= high else None

    def _kept(self, name: str, values: Iterable[_Item | None]) -> tuple[_Item, ...]:
        kept = set()
        for value in values:
            if value is None:
                self._forbid(broken=True, what=f"such values in {name}")
            else:
                kept.add(value)
        if not kept:
            raise _NoRule
        return tuple(sorted(kept))

    def _by_day(self, frequency: Frequency, *, by_week: bool) -> tuple[tuple[int, int], ...]:
        text = self.parts.get("BYDAY")
        if text is None:
            return ()
        ordinals = frequency in (Frequency.MONTHLY, Frequency.YEARLY) and not by_week
        found = [self._weekday(item, ordinals=ordinals) for item in _items(text)]
        return self._kept("BYDAY", found)

    def _weekday(self, item: str, *, ordinals: bool) -> tuple[int, int] | None:
        found = _BY_DAY.fullmatch(item)
        if found is None:
            return None
        ordinal = int(found[1]) if found[1] else 0
        if found[1] and not 1 <= abs(ordinal) <= _MAX_ORDINAL:
            return None
        self._forbid(bool(ordinal) and not ordinals, "a numbered BYDAY here")
        return (ordinal if ordinals else 0, WEEKDAYS.index(found[2]))


def _items(text: str) -> set[str]:
    """Return the different values of a list; a hundred thousand times the same are one."""
    return {item.strip() for item in set(text.split(","))}
