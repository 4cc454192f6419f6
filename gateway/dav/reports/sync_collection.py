"""DAV:sync-collection (RFC 6578): what has changed in a calendar since a token.

Every change has a revision of its own and an answer is told in that order, so an answer cut off
anywhere ends with a token from which nothing is lost.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from gateway.dav import tree
from gateway.dav.context import Context
from gateway.dav.properties.respond import Responder, gather
from gateway.dav.reports.scope import assert_answers
from gateway.dav.reports.telling import BATCH, MAX_ANSWER, Teller, missing, truncated
from gateway.dav.sync_token import revision_of, sync_token
from gateway.dav.tree import CalendarResource, object_resource, segment
from gateway.dav.wire.multistatus import PropStat, Response
from gateway.dav.wire.names import dav, text
from gateway.dav.wire.report_requests import (
    SYNC_COLLECTION,
    SyncCollection,
    read_sync_collection,
)
from gateway.dav.wire.xml import Element
from gateway.model.collection import ObjectChange
from gateway.ports import Transaction
from gateway.services.index import zone_of

MAX_CHANGES = 50_000
"""Changes told at once; a client that is told of more comes again."""
MAX_TOLD = 2_000
"""Changes told at once where each comes with its data."""
FULL = MAX_ANSWER // 2
"""From this size on an answer is cut off; one more object always fits."""
_GETETAG = dav("getetag")


async def sync_collection(context: Context, body: Element) -> web.StreamResponse:
    """Answer with the changes and the token to come back with."""
    asked = read_sync_collection(body)
    async with context.store.read() as tx:
        resource = await tree.find(tx, context.owner, context.target)
        assert_answers(resource, SYNC_COLLECTION)
        assert isinstance(resource, CalendarResource)
        since = revision_of(asked.token, resource.collection) if asked.token else 0
        most = min(asked.limit or MAX_CHANGES, MAX_CHANGES)
        work = await _work(tx, context, asked)
        if work.needs_data:
            most = min(most, MAX_TOLD)
        told, revision = await work.tell_all(tx, resource, since, most)
    if revision is not None:
        told.append(truncated(resource.href).xml())
    return context.multistatus(told, sync_token=sync_token(resource.collection, revision))


class _Work:
    """Tells changes; where only the entity tag is wanted, without reading any object."""

    def __init__(self, asked: SyncCollection, responder: Responder) -> None:
        self._teller = Teller(responder, asked.wanted.names, asked.data)
        self._only_etags = asked.wanted.names == (_GETETAG,) and not asked.wanted.all
        self.needs_data = self._teller.needs_data

    async def tell_all(
        self, tx: Transaction, parent: CalendarResource, since: int, most: int
    ) -> tuple[list[str], int | None]:
        """Return the responses in order, and the revision they end at if they were cut off.

        They are read part by part, so that no part holds up the loop.
        """
        told: list[str] = []
        reached = since
        while found := await tx.objects.changes(parent.collection.id, reached, limit=BATCH):
            if len(told) == most:
                return told, reached
            part = found[: most - len(told)]
            # What a first synchronisation never told of is not told as gone either.
            kept = [one for one in part if since or one.etag is not None]
            done = await self._part(tx, parent, kept)
            told += done
            if len(done) < len(kept):
                return told, kept[len(done) - 1].revision
            reached = part[-1].revision
            if len(part) == len(found) < BATCH:
                break
        return told, None

    async def _part(
        self, tx: Transaction, parent: CalendarResource, changes: Sequence[ObjectChange]
    ) -> list[str]:
        if self._only_etags:
            return [_brief(parent, change) for change in changes]
        return await self._batch(tx, parent, changes)

    async def _batch(
        self, tx: Transaction, parent: CalendarResource, changes: Sequence[ObjectChange]
    ) -> list[str]:
        names = [one.name for one in changes if one.etag is not None]
        found = {one.name: one for one in await tx.objects.get_many(parent.collection.id, names)}
        home = zone_of(parent.collection)

        def tell() -> list[str]:
            told: list[str] = []
            for one in changes:
                record = found.get(one.name) if one.etag is not None else None
                if record is None:
                    told.append(missing(parent.href + segment(one.name)).xml())
                else:
                    told.append(self._teller.tell(object_resource(parent, record), home))
                if self._teller.size > FULL:
                    break
            return told

        return await asyncio.to_thread(tell)


async def _work(tx: Transaction, context: Context, asked: SyncCollection) -> _Work:
    facts = await gather(tx, context.owner, asked.wanted, ())
    return _Work(asked, Responder(asked.wanted, facts, minimal=context.prefer.minimal))


def _brief(parent: CalendarResource, change: ObjectChange) -> str:
    href = parent.href + segment(change.name)
    if change.etag is None:
        return missing(href).xml()
    return Response(href, (PropStat(200, text(_GETETAG, change.etag)),)).xml()
