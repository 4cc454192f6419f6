"""A proxy on loopback before a real server: hands everything on, breaks answers on demand."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from gateway.sandbox.faults import LOGIN_PAGE, Fault, spoiled

NOT_HANDED_ON = {"content-length", "transfer-encoding", "content-encoding", "connection", "date"}


@dataclass
class FaultyProxy:
    """Hands requests to `target`.

    `fault` breaks every answer, `drops_after` does so after the server has acted, `rewrite`
    replaces bytes in answers, `rewrite_requests` in what is asked; `answers` gives a status and a
    body to what holds some bytes; `requests` is the log of methods and paths.
    """

    target: str
    fault: Fault | None = None
    drops_after: bool = False
    rewrite: dict[bytes, bytes] = field(default_factory=dict)
    rewrite_requests: dict[bytes, bytes] = field(default_factory=dict)
    answers: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._session = aiohttp.ClientSession(auto_decompress=True)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    @property
    def url(self) -> str:
        """Return its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        fault = self.fault
        if fault is not None and not fault.spoils_the_body and fault.truncate < 0:
            await asyncio.sleep(fault.delay)
            if fault.redirect:
                return web.Response(status=302, headers={"Location": fault.redirect})
            if fault.html:
                return web.Response(body=LOGIN_PAGE, content_type="text/html")
            if fault.status:
                headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                return web.Response(status=fault.status, headers=headers, text="canary-internal\n")
        status, headers, body = await self._answer(request)
        if self.drops_after and request.transport is not None:
            request.transport.abort()
        if status >= 300:
            fault = None
        if fault is not None and fault.spoils_the_body:
            kind = headers.get("Content-Type", "text/plain")
            return await spoiled(request, fault, body, kind, status=status)
        if fault is not None and fault.truncate >= 0:
            body = body[: fault.truncate]
        return web.Response(status=status, headers=headers, body=body)

    async def _answer(self, request: web.Request) -> tuple[int, dict[str, str], bytes]:
        asked = await request.read()
        for held, (status, body) in self.answers.items():
            if held in asked:
                return status, {"Content-Type": "application/xml"}, body
        try:
            return await self._fetch(request)
        except aiohttp.ClientConnectionError:
            return 502, {}, b""  # what stands behind it is down

    async def _fetch(self, request: web.Request) -> tuple[int, dict[str, str], bytes]:
        headers = {k: v for k, v in request.headers.items() if k.lower() != "accept-encoding"}
        asked = await request.read()
        for old, new in self.rewrite_requests.items():
            asked = asked.replace(old, new)
        headers = {k: v for k, v in headers.items() if k.lower() != "content-length"}
        async with self._session.request(
            request.method,
            self.target + request.raw_path,
            headers=headers,
            data=asked,
            allow_redirects=False,
        ) as answer:
            body = await answer.read()
            for old, new in self.rewrite.items():
                body = body.replace(old, new)
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in NOT_HANDED_ON}
            return answer.status, kept, body
