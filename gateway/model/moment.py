"""DATE and DATE-TIME properties as moments, with the zone each one is told in.

Which definition of a TZID wins is the policy "zones" of docs/policies.md.
"""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.errors import Condition, Refused
from gateway.model.component import Component
from gateway.model.content_line import Property
from gateway.model.local_time import WallTime, WallValue, parse_duration, parse_wall
from gateway.model.timerange import MAX_INSTANT, MIN_INSTANT, Instant
from gateway.model.zone import UTC_ZONE, Zone
from gateway.model.zones import iana_zone, zone, zone_from_vtimezone


class Moment(NamedTuple):
    """A date or date-time: its instant, its wall time and the zone that joins the two."""

    instant: Instant
    wall: WallTime
    zone: Zone
    is_date: bool
    is_floating: bool

    @property
    def key(self) -> int:
        """What identifies an instance: the day of a date, the instant of a time."""
        return self.wall if self.is_date else self.instant


class Period(NamedTuple):
    """An RDATE or FREEBUSY value; `end` is None for a plain date or time."""

    start: Moment
    end: Instant | None


class Moments:
    """Reads the moments of one calendar.

    `default_zone` is the collection's: it gives dates and floating times their instants.
    """

    __slots__ = ("_definitions", "_known", "default_zone", "depends_on_default", "lenient")

    def __init__(self, calendar: Component, default_zone: Zone, *, lenient: bool) -> None:
        self.default_zone = default_zone
        self.lenient = lenient
        self.depends_on_default = False
        self._known: dict[str, Zone] = {}
        self._definitions: dict[str, Component] = {}
        for definition in calendar.inside("VTIMEZONE"):
            self._definitions.setdefault(definition.value("TZID").strip(), definition)

    def zone(self, tzid: str) -> Zone:
        """Return the zone of a TZID; one that nobody defines is refused, or floats."""
        found = self._known.get(tzid)
        if found is None:
            found = self._known[tzid] = self._find(tzid.strip())
        return found

    def _find(self, tzid: str) -> Zone:
        found = iana_zone(tzid)
        if found is None and tzid in self._definitions:
            found = zone_from_vtimezone(self._definitions[tzid], lenient=self.lenient)
        found = found or zone(tzid)
        if found is None:
            if not self.lenient:
                raise ValueError(f"the time zone {tzid[:60]!r} is neither known nor defined")
            self.depends_on_default = True
            found = self.default_zone
        return found

    def read(self, item: Property) -> Moment:
        """Return the moment of a single-valued property."""
        return self._moment(parse_wall(item.value), item)

    def _moment(self, value: WallValue, item: Property) -> Moment:
        moment = self._placed(value, item)
        if not self.lenient:
            assert_in_range(moment.instant)
        return moment

    def _placed(self, value: WallValue, item: Property) -> Moment:
        if value.is_utc:
            return Moment(value.wall, value.wall, UTC_ZONE, is_date=False, is_floating=False)
        tzid = item.param("TZID")
        if value.is_date or not tzid:
            self.depends_on_default = True
            instant = self.default_zone.instant_of(value.wall)
            return Moment(instant, value.wall, self.default_zone, value.is_date, is_floating=True)
        found = self.zone(tzid)
        return Moment(
            found.instant_of(value.wall), value.wall, found, is_date=False, is_floating=False
        )

    def each(self, items: list[Property], limit: int) -> Iterator[Period]:
        """Yield the values of EXDATE, RDATE or FREEBUSY; lenient reading skips broken ones."""
        left = limit
        for item in items:
            for text in item.value.split(","):
                left -= 1
                if left < 0:
                    return
                try:
                    yield self._period(text, item)
                except ValueError:
                    if not self.lenient:
                        raise

    def _period(self, text: str, item: Property) -> Period:
        start_text, slash, end_text = text.partition("/")
        start = self._moment(parse_wall(start_text), item)
        if not slash:
            return Period(start, None)
        if end_text.strip()[:1] in ("P", "p", "+", "-"):
            length = parse_duration(end_text)
            wall = start.wall + length.days * 86400
            end = (start.zone.instant_of(wall) if length.days else start.instant) + length.seconds
        else:
            end = self._moment(parse_wall(end_text), item).instant
        if end < start.instant and not self.lenient:
            raise ValueError(f"a period that ends before it starts: {text[:60]}")
        return Period(start, max(end, start.instant))


def assert_in_range(instant: Instant) -> None:
    """Refuse what lies outside the advertised range of dates (RFC 4791 sections 5.2.6, 5.2.7)."""
    if instant < MIN_INSTANT:
        raise Refused(Condition.MIN_DATE_TIME, "a date before the year 1900")
    if instant > MAX_INSTANT:
        raise Refused(Condition.MAX_DATE_TIME, "a date after the year 2199")
