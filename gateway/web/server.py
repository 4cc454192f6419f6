"""Listening, with deadlines the HTTP library does not have.

Law: a connection that has not sent a whole request head within HEAD_SECONDS is closed, and so is
one whose request (its body and its answer included) takes longer than REQUEST_SECONDS. One peer
address holds at most MAX_WAITING connections that have waited for a head for GRACE_SECONDS.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler

HEAD_SECONDS = 12.0
REQUEST_SECONDS = 55.0
MAX_WAITING = 50
GRACE_SECONDS = 5.0
"""How long a new connection counts for no limit: while we are busy its head may lie here unread."""
LOOK_SECONDS = 1.0
BACKLOG = 512
NAME = "calgate"
# Request lines hold secrets (feed tokens, manage links): this logger stays above INFO.
ACCESS = logging.getLogger("aiohttp.access")


class Handler(RequestHandler):
    """One connection. Its own error answers tell nothing about the machinery."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be parsed: the status, and nothing that was sent.

        A client's mistake is not logged as ours: its trace would hold the client's bytes.
        """
        del message
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and request.writer.output_size == 0:
            text = f"{HTTPStatus(status).phrase}\n"
            answer: web.StreamResponse = web.Response(status=status, text=text)
            answer.force_close()
        else:
            answer = super().handle_error(request, status, exc, None)
        answer.headers[hdrs.SERVER] = NAME
        return answer


class Server:
    """A listening application with its watchman; made by `start_server`."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        self._since: dict[Handler, tuple[object, float]] = {}
        self._listening: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen; raise OSError where the address cannot be had."""
        await self._runner.setup()
        inner = self._runner.server
        assert inner is not None
        loop = asyncio.get_running_loop()

        def connection() -> Handler:
            handler = Handler(inner, loop=loop, access_log=ACCESS, keepalive_timeout=HEAD_SECONDS)
            self._since[handler] = (None, loop.time())
            return handler

        self._listening = await loop.create_server(connection, host, port, backlog=BACKLOG)
        self._watch = asyncio.create_task(self._stand_watch(), name="server.watch")

    @property
    def port(self) -> int:
        """The port listened on, for those who asked for any."""
        assert self._listening is not None
        return int(self._listening.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take no more connections, answer what is under way, and close."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()

    async def _stand_watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._close_late(loop.time())

    def _close_late(self, now: float) -> None:
        waiting: dict[str, list[tuple[float, Handler]]] = defaultdict(list)
        for handler, (seen, since) in list(self._since.items()):
            transport = handler.transport
            if transport is None:
                # Not yet made, or gone; a handler without a transport for long is gone.
                if now - since > LOOK_SECONDS:
                    del self._since[handler]
                continue
            # The library keeps what it works on in this attribute and has no public name for it.
            current = handler._current_request  # noqa: SLF001
            if current is not seen:
                self._since[handler] = (current, now)
            elif now - since > (HEAD_SECONDS if current is None else REQUEST_SECONDS):
                transport.abort()
            elif current is None and now - since > GRACE_SECONDS:
                peer = transport.get_extra_info("peername")
                waiting[str(peer[0]) if peer else ""].append((since, handler))
        for idle in waiting.values():
            idle.sort(key=lambda entry: entry[0])
            for _, handler in idle[:-MAX_WAITING]:
                if handler.transport is not None:
                    handler.transport.abort()


async def start_server(app: web.Application, host: str, port: int) -> Server:
    """Serve the application on an address; port 0 takes any free one."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    server = Server(runner)
    try:
        await server.start(host, port)
    except BaseException:
        structlog.get_logger("gateway.server").debug("server.cannot_listen")
        await runner.cleanup()
        raise
    return server
