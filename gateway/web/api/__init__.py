"""The JSON API: /api/v1 and its description, /api/openapi.json."""

import re
from functools import cache

import msgspec
from aiohttp import web

from gateway.services.registry import Services
from gateway.web.api import (
    bookings,
    calendars,
    contacts,
    engagements,
    feeds,
    pages,
    public,
    settings,
    tokens,
)
from gateway.web.api.openapi import document
from gateway.web.api.operation import OPEN
from gateway.web.api.problems import HEADERS, Problem, answer

# `public` first: /pages/by-slug must not be taken for a page's id.
OPERATIONS = (
    *public.OPERATIONS,
    *pages.OPERATIONS,
    *bookings.OPERATIONS,
    *contacts.OPERATIONS,
    *engagements.OPERATIONS,
    *calendars.OPERATIONS,
    *settings.OPERATIONS,
    *feeds.OPERATIONS,
    *tokens.OPERATIONS,
)
"""Every operation; the routes and the OpenAPI document are both made from it."""


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of the API."""

    async def describe(_request: web.Request) -> web.Response:
        return web.Response(
            body=_description(services.edge.public_url),
            content_type="application/json",
            headers={**HEADERS, **OPEN, "Cache-Control": "public, max-age=300"},
        )

    return [
        web.get("/api/openapi.json", describe),
        *(operation.route(services) for operation in OPERATIONS),
        web.route("*", "/api/{anything:.*}", _nothing_here),
    ]


@cache
def _description(public_url: str) -> bytes:
    """Return the document as bytes: made at the first request, since few starts ever see one."""
    return msgspec.json.encode(document(OPERATIONS, public_url))


async def _nothing_here(request: web.Request) -> web.Response:
    """Answer for every other address below /api/, and for a method an address does not have."""
    allowed = _methods(request.path)
    if not allowed:
        return answer(Problem(status=404, code="not_found", detail="There is no such thing here."))
    return answer(
        Problem(
            status=405,
            code="method_not_allowed",
            detail="This address does not have that method.",
            headers={"Allow": ", ".join(sorted(allowed))},
        )
    )


def _methods(path: str) -> set[str]:
    """Return the methods of the operations whose path has the shape of this one."""
    if path == "/api/openapi.json":
        return {"GET", "HEAD"}
    found = {one.method for one in OPERATIONS if re.fullmatch(one.shape, path)}
    return found | ({"HEAD"} if "GET" in found else set())
