"""The occurrence index (docs/adr/0005): what an answer about time reads instead of calendars.

Law: inside a collection's horizon, `busy_day` holds the union of the busy occurrences per UTC day
and type. Rows of a recurring object exist for the horizon only, those of others always; dense
objects have no rows at all. Merged days are brought up to date once, when a transaction ends.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    text,
    union_all,
    update,
)

from gateway import errors
from gateway.freebusy.busytime import BusyPeriod, BusyType, coalesce, merge
from gateway.model.collection import ObjectRecord
from gateway.model.timerange import DAY, Instant, TimeRange
from gateway.ports import IndexEntry
from gateway.storage import schema
from gateway.storage.objects import COLUMNS, record
from gateway.storage.repository import Dialect, Repository

LONG = 2 * DAY
"""Longer occurrences stand in their own table, so that a scan looks back only this far."""
BATCH = 400
"""Days, rows or ids handled by one statement, far below what either engine takes."""

Spans = list[tuple[int, int]]
Table = type(schema.occurrence)


class Span(NamedTuple):
    """A row of an occurrence table; FREE where it matters to calendar-query only."""

    start: Instant
    end: Instant
    fbtype: str


class Pending:
    """What one transaction has changed in one collection and not yet merged."""

    __slots__ = ("added", "dirty", "horizon")

    def __init__(self, horizon: TimeRange | None) -> None:
        self.horizon = horizon
        self.added: dict[tuple[int, str], Spans] = {}
        self.dirty: set[int] = set()

    def add(self, spans: Iterable[Span]) -> None:
        """Note new busy time, which can be merged into its days as it is."""
        for span in self._inside(spans):
            for day in range(span.start // DAY, (span.end - 1) // DAY + 1):
                piece = (max(span.start, day * DAY), min(span.end, (day + 1) * DAY))
                self.added.setdefault((day, span.fbtype), []).append(piece)

    def spoil(self, spans: Iterable[Span]) -> None:
        """Note removed busy time: its days must be read anew from the occurrences."""
        for span in self._inside(spans):
            self.dirty.update(range(span.start // DAY, (span.end - 1) // DAY + 1))

    def _inside(self, spans: Iterable[Span]) -> Iterable[Span]:
        if self.horizon is None:
            return
        low, high = self.horizon.start, self.horizon.end
        for start, end, fbtype in spans:
            clipped = Span(max(start, low), min(end, high), fbtype)
            if fbtype != BusyType.FREE and clipped.start < clipped.end:
                yield clipped


class Index(Repository):
    """Implements ports.Index."""

    __slots__ = ("_pending",)

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        super().__init__(connection, dialect)
        self._pending: dict[int, Pending] = {}

    # --- writing

    async def put(self, collection_id: int, object_id: int, entry: IndexEntry) -> None:
        pending = await self._begin(collection_id)
        wanted = set() if entry.dense else _spans(entry)
        stored = await self._stored(object_id)
        gone, new = stored - wanted, wanted - stored
        await self._remove_spans(object_id, stored, gone)
        for table in (schema.occurrence, schema.long_occurrence):
            rows: list[dict[str, object]] = [
                {
                    "collection_id": collection_id,
                    "object_id": object_id,
                    "start_at": span.start,
                    "end_at": span.end,
                    "fbtype": span.fbtype,
                }
                for span in sorted(new)
                if _table(span) is table
            ]
            for start in range(0, len(rows), BATCH):
                await self._many(insert(table), rows[start : start + BATCH])
        await self._put_component(collection_id, object_id, entry)
        pending.spoil(gone)
        pending.add(new)

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
            pending = self._pending[collection_id] = Pending(_horizon(row))
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
            doomed = [span for span in gone if _table(span) is table]
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
        values = {
            "collection_id": collection_id,
            "first_start": entry.first_start,
            "last_end": schema.NEVER_ENDS if entry.last_end is None else entry.last_end,
            "recurring": entry.recurring,
            "dense": entry.dense,
            "floating": entry.floating,
        }
        statement = self.dialect.insert(schema.component).values(object_id=object_id, **values)
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
        for row in await self._all(_days_statement(collection_id, days)):
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
                    added[row.day, row.fbtype].extend(_decode(row.day, row.periods))
        await self._write_days(collection_id, added)

    async def _write_days(self, collection_id: int, merged: dict[tuple[int, str], Spans]) -> None:
        rows: list[dict[str, object]] = [
            {
                "collection_id": collection_id,
                "day": day,
                "fbtype": fbtype,
                "periods": _encode(day, merge(spans)),
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
        return _horizon(row) if row else None

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
        before, inside = _days(pending.horizon), _days(horizon)
        kept = [key for key in pending.added if key[0] in inside]
        pending.added = {key: pending.added[key] for key in kept}
        pending.dirty = (pending.dirty & inside) | (inside - before)
        pending.horizon = horizon

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
        for row in await self._all(_busy_days(list(found), window)):
            kind = BusyType(row.fbtype)
            found[row.collection_id].extend(
                BusyPeriod(start, end, kind) for start, end in _decode(row.day, row.periods)
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
        return [(row.id, part) for row in rows for part in _without(window, _horizon(row))]

    async def _scan(self, collection_id: int, window: TimeRange) -> list[BusyPeriod]:
        """Return busy time of objects that do not recur, from their rows."""
        found: list[BusyPeriod] = []
        for table in (schema.occurrence, schema.long_occurrence):
            rows = await self._all(
                select(table.c.start_at, table.c.end_at, table.c.fbtype)
                .join(schema.component, schema.component.c.object_id == table.c.object_id)
                .where(
                    _overlaps(table, window),
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
        beyond = or_(
            whole.horizon_end.is_(None),
            whole.horizon_start > window.start,
            whole.horizon_end < window.end,
        )
        statement = (
            select(*COLUMNS)
            .join(schema.component, part.object_id == schema.object_.c.id)
            .join(schema.collection, whole.id == schema.object_.c.collection_id)
            .where(
                part.collection_id.in_(collection_ids),
                part.first_start < window.end,
                part.last_end > window.start,
                or_(part.dense, and_(part.recurring, beyond)),
            )
            .order_by(schema.object_.c.id)
        )
        return [record(row) for row in await self._all(statement)]

    async def candidates(self, collection_id: int, window: TimeRange) -> Sequence[ObjectRecord]:
        horizon = await self.horizon(collection_id)
        part = schema.component.c
        found = [
            select(table.c.object_id).where(
                table.c.collection_id == collection_id, _overlaps(table, window, touching=True)
            )
            for table in (schema.occurrence, schema.long_occurrence)
        ]
        # To-dos and journals have ranges of their own kind (RFC 4791 section 9.9), and what has no
        # rows is told apart by its span.
        expanded = horizon is not None and horizon.contains(window)
        spanning = part.dense if expanded else or_(part.dense, part.recurring)
        found.append(
            select(part.object_id).where(
                part.collection_id == collection_id,
                part.first_start <= window.end,
                part.last_end >= window.start,
                spanning,
            )
        )
        found.append(
            select(schema.object_.c.id).where(
                schema.object_.c.collection_id == collection_id,
                schema.object_.c.component != "VEVENT",
            )
        )
        statement = (
            select(*COLUMNS)
            .where(schema.object_.c.id.in_(union_all(*found)))
            .order_by(schema.object_.c.id)
        )
        return [record(row) for row in await self._all(statement)]


# --- rows
# -----------------------------------------------------------------------------------------------


def _spans(entry: IndexEntry) -> set[Span]:
    busy = {Span(start, end, kind.value) for start, end, kind in entry.periods}
    covered = {(span.start, span.end) for span in busy}
    free = {
        Span(occurrence.start, occurrence.end, BusyType.FREE.value)
        for occurrence in entry.occurrences
        if (occurrence.start, occurrence.end) not in covered
    }
    return busy | free


def _table(span: Span) -> Any:
    return schema.long_occurrence if span.end - span.start > LONG else schema.occurrence


def _overlaps(table: Any, window: TimeRange, *, touching: bool = False) -> ColumnElement[bool]:
    """Return the condition of overlap; `touching` also takes what ends where the window starts."""
    ends = table.c.end_at >= window.start if touching else table.c.end_at > window.start
    condition = and_(table.c.start_at < window.end, ends)
    if table is schema.occurrence:
        condition = and_(condition, table.c.start_at >= window.start - LONG)
    return condition


def _busy_days(collection_ids: Sequence[int], window: TimeRange) -> Any:
    table = schema.busy_day.c
    return select(schema.busy_day).where(
        table.collection_id.in_(collection_ids),
        table.day >= window.start // DAY,
        table.day <= (window.end - 1) // DAY,
    )


def _days_statement(collection_id: int, days: Sequence[int]) -> Any:
    """Return every busy occurrence of each of these days.

    CROSS JOIN, because SQLite keeps its order: a range scan per day, whatever the table's size.
    """
    values = ", ".join(f"({int(day) * DAY})" for day in days)
    condition = (
        "o.collection_id = :collection_id AND o.start_at < d.lo + 86400 AND o.end_at > d.lo "
        "AND o.fbtype <> 'FREE'"
    )
    picked = "SELECT d.lo, o.start_at, o.end_at, o.fbtype FROM d CROSS JOIN"
    statement = text(
        f"WITH d(lo) AS (VALUES {values}) "
        f"{picked} occurrence o WHERE {condition} AND o.start_at >= d.lo - {LONG} "
        f"UNION ALL {picked} long_occurrence o WHERE {condition}"
    )
    return statement.bindparams(bindparam("collection_id", collection_id, type_=BigInteger))


def _encode(day: int, spans: Spans) -> str:
    base = day * DAY
    return ",".join(f"{start - base}-{end - base}" for start, end in spans)


def _decode(day: int, periods: str) -> Spans:
    base = day * DAY
    spans = []
    for piece in periods.split(","):
        start, _, end = piece.partition("-")
        spans.append((base + int(start), base + int(end)))
    return spans


def _horizon(row: Any) -> TimeRange | None:
    if row.horizon_start is None or row.horizon_end is None:
        return None
    return TimeRange(row.horizon_start, row.horizon_end)


def _days(horizon: TimeRange | None) -> set[int]:
    return set() if horizon is None else set(range(horizon.start // DAY, horizon.end // DAY))


def _without(window: TimeRange, horizon: TimeRange | None) -> list[TimeRange]:
    if horizon is None or not window.overlaps(horizon):
        return [window]
    parts = []
    if window.start < horizon.start:
        parts.append(TimeRange(window.start, horizon.start))
    if horizon.end < window.end:
        parts.append(TimeRange(horizon.end, window.end))
    return parts
