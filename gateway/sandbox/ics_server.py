"""A real server of `.ics` subscriptions for the demo and the tests, with faults on demand.

Calendars are put in by `PUT /calendars/{name}.ics` or in code; `PUT /faults/{name}` takes a JSON
object with the fields of Fault and breaks the next answers until `DELETE /faults/{name}`.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from gateway.sandbox.faults import LOGIN_PAGE, Fault, spoiled
from gateway.sandbox.served import Served

EMPTY = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//sandbox//EN\r\nEND:VCALENDAR\r\n"


@dataclass
class IcsServer(Served):
    """One loopback server; `requests` is its log of answered statuses by calendar name."""

    host: str = "127.0.0.1"
    port: int = 0
    calendars: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[tuple[str, int]] = field(default_factory=list)
    waiting: int = 0
    """How many answers are being held back."""

    def application(self) -> web.Application:
        """Return the calendars and what breaks them."""
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_get("/calendars/{name}.ics", self._serve)
        app.router.add_put("/calendars/{name}.ics", self._put)
        app.router.add_put("/faults/{name}", self._break)
        app.router.add_delete("/faults/{name}", self._mend)
        return app

    def url(self, name: str) -> str:
        """Return the address of a calendar."""
        return f"http://{self.host}:{self.port}/calendars/{name}.ics"

    def hits(self, name: str) -> int:
        """Return how often a calendar was asked for."""
        return sum(asked == name for asked, _ in self.requests)

    async def _put(self, request: web.Request) -> web.Response:
        self.calendars[request.match_info["name"]] = await request.read()
        return web.Response(status=204)

    async def _break(self, request: web.Request) -> web.Response:
        try:
            fault = msgspec.json.decode(await request.read(), type=Fault)
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=f"{error}\n")
        self.faults[request.match_info["name"]] = fault
        return web.Response(status=204)

    async def _mend(self, request: web.Request) -> web.Response:
        self.faults.pop(request.match_info["name"], None)
        return web.Response(status=204)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        fault = self.faults.get(name, Fault())
        self.waiting += 1
        try:
            await self._hold_back(name, fault)
        finally:
            self.waiting -= 1
        response = self._answer(request, name, fault)
        self.requests.append((name, response.status))
        if fault.spoils_the_body:
            body = self.calendars.get(name, EMPTY)
            return await spoiled(request, fault, body, "text/calendar; charset=utf-8")
        return response

    async def _hold_back(self, name: str, fault: Fault) -> None:
        """Wait as long as a fault says, or until it is mended."""
        loop = asyncio.get_running_loop()
        until = loop.time() + fault.delay
        while (  # noqa: ASYNC110 - mending is no event but a change of `faults`
            left := until - loop.time()
        ) > 0 and self.faults.get(name, None) is fault:
            await asyncio.sleep(min(left, 0.005))

    def _answer(self, request: web.Request, name: str, fault: Fault) -> web.Response:
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        if fault.redirect:
            return web.Response(status=fault.status or 302, headers={"Location": fault.redirect})
        if fault.status:
            return web.Response(status=fault.status, headers=headers, text="canary-internal\n")
        if fault.html:
            return web.Response(body=LOGIN_PAGE, content_type="text/html")
        body = EMPTY if fault.empty else self.calendars.get(name)
        if body is None:
            return web.Response(status=404, text="Not found\n")
        if fault.truncate >= 0:
            body = body[: fault.truncate]
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if not fault.forget_etag:
            headers["ETag"] = etag
            if request.headers.get("If-None-Match") == etag:
                return web.Response(status=304, headers=headers)
        headers["Content-Type"] = fault.content_type or "text/calendar; charset=utf-8"
        return web.Response(body=body, headers=headers)
