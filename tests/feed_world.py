"""The feeds of a gateway over HTTP, read as other programs read them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import icalendar
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from gateway.model.collection import Collection
from gateway.model.feed import Feed, Visibility
from gateway.model.principal import Owner
from gateway.services.feeds import FeedService
from gateway.services.freebusy import FreeBusyService
from gateway.services.objects import ObjectService
from gateway.services.tokens import new_id
from gateway.storage.cipher import KeyRing, new_key
from gateway.storage.engine import SqlStore
from gateway.web.feeds import routes
from tests.builders import a_collection, an_owner
from tests.conftest import FakeClock


@dataclass
class World:
    """A gateway's feeds over HTTP, with one owner and one calendar."""

    store: SqlStore
    clock: FakeClock
    owner: Owner
    home: Collection
    feeds: FeedService
    objects: ObjectService
    client: TestClient[web.Request, web.Application]
    count: int = 0

    async def put(self, data: bytes, *, name: str = "", calendar: Collection | None = None) -> None:
        """Store an event."""
        self.count += 1
        where = calendar or self.home
        await self.objects.put(self.owner, where, name or f"{self.count}.ics", data)

    async def calendar(self, **values: object) -> Collection:
        """Add a second calendar."""
        async with self.store.write() as tx:
            made = a_collection(self.owner.id, name=new_id("c"), **values)
            return await tx.collections.add(made)

    async def feed(self, show: str = "busy", calendars: tuple[str, ...] = ()) -> tuple[Feed, str]:
        """Add a feed; return it and its path without ending."""
        feed, token = await self.feeds.add(
            self.owner, label="Mine", visibility=Visibility(show), calendars=calendars
        )
        return feed, f"/feeds/{token}"

    async def get(self, path: str, **headers: str) -> ClientResponse:
        """Ask for a path; header names are given with underscores."""
        plain = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(path, headers={"Accept-Encoding": "identity"} | plain)

    async def events(self, path: str) -> list[icalendar.Event]:
        """Read a feed with the icalendar package."""
        answer = await self.get(f"{path}.ics")
        assert answer.status == 200, await answer.text()
        return list(icalendar.Calendar.from_ical(await answer.read()).walk("VEVENT"))


@asynccontextmanager
async def feed_world(sqlite_store: SqlStore, clock: FakeClock) -> AsyncIterator[World]:
    """Serve the feeds of a gateway over SQLite."""
    async with sqlite_store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
        home = await tx.collections.add(a_collection(owner.id))
    freebusy = FreeBusyService(sqlite_store, clock)
    feeds = FeedService(sqlite_store, clock, freebusy, KeyRing.from_text(new_key()))
    app = web.Application()
    app.add_routes(routes(SimpleNamespace(feeds=feeds, clock=clock)))
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        yield World(
            store=sqlite_store,
            clock=clock,
            owner=owner,
            home=home,
            feeds=feeds,
            objects=ObjectService(sqlite_store, clock),
            client=client,
        )


def times(events: list[icalendar.Event]) -> list[tuple[str, str]]:
    """Return start and end of each event."""
    return [
        (event["DTSTART"].to_ical().decode(), event["DTEND"].to_ical().decode()) for event in events
    ]
