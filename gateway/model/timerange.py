"""Instants and half-open time ranges (RFC 4791 section 9.9).

Inside the gateway an instant is an `int`: UTC seconds since 1970 (docs/adr/0002).
Datetimes exist at the edges only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

Instant = int
"""UTC seconds since 1970-01-01T00:00:00Z; iCalendar knows nothing finer than a second."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAT_EPOCH = EPOCH.replace(tzinfo=None)
MINUTE, HOUR, DAY = 60, 3600, 86400
MIN_INSTANT: Instant = -2208988800
"""1900-01-01T00:00:00Z, the advertised `min-date-time`."""
MAX_INSTANT: Instant = 7258118400
"""2200-01-01T00:00:00Z, the end of the advertised range of dates."""


def to_instant(moment: datetime) -> Instant:
    """Return the instant of an aware datetime; parts of a second are dropped."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no instant")
    return (moment - EPOCH) // timedelta(seconds=1)


def to_datetime(instant: Instant) -> datetime:
    """Return the aware UTC datetime of an instant."""
    return EPOCH + timedelta(seconds=instant)


def format_utc(instant: Instant) -> str:
    """Return the basic UTC form of RFC 5545 section 3.3.5, `20260105T090000Z`."""
    return format_rfc3339(instant).replace("-", "").replace(":", "")


def format_rfc3339(instant: Instant) -> str:
    """Return the extended UTC form of RFC 3339, `2026-01-05T09:00:00Z`."""
    # A page of slots holds hundreds, of few days and at few times of day.
    day, second = divmod(instant, DAY)
    return f"{_day_text(day)}T{_time_text(second)}Z"


@lru_cache(maxsize=1024)
def _day_text(day: int) -> str:
    return (_FLAT_EPOCH + timedelta(days=day)).date().isoformat()


@lru_cache(maxsize=2048)
def _time_text(second: int) -> str:
    minutes, second = divmod(second, MINUTE)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open range `[start, end)` of instants."""

    start: Instant
    end: Instant

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError("a time range ends before it starts")

    def overlaps(self, other: "TimeRange") -> bool:
        """Tell whether both share at least one second."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: "TimeRange") -> bool:
        """Tell whether the other range lies inside this one."""
        return self.start <= other.start and other.end <= self.end

    @property
    def seconds(self) -> int:
        """The length in seconds."""
        return self.end - self.start


def merge(spans: Iterable[tuple[Instant, Instant]]) -> list[tuple[Instant, Instant]]:
    """Return the union of half-open spans as sorted spans that do not touch."""
    union: list[tuple[Instant, Instant]] = []
    for start, end in sorted(spans):
        if union and start <= union[-1][1]:
            if end > union[-1][1]:
                union[-1] = (union[-1][0], end)
        else:
            union.append((start, end))
    return union
