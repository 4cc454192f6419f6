"""The whole way: simulated Google, consent, sync, and out again by CalDAV and the booking page."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.config import Providers
from gateway.model.connection import HealthState
from gateway.model.page import WEEKDAYS
from gateway.model.principal import CredentialKind, Owner
from gateway.model.timerange import HOUR, TimeRange, format_utc, merge, to_instant
from gateway.sandbox.google import Fault, GoogleServer
from tests.connecting import registration
from tests.dav_desk import dav_client
from tests.owner_desk import OwnerDesk, owner_desk
from tests.sandbox_watch import tolerate

CASES = json.loads((Path(__file__).parents[1] / "cases" / "google.json").read_text())["cases"]
JANE = "jane@gmail.example"
REVIEW = "/settings/calendar/connect/google/review"


@dataclass
class World:
    """A gateway that is registered with a simulated Google where Jane has an account."""

    desk: OwnerDesk
    google: GoogleServer
    jane: Owner

    async def connect(self) -> None:
        """Connect Jane's account through disclosure and consent."""
        async with self.desk.signed_in() as browser:
            page = await browser.send((await browser.open(REVIEW)).form(REVIEW))
            [form] = page.forms
            there = f"{page.url.with_query(None)}{form.action}"
            page = await browser.post(there, [*form.fields, ("answer", "allow")])
            assert page.url.path == "/dashboard", page.text
        # A large account is still being read when its owner is back.
        async with asyncio.timeout(60):
            while not await self.is_read():
                await asyncio.sleep(0.05)

    async def tick(self) -> None:
        """Read every connection now."""
        await self.desk.services.connections.sync(self.jane.id)

    async def is_read(self) -> bool:
        """Tell whether every calendar has been read."""
        now = self.desk.services.clock.now()
        calendars = (await self.desk.calendars(self.jane)).values()
        return all(one.state(now) is HealthState.WORKING for one in calendars)

    async def busy(self, window: TimeRange) -> list[tuple[int, int]]:
        """Return when Jane is busy."""
        service = self.desk.services.freebusy
        selected = await service.selected(self.jane.id)
        return [(one.start, one.end) for one in await service.busy(selected, window)]


@pytest.fixture
async def world(data_dir: Path) -> AsyncIterator[World]:
    """Run both, nothing connected yet."""
    async with GoogleServer() as google:
        google.world.add_account(JANE)
        providers = Providers(google=registration(google))
        async with owner_desk(data_dir, providers=providers) as desk:
            yield World(desk, google, await desk.owner())


def _instant(text: str) -> int:
    return to_instant(datetime.fromisoformat(text))


def _window(case: dict[str, Any]) -> TimeRange:
    start, end = case["expect"]["window_utc"]
    return TimeRange(_instant(start), _instant(end))


async def test_every_case_is_busy_when_it_should_be(world: World) -> None:
    """All strict cases, a calendar each: free-busy-query tells the expected times and types."""
    tolerate("one case holds a kind of event that Google may have some day")
    cases = [case for case in CASES if case["strict"]]
    for case in cases:
        calendar = case["calendar"]
        made = world.google.world.add_calendar(
            case["name"], {JANE: calendar["accessRole"]}, time_zone=calendar["timeZone"]
        )
        made.reminders = calendar["defaultReminders"]
        for item in case["calendar_items"]:
            world.google.world.put(case["name"], item)
    world.google.world.page_size = 2
    await world.connect()
    calendars = await world.desk.calendars(world.jane)
    unions, types = {}, {}
    async with dav_client(world.desk, world.jane) as dav:
        for case in cases:
            window = _window(case)
            told = f'start="{format_utc(window.start)}" end="{format_utc(window.end)}"'
            answer = await dav.report(
                f"{dav.home}{calendars[case['name']].name}/",
                f"<C:free-busy-query {{DECLARED}}><C:time-range {told}/></C:free-busy-query>",
            )
            periods = [
                (kind, *map(_instant, period.split("/")))
                for line in answer.text.replace("\r\n ", "").splitlines()
                if line.startswith("FREEBUSY;FBTYPE=")
                for kind, _, values in [line.removeprefix("FREEBUSY;FBTYPE=").partition(":")]
                for period in values.split(",")
            ]
            unions[case["name"]] = merge((start, end) for _, start, end in periods)
            types[case["name"]] = {kind for kind, _, _ in periods}

    assert unions == {
        case["name"]: [(_instant(low), _instant(high)) for low, high in case["expect"]["busy_utc"]]
        for case in cases
    }
    assert types == {
        case["name"]: {
            one["fbtype"]
            for one in case["expect"]["instances_utc"]
            if one["fbtype"] != "FREE" and one["start"] != one["end"]
        }
        for case in cases
    }


def _tomorrow(hour: int) -> tuple[int, dict[str, str]]:
    """Return an hour two days ahead, as an instant and as Google writes it."""
    day = datetime.now(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
    moment = day + timedelta(days=2)
    return to_instant(moment), {"dateTime": moment.isoformat(), "timeZone": "UTC"}


async def test_an_event_upstream_blocks_until_it_is_gone(world: World) -> None:
    """S01: put there and synced it is busy here, moved it moves, deleted it is free."""
    await world.connect()
    (ten, start), (eleven, end), (noon, later) = _tomorrow(10), _tomorrow(11), _tomorrow(12)
    window = TimeRange(ten - HOUR, noon + HOUR)
    world.google.world.put(JANE, {"id": "dentist", "start": start, "end": end})
    await world.tick()
    assert await world.busy(window) == [(ten, eleven)]
    world.google.world.put(JANE, {"id": "dentist", "start": end, "end": later})
    await world.tick()
    assert await world.busy(window) == [(eleven, noon)]
    world.google.world.remove(JANE, "dentist")
    await world.tick()
    assert await world.busy(window) == []


async def test_an_event_imported_again_replaces_its_twin(world: World) -> None:
    """Another id with the same UID in a later read: the newer one counts, and nothing fails."""
    await world.connect()
    (ten, start), (eleven, end), (noon, later) = _tomorrow(10), _tomorrow(11), _tomorrow(12)
    twin = {"iCalUID": "twin@example.org"}
    world.google.world.put(JANE, {"id": "first", "start": start, "end": end, **twin})
    await world.tick()
    world.google.world.put(JANE, {"id": "second", "start": end, "end": later, **twin})
    await world.tick()

    assert await world.busy(TimeRange(ten, noon)) == [(eleven, noon)]
    assert await world.is_read()


async def _slots(session: aiohttp.ClientSession, page_id: str) -> list[str]:
    first = datetime.now(UTC).date()
    days = {"from": str(first), "to": str(first + timedelta(days=14)), "tz": "UTC"}
    async with session.get(
        f"/api/v1/pages/{page_id}/slots", params={**days, "duration": "30"}
    ) as answer:
        return [slot["start"] for slot in (await answer.json())["slots"]]


async def _book(session: aiohttp.ClientSession, page_id: str, start: str) -> tuple[int, Any]:
    body = {
        "start": start,
        "duration": 30,
        "time_zone": "UTC",
        "name": "Vera",
        "email": "vera@example.net",
        "answers": {},
        "guests": [],
    }
    headers = {"Idempotency-Key": start}
    url = f"/api/v1/pages/{page_id}/bookings"
    async with session.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_booking_is_written_to_the_default_calendar_only(world: World) -> None:
    """S28: one insert into the default calendar; a cancel deletes it; nothing elsewhere."""
    world.google.world.add_calendar("team@group", {JANE: "owner"})
    await world.connect()
    page = await world.desk.page(world.jane, durations=(30,))
    async with aiohttp.ClientSession(world.desk.url) as session:
        start = (await _slots(session, page.id))[0]
        status, booked = await _book(session, page.id, start)
        assert (status, booked["state"]) == (201, "confirmed")
        (event,) = world.google.world.live(JANE)
        await world.tick()
        assert start not in await _slots(session, page.id)
        await world.desk.services.bookings.cancel_as_owner(world.jane.id, booked["id"])
        await world.desk.services.bookings.reconcile()

    effects = [entry for entry in world.google.world.log if entry.get("effect")]
    assert _instant(event["start"]["dateTime"]) == _instant(start)
    assert event["extendedProperties"]["private"]["calgateBooking"]
    assert {entry["calendar"] for entry in effects if "calendar" in entry} == {JANE}


@pytest.mark.parametrize("loss", ["unshared", "revoked", "forbidden", "scope"])
async def test_lost_access_stops_bookings_until_it_is_back(world: World, loss: str) -> None:
    """S29, S31: one lost calendar and nobody can book; given back, slots return with a tick."""
    world.google.world.add_calendar("team@group", {JANE: "reader"}, summary="Team")
    await world.connect()
    team = (await world.desk.calendars(world.jane))["Team"]
    await world.desk.services.objects.update_collection(world.jane, replace(team, selected=True))
    page = await world.desk.page(world.jane, durations=(30,))
    async with aiohttp.ClientSession(world.desk.url) as session:
        before = await _slots(session, page.id)
        assert before
        roles = world.google.world.calendars["team@group"].roles
        if loss == "unshared":
            roles.clear()
        elif loss == "revoked":
            world.google.world.revoke(JANE)
        else:
            reason = "insufficientPermissions" if loss == "scope" else "forbidden"
            world.google.break_with(Fault(route="events.list", status=403, reason=reason))
        await world.tick()
        assert await _slots(session, page.id) == []
        status, refusal = await _book(session, page.id, before[0])
        assert (status, refusal["code"]) == (409, "calendar_unavailable")
        assert not any(entry.get("effect") for entry in world.google.world.log)
        world.google.break_with()
        roles[JANE] = "reader"
        if loss == "revoked":
            await world.connect()
        await world.tick()
        assert await _slots(session, page.id) == before


async def test_what_an_owner_said_does_not_block_is_booked(world: World) -> None:
    """S25: a time offered beside an all-day event is booked; the last look has the same rule."""
    await world.connect()
    day = datetime.now(UTC).date() + timedelta(days=2)
    days = {"start": {"date": str(day)}, "end": {"date": str(day + timedelta(days=1))}}
    world.google.world.put(JANE, {"id": "conference", **days})
    await world.tick()
    every_day = dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),))
    page = await world.desk.page(world.jane, durations=(30,), weekly_hours=every_day, min_notice=0)
    (calendar,) = (await world.desk.calendars(world.jane)).values()
    _, token = await world.desk.services.owners.add_credential(
        world.jane.id, CredentialKind.API_TOKEN, "test"
    )
    wanted = f"{day}T12:00:00Z"
    async with aiohttp.ClientSession(world.desk.url) as session:
        assert wanted not in await _slots(session, page.id)
        async with session.patch(
            f"/api/v1/calendars/{calendar.public_id}",
            json={"rules": {"all_day_blocks": False}},
            headers={"Authorization": f"Bearer {token}"},
        ) as answer:
            assert answer.status == 200, await answer.text()
        assert wanted in await _slots(session, page.id)
        status, booked = await _book(session, page.id, wanted)

    assert (status, booked.get("state")) == (201, "confirmed"), booked
