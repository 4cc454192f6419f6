"""The one service behind every free/busy answer: calendars and a window in, busy time out.

Inside the index's horizon an answer reads merged rows. What the index never stores (dense rules,
windows beyond the horizon) is computed here within a bound; what is left at the bound counts as
busy, never as free.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain

import structlog

from gateway.errors import CalgateError
from gateway.freebusy import vfreebusy
from gateway.freebusy.blocking import blocking_periods
from gateway.freebusy.busytime import (
    BusyPeriod,
    BusyType,
    can_block,
    coalesce,
    stored_periods,
)
from gateway.model.collection import BusyRules, Collection, ObjectRecord
from gateway.model.principal import Owner
from gateway.model.recurrence import ObjectTimes
from gateway.model.timerange import TimeRange
from gateway.ports import Clock, Store, Transaction
from gateway.services.index import times_of, zone_key, zone_of
from gateway.services.kept import Kept

MAX_PERIODS = 100_000
"""How many occurrences one answer computes at most."""
CACHED = 1000
"""How many objects' compiled times are kept."""
MANY = 5_000
"""Periods from which writing them leaves the event loop; such an answer is not kept."""
MAX_TOLD = 16 << 20
"""Bytes of answers that are kept."""
MAX_REMEMBERED = 200_000
"""Periods of calendars that are kept."""


class FreeBusyService:
    """Answers when somebody is busy."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._compiled: Kept[_Key, ObjectTimes] = Kept(max_weight=CACHED)
        self._told: Kept[_State, bytes] = Kept(max_weight=MAX_TOLD)
        self._remembered: Kept[_State, list[BusyPeriod]] = Kept(
            max_weight=MAX_REMEMBERED, max_one=MANY
        )
        self._log = structlog.get_logger("gateway.freebusy")

    async def selected(self, owner_id: int, *, tx: Transaction | None = None) -> list[Collection]:
        """Return the owner's calendars that decide availability."""
        if tx is None:
            async with self._store.read() as own:
                return await self.selected(owner_id, tx=own)
        return [one for one in await tx.collections.of_owner(owner_id) if one.selected]

    async def busy(
        self,
        collections: Sequence[Collection],
        window: TimeRange,
        *,
        tx: Transaction | None = None,
    ) -> list[BusyPeriod]:
        """Return the merged busy time of the calendars, sorted, types apart, clipped."""
        by_collection = await self.busy_by_collection(collections, window, tx=tx)
        if len(by_collection) == 1:
            return next(iter(by_collection.values()))
        everything = [period for periods in by_collection.values() for period in periods]
        return coalesce(everything, window)

    async def told(
        self,
        owner: Owner,
        collections: Sequence[Collection],
        window: TimeRange,
        *,
        tx: Transaction,
    ) -> bytes:
        """Return an owner's busy time as a VFREEBUSY.

        What was told is told again, unread, while nothing has changed that it rests on; the
        calendars must be as this transaction reads them.
        """
        state = _state(owner, collections, window)
        known = self._told.get(state)
        if known is not None:
            return known
        periods = await self.busy(collections, window, tx=tx)
        now = self._clock.now()
        if len(periods) > MANY:
            return await asyncio.to_thread(vfreebusy.render, periods, window, now=now)
        told = vfreebusy.render(periods, window, now=now)
        self._told.keep(state, told, len(told))
        return told

    async def remembered(
        self,
        owner: Owner,
        collections: Sequence[Collection],
        window: TimeRange,
        *,
        tx: Transaction,
    ) -> Sequence[BusyPeriod]:
        """Return the merged busy time of the calendars, unread while nothing has changed.

        For transactions that only read: a revision that is rolled back is given again.
        """
        whole = _state(owner, collections, window)
        together = self._remembered.get(whole)
        if together is None:
            each = await self._each(owner, collections, window, tx=tx)
            together = coalesce(chain.from_iterable(each), window)
            self._remembered.keep(whole, together, len(together) + 1)
        return together

    async def _each(
        self,
        owner: Owner,
        collections: Sequence[Collection],
        window: TimeRange,
        *,
        tx: Transaction,
    ) -> list[Sequence[BusyPeriod]]:
        """Return the busy time of each calendar; only those that have changed are read."""
        states = {one.id: _state(owner, [one], window) for one in collections}
        known = {key: self._remembered.get(state) for key, state in states.items()}
        missing = [one for one in collections if known[one.id] is None]
        if missing:
            fresh = await self.busy_by_collection(missing, window, tx=tx)
            for key, periods in fresh.items():
                self._remembered.keep(states[key], periods, len(periods) + 1)
            known |= fresh
        return [periods or () for periods in known.values()]

    async def busy_by_collection(
        self,
        collections: Sequence[Collection],
        window: TimeRange,
        *,
        tx: Transaction | None = None,
    ) -> dict[int, list[BusyPeriod]]:
        """Return the busy time of each calendar by its id; `tx` answers from that transaction."""
        if tx is None:
            async with self._store.read() as own:
                return await self.busy_by_collection(collections, window, tx=own)
        ids = [collection.id for collection in collections]
        indexed = await tx.index.busy(ids, window)
        found = {identifier: list(periods) for identifier, periods in indexed.items()}
        records = await tx.index.computed(ids, window)
        if records:
            found |= await self._compute(tx, records, collections, window, found)
        return found

    async def of_records(
        self,
        tx: Transaction,
        records: Sequence[ObjectRecord],
        collection: Collection,
        window: TimeRange,
    ) -> list[BusyPeriod]:
        """Return the busy time that some objects of a calendar make together."""
        computed = await self._compute(tx, records, [collection], window, {collection.id: ()})
        return coalesce(computed.get(collection.id, ()), window)

    async def _compute(
        self,
        tx: Transaction,
        records: Sequence[ObjectRecord],
        collections: Sequence[Collection],
        window: TimeRange,
        indexed: Mapping[int, Sequence[BusyPeriod]],
    ) -> dict[int, list[BusyPeriod]]:
        addresses = {
            owner_id: owner.email.lower() if (owner := await tx.owners.get(owner_id)) else ""
            for owner_id in {collection.owner_id for collection in collections}
        }
        by_id = {collection.id: collection for collection in collections}
        tasks = [
            _Task(
                key=_Key(sha256(record.data).digest(), zone_key(by_id[record.collection_id])),
                record=record,
                collection=by_id[record.collection_id],
                address=addresses[by_id[record.collection_id].owner_id],
            )
            for record in records
        ]
        known = {task.key: self._compiled.get(task.key) for task in tasks}
        computed = await asyncio.to_thread(_compute_all, tasks, known, window, indexed)
        for key, times in computed.compiled.items():
            self._compiled.keep(key, times)
        if computed.cut:
            self._log.warning("freebusy.bounded", objects=len(records), window=window.seconds)
        return computed.periods


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Everything that an answer depends on; revisions and identities are never given again."""

    owner: tuple[int, str]
    calendars: tuple[tuple[str, str, BusyRules, str, str], ...]
    window: TimeRange


def _state(owner: Owner, collections: Sequence[Collection], window: TimeRange) -> _State:
    return _State(
        owner=(owner.id, owner.email),
        calendars=tuple(
            (one.public_id, one.version, one.rules, *zone_key(one)) for one in collections
        ),
        window=window,
    )


@dataclass(frozen=True, slots=True)
class _Key:
    """What compiled times depend on; ids and revisions come back in another's calendar."""

    digest: bytes
    zone: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    key: _Key
    record: ObjectRecord
    collection: Collection
    address: str


@dataclass(slots=True)
class _Computed:
    periods: dict[int, list[BusyPeriod]]
    compiled: dict[_Key, ObjectTimes]
    cut: bool = False


def _compute_all(
    tasks: Sequence[_Task],
    known: Mapping[_Key, ObjectTimes | None],
    window: TimeRange,
    indexed: Mapping[int, Sequence[BusyPeriod]],
) -> _Computed:
    """Expand the objects in a thread and merge them with what the index has.

    Where one cannot be told, or too many are, all is busy.
    """
    done = _Computed({}, {})
    everything = BusyPeriod(window.start, window.end, BusyType.BUSY)
    left = MAX_PERIODS
    for task in tasks:
        periods = done.periods.setdefault(task.collection.id, [])
        if left <= 0:
            done.cut = True
            periods.append(everything)
            continue
        try:
            times = known[task.key] or times_of(task.record.data, zone_of(task.collection))
            occurrences = times.occurrences(window, wanted=can_block, joined=True)
            found = blocking_periods(occurrences, task.collection.rules, address=task.address)
            found += stored_periods(times)
        except CalgateError:
            done.cut = True
            periods.append(everything)
            continue
        done.compiled[task.key] = times
        left -= len(found)
        periods.extend(found)
    for identifier, periods in done.periods.items():
        done.periods[identifier] = coalesce([*indexed[identifier], *periods], window)
    return done
