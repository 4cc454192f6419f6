"""`/hooks/google` and `/hooks/graph`: what providers tell of changes, answered at once.

Law: the answer is the same whatever was known of the channel; it comes within three seconds, and
only after the notification is stored, else it is 503 and the provider tells again.
"""

import asyncio
from collections.abc import Awaitable

import structlog
from aiohttp import web

from gateway.services.hooks import Notification
from gateway.services.registry import Services
from gateway.web.api.json_body import read_object
from gateway.web.api.problems import ProblemError

DEADLINE = 2.5
BODY_LIMIT = 1024 * 1024
LONGEST_TOKEN = 4096
CHANGED = frozenset({"exists", "not_exists"})
TEXT = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes."""
    hooks, storing = services.hooks, Storing()

    async def google(request: web.Request) -> web.Response:
        header = request.headers.get
        if header("X-Goog-Resource-State") in CHANGED:
            told = Notification(
                channel=header("X-Goog-Channel-ID", ""),
                secret=header("X-Goog-Channel-Token", ""),
                resource=header("X-Goog-Resource-ID", ""),
            )
            if not await storing.stored(hooks.google(told)):
                return _later()
        return web.Response(status=204)

    async def graph(request: web.Request) -> web.Response:
        tokens = request.query.getall("validationToken", [])
        if tokens:
            return _validated(tokens)
        try:
            told = (await read_object(request, limit=BODY_LIMIT)).get("value")
        except ProblemError as error:
            return web.Response(status=error.problem.status)
        if not await storing.stored(hooks.graph(told if isinstance(told, list) else [])):
            return _later()
        return web.Response(status=202)

    return [web.post("/hooks/google", google), web.post("/hooks/graph", graph)]


def _later() -> web.Response:
    return web.Response(status=503, headers={"Retry-After": "5"})


def _validated(tokens: list[str]) -> web.Response:
    """Give the token back, as the text it is (Microsoft's handshake for an endpoint)."""
    token = tokens[0]
    if len(tokens) > 1 or len(token) > LONGEST_TOKEN or not token.isprintable():
        return web.Response(status=400)
    try:
        body = token.encode()
    except UnicodeEncodeError:
        return web.Response(status=400)
    return web.Response(body=body, content_type="text/plain", charset="utf-8", headers=TEXT)


class Storing:
    """Stores what was told, and lets it go on storing where that takes too long to wait for."""

    def __init__(self) -> None:
        self._late: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("gateway.hooks")

    async def stored(self, work: Awaitable[None]) -> bool:
        """Wait until it is stored; tell whether it was by the deadline."""
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task), "a coroutine makes a task"
        self._late.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({task}, timeout=DEADLINE)
        return task.done() and task.exception() is None

    def _done(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.warning("hooks.not_stored", error=str(task.exception()))
