"""The simulated Microsoft held to Graph's field rules, and the rules to answers that break them."""

import copy
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.sandbox.microsoft import MicrosoftServer
from gateway.sandbox.microsoft.server import Answered
from tests.graph_push_rules import LIFECYCLE
from tests.graph_rules import CHANGES, faults_of
from tests.sandbox_watch import WATCH
from tests.spoiling import put

LEA = "lea@contoso.example"
ROOT = "https://graph.microsoft.com/v1.0/me"
PREFER = {
    "idtype": "ImmutableId",
    "outlook.timezone": "UTC",
    "outlook.body-content-type": "text",
    "odata.maxpagesize": "2",
}
WEEKLY = {
    "pattern": {
        "type": "weekly",
        "interval": 1,
        "daysOfWeek": ["tuesday"],
        "firstDayOfWeek": "monday",
    },
    "range": {
        "type": "numbered",
        "startDate": "2027-01-12",
        "endDate": "0001-01-01",
        "numberOfOccurrences": 5,
        "recurrenceTimeZone": "W. Europe Standard Time",
    },
}
WINDOW = {"startDateTime": "2027-01-01T00:00:00Z", "endDateTime": "2027-02-28T00:00:00Z"}


def at(time: str) -> dict[str, str]:
    """Return a time of 12 January 2027 as Graph writes it."""
    return {"dateTime": f"2027-01-12T{time}.0000000", "timeZone": "UTC"}


class Client:
    """Calls Graph as Lea, with the preferences that the gateway has."""

    def __init__(self, session: aiohttp.ClientSession, server: MicrosoftServer) -> None:
        self._session = session
        self._url = server.graph_url
        self._token = server.world.access_token(server.world.grant(LEA))

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Send a request; return what it answers, None for an empty body."""
        prefer = ", ".join(f'{name}="{value}"' for name, value in PREFER.items())
        headers = {"Authorization": f"Bearer {self._token}", "Prefer": prefer}
        url = path if path.startswith("http") else self._url + path
        async with self._session.request(
            method, url, json=body, params=query, headers=headers
        ) as answer:
            return await answer.json() if await answer.read() else None


@pytest.fixture
async def hook() -> AsyncIterator[str]:
    """Run an address that takes notifications."""

    async def take(request: web.Request) -> web.Response:
        return web.Response(text=request.query.get("validationToken", ""))

    app = web.Application()
    app.router.add_post("/{rest:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_every_route_answers_by_the_rules(hook: str) -> None:
    """Each of them is asked, well and badly, and no answer breaks a rule."""
    async with MicrosoftServer() as server, aiohttp.ClientSession() as session:
        world = server.world
        world.add_mailbox(LEA, name="Lea")
        world.add_calendar("team", LEA, name="Team")
        world.add_calendar("other", LEA, name="Other")
        calendar = world.default_calendar(LEA).id
        client = Client(session, server)
        body = {"subject": "Series", "start": at("12:00:00"), "end": at("13:00:00")}
        made = await client.ask(
            "POST", f"/me/calendars/{calendar}/events", body | {"recurrence": WEEKLY}
        )
        one = f"/me/events/{made['id']}"
        world.remove_occurrence(calendar, made["id"], "2027-01-19")
        single = await client.ask("POST", f"/me/calendars/{calendar}/events", body)
        whole = {
            name: {"dateTime": f"2027-01-{day}T00:00:00.0000000", "timeZone": "UTC"}
            for name, day in (("start", "20"), ("end", "21"))
        }
        await client.ask("POST", f"/me/calendars/{calendar}/events", whole | {"isAllDay": True})
        for path in ("/me", "/me/mailboxSettings", one, f"/me/calendars/{calendar}/events"):
            assert "error" not in await client.ask("GET", path)
        told = {"$select": "cancelledOccurrences", "$expand": "exceptionOccurrences"}
        assert (await client.ask("GET", one, **told))["cancelledOccurrences"]
        lists = (
            ("/me/calendars", {}),
            (f"/me/calendars/{calendar}/calendarView", WINDOW),
            (f"/me/calendars/{calendar}/calendarView/delta", WINDOW),
            (f"{one}/instances", WINDOW),
        )
        for path, query in lists:
            answer = await client.ask("GET", path, **query)
            while "@odata.nextLink" in answer:
                answer = await client.ask("GET", answer["@odata.nextLink"])
        delta = f"/me/calendars/{calendar}/calendarView/delta"
        answer = await client.ask("GET", delta, **WINDOW)
        while "@odata.nextLink" in answer:
            answer = await client.ask("GET", answer["@odata.nextLink"])
        assert await client.ask("DELETE", f"/me/events/{single['id']}") is None
        assert (await client.ask("GET", answer["@odata.deltaLink"]))["value"]
        world.default_calendar(LEA).forgotten = 10**6
        assert "error" in await client.ask("GET", answer["@odata.deltaLink"])
        await client.ask("PATCH", one, {"subject": "New"})
        await client.ask("PATCH", one, {"attendees": [{"type": "required", "emailAddress": ANN}]})
        await client.ask("POST", f"{one}/cancel", {})
        asked = {"schedules": [LEA, "nobody@contoso.example"]}
        span = {"startTime": at("00:00:00"), "endTime": at("23:00:00")}
        await client.ask("POST", "/me/calendar/getSchedule", asked | span)
        await subscribe(client, server, calendar, hook, body)
        for bad in (f"{one}-not", "/me/calendars/none/events"):
            assert "error" in await client.ask("GET", bad)
        assert "error" in await client.ask("POST", f"/me/calendars/{calendar}/events", {})

        well = {name.partition(" ")[0] for name in WATCH.seen if name[-3] == "2"}
        assert well == {route.name for route in server.routes}
        assert {f"push {what}" for what in LIFECYCLE | CHANGES | {"handshake"}} <= WATCH.seen
        assert {name[-3:] for name in WATCH.seen} >= {"400", "404", "410"}


async def subscribe(
    client: Client, server: MicrosoftServer, calendar: str, hook: str, event: Any
) -> None:
    """Subscribe to a calendar, let everything be told that there is to tell, and end it."""
    channel = {
        "changeType": ",".join(CHANGES),
        "notificationUrl": hook,
        "lifecycleNotificationUrl": f"{hook}lifecycle",
        "resource": f"/me/calendars/{calendar}/events",
        "clientState": "secret",
        "expirationDateTime": soon(server),
    }
    subscribed = await client.ask("POST", "/subscriptions", channel)
    path = f"/subscriptions/{subscribed['id']}"
    await client.ask("PATCH", path, {"expirationDateTime": soon(server)})
    told = await client.ask("POST", f"/me/calendars/{calendar}/events", event)
    await client.ask("PATCH", f"/me/events/{told['id']}", {"subject": "Moved"})
    await client.ask("DELETE", f"/me/events/{told['id']}")
    for name in LIFECYCLE - {"subscriptionRemoved"}:
        server.push.lifecycle(subscribed["id"], name)
    await server.push.settle()
    await client.ask("DELETE", path)
    again = await client.ask("POST", "/subscriptions", channel)
    server.push.lifecycle(again["id"], "subscriptionRemoved")
    await server.push.settle()
    late = datetime.fromtimestamp(server.world.now() + 8 * 86_400, UTC).isoformat()
    too_long = channel | {"expirationDateTime": late}
    assert "error" in await client.ask("POST", "/subscriptions", too_long)


ANN = {"name": "Ann", "address": "ann@contoso.example"}


def soon(server: MicrosoftServer) -> str:
    """Return an expiry an hour from the server's now."""
    return datetime.fromtimestamp(server.world.now() + 3600, UTC).isoformat()


EVENT: dict[str, Any] = {
    "@odata.etag": 'W/"1=="',
    "id": "AAkA1",
    "iCalUId": "0400",
    "changeKey": "1==",
    "createdDateTime": "2026-11-30T12:00:00.0000000Z",
    "lastModifiedDateTime": "2026-11-30T12:00:00.0000000Z",
    "subject": "Series",
    "type": "seriesMaster",
    "seriesMasterId": None,
    "showAs": "busy",
    "isAllDay": False,
    "start": at("12:00:00"),
    "end": at("13:00:00"),
    "body": {"contentType": "text", "content": ""},
    "attendees": [{"type": "required", "emailAddress": ANN, "status": {"response": "none"}}],
    "recurrence": WEEKLY,
    "cancelledOccurrences": ["OID.AAkA1.2027-01-19"],
}
SKELETON = {
    "@odata.type": "#microsoft.graph.event",
    "@odata.etag": 'W/"1=="',
    "id": "AAkA1-occ",
    "type": "occurrence",
    "seriesMasterId": "AAkA1",
    "start": at("12:00:00"),
    "end": at("13:00:00"),
}
GONE = {"@odata.type": "#microsoft.graph.event", "id": "AAkA2", "@removed": {"reason": "deleted"}}
DELTA = f"{ROOT}/calendars/c/calendarView/delta"
ERROR = {
    "error": {
        "code": "ErrorItemNotFound",
        "message": "Not found.",
        "innerError": {"date": "2026-11-30T12:00:00", "request-id": "0", "client-request-id": "0"},
    }
}
SCHEDULE = {
    "scheduleId": LEA,
    "availabilityView": "2",
    "scheduleItems": [{"status": "busy", "start": at("12:00:00"), "end": at("13:00:00")}],
}
SUBSCRIPTION = {
    "id": "s",
    "resource": "/me/events",
    "changeType": "created,deleted",
    "notificationUrl": "https://meet.example.org/hooks",
    "expirationDateTime": "2026-12-01T12:00:00Z",
}


def answered(route: str, answer: Any, status: int = 200, url: str = DELTA) -> Answered:
    """Return an answer with everything around it as it should be."""
    asked = {"$select": "cancelledOccurrences"}
    headers = {"Preference-Applied": "IdType"} if status < 400 else {}
    return Answered(
        route=route,
        url=url,
        query=asked,
        prefer=PREFER,
        status=status,
        headers=headers,
        answer=answer,
        at=datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp(),
    )


GOOD: Mapping[str, Answered] = {
    "event": answered("events.get", EVENT),
    "delta": answered(
        "events.delta",
        {"value": [SKELETON, GONE], "@odata.deltaLink": f"{DELTA}?$deltatoken=1"},
    ),
    "error": answered("events.get", ERROR, 404),
    "schedule": answered("schedule", {"value": [SCHEDULE]}),
    "subscription": answered("push.subscribe", SUBSCRIPTION, 201),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_keeps_the_rules_is_taken(name: str) -> None:
    """The validator refuses nothing that Graph says."""
    assert list(faults_of(GOOD[name])) == []


PATTERN, RANGE = ("recurrence", "pattern"), ("recurrence", "range")
WRONG = [
    ("event", put("start", "dateTime", "2027-01-12T12:00:00Z"), "seven digits"),
    ("event", put("start", "dateTime", "2027-01-12T12:00:00.0000000+01:00"), "seven digits"),
    ("event", put("start", "timeZone", "Europe/Berlin"), "UTC was asked for"),
    ("event", put("start", "timeZone", ...), "no dateTimeTimeZone"),
    ("event", put("isAllDay", True), "not at midnight"),
    ("event", put("end", "dateTime", "2027-01-12T11:00:00.0000000"), "ends before it starts"),
    ("event", put("id", "AAMkMUTABLE-1"), "not immutable"),
    ("event", put("showAs", "occupied"), "showAs is 'occupied'"),
    ("event", put("isAllDay", "false"), "no boolean"),
    ("event", put("summary", "Series"), "no field of an event"),
    ("event", put("iCalUId", ...), "iCalUId is missing"),
    ("event", put("@odata.etag", "1"), "entity tag"),
    ("event", put("createdDateTime", "2026-11-30T12:00:00"), "no time in UTC"),
    ("event", put("recurrence", None), "recurrence of a seriesMaster"),
    ("event", put("type", "exception"), "seriesMasterId of a exception"),
    ("event", put("seriesMasterId", "AAkA9"), "seriesMasterId of a seriesMaster"),
    ("event", put(*PATTERN, "type", "fortnightly"), "a pattern of type"),
    ("event", put(*PATTERN, "interval", 0), "without an interval"),
    ("event", put(*PATTERN, "daysOfWeek", []), "without daysOfWeek"),
    ("event", put(*PATTERN, "daysOfWeek", ["Tuesday"]), "without daysOfWeek"),
    ("event", put(*PATTERN, "type", "absoluteMonthly"), "without dayOfMonth"),
    ("event", put(*PATTERN, "type", "relativeMonthly"), "without index"),
    ("event", put(*PATTERN, "type", "relativeYearly"), "without month"),
    ("event", put(*RANGE, "numberOfOccurrences", ...), "without its number"),
    ("event", put(*RANGE, "type", "endDate"), "ends before it begins"),
    ("event", put(*RANGE, "startDate", "12.1.2027"), "without startDate"),
    ("event", put("attendees", 0, "type", "guest"), "attendee of no type"),
    ("event", put("attendees", 0, "status", "response", "maybe"), "unknown response"),
    ("event", put("body", "contentType", "html"), "a body in html"),
    ("event", put("cancelledOccurrences", ["2027-01-19"]), "a cancelled occurrence"),
    ("event", put("exceptionOccurrences", []), "was not asked for"),
    ("delta", put("@odata.nextLink", f"{DELTA}?$skiptoken=1"), "one of nextLink and deltaLink"),
    ("delta", put("@odata.deltaLink", ...), "one of nextLink and deltaLink"),
    ("delta", put("@odata.deltaLink", f"{ROOT}/events?$deltatoken=1"), "another address"),
    ("delta", put("@odata.deltaLink", DELTA), "without a token"),
    ("delta", put("value", 0, "subject", "Series"), "subject is in a skeleton"),
    ("delta", put("value", 0, "seriesMasterId", ...), "seriesMasterId is missing"),
    ("delta", put("value", 1, "@removed", {}), "without its reason"),
    ("delta", put("value", 1, "start", at("12:00:00")), "start of what is removed"),
    ("delta", put("value", [GONE] * 3), "more rows than were asked for"),
    ("delta", put("value", ...), "is missing"),
    ("error", put("error", "code", ""), "without code"),
    ("error", put("error", "message", ...), "without message"),
    ("error", put("error", "innerError", ...), "innerError"),
    ("error", put("error", "innerError", "request-id", ...), "innerError.request-id"),
    ("schedule", put("value", 0, "availabilityView", "B"), "other digits"),
    ("schedule", put("value", 0, "error", {"message": "m", "responseCode": "1"}), "or an error"),
    ("schedule", put("value", 0, "scheduleItems", 0, "status", "blocked"), "that is blocked"),
    ("subscription", put("changeType", "moved"), "changeType"),
    ("subscription", put("expirationDateTime", "tomorrow"), "no time in UTC"),
    ("subscription", put("expirationDateTime", "2026-12-08T12:00:00Z"), "seven days"),
]


@pytest.mark.parametrize(("name", "change", "said"), WRONG)
def test_what_breaks_a_rule_is_refused(name: str, change: Callable[[Any], None], said: str) -> None:
    """Each rule is one that fails."""
    answer = copy.deepcopy(GOOD[name].answer)
    change(answer)
    found = list(faults_of(replace(GOOD[name], answer=answer)))

    assert any(said in fault for fault in found), found


@pytest.mark.parametrize(("status", "said"), [(410, "the code"), (412, "the code"), (429, "code")])
def test_a_status_has_its_codes(status: int, said: str) -> None:
    """410, 412 and 429 say what clients look for."""
    found = list(faults_of(replace(GOOD["error"], status=status)))

    assert any(said in fault for fault in found)


def test_headers_have_their_rules() -> None:
    """What was preferred is told; Retry-After is a number of seconds."""
    silent = replace(GOOD["event"], headers={})
    late = replace(GOOD["error"], headers={"Retry-After": "soon"})

    assert "it does not say which preferences were applied" in list(faults_of(silent))
    assert "Retry-After is not in seconds" in list(faults_of(late))
