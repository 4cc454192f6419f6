"""A gateway's sync side beside a server of subscriptions, for tests of what is read from them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Shared
from gateway.adapters.registry import Registry
from gateway.freebusy.busytime import BusyPeriod
from gateway.model.collection import Collection
from gateway.model.connection import HealthState
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, TimeRange
from gateway.sandbox.ics_server import Fault, IcsServer
from gateway.services.connections import ConnectionService, ConnectionState
from gateway.services.freebusy import FreeBusyService
from gateway.services.grants import GrantService
from gateway.services.mails import Postbox
from gateway.services.notices import Notices
from gateway.services.sync import SyncService
from gateway.services.sync_outcome import Outcome
from gateway.storage import schema
from gateway.storage.cipher import KeyRing, new_key
from gateway.storage.engine import SqlStore
from gateway.web.i18n import translate
from tests.builders import an_owner
from tests.conftest import START, FakeClock

WEEK = TimeRange(START, START + 7 * DAY)


@dataclass
class World:
    """A gateway's sync side beside a server of subscriptions."""

    store: SqlStore
    clock: FakeClock
    server: IcsServer
    owner: Owner
    sync: SyncService
    connections: ConnectionService
    freebusy: FreeBusyService
    patient: Callable[..., SyncService]

    def publish(self, *days: int, name: str = "work") -> None:
        """Publish a calendar with an hour at noon on each of these days from now."""
        events = "".join(
            f"BEGIN:VEVENT\r\nUID:day{day}\r\nDTSTAMP:20261101T000000Z\r\nSUMMARY:Day {day}\r\n"
            f"DTSTART:202611{24 + day:02d}T120000Z\r\nDTEND:202611{24 + day:02d}T130000Z\r\n"
            "END:VEVENT\r\n"
            for day in days
        )
        self.server.calendars[name] = (
            f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{events}END:VCALENDAR\r\n"
        ).encode()

    def fail(self, **fault: object) -> None:
        """Break the server's next answers."""
        self.server.faults["work"] = Fault(**fault)

    async def connect(self) -> ConnectionState:
        """Connect the calendar."""
        return await self.connections.connect_ics(self.owner, self.server.url("work"))

    async def tick(self, *, after: int = 60) -> Outcome:
        """Let time pass and read once."""
        self.clock.advance(after)
        async with self.store.read() as tx:
            (connection,) = await tx.connections.of_owner(self.owner.id)
        outcomes: Sequence[Outcome] | None = await self.sync.tick(connection.id)
        assert outcomes is not None
        return outcomes[0]

    @asynccontextmanager
    async def held_back(
        self, *, kept_up_every: float = 0.01
    ) -> AsyncIterator[asyncio.Task[Sequence[Outcome] | None]]:
        """Begin a tick whose answer is on its way until this is left."""
        async with self.store.read() as tx:
            (connection,) = await tx.connections.of_owner(self.owner.id)
        self.fail(delay=60)
        reader = self.patient(kept_up_every=kept_up_every)
        reading = asyncio.create_task(reader.tick(connection.id))
        async with asyncio.timeout(10):
            while not self.server.waiting:
                await asyncio.sleep(0.005)
        yield reading
        self.server.faults.clear()

    async def leased_until(self, instant: int) -> None:
        """Wait until the lease of a tick lasts so long."""
        async with asyncio.timeout(10):
            while True:
                async with self.store.connect() as connection:
                    found = await connection.execute(select(schema.connection.c.lease_until))
                    ((until,),) = found.all()
                    if until >= instant:
                        return
                await asyncio.sleep(0.005)

    async def calendar(self) -> Collection:
        """Return the connected calendar."""
        async with self.store.read() as tx:
            (found,) = await tx.collections.of_owner(self.owner.id)
        return found

    async def state(self) -> HealthState:
        """Return what visitors get."""
        return (await self.calendar()).state(self.clock.now())

    async def busy_days(self) -> list[int]:
        """Return the days from the start on which the gateway says busy at noon."""
        async with self.store.read() as tx:
            collections = await tx.collections.of_owner(self.owner.id)
        periods: Sequence[BusyPeriod] = await self.freebusy.busy(collections, WEEK)
        return [(period.start - START) // DAY for period in periods]


@asynccontextmanager
async def an_ics_world(store: SqlStore, clock: FakeClock) -> AsyncIterator[World]:
    """Run the sync side over a store, with a server of subscriptions on loopback."""
    client = GuardedClient(GuardOptions(allow_private=True), max_seconds=2)
    waiting = GuardedClient(GuardOptions(allow_private=True), max_seconds=60)
    cipher = KeyRing.from_text(new_key())
    sources = Registry(Shared(client=client, clock=clock))
    sync = SyncService(store, clock, sources, cipher)
    postbox = Postbox(cipher, sender="cal@example.org", sends=False)
    notices = Notices(postbox, cipher, translate, public_url="https://meet.example.org")
    grants = GrantService(store, clock, cipher, {}, notices)
    async with store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
    async with IcsServer() as server:
        made = World(
            store=store,
            clock=clock,
            server=server,
            owner=owner,
            sync=sync,
            connections=ConnectionService(store, clock, sources, cipher, sync, grants=grants),
            freebusy=FreeBusyService(store, clock),
            patient=lambda **options: SyncService(
                store,
                clock,
                Registry(Shared(client=waiting, clock=clock)),
                cipher,
                **options,
            ),
        )
        made.publish(1, 2, 3)
        yield made
        await client.close()
        await waiting.close()
