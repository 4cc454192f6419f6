"""One signed-in request below `/dav/`: what every method and report is given.

Methods are `async def NAME(context: Context) -> web.StreamResponse` in `methods/`, reports are
`async def NAME(context: Context, body: Element) -> web.StreamResponse` in `reports/`, found by the
Clark name of the body's root element; both are listed in the tables of `app.py`. They raise domain
errors, MalformedError or a FailureError of `answers.py`; the caller turns these into answers.

    resource = await context.find()                    # NotFound where nothing is
    async with context.store.read() as tx: ...
    return context.multistatus([Response(href, (PropStat(200, props),))])
"""

import asyncio
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.dav import tree
from gateway.dav.answers import HEADERS, fail
from gateway.dav.listings import Listings
from gateway.dav.preferences import Preferences
from gateway.dav.tree import CalendarResource, Kind, Resource, Target
from gateway.dav.wire import multistatus, xml
from gateway.dav.wire.multistatus import Response
from gateway.dav.wire.xml import Element
from gateway.errors import Condition, Refused
from gateway.model.principal import Owner
from gateway.ports import Store
from gateway.services.registry import Services

MAX_XML = 1 << 20
HEAVY = 64 * 1024
"""Bytes of XML from which parsing leaves the event loop."""


class Depth(Enum):
    """The `Depth` header (RFC 4918 section 10.2)."""

    ZERO = "0"
    ONE = "1"
    INFINITY = "infinity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A request, who signed it and what its path names; `target` need not exist."""

    request: web.Request
    services: Services
    owner: Owner
    target: Target
    prefer: Preferences
    listings: Listings

    @property
    def store(self) -> Store:
        """The database."""
        return self.services.store

    @property
    def host(self) -> str:
        """The host the request was sent to; hrefs of another one are not ours."""
        return self.request.host

    async def find(self) -> Resource:
        """Return the resource at the request's path, or raise NotFound."""
        async with self.store.read() as tx:
            return await tree.find(tx, self.owner, self.target)

    async def find_calendar(self, target: Target) -> CalendarResource:
        """Return the calendar that a target is, or would be, in; NotFound for another owner's."""
        wanted = replace(target, kind=Kind.CALENDAR, name="")
        async with self.store.read() as tx:
            found = await tree.find(tx, self.owner, wanted)
        assert isinstance(found, CalendarResource)
        return found

    def depth(self, missing: Depth) -> Depth:
        """Return the Depth that was sent, `missing` where there is none; 400 for nonsense."""
        given = self.request.headers.getall("Depth", [])
        if not given:
            return missing
        try:
            (text,) = given
            return Depth(text.strip().lower())
        except ValueError:
            raise fail(400, "Depth is 0, 1 or infinity, once.") from None

    async def body(self, limit: int, condition: Condition | None = None) -> bytes:
        """Return the body; past `limit` bytes reading stops.

        Then it is `condition` that is broken, or 413 where none is named.
        """
        return await read_body(self.request, limit, condition)

    async def xml(self) -> Element | None:
        """Return the root element of the body, None for none; a big one is parsed in a thread."""
        data = await self.body(MAX_XML)
        if not data.strip():
            return None
        return await asyncio.to_thread(xml.parse, data) if len(data) > HEAVY else xml.parse(data)

    def multistatus(
        self, responses: Iterable[Response | str], *, sync_token: str | None = None
    ) -> web.Response:
        """Return a 207 answer."""
        return web.Response(
            status=207,
            body=multistatus.multistatus(responses, sync_token=sync_token),
            content_type=multistatus.CONTENT_TYPE,
            charset="utf-8",
            headers={**HEADERS, **self.prefer.applied},
        )


async def read_body(request: web.Request, limit: int, condition: Condition | None = None) -> bytes:
    """Return a request's body, counted after decompression and never kept past the limit."""
    sentence = f"A body has at most {limit:,} bytes here."
    data = bytearray()
    if (request.content_length or 0) > limit:
        raise _too_large(sentence, condition)
    try:
        async for chunk in request.content.iter_any():
            data += chunk
            if len(data) > limit:
                raise _too_large(sentence, condition)
    except (web.RequestPayloadError, HttpProcessingError, zlib.error, ValueError):
        raise fail(400, "The body does not arrive as its headers say.") from None
    return bytes(data)


def _too_large(sentence: str, condition: Condition | None) -> Exception:
    return fail(413, sentence) if condition is None else Refused(condition, sentence)
