"""Google's push channels: opened under a secret, ended, or not to be had."""

from collections.abc import AsyncIterator

import pytest

from gateway.errors import AccessLost
from tests.google_account import ANA, GoogleSource, google_source


@pytest.fixture
async def ana() -> AsyncIterator[GoogleSource]:
    """Run a simulated Google with Ana's account."""
    async with google_source() as made:
        yield made


async def test_a_channel_is_opened_and_ended(ana: GoogleSource) -> None:
    """Google has our name, secret and address; ending it twice is no failure."""
    adapter = ana.adapter()
    address = f"{ana.server.url}/hook"
    watch = await adapter.watch(ANA, channel="ch-1", secret="s", address=address)
    (channel,) = ana.server.world.channels.values()
    await adapter.unwatch(watch)
    await adapter.unwatch(watch)

    assert (channel.id, channel.token, channel.address) == ("ch-1", "s", address)
    assert watch.expires_at == int(channel.expiration)
    assert ana.server.world.channels == {}


async def test_a_calendar_without_push_says_so(ana: GoogleSource) -> None:
    """Holidays and imports have no channels: a lasting no, which only polling answers."""
    ana.server.world.calendars[ANA].pushes = False
    with pytest.raises(AccessLost):
        await ana.adapter().watch(ANA, channel="ch", secret="s", address="https://x.example/")
