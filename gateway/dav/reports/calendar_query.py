"""CALDAV:calendar-query (RFC 4791 section 7.8): the objects that match a filter.

A time-range is looked up in the occurrence index first, so that a week of a full calendar is a
week's work; what is left is read and held against the filter in a thread.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from gateway.dav import tree
from gateway.dav.context import Context, Depth
from gateway.dav.properties.respond import Responder, gather
from gateway.dav.reports.scope import assert_answers, calendars_in
from gateway.dav.reports.telling import (
    BATCH,
    MAX_OBJECTS,
    Teller,
    give_way,
    too_many,
    truncated,
)
from gateway.dav.tree import CalendarResource, Kind, ObjectResource, Resource, object_resource
from gateway.dav.wire.report_requests import CALENDAR_QUERY, CalendarQuery, read_calendar_query
from gateway.dav.wire.xml import Element
from gateway.errors import CalgateError
from gateway.model.collection import ObjectRecord
from gateway.model.filter import ALL_TIME
from gateway.model.matching import Matcher
from gateway.model.needles import may_match, needles_of
from gateway.model.objects import read_one
from gateway.model.timerange import DAY, TimeRange
from gateway.model.zone import Zone
from gateway.ports import Transaction
from gateway.services.index import zone_of

MAX_READ = 20_000
"""Objects that one query reads and holds against its filter."""


async def calendar_query(context: Context, body: Element) -> web.StreamResponse:
    """Answer with what matches; without Depth it is 1, as clients mean it."""
    asked = read_calendar_query(body)
    depth = context.depth(missing=Depth.ONE)
    async with context.store.read() as tx:
        resource = await tree.find(tx, context.owner, context.target)
        assert_answers(resource, CALENDAR_QUERY)
        facts = await gather(tx, context.owner, asked.wanted, ())
        responder = Responder(asked.wanted, facts, minimal=context.prefer.minimal)
        search = _Search(asked, Teller(responder, asked.wanted.names, asked.data))
        search.needles = needles_of(asked.filter)
        async for parent, home, records in _batches(tx, context, search, resource, depth):
            await asyncio.to_thread(search.look, parent, home, records)
            if search.is_full:
                break
    if search.is_full:
        return context.multistatus([*search.told, truncated(resource.href)])
    return context.multistatus(search.told)


@dataclass(slots=True)
class _Search:
    """A query under way: what was found so far, told already."""

    asked: CalendarQuery
    teller: Teller
    told: list[str] = field(default_factory=list)
    certain: frozenset[int] = frozenset()
    needles: tuple[bytes, ...] = ()
    is_full: bool = False

    @property
    def needs_data(self) -> bool:
        """Whether an object must be read to know or to tell it."""
        return self.teller.needs_data or not self.asked.filter.wants_component_only

    def look(self, parent: CalendarResource, home: Zone, records: Sequence[ObjectRecord]) -> None:
        """Hold objects against the filter, tell those that match."""
        for record in records:
            give_way()
            matched, found = self._matches(record, home)
            if not matched:
                continue
            if self.asked.limit is not None and len(self.told) >= self.asked.limit:
                self.is_full = True
                return
            self.told.append(self.teller.tell(object_resource(parent, record), home, found))

    def _matches(self, record: ObjectRecord, home: Zone) -> tuple[bool, Matcher | None]:
        wanted = self.asked.filter
        if wanted.component is not None and wanted.component != record.component:
            return False, None
        if wanted.wants_component_only or record.id in self.certain:
            return True, None
        if not may_match(self.needles, record.data):
            return False, None
        try:
            found = Matcher(read_one(record.data), home)
            return found.matches(wanted), found
        except CalgateError:
            # Stored once, unreadable now: nobody can say that it does not match.
            return True, None


async def _batches(
    tx: Transaction, context: Context, search: _Search, resource: Resource, depth: Depth
) -> AsyncIterator[tuple[CalendarResource, Zone, Sequence[ObjectRecord]]]:
    """Yield what may match, with its data where that is needed."""
    if isinstance(resource, ObjectResource):
        parent = tree.calendar_resource(context.owner, resource.collection)
        yield parent, _home(search, parent), [resource.record]
        return
    # The members of a home set are no objects, so it must be asked for all that is below it.
    if depth is Depth.ZERO or (resource.kind is Kind.HOME and depth is not Depth.INFINITY):
        return
    for parent in await calendars_in(tx, context.owner, resource):
        async for records in _of_calendar(tx, search, parent):
            yield parent, _home(search, parent), records


def _home(search: _Search, parent: CalendarResource) -> Zone:
    return search.asked.zone or zone_of(parent.collection)


async def _of_calendar(
    tx: Transaction, search: _Search, parent: CalendarResource
) -> AsyncIterator[Sequence[ObjectRecord]]:
    identifier, wanted = parent.collection.id, search.asked.filter
    if wanted.is_not_defined:
        return
    if wanted.window is not None:
        window = _widened(wanted.window) if search.asked.zone else wanted.window
        found = await tx.index.candidates(identifier, window, limit=MAX_READ + 1)
        if len(found) > MAX_READ:
            raise too_many(f"More than {MAX_READ:,} objects to look at; ask for less time.")
        if wanted.wants_event_time_only and search.asked.zone is None:
            # What the index knows to take place there need not be read to be found.
            search.certain = await tx.index.certain(identifier, window)
        for start in range(0, len(found), BATCH):
            yield found[start : start + BATCH]
        return
    if await tx.objects.count(identifier) > MAX_OBJECTS:
        raise too_many(f"More than {MAX_OBJECTS:,} objects; ask for a time.")
    if not search.needs_data:
        yield await tx.objects.headers(identifier)
        return
    looked, reached = 0, 0
    while changes := await tx.objects.changes(identifier, reached, limit=BATCH):
        reached = changes[-1].revision
        names = [one.name for one in changes if one.etag is not None]
        found = await tx.objects.get_many(identifier, names)
        batch = [one for one in found if wanted.component in (None, one.component)]
        looked += len(batch)
        if looked > MAX_READ and not wanted.wants_component_only:
            raise too_many(f"More than {MAX_READ:,} objects to look at; ask for a time.")
        yield sorted(batch, key=lambda one: one.revision)


def _widened(window: TimeRange) -> TimeRange:
    """Return a window that holds floating times of any zone."""
    return TimeRange(
        max(ALL_TIME.start, window.start - 2 * DAY), min(ALL_TIME.end, window.end + 2 * DAY)
    )
