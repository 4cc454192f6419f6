"""What every request goes through: host, path, who and in which language; and what comes of errors.

Law: nothing a client sends is answered with 5xx, but for declared overload; no answer tells a stack
trace, a version or what was sent.
"""

import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from gateway.errors import CalgateError
from gateway.telemetry import Metrics
from gateway.web.i18n import accepted, formats
from gateway.web.keys import FORMATS, LOCALE, REMOTE, SERVICES
from gateway.web.pages_of_errors import error_page
from gateway.web.peer import Network, client_address, host_name, networks, own_hosts
from gateway.web.server import NAME

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPERATIONS = frozenset({"/healthz", "/readyz", "/metrics", "/api/openapi.json"})
MAX_PATH = 4096
ODD_PATH = re.compile(r"%(?![0-9A-Fa-f]{2})|%00|%2[Ff]|%5[Cc]|\\|//|[\x00-\x20\x7f]")
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
STATIC = "/static/"


def setup(app: web.Application, metrics: Metrics) -> None:
    """Install the middlewares, outermost first, and the headers of every answer."""
    edge = app[SERVICES].edge
    app.middlewares.extend(
        [
            _measured(metrics),
            _answered(networks(edge.trusted_proxies)),
            _addressed(own_hosts(edge.public_url, edge.hosts)),
        ]
    )
    app.on_response_prepare.append(_with_headers(secure=edge.public_url.startswith("https://")))


def _measured(metrics: Metrics) -> Middleware:
    @web.middleware
    async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        answer = await handler(request)
        area = area_of(request.path)
        metrics.seconds.labels(area).observe(time.perf_counter() - started)
        metrics.requests.labels(area, f"{answer.status // 100}xx").inc()
        return answer

    return measured


def _answered(trusted: tuple[Network, ...]) -> Middleware:
    log = structlog.get_logger("gateway.web")

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        languages = request.headers.get(hdrs.ACCEPT_LANGUAGE, "")
        request[LOCALE] = accepted(languages)
        request[FORMATS] = formats(request[LOCALE], languages)
        request[REMOTE] = client_address(request, trusted)
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            return error_page(request, error)
        except CalgateError as error:
            return error_page(request, error)
        except ConnectionError:
            raise  # whoever asked has gone: there is nobody to answer
        except Exception as error:
            # A bug of ours, or a database that says what no table foresees: told as one line with
            # its trace, answered without any of it.
            log.exception("web.bug", path=request.path, error=type(error).__name__)
            return error_page(request, error)

    return answered


def _addressed(hosts: frozenset[str]) -> Middleware:
    @web.middleware
    async def addressed(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPERATIONS:
            name = host_name(request.host or "")
            if name is None:
                raise web.HTTPBadRequest
            if name not in hosts:
                raise web.HTTPMisdirectedRequest
        if not is_plain_path(request.rel_url.raw_path):
            raise web.HTTPBadRequest
        return await handler(request)

    return addressed


def _with_headers(*, secure: bool) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def with_headers(request: web.Request, answer: web.StreamResponse) -> None:
        del request
        headers = answer.headers
        headers[hdrs.SERVER] = NAME
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        if answer.content_type == "text/html":
            headers.setdefault("Content-Security-Policy", POLICY)
            headers.setdefault("X-Frame-Options", "DENY")
            headers.setdefault("Cache-Control", "no-store")
            headers.setdefault("Vary", "Accept-Language, Cookie")
        if secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")

    return with_headers


def is_plain_path(raw: str) -> bool:
    """Tell whether a path can mean only one thing: no dots, hidden slashes or broken escapes."""
    if len(raw) > MAX_PATH or ODD_PATH.search(raw):
        return False
    decoded = unquote_to_bytes(raw)
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(part in (".", "..") for part in text.split("/")) and text.isprintable()


def area_of(path: str) -> str:
    """Return the part of the gateway a path belongs to, for metrics: never a name or token."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    known = {
        "dav",
        "feeds",
        "meetings",
        "api",
        "settings",
        "contacts",
        "dashboard",
        "login",
        "static",
    }
    return first if first in known else "other"
