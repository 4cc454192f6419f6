"""The server: routes, who may, faults, the log, and a control endpoint for other processes.

`PUT /_control/faults` (a Fault or a list of them), `DELETE /_control/faults`, `GET /_control/log`,
`POST` and `DELETE /_control/calendars/{calendarId}/events[/{eventId}]`, `POST /_control/revoke`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict, MultiMapping

from gateway.sandbox.call_faults import Fault, Faults, abort, encode, planned, read_faults, send
from gateway.sandbox.google import calendars, events, writes
from gateway.sandbox.google.answers import spoil, told
from gateway.sandbox.google.call import ApiError, Call, Json
from gateway.sandbox.google.oauth import OAuth, Refusal
from gateway.sandbox.google.push import Push
from gateway.sandbox.google.world import World
from gateway.sandbox.served import Served

Handle = Callable[[World, Call], Json]
Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]
SCOPE = "https://www.googleapis.com/auth/"
_READS = ("calendar", "calendar.readonly", "calendar.events", "calendar.events.readonly")
_READS_OWNED = (*_READS, "calendar.events.owned", "calendar.events.owned.readonly")
_WRITES = ("calendar", "calendar.events", "calendar.events.owned")
_LISTS = (
    "calendar",
    "calendar.readonly",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
)
_ASKS = ("calendar", "calendar.readonly", "calendar.freebusy", "calendar.events.freebusy")
ONE = "/calendars/{calendarId}/events/{eventId}"
ALL = "/calendars/{calendarId}/events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A method of the API by its name in the discovery document."""

    name: str
    method: str
    path: str
    scopes: tuple[str, ...]
    handle: Handle
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer as it was meant, before a fault spoils it, and the method that gave it."""

    route: str
    status: int
    answer: Json


@dataclass
class GoogleServer(Served):
    """A simulated Google on loopback; `world` is what it knows and what happened."""

    world: World = field(default_factory=World)
    host: str = "127.0.0.1"
    port: int = 0
    faults: Faults = field(default_factory=Faults)
    listeners: list[Callable[[str, str], None]] = field(default_factory=list)
    """Told of each call, "before" and "after" its effect, with its route."""
    witnesses: list[Callable[[Answered], None]] = field(default_factory=list)
    """Told of each answer that the server itself gives, planned errors aside."""

    def __post_init__(self) -> None:
        self.oauth = OAuth(self.world)
        self.push = Push(self.world)
        self.routes = self._routes()
        self._late: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address of everything."""
        return f"http://{self.host}:{self.port}"

    def application(self) -> web.Application:
        """Return the API, the sign-in and the control endpoint."""
        app = web.Application(client_max_size=32 * 1024 * 1024)
        for route in self.routes:
            app.router.add_route(route.method, f"/calendar/v3{route.path}", self._serve(route))
        app.router.add_get("/o/oauth2/v2/auth", self.oauth.authorize)
        app.router.add_post("/o/oauth2/v2/auth", self.oauth.decide)
        for name, path in (("token", "/token"), ("revoke", "/revoke")):
            app.router.add_post(path, self._sign_in(name))
        for path in ("/oauth2/v3/userinfo", "/v1/userinfo", "/tokeninfo", "/oauth2/v3/certs"):
            app.router.add_get(path, self._identity)
        app.router.add_route("*", "/_control/{what:.*}", self._control)
        app.router.add_route("*", "/{rest:.*}", self._unknown)
        return app

    async def closing(self) -> None:
        """Give up late effects and pushes."""
        for task in list(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        await self.push.close()

    def break_with(self, *faults: Fault) -> None:
        """Let calls go wrong from now on; nothing at all mends everything."""
        self.faults.set(faults)

    async def settle(self) -> None:
        """Wait until every late effect has happened."""
        await asyncio.gather(*self._late, return_exceptions=True)

    def calls(self, route: str) -> int:
        """Return how often a method of the API was called."""
        return sum(entry["route"] == route for entry in self.world.log)

    # --- the API ---------------------------------------------------------------------------------

    def _routes(self) -> tuple[Route, ...]:
        listed = "/users/me/calendarList"
        calendar = "/calendars/{calendarId}"

        def route(
            name: str, method: str, path: str, scopes: tuple[str, ...], handle: Handle
        ) -> Route:
            status = 204 if name in {"events.delete", "channels.stop"} else 200
            return Route(
                name=name, method=method, path=path, scopes=scopes, handle=handle, status=status
            )

        return (
            route("calendarList.list", "GET", listed, _LISTS, calendars.list_calendars),
            route(
                "calendarList.get", "GET", listed + "/{calendarId}", _LISTS, calendars.get_listed
            ),
            route("calendars.get", "GET", calendar, _READS[:2], calendars.get_calendar),
            route("freebusy.query", "POST", "/freeBusy", _ASKS, calendars.query_freebusy),
            route("events.list", "GET", ALL, _READS_OWNED, events.list_events),
            route("events.insert", "POST", ALL, _WRITES, writes.insert),
            route("events.import", "POST", ALL + "/import", _WRITES, writes.import_event),
            route("events.watch", "POST", ALL + "/watch", _READS_OWNED, self.push.watch),
            route("events.get", "GET", ONE, _READS_OWNED, events.get_event),
            route("events.patch", "PATCH", ONE, _WRITES, writes.patch),
            route("events.update", "PUT", ONE, _WRITES, writes.update),
            route("events.delete", "DELETE", ONE, _WRITES, writes.delete),
            route(
                "events.instances", "GET", ONE + "/instances", _READS_OWNED, events.list_instances
            ),
            route("channels.stop", "POST", "/channels/stop", _READS_OWNED, self.push.stop),
        )

    def _serve(self, route: Route) -> Serve:
        async def serve(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            chosen = route
            query: MultiMapping[str] = request.query
            if request.headers.get("x-http-method-override") == "GET":
                # An address of more than 2048 characters is sent as a form.
                chosen = next(
                    one for one in self.routes if one.path == route.path and one.method == "GET"
                )
                query = MultiDict(parse_qsl(raw.decode(), keep_blank_values=True))
                raw = b""
            return await self._answer(request, chosen, query, raw)

        return serve

    async def _answer(
        self, request: web.Request, route: Route, query: "MultiMapping[str]", raw: bytes
    ) -> web.StreamResponse:
        self._tell("before", route)
        fault = self.faults.pick(route.name)
        await asyncio.sleep(fault.delay)
        if fault.drop == "before":
            self._write_down(request, route, 0, effect=False)
            abort(request)
            return web.Response()
        if fault.drop == "late":
            self._later(fault.late, request, route, query, raw)
            abort(request)
            return web.Response()
        if (fault.status or fault.redirect) and not fault.effect:
            self._write_down(request, route, fault.status, effect=False)
            return planned(fault, told)
        status, answer = self._run(request, route, query, raw)
        self._write_down(request, route, status, effect=status < 300)  # noqa: PLR2004 - success
        self._tell("after", route)
        for witness in self.witnesses:
            witness(Answered(route=route.name, status=status, answer=answer))
        await asyncio.sleep(fault.delay_after)
        if fault.drop == "after":
            abort(request)
            return web.Response()
        if fault.status:
            return planned(fault, told)
        body = b"" if status == 204 else encode(spoil(fault, answer))  # noqa: PLR2004 - No Content
        return await send(request, fault, status, body)

    def _tell(self, moment: str, route: Route) -> None:
        for listener in self.listeners:
            listener(moment, route.name)

    def _run(
        self, request: web.Request, route: Route, query: "MultiMapping[str]", raw: bytes
    ) -> tuple[int, Json]:
        try:
            call = self._call(request, route, query, raw)
            return route.status, route.handle(self.world, call)
        except ApiError as error:
            return error.status, error.body

    def _call(
        self, request: web.Request, route: Route, query: "MultiMapping[str]", raw: bytes
    ) -> Call:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        grant = self.world.grant_of(token)
        if grant is None:
            raise ApiError(401, "authError", "Invalid Credentials")
        if not any(SCOPE + scope in grant.scopes for scope in route.scopes):
            raise ApiError(
                403, "insufficientPermissions", "Request had insufficient authentication scopes."
            )
        try:
            body = json.loads(raw) if raw else {}
        except ValueError as error:
            raise ApiError(400, "parseError", "Parse Error") from error
        if not isinstance(body, dict):
            raise ApiError(400, "parseError", "Parse Error")
        return Call(
            email=grant.email,
            scopes=grant.scopes,
            path=dict(request.match_info),
            query=query,
            body=body,
            if_match=request.headers.get("If-Match", ""),
        )

    def _later(
        self,
        seconds: float,
        request: web.Request,
        route: Route,
        query: "MultiMapping[str]",
        raw: bytes,
    ) -> None:
        async def happen() -> None:
            await asyncio.sleep(seconds)
            status, _ = self._run(request, route, query, raw)
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

    def _sign_in(self, name: str) -> Serve:
        async def serve(request: web.Request) -> web.StreamResponse:
            fault = self.faults.pick(f"oauth.{name}")
            await asyncio.sleep(fault.delay)
            if fault.drop == "before":
                abort(request)
                return web.Response()
            if fault.status and not fault.effect:
                return planned(fault, told)
            try:
                answer = await (
                    self.oauth.token(request) if name == "token" else self.oauth.revoke(request)
                )
                status = 200
            except Refusal as refusal:
                status, answer = refusal.status, refusal.body
            self.world.log.append(
                {"number": len(self.world.log) + 1, "route": f"oauth.{name}", "status": status}
            )
            if fault.drop == "after":
                abort(request)
                return web.Response()
            return await send(request, fault, status, encode(answer))

        return serve

    async def _identity(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        grant = self.world.grant_of(token)
        if request.path.endswith("certs"):
            return web.json_response(self.oauth.certs())
        try:
            if request.path == "/tokeninfo":
                return web.json_response(
                    self.oauth.tokeninfo(request.query.get("access_token", ""))
                )
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        if grant is None:
            return web.json_response({"error": "invalid_token"}, status=401)
        return web.json_response(self.oauth.userinfo(grant))

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
            self.world.revoke(str((await request.json())["email"]))
        elif parts[0] == "calendars" and request.method == "POST":
            self.world.put(parts[1], await request.json())
        elif parts[0] == "calendars" and request.method == "DELETE":
            self.world.remove(parts[1], parts[3])
        elif parts[0] == "calendars":
            return web.json_response(list(self.world.calendars[parts[1]].events.values()))
        else:
            return web.Response(status=404)
        return web.Response(status=204)

    async def _unknown(self, request: web.Request) -> web.Response:
        return web.json_response(
            ApiError(404, "notFound", f"No such address: {request.path}").body, status=404
        )
