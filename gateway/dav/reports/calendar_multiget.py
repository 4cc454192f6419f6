"""CALDAV:calendar-multiget (RFC 4791 section 7.9): the objects a client names.

What is not there, not of this owner, or not below the request's path is 404, all alike.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from gateway.dav import tree
from gateway.dav.context import Context
from gateway.dav.properties.respond import Responder, gather
from gateway.dav.reports.scope import assert_answers, calendars_in
from gateway.dav.reports.telling import BATCH, Teller, give_way, missing, too_many
from gateway.dav.tree import CalendarResource, Kind, ObjectResource, Target
from gateway.dav.wire.report_requests import CALENDAR_MULTIGET, read_calendar_multiget
from gateway.dav.wire.xml import Element
from gateway.errors import NotFound
from gateway.model.collection import ObjectRecord
from gateway.ports import Transaction
from gateway.services.index import zone_of

MAX_HREFS = 10_000
"""Different hrefs in one request."""
FEW = 25
"""So many plain answers are joined faster than a thread is asked."""


async def calendar_multiget(context: Context, body: Element) -> web.StreamResponse:
    """Answer for each href once, in the order they came."""
    asked = read_calendar_multiget(body)
    if len(asked.hrefs) > MAX_HREFS:
        raise too_many(f"More than {MAX_HREFS:,} hrefs; ask for fewer at a time.")
    async with context.store.read() as tx:
        resource = await tree.find(tx, context.owner, context.target)
        assert_answers(resource, CALENDAR_MULTIGET)
        if isinstance(resource, ObjectResource):
            parents = [tree.calendar_resource(context.owner, resource.collection)]
        else:
            parents = await calendars_in(tx, context.owner, resource)
        facts = await gather(tx, context.owner, asked.wanted, ())
        responder = Responder(asked.wanted, facts, minimal=context.prefer.minimal)
        work = _Work(
            teller=Teller(responder, asked.wanted.names, asked.data),
            parents={one.collection.name: one for one in parents},
            only=context.target if resource.kind is Kind.OBJECT else None,
            context=context,
        )
        told: list[str] = []
        for start in range(0, len(asked.hrefs), BATCH):
            named = list(work.read(asked.hrefs[start : start + BATCH]))
            records = await work.fetch(tx, named)
            if len(named) <= FEW and asked.data.is_plain:
                told += work.tell(named, records)
            else:
                told += await asyncio.to_thread(work.tell, named, records)
    return context.multistatus(told)


_Named = tuple[str, Target | None]
_Records = Mapping[tuple[str, str], ObjectRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What an href is read and told with; `only` is the one object that may be named."""

    teller: Teller
    parents: Mapping[str, CalendarResource]
    only: Target | None
    context: Context

    def read(self, hrefs: Sequence[str]) -> Iterator[_Named]:
        """Yield each href with the object it may name, in a calendar of this owner."""
        for href in hrefs:
            yield href, self._target(href)

    def _target(self, href: str) -> Target | None:
        try:
            target = tree.read_href(href, self.context.request.host)
        except NotFound:
            return None
        is_ours = target.kind is Kind.OBJECT and target.email == self.context.owner.email
        if not is_ours or target.calendar not in self.parents:
            return None
        return target if self.only in (None, target) else None

    async def fetch(self, tx: Transaction, named: Sequence[_Named]) -> _Records:
        """Read the named objects, a statement or two for each calendar."""
        wanted: dict[str, list[str]] = {}
        for _, target in named:
            if target is not None:
                wanted.setdefault(target.calendar, []).append(target.name)
        return {
            (calendar, record.name): record
            for calendar, names in wanted.items()
            for record in await tx.objects.get_many(self.parents[calendar].collection.id, names)
        }

    def tell(self, named: Sequence[_Named], records: _Records) -> list[str]:
        """Return the responses; what is found keeps the href that it was asked by."""
        homes = {name: zone_of(one.collection) for name, one in self.parents.items()}
        told = []
        for href, target in named:
            give_way()
            record = None if target is None else records.get((target.calendar, target.name))
            if target is None or record is None:
                told.append(missing(href).xml())
                continue
            resource = ObjectResource(
                kind=Kind.OBJECT,
                href=href,
                collection=self.parents[target.calendar].collection,
                record=record,
            )
            told.append(self.teller.tell(resource, homes[target.calendar]))
        return told
