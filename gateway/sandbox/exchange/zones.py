"""Time zones as Exchange knows them: by Windows name, and each as the rules of a year."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from gateway.sandbox.exchange.soap import T

ZONES = {
    "W. Europe Standard Time": "Europe/Berlin",
    "GMT Standard Time": "Europe/London",
    "Eastern Standard Time": "America/New_York",
    "Tokyo Standard Time": "Asia/Tokyo",
    "UTC": "UTC",
}
RULES_OF = 2026
"""Exchange knows a zone by its present rules; they are read off in this year."""
HOUR = timedelta(hours=1)
LAST_WEEK = 4
"""Rules that fall into the fourth week or later are taken for those of the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A yearly change of offset; `week` is 1 to 4, or -1 for the last; `at` as clocks show it."""

    month: int
    week: int
    weekday: int
    at: timedelta
    before: timedelta
    after: timedelta

    @property
    def is_daylight(self) -> bool:
        """Tell whether clocks go forward."""
        return self.after > self.before


def zone_called(name: str) -> ZoneInfo:
    """Return a zone by its name; what no table knows is seeded with Berlin's rules here."""
    return ZoneInfo(name if "/" in name else ZONES.get(name, "Europe/Berlin"))


def zone_name(item: ET.Element) -> str:
    """Return the name of the zone that an item is told in."""
    told = item.find(f"{T}StartTimeZone")
    return told.get("Id", "UTC") if told is not None else "UTC"


def zone_of(item: ET.Element) -> ZoneInfo:
    """Return the zone that an item is told in."""
    return zone_called(zone_name(item))


def standard_offset(zone: ZoneInfo) -> timedelta:
    """Return what a zone is ahead of UTC when it has no summer time."""
    offsets = (datetime(RULES_OF, month, 1, tzinfo=zone).utcoffset() for month in (1, 7))
    return min(one for one in offsets if one is not None)


@lru_cache(maxsize=64)
def turns_of(zone: ZoneInfo) -> tuple[Turn, ...]:
    """Return a zone's changes of offset in a year, found by looking at every hour of it."""
    found = []
    now, end = datetime(RULES_OF, 1, 1, tzinfo=UTC), datetime(RULES_OF + 1, 1, 1, tzinfo=UTC)
    before = now.astimezone(zone).utcoffset() or timedelta()
    while now < end:
        after = now.astimezone(zone).utcoffset() or timedelta()
        if after != before:
            wall = (now + before).replace(tzinfo=None)
            week = (wall.day - 1) // 7 + 1
            found.append(
                Turn(
                    month=wall.month,
                    week=week if week < LAST_WEEK else -1,
                    weekday=wall.weekday(),
                    at=timedelta(hours=wall.hour, minutes=wall.minute),
                    before=before,
                    after=after,
                )
            )
            before = after
        now += HOUR
    return tuple(found)


def local_by(turns: tuple[Turn, ...], standard: timedelta, when: datetime) -> datetime:
    """Return what clocks with these rules show at an instant."""
    offset = standard
    moments = sorted(
        (_instant(turn, when.year + year), turn.after) for turn in turns for year in (-1, 0)
    )
    for begins, after in moments:
        if begins <= when:
            offset = after
    return (when + offset).replace(tzinfo=None)


def _instant(turn: Turn, year: int) -> datetime:
    first = datetime(year, turn.month, 1, tzinfo=UTC)
    days = [first + timedelta(days=number) for number in range(31)]
    fitting = [day for day in days if day.month == turn.month and day.weekday() == turn.weekday]
    day = fitting[-1] if turn.week < 0 else fitting[min(turn.week, len(fitting)) - 1]
    return day + turn.at - turn.before
