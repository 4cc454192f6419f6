"""A subscription under faults: health by the table of CONTRACT.md, the last good copy kept."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Shared
from gateway.adapters.registry import Registry
from gateway.errors import Conflict, Invalid, NotFound
from gateway.freebusy.busytime import BusyPeriod
from gateway.model.collection import Collection
from gateway.model.connection import Failure, HealthState
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, HOUR, MINUTE, TimeRange
from gateway.sandbox.ics_server import Fault, IcsServer
from gateway.services.connections import ConnectionService, ConnectionState
from gateway.services.freebusy import FreeBusyService
from gateway.services.grants import GrantService
from gateway.services.lease import LEASE_SECONDS
from gateway.services.mails import Postbox
from gateway.services.notices import Notices
from gateway.services.side_by_side import AT_ONCE
from gateway.services.sync import SyncService
from gateway.services.sync_outcome import Outcome
from gateway.services.sync_plan import RECHECK_AFTER
from gateway.storage import schema
from gateway.storage.cipher import KeyRing, new_key
from gateway.storage.engine import SqlStore
from gateway.web.i18n import translate
from tests.builders import an_owner
from tests.conftest import START, FakeClock

WEEK = TimeRange(START, START + 7 * DAY)
WORKING, STALE, NO_ACCESS = HealthState.WORKING, HealthState.STALE, HealthState.NO_ACCESS


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
                    if found.scalar_one() >= instant:
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


@pytest.fixture
async def world(sqlite_store: SqlStore, clock: FakeClock) -> AsyncIterator[World]:
    """Run the sync side over SQLite, with a server of subscriptions on loopback."""
    client = GuardedClient(GuardOptions(allow_private=True), max_seconds=2)
    waiting = GuardedClient(GuardOptions(allow_private=True), max_seconds=60)
    cipher = KeyRing.from_text(new_key())
    sources = Registry(Shared(client=client, clock=clock))
    sync = SyncService(sqlite_store, clock, sources, cipher)
    postbox = Postbox(cipher, sender="cal@example.org", sends=False)
    notices = Notices(postbox, cipher, translate, public_url="https://meet.example.org")
    grants = GrantService(sqlite_store, clock, cipher, {}, notices)
    async with sqlite_store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
    async with IcsServer() as server:
        made = World(
            store=sqlite_store,
            clock=clock,
            server=server,
            owner=owner,
            sync=sync,
            connections=ConnectionService(
                sqlite_store, clock, sources, cipher, sync, grants=grants
            ),
            freebusy=FreeBusyService(sqlite_store, clock),
            patient=lambda **options: SyncService(
                sqlite_store,
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


async def test_a_connected_calendar_blocks_at_once(world: World) -> None:
    """Connecting reads the calendar: its events are busy, it is selected and working."""
    state = await world.connect()

    assert [item.state for item in state.calendars] == [WORKING]
    assert state.calendars[0].collection.selected
    assert state.connection.account == "127.0.0.1"
    assert await world.busy_days() == [1, 2, 3]


async def test_a_change_upstream_moves_the_busy_time(world: World) -> None:
    """A new event blocks after a tick; a deleted one no longer does (S01)."""
    await world.connect()
    world.publish(1, 2, 4)
    outcome = await world.tick()

    assert (outcome.changed, outcome.removed) == (1, 1)
    assert await world.busy_days() == [1, 2, 4]


async def test_the_only_event_can_be_deleted(world: World) -> None:
    """Deleting the only event is looked at twice within one tick and then believed (S01)."""
    world.publish(1)
    await world.connect()
    before = world.server.hits("work")
    world.publish()
    await world.tick()

    assert await world.busy_days() == []
    assert world.server.hits("work") == before + 2


async def test_an_unchanged_calendar_is_asked_with_its_etag(world: World) -> None:
    """The second read costs a 304 and changes nothing."""
    await world.connect()
    revision = (await world.calendar()).revision
    outcome = await world.tick()

    assert world.server.requests[-1] == ("work", 304)
    assert (outcome.changed, outcome.removed) == (0, 0)
    assert (await world.calendar()).revision == revision


TRANSIENT = [
    {"status": 500},
    {"status": 503},
    {"status": 429},
    {"html": True},
    {"truncate": 120},
    {"cut": 100},
    {"gzip_bomb": True},
    {"redirect": "http://169.254.169.254/latest"},
]


@pytest.mark.parametrize("fault", TRANSIENT, ids=str)
async def test_a_transient_failure_keeps_the_last_good_copy(
    world: World, fault: dict[str, object]
) -> None:
    """The calendar becomes stale, its busy time stays, and one good read mends it."""
    await world.connect()
    world.fail(**fault)
    outcome = await world.tick()
    days, state = await world.busy_days(), await world.state()
    world.server.faults.clear()
    await world.tick()

    assert outcome.error
    assert (days, state) == ([1, 2, 3], STALE)
    assert await world.state() is WORKING


async def test_a_stale_subscription_is_borne_for_a_day(world: World) -> None:
    """A subscription fails for just under 24 hours and is stale; then it is no access."""
    await world.connect()
    world.fail(status=503)
    await world.tick()
    await world.tick(after=24 * HOUR - 1)
    almost = await world.state()
    await world.tick(after=1)

    assert almost is STALE
    assert await world.state() is NO_ACCESS
    assert await world.busy_days() == [1, 2, 3]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_denial_is_no_access_at_once(world: World, status: int) -> None:
    """A refused sign-in, or a denial that a second try confirms, is a loss within one tick."""
    await world.connect()
    world.fail(status=status)
    await world.tick()

    assert await world.state() is NO_ACCESS
    assert await world.busy_days() == [1, 2, 3]


class Once(dict[str, Fault]):
    """Faults that break one answer each."""

    def get(self, name: str, default: Fault) -> Fault:  # type: ignore[override]
        """Return a fault for the last time."""
        return self.pop(name, default)


@pytest.mark.parametrize("status", [403, 404])
async def test_one_denial_is_not_believed(world: World, status: int) -> None:
    """A denial that the second try of the same tick does not confirm is no loss."""
    await world.connect()
    world.server.faults = Once(work=Fault(status=status))
    world.publish(1, 2)
    asked = world.server.hits("work")
    outcome = await world.tick()

    assert outcome.error == ""
    assert world.server.hits("work") == asked + 2
    assert await world.state() is WORKING
    assert await world.busy_days() == [1, 2]


async def test_a_loss_is_not_undone_by_another_failure(world: World) -> None:
    """A 503 after a confirmed 404 does not make the calendar merely stale again."""
    await world.connect()
    world.fail(status=404)
    await world.tick()
    world.fail(status=503)
    await world.tick()

    assert await world.state() is NO_ACCESS


async def test_access_granted_again_mends_at_the_next_tick(world: World) -> None:
    """After a loss one good read makes the calendar work, without a restart (S31)."""
    state = await world.connect()
    world.fail(status=403)
    await world.tick()
    world.server.faults.clear()
    await world.connections.check(world.owner.id, state.connection.id)

    assert await world.state() is WORKING


async def test_removing_the_connection_frees_its_time(world: World) -> None:
    """A removed subscription blocks nothing any more (S26, S31)."""
    state = await world.connect()
    await world.connections.remove(world.owner.id, state.connection.id)

    assert await world.busy_days() == []
    assert await world.connections.list(world.owner.id) == []


async def test_an_empty_answer_is_not_believed_for_five_minutes(world: World) -> None:
    """A sudden answer of "no events" frees nothing until it has lasted five minutes."""
    await world.connect()
    world.fail(empty=True)
    first = await world.tick()
    held = await world.busy_days()
    await world.tick(after=RECHECK_AFTER - 1)
    still_held = await world.busy_days()
    await world.tick(after=1)

    assert "disappeared" in first.error
    assert held == still_held == [1, 2, 3]
    assert await world.busy_days() == []
    assert await world.state() is WORKING


async def test_a_passing_empty_answer_leaves_no_trace(world: World) -> None:
    """When the events are back within five minutes, nothing was ever free."""
    await world.connect()
    revision = (await world.calendar()).revision
    world.fail(empty=True)
    await world.tick()
    world.server.faults.clear()
    await world.tick()

    assert await world.busy_days() == [1, 2, 3]
    assert (await world.calendar()).revision == revision
    assert await world.state() is WORKING


async def test_going_down_and_coming_back_are_told_once(world: World) -> None:
    """Five failures in a row are one line in the owner's trail, and the recovery is another."""
    await world.connect()
    world.fail(status=500)
    for _ in range(5):
        await world.tick()
    world.server.faults.clear()
    await world.tick()
    async with world.store.read() as tx:
        trail = [event for _, event, _ in await tx.notices.trail(world.owner.id)]

    assert sorted(trail) == ["connection.added", "sync.failing", "sync.recovered"]


async def test_a_connection_comes_due_after_its_poll_time(world: World) -> None:
    """Within the poll time nothing is asked; after it the worker's loop reads again."""
    await world.connect()
    hits = world.server.hits("work")
    world.clock.advance(59)
    await world.sync.run_due()
    early = world.server.hits("work")
    world.clock.advance(1)
    await world.sync.run_due()

    assert (early, world.server.hits("work")) == (hits, hits + 1)


async def test_a_hung_server_holds_up_no_other(world: World) -> None:
    """While as many calendars as are read at once wait for an answer, another one is read."""
    sync = world.patient(patience=0.01)
    async with IcsServer() as hung:
        for at in range(AT_ONCE):
            hung.calendars[f"slow{at}"] = world.server.calendars["work"]
            await world.connections.connect_ics(world.owner, hung.url(f"slow{at}"))
            hung.faults[f"slow{at}"] = Fault(delay=60)
        await world.connect()
        hits, answered = world.server.hits("work"), len(hung.requests)
        world.clock.advance(60)
        await sync.run_due()
        async with asyncio.timeout(30):
            while world.server.hits("work") == hits:
                await asyncio.sleep(0.01)
        meanwhile = len(hung.requests) - answered
        await sync.stop()

    assert meanwhile == 0


async def test_a_wish_to_wait_is_obeyed(world: World) -> None:
    """Retry-After moves the next read, ten minutes at most."""
    await world.connect()
    world.fail(status=503, retry_after="5000")
    await world.tick()
    hits = world.server.hits("work")
    world.clock.advance(10 * MINUTE - 1)
    await world.sync.run_due()
    early = world.server.hits("work")
    world.clock.advance(1)
    await world.sync.run_due()

    assert (early, world.server.hits("work")) == (hits, hits + 1)


async def test_a_lease_keeps_other_nodes_away(world: World) -> None:
    """While another node holds the lease, a tick does nothing and says so."""
    state = await world.connect()
    async with world.store.write() as tx:
        lease = await tx.connections.lease(state.connection.id, "other", world.clock.now(), 60)

    assert lease is not None
    assert await world.sync.tick(state.connection.id) is None


async def test_a_dead_reader_holds_up_the_others_for_a_minute(world: World) -> None:
    """The lease of a process that was killed in a tick has run out after a minute."""
    state = await world.connect()
    async with world.store.write() as tx:
        now = world.clock.now()
        assert await tx.connections.lease(state.connection.id, "dead", now, LEASE_SECONDS)
    world.clock.advance(MINUTE)

    assert await world.sync.tick(state.connection.id) is not None


async def test_a_long_tick_keeps_its_lease(world: World) -> None:
    """A tick that lasts longer than its lease is left alone by the other nodes, and applied."""
    state = await world.connect()
    world.publish(1, 2, 5)
    async with world.held_back() as reading:
        for _ in range(2):
            world.clock.advance(LEASE_SECONDS - 1)
            await world.leased_until(world.clock.now() + LEASE_SECONDS)
        other = await world.sync.tick(state.connection.id)

    assert other is None
    outcomes = await reading
    assert outcomes is not None
    assert outcomes[0].changed == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 404}, "no longer at this address"),
        ({"status": 401}, "sign-in"),
        ({"html": True}, "web page"),
        ({"truncate": 120}, "broke off"),
    ],
    ids=str,
)
async def test_what_cannot_be_read_is_not_connected(
    world: World, fault: dict[str, object], words: str
) -> None:
    """An address that gives no calendar is refused with the reason and leaves nothing."""
    world.fail(**fault)
    with pytest.raises(Invalid) as refused:
        await world.connect()

    assert words in refused.value.fields["url"]
    assert await world.connections.list(world.owner.id) == []


@pytest.mark.parametrize("url", ["", "ftp://example.org/x.ics", "not a url", "http://"])
async def test_what_is_no_address_is_not_connected(world: World, url: str) -> None:
    """Text that is no web address is refused as the field it was typed into."""
    with pytest.raises(Invalid) as refused:
        await world.connections.connect_ics(world.owner, url)

    assert list(refused.value.fields) == ["url"]


async def test_the_same_address_is_connected_once(world: World) -> None:
    """A second connection to the same calendar would block its time twice."""
    await world.connect()
    with pytest.raises(Conflict):
        await world.connect()


async def test_another_owners_connection_does_not_exist(world: World) -> None:
    """Checking or removing somebody else's connection looks like a missing one."""
    state = await world.connect()
    with pytest.raises(NotFound):
        await world.connections.check(world.owner.id + 1, state.connection.id)
    with pytest.raises(NotFound):
        await world.connections.remove(world.owner.id + 1, state.connection.id)


async def test_the_address_is_kept_sealed(world: World, data_dir: Path) -> None:
    """No file of the database holds the address, whose path and login are secrets."""
    world.publish(1, name="canary-path")
    url = world.server.url("canary-path").replace("//", "//jane:canary-pass@")
    await world.connections.connect_ics(world.owner, url)
    await world.tick()
    stored = b"".join(path.read_bytes() for path in data_dir.iterdir())

    assert b"day1" in stored
    assert b"canary" not in stored


async def test_a_tick_without_news_writes_twice(world: World, monkeypatch) -> None:
    """It takes its lease, and gives it back with the health of every calendar read."""
    await world.connect()
    begun = []
    write = SqlStore.write

    def counted(store: SqlStore, **options: int | None) -> object:
        begun.append(options)
        return write(store, **options)

    monkeypatch.setattr(SqlStore, "write", counted)
    outcome = await world.tick()
    monkeypatch.undo()

    assert not outcome.error
    assert len(begun) == 2
    assert (await world.calendar()).health.last_success_at == world.clock.now()


async def test_a_lost_lease_stores_nothing_of_a_quiet_tick(world: World) -> None:
    """A tick whose lease went to another node meanwhile does not say that it has read."""
    state = await world.connect()
    before = (await world.calendar()).health
    async with world.held_back(kept_up_every=MINUTE) as reading:
        world.clock.advance(LEASE_SECONDS + 1)
        async with world.store.write() as tx:
            now = world.clock.now()
            assert await tx.connections.lease(state.connection.id, "another", now, LEASE_SECONDS)
    await reading

    assert (await world.calendar()).health == before


async def test_a_quiet_tick_leaves_what_was_judged_meanwhile(world: World) -> None:
    """A calendar whose account was refused while it was read is not working again by that read."""
    await world.connect()
    async with world.held_back() as reading:
        calendar = await world.calendar()
        refused = calendar.health.failed(
            Failure.SIGN_IN_NEEDED, "Sign in again.", world.clock.now()
        )
        async with world.store.write(owner_id=world.owner.id) as tx:
            await tx.collections.set_health(calendar.id, refused)
    await reading

    assert (await world.calendar()).health == refused
