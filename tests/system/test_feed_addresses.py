"""Which calendars a feed shows, for how long, and to whom its address is known."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import Invalid, NotFound
from gateway.model.feed import Visibility
from gateway.storage.engine import SqlStore
from tests.builders import an_event, an_owner
from tests.conftest import FakeClock
from tests.feed_world import World, feed_world, times


@pytest.fixture
async def world(sqlite_store: SqlStore, clock: FakeClock) -> AsyncIterator[World]:
    """Serve the feeds of a gateway over SQLite."""
    async with feed_world(sqlite_store, clock) as made:
        yield made


async def test_a_feed_follows_the_selection_or_its_own_calendars(world: World) -> None:
    """Without calendars of its own a feed shows the selected ones; with them, exactly those."""
    other = await world.calendar(selected=False)
    await world.put(an_event("a", start="20261201T090000Z", end="20261201T100000Z"))
    await world.put(an_event("b", start="20261202T090000Z", end="20261202T100000Z"), calendar=other)
    _, selected = await world.feed()
    _, chosen = await world.feed(calendars=(other.public_id,))

    assert times(await world.events(selected)) == [("20261201T090000Z", "20261201T100000Z")]
    assert times(await world.events(chosen)) == [("20261202T090000Z", "20261202T100000Z")]


async def test_a_feed_cannot_name_another_owners_calendar(world: World) -> None:
    """A calendar that is not the owner's does not exist for the feed."""
    async with world.store.write() as tx:
        eve = await tx.owners.add(an_owner(email="eve@example.org"), "hash")
    with pytest.raises(Invalid):
        await world.feeds.add(
            eve, label="", visibility=Visibility.FULL, calendars=(world.home.public_id,)
        )


async def test_uids_cannot_be_linked_between_feeds(world: World) -> None:
    """The same event has another UID in each feed, and neither is its own."""
    await world.put(an_event("linkable", end="20261201T100000Z"))
    paths = [(await world.feed(show))[1] for show in ("busy", "busy", "title", "full")]
    uids = [str((await world.events(path))[0]["UID"]) for path in paths]

    assert len(set(uids)) == 4
    assert not any("linkable" in uid for uid in uids)


async def test_a_revoked_feed_is_dead_at_once(world: World) -> None:
    """After removal the address answers 404, also for who has it cached; others live on."""
    feed, path = await world.feed()
    _, other = await world.feed()
    tag = (await world.get(f"{path}.ics")).headers["ETag"]
    await world.feeds.remove(world.owner.id, feed.id)

    assert (await world.get(f"{path}.ics", If_None_Match=tag)).status == 404
    assert (await world.get(f"{other}.ics")).status == 200


async def test_a_disabled_owners_feeds_are_dead(world: World) -> None:
    """A feed dies with its owner's account."""
    _, path = await world.feed()
    await world.get(f"{path}.ics")
    async with world.store.write() as tx:
        await tx.owners.update(replace(world.owner, disabled=True))

    assert (await world.get(f"{path}.ics")).status == 404


async def test_every_wrong_address_looks_the_same(world: World) -> None:
    """Guessed, shortened, lengthened and decorated tokens get one and the same 404."""
    _, path = await world.feed()
    wrong = [
        "/feeds/" + "A" * 32 + ".ics",
        f"{path[:-1]}.ics",
        f"{path}A.ics",
        f"{path}%00.ics",
        f"{path}.html",
        "/feeds/jane@example.org.ics",
        "/feeds/",
        "/feeds/a/b.ics",
    ]
    answers = [await world.get(address) for address in wrong]

    assert {answer.status for answer in answers} == {404}
    assert len({await answer.text() for answer in answers}) == 1
    assert len({answer.headers["Content-Type"] for answer in answers}) == 1


async def test_a_token_is_long_and_not_in_the_database(world: World, data_dir: Path) -> None:
    """The address has 160 or more random bits; the files hold only its digest and a sealed copy."""
    feed, path = await world.feed()
    token = path.rpartition("/")[2]
    stored = b"".join(file.read_bytes() for file in data_dir.iterdir())

    assert len(token) * 6 >= 160
    assert feed.token_digest.encode() in stored
    assert token.encode() not in stored
    assert world.feeds.token(feed) == token


async def test_only_the_owner_removes_a_feed(world: World) -> None:
    """Another owner's feed does not exist."""
    feed, _ = await world.feed()
    with pytest.raises(NotFound):
        await world.feeds.remove(world.owner.id + 1, feed.id)

    assert [found.id for found in await world.feeds.list(world.owner.id)] == [feed.id]
