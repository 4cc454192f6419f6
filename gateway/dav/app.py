"""The CalDAV server's routes: who asks, which method or report, and what comes of errors.

Methods and reports are found in the two tables at the end; `context.py` says what they are given.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from aiohttp import web

from gateway.dav import answers, tree
from gateway.dav.context import Context
from gateway.dav.listings import Listings
from gateway.dav.methods.acl import acl
from gateway.dav.methods.copymove import copy, move
from gateway.dav.methods.delete import delete
from gateway.dav.methods.get import get
from gateway.dav.methods.mkcalendar import mkcalendar, mkcol
from gateway.dav.methods.options import options
from gateway.dav.methods.post import post
from gateway.dav.methods.propfind import propfind
from gateway.dav.methods.proppatch import proppatch
from gateway.dav.methods.put import put
from gateway.dav.preferences import read_preferences
from gateway.dav.reports.calendar_multiget import calendar_multiget
from gateway.dav.reports.calendar_query import calendar_query
from gateway.dav.reports.expand_property import expand_property
from gateway.dav.reports.free_busy_query import free_busy_query
from gateway.dav.reports.principals import (
    acl_principal_prop_set,
    principal_match,
    principal_property_search,
    principal_search_property_set,
)
from gateway.dav.reports.sync_collection import sync_collection
from gateway.dav.sign_in import signed_in
from gateway.dav.wire import principal_requests, report_requests
from gateway.dav.wire.xml import Element, MalformedError, name_of
from gateway.errors import CalgateError, Condition
from gateway.services.registry import Services

Remote = Callable[[web.Request], str]
"""Returns the network address a request comes from."""
Method = Callable[[Context], Awaitable[web.StreamResponse]]
Report = Callable[[Context, Element], Awaitable[web.StreamResponse]]


def routes(services: Services, remote: Remote) -> list[web.RouteDef]:
    """Return the routes below `/dav` and the well-known address."""
    listings = Listings()

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await _answer(request, services, listings, remote(request))
        except (CalgateError, answers.FailureError, web.HTTPException) as error:
            return answers.answer_to(error)

    return [
        web.route("*", tree.WELL_KNOWN, _well_known),
        web.route("*", tree.WELL_KNOWN + "/", _well_known),
        web.route("*", "/dav", handle),
        web.route("*", "/dav/{path:.*}", handle),
    ]


async def _well_known(_request: web.Request) -> web.StreamResponse:
    """Say where the server is (RFC 6764 section 5), whoever asks and however."""
    return web.Response(
        status=301, headers={"Location": tree.ROOT, "Cache-Control": "max-age=3600"}
    )


async def _answer(
    request: web.Request, services: Services, listings: Listings, remote: str
) -> web.StreamResponse:
    if request.method == "OPTIONS":
        # Before the sign-in, and the same for every path: it tells of the server, not of what is.
        return options(METHODS)
    owner = await signed_in(services.owners, request, remote)
    method = METHODS.get(request.method)
    if method is None:
        raise web.HTTPMethodNotAllowed(request.method, sorted(METHODS))
    return await method(
        Context(
            request=request,
            services=services,
            owner=owner,
            target=tree.read_path(request.rel_url.raw_path),
            prefer=read_preferences(request.headers),
            listings=listings,
        )
    )


async def _report(context: Context) -> web.StreamResponse:
    """Answer REPORT (RFC 3253 section 3.6) by the name of the body's root element."""
    body = await context.xml()
    if body is None:
        raise MalformedError("A REPORT names what it wants in its body.")
    report = REPORTS.get(name_of(body))
    if report is None:
        await context.find()
        raise answers.fail(403, "There is no such report here.", Condition.SUPPORTED_REPORT)
    return await report(context, body)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "ACL": acl,
        "COPY": copy,
        "DELETE": delete,
        "GET": get,
        "HEAD": get,
        "MKCALENDAR": mkcalendar,
        "MKCOL": mkcol,
        "MOVE": move,
        "POST": post,
        "PROPFIND": propfind,
        "PROPPATCH": proppatch,
        "PUT": put,
        "REPORT": _report,
    }
)
REPORTS: Mapping[str, Report] = MappingProxyType(
    {
        report_requests.CALENDAR_MULTIGET: calendar_multiget,
        report_requests.CALENDAR_QUERY: calendar_query,
        report_requests.FREE_BUSY_QUERY: free_busy_query,
        report_requests.SYNC_COLLECTION: sync_collection,
        principal_requests.ACL_PRINCIPAL_PROP_SET: acl_principal_prop_set,
        principal_requests.EXPAND_PROPERTY: expand_property,
        principal_requests.PRINCIPAL_MATCH: principal_match,
        principal_requests.PRINCIPAL_PROPERTY_SEARCH: principal_property_search,
        principal_requests.PRINCIPAL_SEARCH_PROPERTY_SET: principal_search_property_set,
    }
)
"""Reports by the Clark name of their root element."""
