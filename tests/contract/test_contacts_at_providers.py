"""Contacts at simulated Google and Office 365: S10 from an event made there, S11 to one written."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.adapters._shared import Endpoint, Shared
from gateway.adapters.registry import Registry
from gateway.model.collection import Provider
from gateway.model.connection import Health
from gateway.model.contact import Contact
from gateway.model.engagement import Engagement, EngagementState
from gateway.model.local_time import datetime_of
from gateway.model.timerange import DAY, HOUR, Instant
from gateway.services.contacts import ContactService
from gateway.services.engagement_look import Looking
from gateway.services.meetings import MeetingWish
from gateway.services.sync import SyncService, secret_of
from gateway.storage.engine import SqlStore
from tests.booking_desk import TEN, Desk, a_desk, closing
from tests.builders import a_collection, a_connection, an_owner
from tests.conftest import FakeClock
from tests.google_account import ANA, google_source
from tests.graph_account import graph_source

COR = "cor@example.net"
Put = Callable[[Instant, list[str]], None]


@dataclass
class There:
    """A provider's default calendar, and Jane's gateway that is connected to it."""

    desk: Desk
    sync: SyncService
    contacts: ContactService
    cor: Contact
    put: Put
    remove: Callable[[], None]
    live: Callable[[], list[Any]]
    mails: list[tuple[str, str]]

    async def tick(self) -> None:
        """Read the account."""
        connection = self.desk.calendars["work"].connection_id or ""
        outcomes = await self.sync.tick(connection)
        assert outcomes is not None
        assert [one.error for one in outcomes] == [""]

    async def record(self) -> list[Engagement]:
        """Return Cor's engagements."""
        return list(await self.contacts.engagements(self.desk.owner.id, contact_id=self.cor.id))

    async def states(self) -> list[tuple[int, EngagementState]]:
        """Return start and state of each."""
        return [(one.start, one.state) for one in await self.record()]

    async def make(self) -> Engagement:
        """Make a meeting with Cor on the record."""
        wish = MeetingWish(contact_id=self.cor.id, title="Tea", start=TEN, duration=30)
        return await self.desk.meetings.make(self.desk.owner, wish)


@asynccontextmanager
async def connected(
    store: SqlStore, clock: FakeClock, shared: Shared, provider: Provider, upstream: str
) -> AsyncIterator[tuple[Desk, SyncService, ContactService, Contact]]:
    """Connect a provider's calendar as the default, sync on, with one contact."""
    async with store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
    sources: Any = Registry(shared)
    made = await a_desk(store, clock, owner, local=(), default=None, sources=sources)
    connection = a_connection(owner.id, provider=provider.value, account="there")
    async with closing(made) as desk:
        async with store.write() as tx:
            await tx.connections.add(connection)
            sealed = desk.cipher.seal(b"x", bound_to=secret_of(connection.id))
            await tx.connections.set_secret(connection.id, sealed)
            work = a_collection(
                owner.id, connection_id=connection.id, provider=provider, upstream_id=upstream
            )
            desk.calendars["work"] = kept = await tx.collections.add(work)
            await tx.collections.set_health(kept.id, Health(last_success_at=clock.now()))
            await tx.owners.set_default(owner.id, kept.id)
            await tx.owners.save_settings(owner.id, replace(owner.settings, calendar_sync=True))
        contacts = ContactService(store, clock, Looking(store, clock))
        sync = SyncService(store, clock, sources, desk.cipher)
        draft = Contact(id="", owner_id=owner.id, email=COR)
        yield desk, sync, contacts, await contacts.add(desk.owner, draft)


def written(instant: Instant) -> str:
    """Return an instant as both providers write it."""
    return datetime_of(instant).isoformat()


@asynccontextmanager
async def at_google(store: SqlStore, clock: FakeClock) -> AsyncIterator[There]:
    """Run a simulated Google."""
    async with google_source(clock=clock, seconds=10.0) as source:
        world = source.server.world
        shared = Shared(
            client=source.client,
            clock=clock,
            tokens=lambda _: source.tokens,
            google=Endpoint(url=source.server.url),
        )

        def put(start: Instant, people: list[str]) -> None:
            times = {
                name: {"dateTime": f"{written(at)}Z", "timeZone": "UTC"}
                for name, at in (("start", start), ("end", start + HOUR))
            }
            guests = [{"email": one, "responseStatus": "needsAction"} for one in people]
            event = {"id": "event", "summary": "Fair", "attendees": guests, **times}
            world.put(ANA, {"organizer": {"email": ANA, "self": True}, **event})

        async with connected(store, clock, shared, Provider.GOOGLE, ANA) as (desk, *rest):
            yield There(
                desk,
                *rest,
                put=put,
                remove=lambda: world.remove(ANA, "event"),
                live=lambda: world.live(ANA),
                mails=world.mails,
            )


@asynccontextmanager
async def at_microsoft(store: SqlStore, clock: FakeClock) -> AsyncIterator[There]:
    """Run a simulated Microsoft."""
    async with graph_source(clock=clock, seconds=10.0) as source:
        world, calendar = source.server.world, source.calendar_id

        def put(start: Instant, people: list[str]) -> None:
            times = {
                name: {"dateTime": written(at), "timeZone": "UTC"}
                for name, at in (("start", start), ("end", start + HOUR))
            }
            guests = [{"type": "required", "emailAddress": {"address": one}} for one in people]
            event = {"id": "event", "iCalUId": "event", "subject": "Fair", "showAs": "busy"}
            world.put(calendar, {**event, "attendees": guests, **times})

        shared = source.shared()
        async with connected(store, clock, shared, Provider.MICROSOFT, calendar) as (desk, *rest):
            yield There(
                desk,
                *rest,
                put=put,
                remove=lambda: world.remove(calendar, "event"),
                live=lambda: world.live(calendar),
                mails=world.mails,
            )


PLACES = {"google": at_google, "microsoft": at_microsoft}


@pytest.fixture(params=sorted(PLACES))
async def there(
    request: pytest.FixtureRequest, sqlite_store: SqlStore, clock: FakeClock
) -> AsyncIterator[There]:
    """Open Jane's gateway at each provider in turn."""
    async with PLACES[request.param](sqlite_store, clock) as opened:
        yield opened


async def test_an_event_made_there_is_followed(there: There) -> None:
    """S10: one engagement; synced again it is one; moved, it moves; gone, it is off."""
    there.put(TEN, [COR.upper()])
    await there.tick()
    (first,) = await there.record()
    await there.tick()
    assert await there.record() == [first]
    assert (first.title, first.start, first.state) == ("Fair", TEN, EngagementState.SCHEDULED)

    there.put(TEN + DAY, [COR, "ann@example.net"])
    await there.tick()
    assert await there.states() == [(TEN + DAY, EngagementState.SCHEDULED)]

    there.put(TEN + DAY, ["ann@example.net"])
    await there.tick()
    assert await there.states() == [(TEN + DAY, EngagementState.CANCELLED)]

    there.put(TEN, [COR])
    await there.tick()
    there.remove()
    await there.tick()
    assert await there.states() == [(TEN, EngagementState.CANCELLED)]
    assert [one.id for one in await there.record()] == [first.id]


async def test_a_meeting_made_here_invites_once(there: There) -> None:
    """S11: the event has the contact as attendee, the provider invites once, we do not."""
    made = await there.make()
    await there.tick()
    await there.tick()

    assert len(there.live()) == 1
    assert COR in str(there.live()[0]["attendees"])
    assert there.mails == [("invitation", COR)]
    assert [one.id for one in await there.record()] == [made.id]

    await there.desk.meetings.cancel(there.desk.owner, made.id)
    await there.desk.outbox.settle()
    await there.tick()
    assert there.live() == []
    assert there.mails == [("invitation", COR), ("cancellation", COR)]
    assert await there.desk.mails() == []
    assert await there.states() == [(TEN, EngagementState.CANCELLED)]


async def test_a_booking_of_a_contact_is_one_engagement(there: There) -> None:
    """A contact who books has one engagement, though the event there names no attendee."""
    opened = (await there.desk.starts())[0]
    await there.desk.book(opened, email=COR)
    await there.tick()
    await there.tick()

    assert await there.states() == [(opened, EngagementState.SCHEDULED)]
    assert there.mails == []
