"""Channels of push: asked for once, renewed before their end, not where nobody needs them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway import ports
from gateway.errors import AccessLost, Unavailable
from gateway.model.principal import Owner
from gateway.services.tokens import digest
from gateway.services.watching import AGAIN_AFTER, REFUSED_FOR, WatchService
from tests.conftest import FakeClock
from tests.hooked import WEEK, Hooked, hooked_gateway


@pytest.fixture
async def hooked(store: ports.Store, clock: FakeClock, owner: Owner) -> AsyncIterator[Hooked]:
    """Serve a gateway with one Google calendar."""
    async with hooked_gateway(store, clock, owner) as made:
        yield made


async def test_a_calendar_is_watched_under_a_secret_of_its_own(hooked: Hooked) -> None:
    """The source is given our name, a fresh secret and our address; only its digest is kept."""
    await hooked.watching.work()

    [asked], [kept] = hooked.sources.watched, await hooked.channels()
    assert asked["address"] == "https://meet.example.org/hooks/google"
    assert (asked["channel"], digest(asked["secret"])) == (kept.id, kept.secret_digest)
    assert kept.watch_id == "watch-1"


async def test_a_watched_calendar_is_not_asked_for_again(hooked: Hooked) -> None:
    """A channel that lives is left alone."""
    await hooked.watching.work()
    await hooked.watching.work()

    assert len(hooked.sources.watched) == 1


async def test_two_nodes_ask_once(hooked: Hooked) -> None:
    """Nodes that look at the same moment make one channel."""
    await asyncio.gather(*(hooked.watching.work() for _ in range(4)))

    assert len(hooked.sources.watched) == 1


async def test_a_channel_is_renewed_before_its_end(hooked: Hooked) -> None:
    """With a third of its life left the next one is asked for, then the old one stopped."""
    await hooked.watching.work()
    hooked.desk.clock.advance(int(WEEK * 0.71))
    await hooked.watching.work()

    assert hooked.sources.stopped == ["watch-1"]
    assert [one.watch_id for one in await hooked.channels()] == ["watch-2"]


@pytest.mark.parametrize(
    ("error", "pause"),
    [(AccessLost("no push here"), REFUSED_FOR), (Unavailable("busy"), AGAIN_AFTER)],
)
async def test_a_refusal_is_not_repeated_at_once(
    hooked: Hooked, error: Exception, pause: int
) -> None:
    """A calendar that cannot be watched is polled; the source is asked again much later."""
    hooked.sources.refuses.append(error)
    await hooked.watching.work()
    hooked.desk.clock.advance(pause - 1)
    await hooked.watching.work()
    assert len(hooked.sources.watched) == 1
    hooked.desk.clock.advance(1)
    await hooked.watching.work()

    assert [one.watch_id for one in await hooked.channels()] == ["watch-2"]


async def test_what_nobody_needs_is_not_watched(hooked: Hooked) -> None:
    """A calendar that is neither selected nor the default loses its channel."""
    await hooked.watching.work()
    async with hooked.desk.store.write() as tx:
        calendar = hooked.desk.calendars["work"]
        await tx.collections.update(replace(calendar, selected=False))
        await tx.owners.set_default(hooked.desk.owner.id, None)
    await hooked.watching.work()

    assert hooked.sources.stopped == ["watch-1"]
    assert await hooked.channels() == []


async def test_without_a_public_address_nothing_is_asked(hooked: Hooked) -> None:
    """Where nobody outside can reach the gateway, polling is all there is."""
    desk = hooked.desk
    await WatchService(desk.store, desk.clock, desk.sources, desk.cipher, address="").work()

    assert hooked.sources.watched == []
