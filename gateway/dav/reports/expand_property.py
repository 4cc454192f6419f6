"""DAV:expand-property (RFC 3253 section 3.8): properties, and those of what they name, at once."""

import re
from collections.abc import Sequence
from xml.sax.saxutils import unescape

from aiohttp import web

from gateway.dav import tree
from gateway.dav.context import Context
from gateway.dav.properties.respond import Responder, gather
from gateway.dav.properties.table import LIVE
from gateway.dav.reports.scope import assert_answers
from gateway.dav.reports.telling import missing, too_many
from gateway.dav.tree import Resource
from gateway.dav.wire.multistatus import Response
from gateway.dav.wire.principal_requests import (
    EXPAND_PROPERTY,
    ExpandedProperty,
    read_expand_property,
)
from gateway.dav.wire.requests import PropRequest
from gateway.dav.wire.xml import Element
from gateway.errors import NotFound
from gateway.ports import Transaction

MAX_RESOURCES = 1_000
"""Resources one answer tells, at all levels together."""
_HREF = re.compile(r"<D:href>([^<]*)</D:href>")


async def expand_property(context: Context, body: Element) -> web.StreamResponse:
    """Answer for the resource; hrefs in its properties become responses of their own."""
    wanted = read_expand_property(body)
    async with context.store.read() as tx:
        resource = await tree.find(tx, context.owner, context.target)
        assert_answers(resource, EXPAND_PROPERTY)
        response = await _Expansion(tx, context).response(resource, resource.href, wanted)
    return context.multistatus([response])


class _Expansion:
    """One answer under way; it counts what it tells."""

    def __init__(self, tx: Transaction, context: Context) -> None:
        self._tx = tx
        self._context = context
        self._left = MAX_RESOURCES

    async def response(
        self, resource: Resource, href: str, wanted: Sequence[ExpandedProperty]
    ) -> Response:
        """Return the response of a resource with the wanted properties."""
        request = PropRequest(names=tuple(one.name for one in wanted))
        facts = await gather(self._tx, self._context.owner, request, (resource,))
        computed: dict[str, str | None] = {}
        for one in wanted:
            live = LIVE.get(one.name)
            value = live.value(resource, facts) if live and one.inside else None
            if value:
                inner = [await self._named(found, one.inside) for found in _HREF.findall(value)]
                computed[one.name] = "".join(inner)
        minimal = self._context.prefer.minimal
        told = Responder(request, facts, minimal=minimal).response(resource, computed=computed)
        return Response(href, told.propstats)

    async def _named(self, escaped: str, wanted: Sequence[ExpandedProperty]) -> str:
        """Return the response of what an href names; 404 for what is not there for the asker."""
        self._left -= 1
        if self._left < 0:
            raise too_many(f"More than {MAX_RESOURCES:,} resources; ask for fewer.")
        href = unescape(escaped)
        try:
            target = tree.read_href(href, self._context.request.host)
            resource = await tree.find(self._tx, self._context.owner, target)
        except NotFound:
            return missing(href).xml()
        return (await self.response(resource, href, wanted)).xml()
