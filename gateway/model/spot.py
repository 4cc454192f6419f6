"""A date or a time in a zone, as sources tell it, and the property that says it."""

from typing import NamedTuple

from gateway.model.content_line import Property
from gateway.model.local_time import WallTime, format_day, format_wall
from gateway.model.timerange import DAY, HOUR, MINUTE, Instant, format_utc
from gateway.model.zone import UTC_ZONE, FixedZone, Zone
from gateway.model.zones import iana_zone, zone


class Spot(NamedTuple):
    """A date or time in a zone; a date's instant is its midnight there."""

    instant: Instant
    wall: WallTime
    zone: Zone
    is_date: bool

    @property
    def day(self) -> int:
        """The day on the wall."""
        return self.wall // DAY

    @property
    def is_second(self) -> bool:
        """Whether it is the later of two equal wall times, which a TZID cannot say."""
        return not self.is_date and self.zone.instant_of(self.wall) != self.instant

    def on(self, other: "Spot") -> "Spot":
        """Return this moment in another's kind of value and zone."""
        if other.is_date:
            return date_spot(self.day, other.zone)
        if self.is_date:
            return time_spot(other.zone.instant_of(self.wall + other.wall % DAY), other.zone)
        return time_spot(self.instant, other.zone)

    def property(self, name: str, *, utc: bool = False) -> Property:
        """Return it as a DATE, in its zone, or in UTC where its zone has no name of its own."""
        if self.is_date:
            return Property(name, {"VALUE": ("DATE",)}, format_day(self.day))
        if utc or self.zone is UTC_ZONE:
            return Property(name, {}, format_utc(self.instant))
        return Property(name, {"TZID": (self.zone.name,)}, format_wall(self.wall))


def time_spot(instant: Instant, where: Zone) -> Spot:
    """Return the moment of an instant in a zone."""
    return Spot(instant, where.wall_of(instant), where, is_date=False)


def date_spot(day: int, where: Zone) -> Spot:
    """Return a whole day in a zone."""
    return Spot(where.instant_of(day * DAY), day * DAY, where, is_date=True)


def zone_called(name: object) -> Zone | None:
    """Return the zone somebody means; one that is only an offset by a name that all know."""
    found = zone(name) if isinstance(name, str) else None
    if isinstance(found, FixedZone):
        return fixed_zone(found.offset)
    return found


def fixed_zone(seconds: int) -> Zone:
    """Return the zone of an offset, by a name that all know where there is one."""
    if seconds == 0:
        return UTC_ZONE
    hours, rest = divmod(abs(seconds), HOUR)
    sign = "-" if seconds < 0 else "+"
    # The database's own names for whole hours, whose signs are those of POSIX.
    named = None if rest else iana_zone(f"Etc/GMT{'+' if seconds < 0 else '-'}{hours}")
    return named or FixedZone(f"UTC{sign}{hours:02}:{rest // MINUTE:02}", seconds)
