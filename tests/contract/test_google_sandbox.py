"""The simulated Google against Google's own description of its API, driven by Google's client."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import httplib2
import pytest
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError

from gateway.sandbox.google import Fault, GoogleServer
from tests.google_rules import DOCUMENT, schema_faults

ANA = "ana@example.com"
CASES = json.loads((Path(__file__).parents[1] / "cases" / "google.json").read_text())["cases"]
NOON = {"dateTime": "2027-01-12T12:00:00+01:00", "timeZone": "Europe/Zurich"}
ONE = {"dateTime": "2027-01-12T13:00:00+01:00", "timeZone": "Europe/Zurich"}


@pytest.fixture
async def google() -> AsyncIterator[GoogleServer]:
    """Run a server with Ana, a team's calendar and one that she sees as free or busy only."""
    async with GoogleServer() as server:
        server.world.add_account(ANA)
        server.world.add_calendar("team@group", {ANA: "reader"})
        server.world.add_calendar("boss@example.com", {ANA: "freeBusyReader"})
        yield server


class Client:
    """Google's client, one call at a time in a thread."""

    def __init__(self, google: GoogleServer, scopes: frozenset[str] | None = None) -> None:
        world = google.world
        grant = world.grant(ANA, scopes) if scopes is not None else world.grant(ANA)
        self.token = world.access_token(grant)
        self.service = build_from_document({**DOCUMENT, "rootUrl": f"{google.url}/"}, http=_http())

    async def do(self, request: Any, **headers: str) -> Any:
        """Send a request; return the answer or raise HttpError."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        request.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        http = _http()
        try:
            return await asyncio.to_thread(request.execute, http=http)
        finally:
            http.close()

    async def refused(self, request: Any, **headers: str) -> tuple[int, str]:
        """Send a request that is refused; return status and reason."""
        with pytest.raises(HttpError) as raised:
            await self.do(request, **headers)
        return raised.value.status_code, raised.value.error_details[0]["reason"]


def _http() -> httplib2.Http:
    return httplib2.Http(timeout=5, proxy_info=None)


@pytest.fixture
def client(google: GoogleServer) -> Client:
    """Return Ana's client."""
    return Client(google)


def conforms(value: Any, schema: Mapping[str, Any], where: str) -> None:
    """Hold a value against a schema of the discovery document, unknown properties included."""
    assert list(schema_faults(value, schema, where)) == []


def test_every_route_is_one_of_googles(google: GoogleServer) -> None:
    """Names, verbs and addresses are those of the discovery document."""
    for route in google.routes:
        resource, _, method = route.name.partition(".")
        known = DOCUMENT["resources"][resource]["methods"][method]
        assert (route.method, route.path.lstrip("/")) == (known["httpMethod"], known["path"])
        allowed = {scope.rpartition("/")[2] for scope in known["scopes"]}
        assert set(route.scopes) & allowed, route.name
        extra = set(route.scopes) - allowed
        assert not extra, f"{route.name} takes {extra}, Google does not"


async def test_every_answer_is_as_described(google: GoogleServer, client: Client) -> None:
    """Each method answers in the schema that Google gives for it."""
    service = client.service
    body = {"summary": "Series", "start": NOON, "end": ONE, "recurrence": ["RRULE:FREQ=DAILY"]}
    made = await client.do(service.events().insert(calendarId="primary", body=body))
    one = {"calendarId": "primary", "eventId": made["id"]}
    channel = {"id": "ch", "type": "web_hook", "address": f"{google.url}/x", "token": "t"}
    window = {"timeMin": "2027-01-11T00:00:00Z", "timeMax": "2027-02-11T00:00:00Z"}
    watch = await client.do(service.events().watch(calendarId="primary", body=channel))
    answers = {
        "Event": [
            made,
            await client.do(service.events().get(**one)),
            await client.do(service.events().patch(**one, body={"summary": "S"})),
            await client.do(service.events().update(**one, body=body)),
            await client.do(
                service.events().import_(calendarId="primary", body={**body, "iCalUID": "x"})
            ),
        ],
        "Events": [
            await client.do(service.events().list(calendarId="primary")),
            await client.do(service.events().instances(**one, **window)),
        ],
        "CalendarList": [await client.do(service.calendarList().list())],
        "CalendarListEntry": [await client.do(service.calendarList().get(calendarId="primary"))],
        "Calendar": [await client.do(service.calendars().get(calendarId="primary"))],
        "FreeBusyResponse": [
            await client.do(
                service.freebusy().query(body={**window, "items": [{"id": "primary"}, {"id": "?"}]})
            )
        ],
        "Channel": [watch],
    }
    for name, found in answers.items():
        for answer in found:
            conforms(answer, {"$ref": name}, name)
    stopped = {"id": watch["id"], "resourceId": watch["resourceId"]}
    assert await client.do(service.channels().stop(body=stopped)) == ""
    assert await client.do(service.events().delete(**one)) == ""
    asked = {entry["route"] for entry in google.world.log}
    assert {route.name for route in google.routes} <= asked, "every method was held to it"


async def test_every_kind_of_event_is_as_described(google: GoogleServer, client: Client) -> None:
    """Whatever event the cases know, as it is listed and as its instances, fits the schema."""
    events = client.service.events()
    window = {"timeMin": "2020-01-01T00:00:00Z", "timeMax": "2030-01-01T00:00:00Z"}
    known = [case for case in CASES if case["name"] != "unknown_event_type"]  # invented
    for number, case in enumerate(known):
        calendar = f"case{number}@group"
        google.world.add_calendar(calendar, {ANA: "owner"})
        for item in case["calendar_items"]:
            google.world.put(calendar, dict(item))
        listed = await client.do(events.list(calendarId=calendar))
        single = await client.do(
            events.list(calendarId=calendar, singleEvents=True, maxResults=20, **window)
        )
        for answer in (listed, single):
            conforms(answer, {"$ref": "Events"}, case["name"])


async def everything(client: Client, **parameters: Any) -> tuple[list[dict[str, Any]], str]:
    """Read all pages of events.list; return the items and the sync token."""
    found: list[dict[str, Any]] = []
    token = None
    while True:
        request = client.service.events().list(
            calendarId=ANA, pageToken=token, singleEvents=False, **parameters
        )
        answer = await client.do(request)
        found += answer["items"]
        token = answer.get("nextPageToken")
        if token is None:
            return found, answer["nextSyncToken"]


async def test_pages_lead_to_a_token_and_that_to_changes(
    google: GoogleServer, client: Client
) -> None:
    """Empty pages on the way, nothing lost; then only what changed, deletions as bare ids."""
    google.world.page_size, google.world.empty_pages = 3, True
    for number in range(10):
        google.world.put(ANA, {"id": f"event{number}", "start": NOON, "end": ONE})
    items, token = await everything(client)
    google.world.remove(ANA, "event3")
    google.world.put(ANA, {"id": "event4", "summary": "New", "start": NOON, "end": ONE})
    changes, _ = await everything(client, syncToken=token)

    assert len({item["id"] for item in items}) == 10
    assert {item["id"]: item["status"] for item in changes} == {
        "event3": "cancelled",
        "event4": "confirmed",
    }
    assert set(changes[0]) == {"kind", "etag", "id", "status"}


async def test_a_token_can_be_too_old_or_wrong(google: GoogleServer, client: Client) -> None:
    """410 for an old token; 400 with other parameters or for what is no token."""
    _, token = await everything(client)
    events = client.service.events()
    assert await client.refused(events.list(calendarId=ANA, syncToken=token, timeMin="x")) == (
        400,
        "syncTokenWithRequestParameters",
    )
    assert await client.refused(
        events.list(calendarId=ANA, syncToken=token, singleEvents=True)
    ) == (400, "badRequest")
    google.world.forget(ANA)

    assert await client.refused(events.list(calendarId=ANA, syncToken=token)) == (
        410,
        "fullSyncRequired",
    )


async def test_a_deleted_id_stays_taken(client: Client) -> None:
    """Insert is 409, get tells of it, delete is 410, patch 403: "confirmed" brings it back."""
    events, body = client.service.events(), {"id": "abcde12345", "start": NOON, "end": ONE}
    one = {"calendarId": ANA, "eventId": body["id"]}
    await client.do(events.insert(calendarId=ANA, body=body))
    await client.do(events.delete(**one))

    assert await client.refused(events.insert(calendarId=ANA, body=body)) == (409, "duplicate")
    assert (await client.do(events.get(**one)))["status"] == "cancelled"
    assert await client.refused(events.delete(**one)) == (410, "deleted")
    assert await client.refused(events.patch(**one, body={"summary": "x"})) == (403, "forbidden")
    back = await client.do(events.patch(**one, body={"status": "confirmed"}))
    assert back["status"] == "confirmed"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"id": "UPPER-case"}, "invalid"),
        ({"id": "wxyz1"}, "invalid"),
        ({"id": "abcde", "iCalUID": "x"}, "invalid"),
        ({"end": NOON, "start": ONE}, "timeRangeEmpty"),
        ({"end": {"date": "2027-01-13"}}, "invalid"),
        ({"start": None}, "required"),
        ({"recurrence": ["RRULE:FREQ=DAILY"], "start": {"dateTime": NOON["dateTime"]}}, "required"),
    ],
)
async def test_a_bad_event_is_refused(client: Client, body: dict[str, Any], reason: str) -> None:
    """Ids, times and zones are checked as Google does."""
    request = client.service.events().insert(
        calendarId=ANA, body={"start": NOON, "end": ONE, **body}
    )

    assert await client.refused(request) == (400, reason)


async def test_a_change_can_hang_on_a_version(client: Client) -> None:
    """If-Match with another etag is 412, and every change makes another one."""
    events = client.service.events()
    made = await client.do(events.insert(calendarId=ANA, body={"start": NOON, "end": ONE}))
    one = {"calendarId": ANA, "eventId": made["id"]}
    changed = await client.do(events.patch(**one, body={"summary": "A"}), If_Match=made["etag"])

    assert changed["etag"] != made["etag"]
    assert await client.refused(
        events.patch(**one, body={"summary": "B"}), If_Match=made["etag"]
    ) == (412, "conditionNotMet")


async def test_roles_and_scopes_decide(google: GoogleServer, client: Client) -> None:
    """No role is 404, too little 403; a scope that was not given is 403, no token 401."""
    events = client.service.events()
    body = {"start": NOON, "end": ONE}
    assert await client.refused(events.list(calendarId="other@x")) == (404, "notFound")
    assert await client.refused(events.list(calendarId="boss@example.com")) == (
        403,
        "requiredAccessLevel",
    )
    assert await client.refused(events.insert(calendarId="team@group", body=body)) == (
        403,
        "requiredAccessLevel",
    )
    narrow = Client(google, frozenset({"https://www.googleapis.com/auth/calendar.readonly"}))
    assert await narrow.refused(events.insert(calendarId=ANA, body=body)) == (
        403,
        "insufficientPermissions",
    )
    google.world.revoke(ANA)
    assert await client.refused(events.list(calendarId=ANA)) == (401, "authError")


async def test_free_or_busy_has_its_limits(client: Client) -> None:
    """50 calendars, 90 days; what cannot be told is an error inside a good answer."""
    ask = client.service.freebusy().query
    week = {"timeMin": "2027-01-11T00:00:00Z", "timeMax": "2027-01-18T00:00:00Z"}
    many = [{"id": str(number)} for number in range(51)]
    year = {"timeMin": "2027-01-11T00:00:00Z", "timeMax": "2027-12-18T00:00:00Z"}
    answer = await client.do(ask(body={**week, "items": [{"id": "nobody"}]}))

    assert await client.refused(ask(body={**week, "items": many})) == (
        400,
        "tooManyCalendarsRequested",
    )
    assert await client.refused(ask(body={**year, "items": []})) == (400, "timeRangeTooLong")
    assert answer["calendars"]["nobody"]["errors"] == [{"domain": "global", "reason": "notFound"}]


async def test_an_instance_can_be_changed_and_deleted(client: Client) -> None:
    """A patch of an instance makes an exception, a delete a tombstone that names its series."""
    events = client.service.events()
    body = {"start": NOON, "end": ONE, "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"], "id": "seri1"}
    await client.do(events.insert(calendarId=ANA, body=body))
    later = {"dateTime": "2027-01-12T15:00:00+01:00", "timeZone": "Europe/Zurich"}
    patch = {"start": later, "end": {**later, "dateTime": "2027-01-12T16:00:00+01:00"}}
    one = "seri1_20270112T110000Z"
    await client.do(events.patch(calendarId=ANA, eventId=one, body=patch))
    await client.do(events.delete(calendarId=ANA, eventId="seri1_20270113T110000Z"))
    items, _ = await everything(client)
    shown = await client.do(events.instances(calendarId=ANA, eventId="seri1", showDeleted=True))

    assert {item["id"]: item["status"] for item in items} == {
        "seri1": "confirmed",
        one: "confirmed",
        "seri1_20270113T110000Z": "cancelled",
    }
    assert len(shown["items"]) == 3


async def test_a_long_address_is_sent_as_a_form(google: GoogleServer, client: Client) -> None:
    """A GET of more than 2048 characters comes as a POST that says what it is."""
    request = client.service.events().list(calendarId=ANA, syncToken="x" * 2100)

    assert await client.refused(request) == (400, "invalid")
    assert google.calls("events.insert") == 0


async def test_faults_happen_before_or_after_the_effect(
    google: GoogleServer, client: Client
) -> None:
    """The log tells what took effect, whatever the caller heard."""
    events = client.service.events()

    async def insert(name: str) -> None:
        body = {"id": name, "start": NOON, "end": ONE}
        with pytest.raises((HttpError, OSError, httplib2.HttpLib2Error)):
            await client.do(events.insert(calendarId=ANA, body=body))

    google.break_with(Fault(route="events.insert", drop="before"))
    await insert("aaaa1")
    google.break_with(Fault(route="events.insert", drop="after"))
    await insert("aaaa2")
    google.break_with(Fault(route="events.insert", status=500))
    await insert("aaaa3")
    google.break_with(Fault(route="events.insert", status=500, effect=True))
    await insert("aaaa4")
    google.break_with(Fault(route="events.insert", drop="late", late=0.05))
    await insert("aaaa5")
    await google.settle()
    google.break_with()

    assert set(google.world.calendars[ANA].events) == {"aaaa2", "aaaa4", "aaaa5"}
    effects = [entry for entry in google.world.log if entry["effect"]]
    assert len(effects) == 3


async def test_a_fault_can_wait_and_end(google: GoogleServer, client: Client) -> None:
    """`skip` calls go well, `times` go wrong, the rest go well again."""
    google.break_with(Fault(route="calendarList.*", skip=1, times=1, status=503))
    ask = client.service.calendarList().list
    await client.do(ask())
    assert await client.refused(ask()) == (503, "backendError")
    await client.do(ask())


async def test_another_process_controls_it(google: GoogleServer, client: Client) -> None:
    """Events, faults and the log are there over HTTP."""
    async with aiohttp.ClientSession(google.url) as session:
        event = {"id": "there", "start": NOON, "end": ONE}
        await session.post(f"/_control/calendars/{ANA}/events", json=event)
        await session.put("/_control/faults", json={"route": "events.list", "status": 500})
        assert (await session.put("/_control/faults", json={"rout": "x"})).status == 400
        request = client.service.events().list(calendarId=ANA)
        assert (await client.refused(request))[0] == 500
        await session.delete("/_control/faults")
        log = await (await session.get("/_control/log")).json()
        items = (await client.do(client.service.events().list(calendarId=ANA)))["items"]

    assert [entry["status"] for entry in log] == [500]
    assert [item["id"] for item in items] == ["there"]
