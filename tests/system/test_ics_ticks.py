"""When a subscription is read: poll times, leases of nodes, hung servers, ticks without news."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.model.connection import Failure
from gateway.model.timerange import MINUTE
from gateway.sandbox.ics_server import Fault, IcsServer
from gateway.services.lease import LEASE_SECONDS
from gateway.services.side_by_side import AT_ONCE
from gateway.storage.engine import SqlStore
from tests.conftest import FakeClock
from tests.ics_world import World, an_ics_world


@pytest.fixture
async def world(sqlite_store: SqlStore, clock: FakeClock) -> AsyncIterator[World]:
    """Run the sync side over SQLite, with a server of subscriptions on loopback."""
    async with an_ics_world(sqlite_store, clock) as made:
        yield made


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
