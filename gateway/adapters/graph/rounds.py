"""A round of calendarView/delta: rows in, calendar objects out; a full one or what changed since.

Law: a round ends with its delta link. Rows of one series are put together from its master, asked
for once; `@removed` is also said of what was only touched outside the window, and then of nothing
that we know.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from gateway.adapters.graph.answers import GraphRefusal
from gateway.adapters.graph.client import AT_ONCE, INCOMPLETE, GraphClient, Json
from gateway.adapters.graph.fields import Item, text_of
from gateway.adapters.graph.normalise import render
from gateway.adapters.graph.series import read_series
from gateway.errors import Unavailable
from gateway.model.timerange import TimeRange
from gateway.model.zone import Zone
from gateway.ports import UpstreamObject

MAX_NOTES = 20
OFF_LOOP = 20
"""From this many events on they are rendered in a thread."""
GONE = frozenset({404, 410})
OF_A_SERIES = frozenset({"occurrence", "exception", "seriesmaster"})


@dataclass(slots=True)
class Round:
    """One reading of a calendar; `link` is where the next one begins, once all pages are in."""

    client: GraphClient
    window: TimeRange
    home: Zone
    link: str = ""
    rows: int = 0
    unreadable: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _series: dict[str, dict[str, Item]] = field(default_factory=dict)

    async def read(self, where: str) -> AsyncIterator[Sequence[UpstreamObject]]:
        """Yield what each page holds of single events, then the series, a few at a time."""
        async for page in self.client.pages(where):
            self.link = text_of(page, "@odata.deltaLink")
            self.rows += len(page["value"])
            yield await self._singles(page["value"])
        if not self.link:
            raise Unavailable(INCOMPLETE)
        ids = list(self._series)
        for first in range(0, len(ids), AT_ONCE):
            chunk = ids[first : first + AT_ONCE]
            read = await asyncio.gather(*map(self._read_series, chunk), return_exceptions=True)
            for one in read:
                if isinstance(one, BaseException):
                    raise one
            yield [item for found in read if isinstance(found, list) for item in found]

    async def _singles(self, rows: Iterable[object]) -> list[UpstreamObject]:
        singles: list[Item] = []
        removed: list[str] = []
        for row in rows:
            if not isinstance(row, dict) or not text_of(row, "id"):
                raise Unavailable(INCOMPLETE)
            if "@removed" in row:
                removed.append(row["id"])
                self._series.pop(row["id"], None)
            else:
                self._place(row, singles)
        again = {item["id"] for item in singles}
        gone = [_gone(name) for name in removed if name not in again]
        return gone + await self._rendered([(item, ()) for item in singles])

    def _place(self, row: Json, singles: list[Item]) -> None:
        kind = text_of(row, "type").lower()
        if kind not in OF_A_SERIES:
            singles.append(row)
            return
        master = row["id"] if kind == "seriesmaster" else text_of(row, "seriesMasterId")
        if not master:
            raise Unavailable(INCOMPLETE)
        exceptions = self._series.setdefault(master, {})
        if kind == "exception":
            exceptions[row["id"]] = row

    async def _read_series(self, master_id: str) -> list[UpstreamObject]:
        seen = self._series[master_id]
        try:
            master, exceptions = await read_series(self.client, master_id, self.window, self.home)
        except GraphRefusal as refusal:
            if refusal.status not in GONE:
                raise
            # Somebody was invited to these instances only, or the series has just gone.
            alone = await self._rendered([(one, ()) for one in seen.values()])
            return [_gone(master_id), *alone]
        told = {text_of(one, "id"): one for one in exceptions}
        return await self._rendered([(master, list((seen | told).values()))])

    async def _rendered(self, items: Sequence[tuple[Item, Sequence[Item]]]) -> list[UpstreamObject]:
        if len(items) < OFF_LOOP:
            return self._render(items)
        return await asyncio.to_thread(self._render, items)

    def _render(self, items: Sequence[tuple[Item, Sequence[Item]]]) -> list[UpstreamObject]:
        done = []
        for item, exceptions in items:
            try:
                done.append(render(item, exceptions, self.home))
            except (ValueError, OverflowError, KeyError):
                self.unreadable.append(text_of(item, "id"))
                title = text_of(item, "subject")[:80] or "An event"
                self._note(f"“{title}” cannot be read and was left as it was.")
        return done

    def _note(self, sentence: str) -> None:
        if len(self.notes) < MAX_NOTES and sentence not in self.notes:
            self.notes.append(sentence)


def _gone(key: str) -> UpstreamObject:
    return UpstreamObject(key=key, uid="", etag="", data=None)
