"""The occurrence index (docs/adr/0005): what an answer about time reads instead of calendars.

Law: inside a collection's horizon, `busy_day` holds the union of the busy occurrences per UTC day
and type. Rows of a recurring object exist for the horizon only, those of others always; dense
objects have no rows at all. Merged days are brought up to date once, when a transaction ends.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    union_all,
    update,
)

from gateway import errors
from gateway.freebusy.busytime import BusyPeriod, BusyType, coalesce
from gateway.model.collection import ObjectRecord
from gateway.model.objects import TYPES
from gateway.model.timerange import DAY, Instant, TimeRange, merge
from gateway.ports import IndexEntry
from gateway.storage import schema
from gateway.storage.index_rows import (
    Pending,
    Span,
    Spans,
    busy_days,
    component_row,
    days_of,
    days_statement,
    decode,
    encode,
    horizon_of,
    overlaps,
    span_rows,
    spans_of,
    table_of,
    without,
)
from gateway.storage.objects import COLUMNS, record
from gateway.storage.repository import Dialect, Repository

BATCH = 400
"""Days, rows or ids handled by one statement, far below what either engine takes."""

OTHERS = tuple(kind for kind in TYPES if kind != "VEVENT")


class Index(Repository):
    """Implements ports.Index."""

    __slots__ = ("_pending",)

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        super().__init__(connection, dialect)
        self._pending: dict[int, Pending] = {}

    # --- writing

    async def put(self, collection_id: int, object_id: int, entry: IndexEntry) -> None:
        pending = await self._begin(collection_id)
        wanted = set() if entry.dense else spans_of(entry)
        stored = await self._stored(object_id)
        gone, new = stored - wanted, wanted - stored
        await self._remove_spans(object_id, stored, gone)
        await self._insert_spans(collection_id, {object_id: new})
        await self._put_component(collection_id, object_id, entry)
        pending.spoil(gone)
        pending.add(new)

    async def add(self, collection_id: int, entries: Mapping[int, IndexEntry]) -> None:
        pending = await self._begin(collection_id)
        new = {key: set() if one.dense else spans_of(one) for key, one in entries.items()}
        await self._insert_spans(collection_id, new)
        rows = [component_row(collection_id, key, one) for key, one in entries.items()]
        await self._many(insert(schema.component), rows)
        for spans in new.values():
            pending.add(spans)

    async def _insert_spans(self, collection_id: int, new: Mapping[int, set[Span]]) -> None:
        for table in (schema.occurrence, schema.long_occurrence):
            rows = [
                row
                for object_id, spans in new.items()
                for row in span_rows(collection_id, object_id, spans, table)
            ]
            for start in range(0, len(rows), BATCH):
                await self._many(insert(table), rows[start : start + BATCH])

    async def remove(self, collection_id: int, object_id: int) -> None:
        pending = await self._begin(collection_id)
        stored = await self._stored(object_id)
        await self._remove_spans(object_id, stored, stored)
        await self._run(delete(schema.component).where(schema.component.c.object_id == object_id))
        pending.spoil(stored)

    async def _begin(self, collection_id: int) -> Pending:
        """Return what this transaction has changed so far; the first time, lock the collection."""
        pending = self._pending.get(collection_id)
        if pending is None:
            table = schema.collection.c
            row = await self._one(
                select(table.horizon_start, table.horizon_end)
                .where(table.id == collection_id)
                .with_for_update()
            )
            if row is None:
                raise errors.NotFound("calendar")
            pending = self._pending[collection_id] = Pending(horizon_of(row))
        return pending

    async def _stored(self, object_id: int) -> set[Span]:
        both = union_all(
            *(
                select(table.c.start_at, table.c.end_at, table.c.fbtype).where(
                    table.c.object_id == object_id
                )
                for table in (schema.occurrence, schema.long_occurrence)
            )
        )
        return {Span(row.start_at, row.end_at, row.fbtype) for row in await self._all(both)}

    async def _remove_spans(self, object_id: int, stored: set[Span], gone: set[Span]) -> None:
        if not gone:
            return
        for table in (schema.occurrence, schema.long_occurrence):
            doomed = [span for span in gone if table_of(span) is table]
            if not doomed:
                continue
            statement = delete(table).where(table.c.object_id == object_id)
            if len(gone) == len(stored):
                await self._run(statement)
                continue
            one = statement.where(
                table.c.start_at == bindparam("low"),
                table.c.end_at == bindparam("high"),
                table.c.fbtype == bindparam("kind"),
            )
            await self._many(
                one, [{"low": span.start, "high": span.end, "kind": span.fbtype} for span in doomed]
            )

    async def _put_component(self, collection_id: int, object_id: int, entry: IndexEntry) -> None:
        values = component_row(collection_id, object_id, entry)
        statement = self.dialect.insert(schema.component).values(values)
        await self._run(statement.on_conflict_do_update(index_elements=["object_id"], set_=values))

    # --- merged days

    async def flush(self) -> None:
        """Bring the merged days up to date with what this transaction has changed."""
        for collection_id, pending in self._pending.items():
            dirty = sorted(pending.dirty)
            for start in range(0, len(dirty), BATCH):
                await self._rebuild(collection_id, dirty[start : start + BATCH])
            added = {
                key: spans for key, spans in pending.added.items() if key[0] not in pending.dirty
            }
            await self._merge_in(collection_id, added)
            pending.dirty, pending.added = set(), {}

    async def _rebuild(self, collection_id: int, days: Sequence[int]) -> None:
        merged: dict[tuple[int, str], Spans] = {}
        for row in await self._all(days_statement(collection_id, days)):
            low, high = max(row.start_at, row.lo), min(row.end_at, row.lo + DAY)
            merged.setdefault((row.lo // DAY, row.fbtype), []).append((low, high))
        table = schema.busy_day.c
        await self._run(
            delete(schema.busy_day).where(table.collection_id == collection_id, table.day.in_(days))
        )
        await self._write_days(collection_id, merged)

    async def _merge_in(self, collection_id: int, added: dict[tuple[int, str], Spans]) -> None:
        days = sorted({day for day, _ in added})
        table = schema.busy_day.c
        for start in range(0, len(days), BATCH):
            chosen = days[start : start + BATCH]
            rows = await self._all(
                select(schema.busy_day).where(
                    table.collection_id == collection_id, table.day.in_(chosen)
                )
            )
            for row in rows:
                if (row.day, row.fbtype) in added:
                    added[row.day, row.fbtype].extend(decode(row.day, row.periods))
        await self._write_days(collection_id, added)

    async def _write_days(self, collection_id: int, merged: dict[tuple[int, str], Spans]) -> None:
        rows: list[dict[str, object]] = [
            {
                "collection_id": collection_id,
                "day": day,
                "fbtype": fbtype,
                "periods": encode(day, merge(spans)),
            }
            for (day, fbtype), spans in merged.items()
        ]
        statement = self.dialect.insert(schema.busy_day)
        statement = statement.on_conflict_do_update(
            index_elements=["collection_id", "day", "fbtype"],
            set_={"periods": statement.excluded.periods},
        )
        for start in range(0, len(rows), BATCH):
            await self._many(statement, rows[start : start + BATCH])

    # --- horizon

    async def horizon(self, collection_id: int) -> TimeRange | None:
        table = schema.collection.c
        row = await self._one(
            select(table.horizon_start, table.horizon_end).where(table.id == collection_id)
        )
        return horizon_of(row) if row else None

    async def set_horizon(self, collection_id: int, horizon: TimeRange, tzdata: str) -> None:
        if horizon.start % DAY or horizon.end % DAY:
            raise ValueError("a horizon begins and ends with a UTC day")
        pending = await self._begin(collection_id)
        table, day = schema.collection.c, schema.busy_day.c.day
        await self._run(
            update(schema.collection)
            .where(table.id == collection_id)
            .values(horizon_start=horizon.start, horizon_end=horizon.end, tzdata=tzdata)
        )
        await self._run(
            delete(schema.busy_day).where(
                schema.busy_day.c.collection_id == collection_id,
                or_(day < horizon.start // DAY, day >= horizon.end // DAY),
            )
        )
        before, inside = days_of(pending.horizon), days_of(horizon)
        kept = [key for key in pending.added if key[0] in inside]
        pending.added = {key: pending.added[key] for key in kept}
        pending.dirty &= inside
        # Most horizons are a new calendar's, which has nothing yet that its days could be made of.
        if inside - before and await self._any_span(collection_id):
            pending.dirty |= inside - before
        pending.horizon = horizon

    async def _any_span(self, collection_id: int) -> bool:
        for table in (schema.occurrence, schema.long_occurrence):
            one = select(table.c.object_id).where(table.c.collection_id == collection_id).limit(1)
            if await self._one(one):
                return True
        return False

    async def outdated(self, *, before_end: Instant, tzdata: str) -> Sequence[int]:
        table = schema.collection.c
        rows = await self._all(
            select(table.id)
            .where(
                or_(
                    table.horizon_end.is_(None),
                    table.horizon_end < before_end,
                    table.tzdata != tzdata,
                )
            )
            .order_by(table.id)
        )
        return [row.id for row in rows]

    # --- reading

    async def busy(
        self, collection_ids: Sequence[int], window: TimeRange
    ) -> Mapping[int, Sequence[BusyPeriod]]:
        await self.flush()
        found: dict[int, list[BusyPeriod]] = {identifier: [] for identifier in collection_ids}
        if not found or not window.seconds:
            return found
        for row in await self._all(busy_days(list(found), window)):
            kind = BusyType(row.fbtype)
            found[row.collection_id].extend(
                BusyPeriod(start, end, kind) for start, end in decode(row.day, row.periods)
            )
        for identifier, outside in await self._outside(list(found), window):
            found[identifier].extend(await self._scan(identifier, outside))
        return {identifier: coalesce(periods, window) for identifier, periods in found.items()}

    async def _outside(
        self, collection_ids: Sequence[int], window: TimeRange
    ) -> Sequence[tuple[int, TimeRange]]:
        """Return the parts of the window that lie outside each collection's horizon."""
        table = schema.collection.c
        rows = await self._all(
            select(table.id, table.horizon_start, table.horizon_end).where(
                table.id.in_(collection_ids),
                or_(
                    table.horizon_end.is_(None),
                    table.horizon_start > window.start,
                    table.horizon_end < window.end,
                ),
            )
        )
        return [(row.id, part) for row in rows for part in without(window, horizon_of(row))]

    async def _scan(self, collection_id: int, window: TimeRange) -> list[BusyPeriod]:
        """Return busy time of objects that do not recur, from their rows."""
        found: list[BusyPeriod] = []
        for table in (schema.occurrence, schema.long_occurrence):
            rows = await self._all(
                select(table.c.start_at, table.c.end_at, table.c.fbtype)
                .join(schema.component, schema.component.c.object_id == table.c.object_id)
                .where(
                    overlaps(table, window),
                    table.c.collection_id == collection_id,
                    table.c.fbtype != BusyType.FREE.value,
                    schema.component.c.recurring.is_(False),
                )
            )
            found.extend(BusyPeriod(row.start_at, row.end_at, BusyType(row.fbtype)) for row in rows)
        return found

    async def computed(
        self, collection_ids: Sequence[int], window: TimeRange
    ) -> Sequence[ObjectRecord]:
        if not collection_ids:
            return []
        part, whole = schema.component.c, schema.collection.c
        # Two lookups instead of one with OR, each by an index: the second finds nothing where no
        # collection's horizon falls short of the window.
        beyond = select(whole.id).where(
            whole.id.in_(collection_ids),
            or_(
                whole.horizon_end.is_(None),
                whole.horizon_start > window.start,
                whole.horizon_end < window.end,
            ),
        )
        overlapping = and_(part.first_start < window.end, part.last_end > window.start)
        found = union_all(
            select(part.object_id).where(
                part.collection_id.in_(collection_ids), part.dense.is_(True), overlapping
            ),
            select(part.object_id).where(
                part.collection_id.in_(beyond), part.recurring.is_(True), overlapping
            ),
        )
        statement = (
            select(*COLUMNS).where(schema.object_.c.id.in_(found)).order_by(schema.object_.c.id)
        )
        return [record(row) for row in await self._all(statement)]

    async def candidates(
        self, collection_id: int, window: TimeRange, *, limit: int | None = None
    ) -> Sequence[ObjectRecord]:
        horizon = await self.horizon(collection_id)
        part = schema.component.c
        found = [
            select(table.c.object_id).where(
                table.c.collection_id == collection_id, overlaps(table, window, touching=True)
            )
            for table in (schema.occurrence, schema.long_occurrence)
        ]
        # To-dos and journals have ranges of their own kind (RFC 4791 section 9.9), and what has no
        # rows is told apart by its span.
        expanded = horizon is not None and horizon.contains(window)
        spanning = [part.dense] if expanded else [part.dense, part.recurring]
        found += [
            select(part.object_id).where(
                part.collection_id == collection_id,
                part.first_start <= window.end,
                part.last_end >= window.start,
                kind.is_(True),
            )
            for kind in spanning
        ]
        found.append(
            select(schema.object_.c.id).where(
                schema.object_.c.collection_id == collection_id,
                schema.object_.c.component.in_(OTHERS),
            )
        )
        statement = (
            select(*COLUMNS)
            .where(schema.object_.c.id.in_(union_all(*found)))
            .order_by(schema.object_.c.id)
            .limit(limit)
        )
        return [record(row) for row in await self._all(statement)]

    async def certain(self, collection_id: int, window: TimeRange) -> frozenset[int]:
        both = union_all(
            *(
                select(table.c.object_id).where(
                    table.c.collection_id == collection_id,
                    overlaps(table, window, touching=True),
                    or_(table.c.end_at > window.start, table.c.start_at == table.c.end_at),
                )
                for table in (schema.occurrence, schema.long_occurrence)
            )
        )
        return frozenset(row.object_id for row in await self._all(both))
