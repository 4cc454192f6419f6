"""Keeps the occurrence index true: what an object puts into it, and how far ahead it reaches.

Rows depend on the calendar's zone and rules and on the tzdata version; a change of any of them
builds the calendar's index anew (docs/adr/0005).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gateway.errors import CalgateError, Refused
from gateway.freebusy.blocking import blocking_periods
from gateway.freebusy.busytime import BusyPeriod, BusyType, stored_periods
from gateway.model.collection import BusyRules, Collection, ObjectRecord
from gateway.model.component import parse
from gateway.model.objects import read_one
from gateway.model.recurrence import ObjectTimes, compile_object
from gateway.model.timerange import DAY, MAX_INSTANT, MIN_INSTANT, Instant, TimeRange
from gateway.model.zones import UTC_ZONE, Zone, tzdata_version, zone, zone_from_vtimezone
from gateway.ports import Clock, IndexEntry, Store, Transaction

PAST_DAYS, AHEAD_DAYS = 30, 400
SLACK_DAYS = 7
"""A horizon may lag this far behind, so that a nightly pass has days to catch up."""
BATCH = 200
ALWAYS = TimeRange(MIN_INSTANT, MAX_INSTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What the rows of a calendar depend on besides its objects."""

    horizon: TimeRange
    rules: BusyRules
    address: str


def horizon_at(now: Instant) -> TimeRange:
    """Return the horizon of an index that is built at `now`: whole UTC days."""
    today = now // DAY
    return TimeRange((today - PAST_DAYS) * DAY, (today + AHEAD_DAYS) * DAY)


def zone_of(collection: Collection) -> Zone:
    """Return the zone in which a calendar's floating times and all-day events are meant."""
    named = zone(collection.time_zone) if collection.time_zone else None
    if named is not None:
        return named
    if collection.time_zone_ics:
        try:
            for component in parse(collection.time_zone_ics.encode()).inside("VTIMEZONE"):
                return zone_from_vtimezone(component) or UTC_ZONE
        except CalgateError:
            return UTC_ZONE
    return UTC_ZONE


def zone_key(collection: Collection) -> tuple[str, str]:
    """Return what `zone_of` depends on."""
    return collection.time_zone, collection.time_zone_ics


def entry_of(times: ObjectTimes, basis: Basis, *, lenient: bool = False) -> IndexEntry:
    """Return what the index keeps of an object; pure, and heavy only where it recurs often.

    What takes too many steps is refused; leniently nothing is kept, and it is computed when asked
    for like what is dense: no item of a source costs the others.
    """
    spans: list[TimeRange] = []
    periods: Sequence[BusyPeriod] = ()
    dense = times.dense
    if not dense:
        window = basis.horizon if times.recurring else ALWAYS
        try:
            occurrences = list(times.occurrences(window))
        except Refused:
            if not lenient:
                raise
            occurrences, dense = [], True
    if not dense:
        spans = [TimeRange(one.start, max(one.start, one.end)) for one in occurrences]
        periods = [
            *blocking_periods(occurrences, basis.rules, address=basis.address),
            *stored_periods(times),
        ]
    return IndexEntry(
        first_start=times.first_start,
        last_end=times.last_end,
        recurring=times.recurring,
        dense=dense,
        floating=times.floating,
        periods=periods,
        occurrences=spans,
    )


async def basis_of(tx: Transaction, collection: Collection, now: Instant) -> Basis:
    """Read what a calendar's rows depend on; a calendar without a horizon gets one."""
    horizon = await tx.index.horizon(collection.id)
    if horizon is None:
        horizon = horizon_at(now)
        await tx.index.set_horizon(collection.id, horizon, tzdata_version())
    owner = await tx.owners.get(collection.owner_id)
    return Basis(
        horizon=horizon, rules=collection.rules, address=owner.email.lower() if owner else ""
    )


class IndexService:
    """Builds calendars' indexes anew: nightly, and when what they rest on changes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._log = structlog.get_logger("gateway.index")

    async def extend(self) -> bool:
        """Rebuild what has become short or rests on another tzdata; tell whether there was any."""
        soon = horizon_at(self._clock.now()).end - SLACK_DAYS * DAY
        async with self._store.read() as tx:
            outdated = await tx.index.outdated(before_end=soon, tzdata=tzdata_version())
        for collection_id in outdated:
            await self.rebuild(collection_id)
        return bool(outdated)

    async def rebuild_owner(self, owner_id: int) -> None:
        """Rebuild every calendar of an owner, whose address or zone has changed."""
        async with self._store.read() as tx:
            collections = await tx.collections.of_owner(owner_id)
        for collection in collections:
            await self.rebuild(collection.id)

    async def rebuild(self, collection_id: int) -> None:
        """Compute every row of a calendar again, in one transaction: no answer sees half of it."""
        now = self._clock.now()
        async with self._store.read() as tx:
            found = await tx.collections.get(collection_id)
        if found is None:
            return
        async with self._store.write(owner_id=found.owner_id) as tx:
            collection = await tx.collections.get(collection_id)
            if collection is not None:
                await tx.index.set_horizon(collection.id, horizon_at(now), tzdata_version())
                await rebuild_in(tx, collection, now)

    async def check(self) -> None:
        """Log what the nightly pass finds."""
        if await self.extend():
            self._log.info("index.extended")


async def rebuild_in(tx: Transaction, collection: Collection, now: Instant) -> None:
    """Compute every row of a calendar again inside a transaction."""
    basis = await basis_of(tx, collection, now)
    home = zone_of(collection)
    names = [header.name for header in await tx.objects.headers(collection.id)]
    for start in range(0, len(names), BATCH):
        records = await tx.objects.get_many(collection.id, names[start : start + BATCH])
        for record, entry in await asyncio.to_thread(_entries, records, home, basis):
            await tx.index.put(collection.id, record.id, entry)


def _entries(
    records: Sequence[ObjectRecord], home: Zone, basis: Basis
) -> list[tuple[ObjectRecord, IndexEntry]]:
    return [(record, _entry(record, home, basis)) for record in records]


def _entry(record: ObjectRecord, home: Zone, basis: Basis) -> IndexEntry:
    try:
        return entry_of(times_of(record.data, home), basis, lenient=True)
    except CalgateError:
        # Stored once, unreadable now: it stays busy for as far as anybody looks, never free.
        return unknown_entry(basis.horizon)


def times_of(data: bytes, home: Zone) -> ObjectTimes:
    """Return the times of a stored object."""
    return compile_object(read_one(data), home, lenient=True)


def unknown_entry(horizon: TimeRange) -> IndexEntry:
    """Return the entry of an object whose times cannot be told: busy, all of it.

    As a recurring one it is looked at again beyond the horizon, where it is busy too.
    """
    period = BusyPeriod(horizon.start, horizon.end, BusyType.BUSY)
    return IndexEntry(
        first_start=horizon.start,
        last_end=None,
        recurring=True,
        dense=False,
        floating=False,
        periods=[period],
        occurrences=[horizon],
    )
