"""Listening, with deadlines the HTTP library does not have.

Law: a connection that has not sent a whole request head by its deadline is closed, and so is one
whose request (its body and the last byte of its answer included) takes longer than a request may.
One peer address holds a bounded number of connections that wait for a head; a reader who takes his
time has no more of an answer in our memory than PIECE and the socket's buffer.
"""

import asyncio
import contextlib
import logging
import socket
import struct
from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import structlog
from aiohttp import hdrs, payload, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_protocol import RequestHandler

BACKLOG = 512
PIECE = 64 * 1024
# The kernel too keeps no more than this for a slow reader, where it can be told.
UNSENT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
NAME = "calgate"
# Request lines hold secrets (feed tokens, manage links): this logger stays above INFO.
ACCESS = logging.getLogger("aiohttp.access")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long a connection may take, in seconds, and how many of an address may wait."""

    head: float = 12.0
    request: float = 55.0
    look: float = 1.0
    """How often the watchman looks."""
    grace: float = 5.0
    """How long a connection counts for no limit: while we are busy its head may lie here unread."""
    max_waiting: int = 50


class Pieces(payload.Payload):
    """A large body, handed to the socket piece by piece as the reader takes it."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._body = body
        self._size = len(body)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write a piece, wait until the socket wants more, and so on."""
        view = memoryview(self._body)
        for at in range(0, len(view), PIECE):
            await writer.write(view[at : at + PIECE])
            await writer.drain()

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return self._body.decode(encoding, errors)


class Handler(RequestHandler):
    """One connection. Its own error answers tell nothing about the machinery."""

    wire: asyncio.Transport | None = None
    """The socket until it is really gone; `transport` is None as soon as the library closes it."""
    answered: web.BaseRequest | None = None
    """The request whose answer is being sent."""
    done = 0
    """How many requests it has answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        # uvloop's transports are such in all but name.
        self.wire = cast("asyncio.Transport", transport)
        wire = transport.get_extra_info("socket")
        if wire is not None and UNSENT is not None:
            wire.setsockopt(socket.IPPROTO_TCP, UNSENT, PIECE)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the socket."""
        self.wire = None
        super().connection_lost(exc)

    def cut(self) -> None:
        """End the connection at once: what its reader has not taken is not kept for him."""
        if self.wire is None:
            return
        wire = self.wire.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.wire.abort()

    @property
    def under_way(self) -> web.BaseRequest | None:
        """The request that is read, worked on or answered."""
        # The library keeps what it works on in this attribute and has no public name for it.
        return self._current_request or self.answered

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; a large one in pieces, and the request lasts until the last is out."""
        if isinstance(resp, web.Response) and not resp.prepared:
            body = resp.body
            resp.body = Pieces(body) if isinstance(body, bytes) and len(body) > PIECE else body
        self.answered = request
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self.answered = None
            self.done += 1

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

    def __init__(self, runner: web.AppRunner, deadlines: Deadlines) -> None:
        self._runner, self._deadlines = runner, deadlines
        self._since: dict[Handler, tuple[tuple[object, int], float]] = {}
        self._listening: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen; raise OSError where the address cannot be had."""
        await self._runner.setup()
        inner = self._runner.server
        assert inner is not None
        loop = asyncio.get_running_loop()

        def connection() -> Handler:
            handler = Handler(
                inner, loop=loop, access_log=ACCESS, keepalive_timeout=self._deadlines.head
            )
            self._since[handler] = ((None, 0), loop.time())
            return handler

        self._listening = await loop.create_server(connection, host, port, backlog=BACKLOG)
        self._watch = asyncio.create_task(self._stand_watch(), name="server.watch")

    @property
    def port(self) -> int:
        """The port listened on, for those who asked for any."""
        assert self._listening is not None
        return int(self._listening.sockets[0].getsockname()[1])

    @property
    def buffered(self) -> int:
        """How many bytes of answers wait in our memory for those who read them."""
        wires = (handler.wire for handler in self._since)
        return sum(wire.get_write_buffer_size() for wire in wires if wire is not None)

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
            await asyncio.sleep(self._deadlines.look)
            self._close_late(loop.time())

    def _close_late(self, now: float) -> None:
        deadlines = self._deadlines
        waiting: dict[str, list[tuple[float, Handler]]] = defaultdict(list)
        for handler, (seen, since) in list(self._since.items()):
            if handler.wire is None:
                # Not yet made, or gone; a handler without a socket for long is gone.
                if now - since > deadlines.look:
                    del self._since[handler]
                continue
            # Quick requests are over between two looks: their number tells that there were some.
            current = handler.under_way
            if (current, handler.done) != seen:
                self._since[handler] = ((current, handler.done), now)
            elif now - since > (deadlines.head if current is None else deadlines.request):
                handler.cut()
            elif current is None and now - since > deadlines.grace:
                peer = handler.wire.get_extra_info("peername")
                waiting[str(peer[0]) if peer else ""].append((since, handler))
        for idle in waiting.values():
            idle.sort(key=lambda entry: entry[0])
            for _, handler in idle[: -deadlines.max_waiting]:
                handler.cut()


async def start_server(
    app: web.Application, host: str, port: int, *, deadlines: Deadlines | None = None
) -> Server:
    """Serve the application on an address; port 0 takes any free one."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    server = Server(runner, deadlines or Deadlines())
    try:
        await server.start(host, port)
    except BaseException:
        structlog.get_logger("gateway.server").debug("server.cannot_listen")
        await runner.cleanup()
        raise
    return server
