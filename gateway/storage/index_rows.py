"""Rows of the occurrence index: which there are, how a day is written, how a window finds them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Table, and_, bindparam, select, text

from gateway.freebusy.busytime import BusyType
from gateway.model.timerange import DAY, Instant, TimeRange
from gateway.ports import IndexEntry
from gateway.storage import schema

LONG = 2 * DAY
"""Longer occurrences stand in their own table, so that a scan looks back only this far."""

Spans = list[tuple[int, int]]


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


def component_row(collection_id: int, object_id: int, entry: IndexEntry) -> dict[str, object]:
    """Return the row that says what an object's time is like as a whole."""
    return {
        "object_id": object_id,
        "collection_id": collection_id,
        "first_start": entry.first_start,
        "last_end": schema.NEVER_ENDS if entry.last_end is None else entry.last_end,
        "recurring": entry.recurring,
        "dense": entry.dense,
        "floating": entry.floating,
    }


def span_rows(
    collection_id: int, object_id: int, spans: Iterable[Span], table: Table
) -> list[dict[str, object]]:
    """Return the rows of an object's occurrences that belong into one of the two tables."""
    return [
        {
            "collection_id": collection_id,
            "object_id": object_id,
            "start_at": span.start,
            "end_at": span.end,
            "fbtype": span.fbtype,
        }
        for span in sorted(spans)
        if table_of(span) is table
    ]


def spans_of(entry: IndexEntry) -> set[Span]:
    """Return the rows of an object: its busy time, and what matters to calendar-query only."""
    busy = {Span(start, end, kind.value) for start, end, kind in entry.periods}
    covered = {(span.start, span.end) for span in busy}
    free = {
        Span(occurrence.start, occurrence.end, BusyType.FREE.value)
        for occurrence in entry.occurrences
        if (occurrence.start, occurrence.end) not in covered
    }
    return busy | free


def table_of(span: Span) -> Any:
    """Return the table a row stands in, by its length."""
    return schema.long_occurrence if span.end - span.start > LONG else schema.occurrence


def overlaps(table: Any, window: TimeRange, *, touching: bool = False) -> ColumnElement[bool]:
    """Return the condition of overlap; `touching` also takes what ends where the window starts."""
    ends = table.c.end_at >= window.start if touching else table.c.end_at > window.start
    condition = and_(table.c.start_at < window.end, ends)
    if table is schema.occurrence:
        condition = and_(condition, table.c.start_at >= window.start - LONG)
    return condition


def busy_days(collection_ids: Sequence[int], window: TimeRange) -> Any:
    """Return the merged rows of a window."""
    table = schema.busy_day.c
    return select(schema.busy_day).where(
        table.collection_id.in_(collection_ids),
        table.day >= window.start // DAY,
        table.day <= (window.end - 1) // DAY,
    )


def days_statement(collection_id: int, days: Sequence[int]) -> Any:
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


def encode(day: int, spans: Spans) -> str:
    """Return the text of a day's spans, in seconds from its start."""
    base = day * DAY
    return ",".join(f"{start - base}-{end - base}" for start, end in spans)


def decode(day: int, periods: str) -> Spans:
    """Return the spans of a day's text."""
    base = day * DAY
    spans = []
    for piece in periods.split(","):
        start, _, end = piece.partition("-")
        spans.append((base + int(start), base + int(end)))
    return spans


def horizon_of(row: Any) -> TimeRange | None:
    """Return the horizon of a row, None without one."""
    if row.horizon_start is None or row.horizon_end is None:
        return None
    return TimeRange(row.horizon_start, row.horizon_end)


def days_of(horizon: TimeRange | None) -> set[int]:
    """Return the days of a horizon."""
    return set() if horizon is None else set(range(horizon.start // DAY, horizon.end // DAY))


def without(window: TimeRange, horizon: TimeRange | None) -> list[TimeRange]:
    """Return the parts of a window that lie outside a horizon."""
    if horizon is None or not window.overlaps(horizon):
        return [window]
    parts = []
    if window.start < horizon.start:
        parts.append(TimeRange(window.start, horizon.start))
    if horizon.end < window.end:
        parts.append(TimeRange(horizon.end, window.end))
    return parts
