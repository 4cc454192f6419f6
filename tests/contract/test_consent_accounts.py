"""Who an account is, its subject says: renewed, another one, by a link, and its consent's end."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from gateway import ports
from gateway.errors import NotFound
from gateway.model.connection import Connection
from gateway.model.principal import Owner
from gateway.services.consent import LINK_SECONDS, Callback, ConsentFailed, Stray
from tests.builders import an_owner
from tests.conftest import FakeClock
from tests.consent_screen import Screen, a_session, consent_screen


@pytest.fixture
async def screen(store: ports.Store, clock: FakeClock, owner: Owner) -> AsyncIterator[Screen]:
    """Register the gateway with both providers."""
    async with consent_screen(store, clock, owner) as made:
        yield made


# --- who it is


async def test_the_same_account_is_renewed(screen: Screen) -> None:
    """Signing in again as the same subject keeps the connection, under its new address too."""
    first = await screen.connect()
    second = await screen.connect(email="new@gmail.example")

    [stored] = await screen.connections()
    assert (stored.id, second.id) == (first.id, first.id)
    assert stored.account == "new@gmail.example"


async def test_renewing_keeps_what_is_selected(screen: Screen) -> None:
    """A new sign-in changes no selection and no default."""
    await screen.connect()
    async with screen.desk.store.write() as tx:
        calendars = await tx.collections.of_owner(screen.desk.owner.id)
        for one in calendars:
            await tx.collections.update(replace(one, selected=not one.selected))
    await screen.connect()

    async with screen.desk.store.read() as tx:
        after = await tx.collections.of_owner(screen.desk.owner.id)
    assert {one.upstream_id: one.selected for one in after} == {"jane": False, "team": True}


async def test_renewing_without_a_new_refresh_token_keeps_the_old(screen: Screen) -> None:
    """A provider that gives none because it gave one before is understood."""
    await screen.connect()
    await screen.connect(offline=False)

    assert len(await screen.connections()) == 1


async def test_another_account_is_another_connection(screen: Screen) -> None:
    """Two subjects are two connections, whatever their addresses say."""
    await screen.connect(subject="sub-1")
    await screen.connect(subject="sub-2")

    found = {one.options["subject"] for one in await screen.connections()}
    assert found == {"sub-1", "sub-2"}


async def test_another_account_never_takes_a_place(screen: Screen) -> None:
    """Signing in as somebody else to renew a connection is refused with both named."""
    first = await screen.connect()
    before = await screen.connections()
    query = await screen.begin(renews=first.id)
    assert query["login_hint"] == "jane@gmail.example"
    told = screen.allow(query, code="code-2", subject="sub-2", email="eve@gmail.example")
    with pytest.raises(ConsentFailed) as failed:
        await screen.finish(told)

    assert failed.value.code == "another_account"
    assert failed.value.facts == ("jane@gmail.example", "eve@gmail.example")
    assert await screen.connections() == before


async def test_anothers_connection_cannot_be_renewed(screen: Screen) -> None:
    """A connection of another owner looks like one that is not there."""
    first = await screen.connect()
    async with screen.desk.store.write() as tx:
        john = await tx.owners.add(an_owner(email="john@example.org"), "hash")
    with pytest.raises(NotFound):
        await screen.service.begin(
            john, a_session(john), "google", acceptance="text 1", renews=first.id
        )


# --- the link of the command line


async def test_a_link_is_for_its_owner_and_once(screen: Screen) -> None:
    """It shows the provider to its owner, and to nobody else; Accept uses it up."""
    link = await screen.service.link(screen.desk.owner, "google")
    token = link.rpartition("/")[2]
    async with screen.desk.store.write() as tx:
        john = await tx.owners.add(an_owner(email="john@example.org"), "hash")
    assert await screen.service.linked(screen.desk.owner, token) == "google"
    with pytest.raises(NotFound):
        await screen.service.linked(john, token)
    await screen.begin(link=token)

    with pytest.raises(NotFound):
        await screen.service.linked(screen.desk.owner, token)
    with pytest.raises(NotFound):
        await screen.begin(link=token)


async def test_a_link_is_no_state_and_a_state_no_link(screen: Screen) -> None:
    """Neither is accepted in the other's place."""
    token = (await screen.service.link(screen.desk.owner, "google")).rpartition("/")[2]
    query = await screen.begin()
    with pytest.raises(Stray):
        await screen.finish(Callback(state=token, code="code-1"), session="")
    with pytest.raises(NotFound):
        await screen.service.linked(screen.desk.owner, query["state"])


async def test_a_link_ends_after_an_hour(screen: Screen) -> None:
    """An old link leads nowhere."""
    token = (await screen.service.link(screen.desk.owner, "google")).rpartition("/")[2]
    screen.desk.clock.advance(LINK_SECONDS)
    with pytest.raises(NotFound):
        await screen.service.linked(screen.desk.owner, token)


# --- the end


async def disconnect(screen: Screen, connection: Connection) -> None:
    """Disconnect, and let the job run."""
    await screen.disconnect(connection)
    await screen.tell_providers()


async def test_disconnecting_takes_the_consent_back(screen: Screen) -> None:
    """Google is told; afterwards nothing of the secret is kept."""
    await disconnect(screen, await screen.connect())

    assert screen.provider.asked[-1] == "/revoke"
    assert screen.provider.refresh_tokens == {}
    assert "connection.ended" in [event for event, _ in await screen.trail()]
    async with screen.desk.store.connect() as connection:
        rows = (await connection.execute(text("SELECT id FROM ended_connection"))).all()
    assert rows == []


async def test_a_shared_consent_is_left_alone(screen: Screen) -> None:
    """What another owner's connection of the same account lives on is not taken back."""
    connection = await screen.connect()
    async with screen.desk.store.write() as tx:
        john = await tx.owners.add(an_owner(email="john@example.org"), "hash")
        await tx.connections.add(replace(connection, id="cn_john", owner_id=john.id))
    await disconnect(screen, connection)

    assert "/revoke" not in screen.provider.asked


async def test_a_provider_that_is_down_is_told_later(screen: Screen) -> None:
    """Here the calendars are gone at once; there it is tried again."""
    connection = await screen.connect()
    screen.provider.answers.append((503, ""))
    await disconnect(screen, connection)
    assert await screen.connections() == []

    async with screen.desk.store.read() as tx:
        assert await tx.consents.ended(connection.id) is not None
        assert await tx.outbox.waiting() == 1
