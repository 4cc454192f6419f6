"""The server: routes, who may, faults, the log, and a control endpoint for other processes.

`PUT /_control/faults` (a Fault or a list of them), `DELETE /_control/faults`, `GET /_control/log`,
`GET`, `POST` and `DELETE /_control/calendars/{calendarId}/events[/{eventId}]`,
`POST /_control/revoke`, `POST /_control/lifecycle`.
"""

import asyncio
import inspect
import json
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.sandbox.call_faults import Fault, Faults, abort, encode, planned, read_faults, send
from gateway.sandbox.microsoft import calendars, events, writes
from gateway.sandbox.microsoft.answers import applied, failing, spoiled, told
from gateway.sandbox.microsoft.call import Call, GraphError, Json, preferences
from gateway.sandbox.microsoft.delta import delta
from gateway.sandbox.microsoft.login import Login, Refusal
from gateway.sandbox.microsoft.push import Push
from gateway.sandbox.microsoft.world import World
from gateway.sandbox.served import Served

Handle = Callable[[World, Call], Any]
Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]
READS = ("Calendars.Read", "Calendars.ReadWrite", "Calendars.Read.Shared")
WRITES = ("Calendars.ReadWrite",)
AT_ONCE = 4
"""How many calls one mailbox takes at a time."""
CALENDAR, EVENT = "/me/calendars/{calendarId}", "/me/events/{eventId}"


@dataclass(frozen=True, slots=True)
class Route:
    """A method of Graph under the name that faults and the log call it by."""

    name: str
    method: str
    path: str
    scopes: tuple[str, ...]
    handle: Handle
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer as it was meant, before a fault spoils it, with what it answers."""

    route: str
    url: str
    query: Mapping[str, str]
    prefer: Mapping[str, str]
    status: int
    headers: Mapping[str, str]
    answer: Json
    at: float
    """The server's own time."""


@dataclass
class MicrosoftServer(Served):
    """A simulated Microsoft on loopback; `world` is what it knows and what happened."""

    world: World = field(default_factory=World)
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    faults: Faults = field(default_factory=Faults)
    listeners: list[Callable[[str, str], None]] = field(default_factory=list)
    """Told of each call, "before" and "after" its effect, with its route."""
    witnesses: list[Callable[[Answered], None]] = field(default_factory=list)
    """Told of each answer that the server itself gives, planned errors aside."""

    def __post_init__(self) -> None:
        self.login = Login(self.world)
        self.push = Push(self.world)
        self._under_way: Counter[str] = Counter()
        self._late: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address of everything."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def graph_url(self) -> str:
        """The root of the API."""
        return f"{self.url}/v1.0"

    @property
    def authority(self) -> str:
        """The authority for work, school and personal accounts."""
        return f"{self.url}/common"

    def application(self) -> web.Application:
        """Return Graph, the sign-in and the control endpoint."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        for route in self.routes:
            app.router.add_route(route.method, f"/v1.0{route.path}", self._serve(route))
        app.router.add_routes(self.login.routes())
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        app.router.add_route("*", "/_control/{what:.*}", self._control)
        app.router.add_route("*", "/{rest:.*}", self._unknown)
        return app

    async def start(self) -> None:
        """Begin to serve; sign-in then knows where it stands."""
        await super().start()
        self.login.root = self.url

    async def closing(self) -> None:
        """Give up late effects and pushes."""
        for task in list(self._late):
            task.cancel()
        await self.settle()
        await self.push.close()

    def break_with(self, *faults: Fault) -> None:
        """Let calls go wrong from now on; nothing at all mends everything."""
        self.faults.set(faults)

    async def settle(self) -> None:
        """Wait until every late effect has happened."""
        await asyncio.gather(*self._late, return_exceptions=True)

    def calls(self, route: str) -> int:
        """Return how often a method was called."""
        return sum(entry["route"] == route for entry in self.world.log)

    # --- the API ---------------------------------------------------------------------------------

    @property
    def routes(self) -> list[Route]:
        """The methods of Graph that there are."""
        return [
            Route("me", "GET", "/me", ("User.Read",), calendars.me),
            Route(
                "settings",
                "GET",
                "/me/mailboxSettings",
                ("MailboxSettings.Read",),
                calendars.settings,
            ),
            Route("calendars", "GET", "/me/calendars", READS, calendars.list_calendars),
            Route(
                "schedule",
                "POST",
                "/me/calendar/getSchedule",
                READS,
                calendars.get_schedule,
            ),
            Route("events.delta", "GET", CALENDAR + "/calendarView/delta", READS, delta),
            Route("events.view", "GET", CALENDAR + "/calendarView", READS, events.view),
            Route("events.list", "GET", CALENDAR + "/events", READS, events.list_events),
            Route("events.create", "POST", CALENDAR + "/events", WRITES, writes.create, 201),
            Route("events.instances", "GET", EVENT + "/instances", READS, events.instances),
            Route("events.get", "GET", EVENT, READS, events.get_event),
            Route("events.patch", "PATCH", EVENT, WRITES, writes.patch),
            Route("events.delete", "DELETE", EVENT, WRITES, writes.delete, 204),
            Route("events.cancel", "POST", EVENT + "/cancel", WRITES, writes.cancel, 202),
            Route("push.subscribe", "POST", "/subscriptions", READS, self._subscribe, 201),
            Route("push.renew", "PATCH", "/subscriptions/{subscriptionId}", READS, self._renew),
            Route("push.end", "DELETE", "/subscriptions/{subscriptionId}", READS, self._end, 204),
        ]

    def _subscribe(self, world: World, call: Call) -> Awaitable[Json]:
        del world
        return self.push.subscribe(call)

    def _renew(self, world: World, call: Call) -> Awaitable[Json]:
        del world
        return self.push.renew(call)

    def _end(self, world: World, call: Call) -> Awaitable[Json]:
        del world
        return self.push.unsubscribe(call)

    def _serve(self, route: Route) -> Serve:
        async def serve(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            grant = self.world.grant_of(_bearer(request))
            who = grant.address if grant else ""
            self._under_way[who] += 1
            most = self._under_way[who]
            self.world.most_at_once = max(self.world.most_at_once, most if who else 0)
            try:
                if who and most > AT_ONCE:
                    self._write_down(request, route, 429, effect=False)
                    error, wait = GraphError(429, "MailboxConcurrency"), "1"
                    self._witness(request, route, 429, error.body, {"Retry-After": wait})
                    return told(error, wait)
                return await self._answer(request, route, raw)
            finally:
                self._under_way[who] -= 1

        return serve

    async def _answer(self, request: web.Request, route: Route, raw: bytes) -> web.StreamResponse:
        self._tell("before", route)
        fault = self.faults.pick(route.name)
        await asyncio.sleep(fault.delay)
        if fault.drop == "before":
            self._write_down(request, route, 0, effect=False)
            abort(request)
            return web.Response()
        if fault.drop == "late":
            self._later(fault.late, request, route, raw)
            abort(request)
            return web.Response()
        if (fault.status or fault.redirect) and not fault.effect:
            self._write_down(request, route, fault.status, effect=False)
            return planned(fault, failing)
        status, answer = await self._run(request, route, raw)
        self._write_down(request, route, status, effect=status < 300)  # noqa: PLR2004 - success
        self._tell("after", route)
        self._witness(request, route, status, answer, applied(request))
        await asyncio.sleep(fault.delay_after)
        if fault.drop == "after":
            abort(request)
            return web.Response()
        if fault.status:
            return planned(fault, failing)
        body = b"" if status in {202, 204} else encode(spoiled(fault, answer))
        response = await send(request, fault, status, body)
        if not response.prepared:
            response.headers.update(applied(request))
        return response

    def _tell(self, moment: str, route: Route) -> None:
        for listener in self.listeners:
            listener(moment, route.name)

    def _witness(
        self,
        request: web.Request,
        route: Route,
        status: int,
        answer: Json,
        headers: Mapping[str, str],
    ) -> None:
        made = Answered(
            route=route.name,
            url=f"{self.url}{request.path}",
            query=request.query,
            prefer=preferences(", ".join(request.headers.getall("Prefer", []))),
            status=status,
            headers=headers,
            answer=answer,
            at=self.world.now(),
        )
        for witness in self.witnesses:
            witness(made)

    async def _run(self, request: web.Request, route: Route, raw: bytes) -> tuple[int, Json]:
        try:
            answer = route.handle(self.world, self._call(request, route, raw))
            if inspect.isawaitable(answer):
                answer = await answer
        except GraphError as error:
            return error.status, error.body
        return route.status, answer

    def _call(self, request: web.Request, route: Route, raw: bytes) -> Call:
        grant = self.world.grant_of(_bearer(request))
        if grant is None:
            raise GraphError(
                401, "InvalidAuthenticationToken", "Lifetime validation failed, it is expired."
            )
        granted = {scope.rpartition("/")[2] for scope in grant.scopes}
        if not granted & set(route.scopes):
            raise GraphError(403, "ErrorAccessDenied", "Access is denied.")
        try:
            body = json.loads(raw) if raw else {}
        except ValueError as error:
            raise GraphError(400, "BadRequest", "Unable to read JSON.") from error
        if not isinstance(body, dict):
            raise GraphError(400, "BadRequest", "Unable to read JSON.")
        return Call(
            address=grant.address,
            scopes=grant.scopes,
            root=self.graph_url,
            path=dict(request.match_info),
            query=request.query,
            prefer=preferences(", ".join(request.headers.getall("Prefer", []))),
            body=body,
            if_match=request.headers.get("If-Match", ""),
        )

    def _later(self, seconds: float, request: web.Request, route: Route, raw: bytes) -> None:
        async def happen() -> None:
            await asyncio.sleep(seconds)
            status, _ = await self._run(request, route, raw)
            self._write_down(request, route, status, effect=status < 300)  # noqa: PLR2004 - success

        task = asyncio.create_task(happen())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _write_down(self, request: web.Request, route: Route, status: int, *, effect: bool) -> None:
        self.world.log.append(
            {
                "number": len(self.world.log) + 1,
                "at": self.world.now(),
                "route": route.name,
                "calendar": request.match_info.get("calendarId", ""),
                "event": request.match_info.get("eventId", ""),
                "status": status,
                "effect": effect and route.method != "GET",
            }
        )

    # --- signing in, and control -----------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.pick("login.token")
        await asyncio.sleep(fault.delay)
        if fault.drop == "before":
            abort(request)
            return web.Response()
        if fault.status and not fault.effect:
            return planned(fault, failing)
        try:
            status, answer = 200, await self.login.token(request)
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body
        self.world.log.append(
            {"number": len(self.world.log) + 1, "route": "login.token", "status": status}
        )
        if fault.drop == "after":
            abort(request)
            return web.Response()
        return await send(request, fault, status, encode(answer))

    async def _control(self, request: web.Request) -> web.Response:
        parts = request.match_info["what"].split("/")
        try:
            return await self._controlled(request, parts)
        except (ValueError, KeyError, IndexError) as error:
            return web.Response(status=400, text=f"{error}\n")

    async def _controlled(self, request: web.Request, parts: list[str]) -> web.Response:
        if parts == ["log"]:
            return web.json_response(self.world.log)
        if parts == ["faults"]:
            faults = read_faults(await request.read()) if request.method == "PUT" else []
            self.break_with(*faults)
        elif parts == ["revoke"]:
            self.world.revoke(str((await request.json())["address"]))
        elif parts == ["lifecycle"]:
            wanted = await request.json()
            self.push.lifecycle(str(wanted["subscription"]), str(wanted["event"]))
        elif parts[0] == "calendars" and request.method == "POST":
            self.world.put(parts[1], await request.json())
        elif parts[0] == "calendars" and request.method == "DELETE":
            self.world.remove(parts[1], parts[3])
        elif parts[0] == "calendars":
            return web.json_response(self.world.live(parts[1]))
        else:
            return web.Response(status=404)
        return web.Response(status=204)

    async def _unknown(self, request: web.Request) -> web.Response:
        return told(GraphError(400, "BadRequest", f"No such resource: {request.path}"))


def _bearer(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")
