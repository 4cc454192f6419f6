"""A subscription under faults: health by the table of CONTRACT.md, the last good copy kept."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import Conflict, Invalid, NotFound
from gateway.model.connection import HealthState
from gateway.model.timerange import HOUR
from gateway.sandbox.ics_server import Fault
from gateway.services.sync_plan import RECHECK_AFTER
from gateway.storage.engine import SqlStore
from tests.conftest import FakeClock
from tests.ics_world import World, an_ics_world

WORKING, STALE, NO_ACCESS = HealthState.WORKING, HealthState.STALE, HealthState.NO_ACCESS


@pytest.fixture
async def world(sqlite_store: SqlStore, clock: FakeClock) -> AsyncIterator[World]:
    """Run the sync side over SQLite, with a server of subscriptions on loopback."""
    async with an_ics_world(sqlite_store, clock) as made:
        yield made


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

    def get(self, name: str, default: Fault) -> Fault:  # type: ignore[override]  # the server always gives a default
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
