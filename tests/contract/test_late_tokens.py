"""Refresh tokens that are good once, about the moments in which a connection begins and ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from gateway import ports
from gateway.errors import SignInNeeded
from gateway.model.connection import Connection
from gateway.model.grant import Channel, Grant
from gateway.model.principal import Owner
from tests.conftest import FakeClock
from tests.consent_screen import Screen, consent_screen
from tests.hooked import PushingSources


class AskingSources(PushingSources):
    """Sources that do nothing without a token, as the true ones."""

    screen: Screen
    opened: Connection

    @staticmethod
    def then() -> None:
        """Do what a test says when a channel has been stopped."""

    def open(self, connection: Connection, secret: bytes) -> Any:
        """Remember whose tokens are wanted."""
        self.opened = connection
        return self

    async def calendars(self) -> Sequence[ports.UpstreamCalendar]:
        """List with a token."""
        await self.screen.grants.tokens(self.opened).access_token()
        return self.account

    async def unwatch(self, watch: ports.Watch) -> None:
        """Stop with a token."""
        await self.screen.grants.tokens(self.opened).access_token()
        await super().unwatch(watch)
        self.then()


@pytest.fixture
async def screen(store: ports.Store, clock: FakeClock, owner: Owner) -> AsyncIterator[Screen]:
    """Register with providers whose refresh tokens are good once, whose access tokens live short.

    Every use of a connection renews its tokens.
    """
    sources = AskingSources()
    async with consent_screen(store, clock, owner, sources=sources) as made:
        sources.screen = made
        made.provider.rotates, made.provider.expires_in = True, 60
        yield made


async def kept(screen: Screen) -> Grant:
    """Return what the only connection keeps."""
    [connection] = await screen.connections()
    return screen.grants.read(connection)


def alive(screen: Screen) -> set[str]:
    """Return the refresh tokens that the provider takes."""
    return set(screen.provider.refresh_tokens)


async def asked_for(screen: Screen, connection: Connection) -> asyncio.Task[str]:
    """Ask for a token; return when the provider, which holds its answer back, was asked for it."""
    screen.provider.open.clear()
    before = len(screen.provider.log)
    asking = asyncio.create_task(screen.grants.tokens(connection).access_token())
    while len(screen.provider.log) == before:
        await asyncio.sleep(0.001)
    return asking


async def test_what_is_kept_of_a_new_account_is_its_newest_token(screen: Screen) -> None:
    """Where the first look at the calendars has renewed the tokens, the first are worthless."""
    await screen.connect()

    assert screen.provider.asked == ["authorization_code", "refresh_token"]
    assert alive(screen) == {(await kept(screen)).refresh_token}


async def test_what_is_kept_of_an_account_that_signs_in_anew_is_its_newest(screen: Screen) -> None:
    """The same for a connection that is there already."""
    await screen.connect()
    screen.provider.refresh_tokens.clear()
    await screen.connect()

    assert alive(screen) == {(await kept(screen)).refresh_token}


async def test_calls_at_once_for_an_account_that_is_not_kept_renew_once(screen: Screen) -> None:
    """One of them uses the refresh token up, the others take what comes of it."""
    screen.provider.expires_in = 3600
    connection = await screen.connect()
    probe = replace(connection, id="cn_probe")
    grant = replace(await kept(screen), access_token="")
    probe = replace(probe, secret=screen.grants.seal(probe.id, grant))
    async with screen.grants.holding(probe) as held:
        calls = [screen.grants.tokens(probe).access_token() for _ in range(5)]
        assert len(set(await asyncio.gather(*calls))) == 1

    assert alive(screen) == {held.grant.refresh_token}


async def test_what_comes_after_whoever_looked_has_left_is_newest_too(screen: Screen) -> None:
    """A look that is broken off does not break off the renewal."""
    connection = await screen.connect()
    probe = replace(connection, id="cn_probe")
    probe = replace(probe, secret=screen.grants.seal(probe.id, await kept(screen)))
    async with screen.grants.holding(probe) as held:
        asking = await asked_for(screen, probe)
        asking.cancel()
        await asyncio.wait({asking})
        screen.provider.open.set()

    assert held.renewed
    assert alive(screen) == {held.grant.refresh_token}


async def test_an_account_that_nobody_keeps_is_not_renewed(screen: Screen) -> None:
    """An adapter that outlives its connection does not bring its consent to life again."""
    await screen.connect()
    [connection] = await screen.connections()
    await screen.disconnect(connection)
    asked = len(screen.provider.log)
    with pytest.raises(SignInNeeded):
        await screen.grants.tokens(connection).access_token()

    assert len(screen.provider.log) == asked


@pytest.mark.parametrize("told_before", [True, False])
async def test_a_token_that_comes_after_its_connection_is_taken_back(
    screen: Screen, told_before: bool
) -> None:
    """Disconnecting in the midst of a renewal leaves nothing alive at the provider."""
    connection = await screen.connect()
    asking = await asked_for(screen, connection)
    await screen.disconnect(connection)
    if told_before:
        await screen.tell_providers()
    screen.provider.open.set()
    with pytest.raises(SignInNeeded):
        await asking
    await screen.tell_providers()

    assert alive(screen) == set()
    async with screen.desk.store.connect() as opened:
        assert (await opened.execute(text("SELECT id FROM ended_connection"))).all() == []


async def test_a_token_that_did_not_change_is_not_taken_back_twice(screen: Screen) -> None:
    """Where refresh tokens are good for long, the one that was stored is all there is."""
    screen.provider.rotates = False
    connection = await screen.connect()
    asking = await asked_for(screen, connection)
    await screen.disconnect(connection)
    screen.provider.open.set()
    await asyncio.wait({asking})
    await screen.tell_providers()

    assert screen.provider.asked.count("/revoke") == 1


async def watched(screen: Screen) -> Connection:
    """Connect an account with a push channel."""
    connection = await screen.connect()
    async with screen.desk.store.write() as tx:
        calendars = await tx.collections.of_connection(connection.id)
        await tx.channels.add(
            Channel(
                id="channel-1",
                collection_id=calendars[0].id,
                connection_id=connection.id,
                provider="google",
                secret_digest="digest",
                watch_id="watch-1",
                resource="res-1",
            )
        )
    return connection


async def test_what_stopping_its_channels_renewed_is_taken_back(screen: Screen) -> None:
    """The consent is ended by the newest token: the one before it is not known any more."""
    await screen.disconnect(await watched(screen))
    await screen.tell_providers()

    assert screen.desk.sources.stopped == ["watch-1"]
    assert alive(screen) == set()


async def test_what_stopping_its_channels_renewed_is_kept_for_the_next_try(screen: Screen) -> None:
    """Where the consent could not be ended after it, the newest token is there to do it later."""
    await screen.disconnect(await watched(screen))

    screen.desk.sources.then = lambda: screen.provider.answers.append((503, ""))
    await screen.tell_providers()
    assert alive(screen) != set()
    screen.desk.sources.then = lambda: None
    screen.desk.clock.advance(3600)
    await screen.tell_providers()

    assert alive(screen) == set()
