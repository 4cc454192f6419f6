"""EXDATE, RDATE and FREEBUSY in columns, each value placed as `Moments.each` would place it.

Values of one form and zone are placed together: a moment for each of a hundred thousand takes ten
times as long.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gateway.model.content_line import Property
from gateway.model.date_lists import (
    DATE,
    FORMS,
    UTC,
    Walls,
    parse_durations,
    parse_walls,
    split_values,
)
from gateway.model.local_time import Duration, WallTime, parse_duration
from gateway.model.moment import Moments, assert_in_range
from gateway.model.timerange import DAY, Instant
from gateway.model.zone import UTC_ZONE, Zone

_DURATION_BEGINS = frozenset("P+-")


class Dates(NamedTuple):
    """Values that are told in one form and zone; of periods also the `lengths`."""

    zone: Zone
    is_date: bool
    is_floating: bool
    walls: list[WallTime]
    lengths: list[int] | None = None

    @property
    def instants(self) -> list[Instant]:
        """The instant of each, or where it starts."""
        return self.zone.instants_of(self.walls)


def read_dates(moments: Moments, items: Iterable[Property], limit: int) -> Iterator[Dates]:
    """Yield the first values of EXDATEs, RDATEs or FREEBUSYs; lenient reading skips broken ones."""
    by_zone: dict[str, list[str]] = {}
    for item in items:
        value = item.value
        count = value.count(",") + 1
        if count > limit:
            value = ",".join(value.split(",", limit)[:limit])
        if limit > 0:
            by_zone.setdefault(item.param("TZID"), []).append(value)
        limit -= count
    for tzid, values in by_zone.items():
        yield from _Reader(moments, tzid).read(split_values(values))


class _Reader:
    """Places the values that name one zone, or none."""

    def __init__(self, moments: Moments, tzid: str) -> None:
        self.moments = moments
        self.lenient = moments.lenient
        self.tzid = tzid

    def read(self, texts: Sequence[str]) -> Iterator[Dates]:
        """Yield plain dates and times, then periods."""
        plain = [text for text in texts if "/" not in text]
        if plain:
            yield from self._placed(parse_walls(plain, lenient=self.lenient))
        if len(plain) < len(texts):
            yield from self._periods([text.partition("/") for text in texts if "/" in text])

    def _placed(self, told: Walls) -> Iterator[Dates]:
        for form in FORMS:
            walls = told.of(form)
            if walls:
                yield self._checked(self._dates(form, walls))

    def _dates(self, form: int, walls: list[WallTime]) -> Dates:
        """Return values with the zone that their form gives them."""
        if form == UTC:
            return Dates(UTC_ZONE, is_date=False, is_floating=False, walls=walls)
        if form == DATE or not self.tzid:
            self.moments.depends_on_default = True
            return Dates(self.moments.default_zone, form == DATE, is_floating=True, walls=walls)
        zone = self.moments.zone(self.tzid)
        return Dates(zone, is_date=False, is_floating=False, walls=walls)

    def _checked(self, dates: Dates) -> Dates:
        if not self.lenient:
            for wall in (min(dates.walls), max(dates.walls)):
                assert_in_range(dates.zone.instant_of(wall))
        return dates

    def _periods(self, parts: Sequence[tuple[str, str, str]]) -> Iterator[Dates]:
        starts = parse_walls([start.strip() for start, _, _ in parts], lenient=self.lenient)
        for form in FORMS:
            walls = starts.of(form)
            if not walls:
                continue
            dates = self._checked(self._dates(form, walls))
            ends = [
                end.strip()
                for (_, _, end), own in zip(parts, starts.forms, strict=True)
                if own == form
            ]
            yield self._with_lengths(dates, self._lengths(dates, ends))

    def _with_lengths(self, dates: Dates, lengths: Sequence[int | None]) -> Dates:
        """Return periods without those whose end is broken, or before their start."""
        known = [length for length in lengths if length is not None]
        if len(known) == len(lengths) and min(known) >= 0:
            return dates._replace(lengths=known)
        if not self.lenient and min(known, default=0) < 0:
            raise ValueError("a period that ends before it starts")
        told = zip(dates.walls, lengths, strict=True)
        rows = [(wall, max(length, 0)) for wall, length in told if length is not None]
        return dates._replace(
            walls=[wall for wall, _ in rows], lengths=[length for _, length in rows]
        )

    def _lengths(self, dates: Dates, ends: Sequence[str]) -> list[int | None]:
        """Return how long each period is, None where its end is broken."""
        durations = parse_durations({end for end in ends if end[:1] in _DURATION_BEGINS})
        exact = {end: told.seconds for end, told in durations.items() if told and not told.days}
        lengths = [exact.get(end) for end in ends]
        starts = dates.instants
        timed: list[int] = []
        nominal: list[tuple[int, Duration]] = []
        for number in [number for number, length in enumerate(lengths) if length is None]:
            duration = durations.get(ends[number])
            if duration is not None:
                nominal.append((number, duration))
            elif ends[number] not in durations:
                timed.append(number)
            elif not self.lenient:
                parse_duration(ends[number])
        later = [dates.walls[number] + duration.days * DAY for number, duration in nominal]
        told_later = dates.zone.instants_of(later)
        for (number, duration), instant in zip(nominal, told_later, strict=True):
            lengths[number] = duration.seconds + instant - starts[number]
        for number, instant in self._ends(timed, ends):
            lengths[number] = instant - starts[number]
        return lengths

    def _ends(self, timed: Sequence[int], ends: Sequence[str]) -> Iterator[tuple[int, Instant]]:
        """Yield the instants of ends that are dates or times, with their numbers."""
        found = parse_walls([ends[number] for number in timed], lenient=self.lenient)
        for form in FORMS:
            walls = found.of(form)
            if walls:
                dates = self._checked(self._dates(form, walls))
                told = zip(timed, found.forms, strict=True)
                chosen = (number for number, own in told if own == form)
                yield from zip(chosen, dates.instants, strict=True)
