"""Tokens of connections made by consent: sealed, fresh, fetched by one node at a time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from gateway import ports
from gateway.adapters.oauth_google import GoogleConsent
from gateway.errors import NotRegistered, SignInNeeded, Unavailable
from gateway.model.collection import Collection
from gateway.model.connection import Connection, HealthState
from gateway.model.grant import Grant
from gateway.model.principal import Owner
from gateway.services.grants import HOLD_SECONDS, QUIET, GrantService
from gateway.services.sync import secret_of
from tests.booking_desk import Desk, a_desk
from tests.conftest import FakeClock
from tests.token_endpoint import CLIENT, SECRET, TokenEndpoint


@dataclass
class Account:
    """A connected account, its provider, and the service of one node."""

    desk: Desk
    provider: TokenEndpoint
    connection: Connection
    service: GrantService

    def node(self) -> GrantService:
        """Return another node over the same store."""
        consent = GoogleConsent(
            self.desk.clock,
            client_id=CLIENT,
            client_secret=SECRET,
            auth_url=self.provider.url("/authorize"),
            token_url=self.provider.url("/token"),
            revoke_url=self.provider.url("/revoke"),
        )
        desk = self.desk
        return GrantService(desk.store, desk.clock, desk.cipher, {"google": consent}, desk.notices)

    async def keep(self, **values: object) -> None:
        """Store a grant whose access token lives for an hour, unless something else is said."""
        now = self.desk.clock.now()
        known: dict[str, object] = {
            "subject": "sub-1",
            "email": "jane@gmail.example",
            "access_token": "access-0",
            "refresh_token": self.provider.hand_out("refresh-0"),
            "expires_at": now + 3600,
        }
        grant = Grant(**(known | values))
        async with self.desk.store.write() as tx:
            sealed = self.service.seal(self.connection.id, grant)
            await tx.connections.set_secret(self.connection.id, sealed)

    async def kept(self) -> Grant:
        """Return the grant as stored now."""
        return self.service.read(await self.stored())

    async def stored(self) -> Connection:
        """Return the connection as stored now."""
        async with self.desk.store.read() as tx:
            found = await tx.connections.get(self.connection.id)
        assert found is not None
        return found

    async def calendar(self) -> Collection:
        """Return the account's calendar."""
        async with self.desk.store.read() as tx:
            [found] = await tx.collections.of_connection(self.connection.id)
        return found

    async def token(self, rejected: str = "") -> str:
        """Ask for a token as an adapter does."""
        return await self.service.tokens(self.connection).access_token(rejected=rejected)


@pytest.fixture
async def account(store: ports.Store, clock: FakeClock, owner: Owner) -> AsyncIterator[Account]:
    """Connect Jane's account."""
    desk = await a_desk(store, clock, owner, local=(), connected=("work",), default="work")
    async with TokenEndpoint() as provider, store.read() as tx:
        [connection] = await tx.connections.of_owner(owner.id)
        made = Account(desk, provider, connection, None)
        made.service = made.node()
        await made.keep()
        yield made
    await made.service.close()
    await desk.outbox.close()


async def test_a_living_token_is_used_as_it_is(account: Account) -> None:
    """While an access token lives, nobody is asked."""
    assert await account.token() == "access-0"
    assert account.provider.asked == []


async def test_a_token_near_its_end_is_renewed(account: Account) -> None:
    """Two minutes before its end a token is used up; the new one is stored before it is used."""
    account.desk.clock.advance(3600 - 100)

    assert await account.token() == "access-1"
    assert (await account.kept()).access_token == "access-1"
    assert await account.token() == "access-1"
    assert account.provider.asked == ["refresh_token"]


async def test_a_refused_token_is_renewed(account: Account) -> None:
    """A token that the source answered 401 to is not used again, however long it would live."""
    assert await account.token(rejected="access-0") == "access-1"
    assert await account.token(rejected="access-0") == "access-1"
    assert account.provider.asked == ["refresh_token"]


async def test_a_rotated_refresh_token_is_kept(account: Account) -> None:
    """Where each refresh token is good once, the next one is stored with what it came with."""
    account.provider.rotates = True
    await account.token(rejected="access-0")

    assert (await account.kept()).refresh_token == "refresh-1"
    assert await account.token(rejected="access-1") == "access-2"


async def test_two_nodes_renew_once(account: Account) -> None:
    """Twenty calls on two nodes at once make one request to the token endpoint."""
    account.provider.rotates, account.provider.pause = True, 0.05
    other = account.node()
    calls = [
        node.tokens(account.connection).access_token(rejected="access-0")
        for node in (account.service, other)
        for _ in range(10)
    ]

    assert set(await asyncio.gather(*calls)) == {"access-1"}
    assert account.provider.asked == ["refresh_token"]


async def left_behind(account: Account) -> None:
    """Ask for a token; leave once the provider, which holds its answer back, was asked for it."""
    account.provider.open.clear()
    asking = asyncio.create_task(account.token(rejected="access-0"))
    while not account.provider.log:
        await asyncio.sleep(0.005)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_what_comes_after_whoever_asked_has_left_is_kept(account: Account) -> None:
    """A refresh token that is good once is not lost with a visitor, nor at the gateway's end."""
    account.provider.rotates = True
    await left_behind(account)
    account.provider.open.set()
    await account.service.close()

    assert (await account.kept()).refresh_token == "refresh-1"
    assert account.provider.refresh_tokens.keys() == {"refresh-1"}


async def test_who_asks_after_one_that_left_waits_for_the_same(account: Account) -> None:
    """On any node: the request that is under way stays the only one."""
    account.provider.rotates = True
    await left_behind(account)
    asked = [
        asyncio.create_task(one.tokens(account.connection).access_token(rejected="access-0"))
        for one in (account.service, account.node())
    ]
    await asyncio.sleep(0)
    account.provider.open.set()

    assert await asyncio.gather(*asked) == ["access-1", "access-1"]
    assert account.provider.asked == ["refresh_token"]


async def test_a_refusal_counts_where_nobody_waits_for_it(account: Account) -> None:
    """A dead consent is marked and told also if whoever found it has left."""
    account.provider.answers.append((400, '{"error": "invalid_grant"}'))
    await left_behind(account)
    account.provider.open.set()
    await account.service.close()

    assert (await account.kept()).refused_at
    assert len(await account.desk.mails()) == 1


async def test_at_the_end_a_provider_that_hangs_is_given_up(account: Account) -> None:
    """It is not waited for without end, and the next process may ask at once."""
    await left_behind(account)
    await account.service.close(seconds=0.01)
    account.provider.open.set()
    node = account.node()

    assert await node.tokens(account.connection).access_token(rejected="access-0") != "access-0"


async def test_a_node_that_died_holds_nobody_up(account: Account) -> None:
    """The right to renew ends by itself: what a dead node held passes on after 30 seconds."""
    async with account.desk.store.write() as tx:
        now = account.desk.clock.now()
        assert await tx.connections.begin_refresh(account.connection.id, now, HOLD_SECONDS)
        assert not await tx.connections.begin_refresh(account.connection.id, now, HOLD_SECONDS)
    account.desk.clock.advance(HOLD_SECONDS)

    assert await account.token(rejected="access-0") == "access-1"


async def test_another_nodes_tokens_are_taken(account: Account) -> None:
    """A refusal counts for nothing where another node has stored newer tokens meanwhile."""
    account.provider.answers.append((400, '{"error": "invalid_grant"}'))
    account.provider.pause = 0.1
    asking = asyncio.create_task(account.token(rejected="access-0"))
    while not account.provider.log:
        await asyncio.sleep(0.005)
    await account.keep(access_token="access-9", refresh_token="refresh-9")

    assert await asking == "access-9"
    assert await account.desk.mails() == []


async def test_a_dead_consent_marks_its_calendars(account: Account) -> None:
    """`invalid_grant` is no access for every calendar of the account, at once (CONTRACT.md)."""
    account.provider.refresh_tokens.clear()
    with pytest.raises(SignInNeeded):
        await account.token(rejected="access-0")

    calendar = await account.calendar()
    assert calendar.state(account.desk.clock.now()) is HealthState.NO_ACCESS
    assert calendar.health.detail == "Google wants you to sign in again."


async def test_the_owner_is_told_once_where_to_sign_in(account: Account) -> None:
    """One mail with the link that leads to the sign-in; while it stays dead the next in a week."""
    account.provider.refresh_tokens.clear()
    for _ in range(3):
        with pytest.raises(SignInNeeded):
            await account.token(rejected="access-0")
        account.desk.clock.advance(QUIET)

    [mail] = await account.desk.mails()
    assert mail["To"] == "jane@example.org"
    assert f"/settings/connections/{account.connection.id}/reconnect" in mail.get_content()
    account.desk.clock.advance(7 * 86400)
    with pytest.raises(SignInNeeded):
        await account.token()
    assert len(await account.desk.mails()) == 2


async def test_a_refusal_is_remembered_for_a_while(account: Account) -> None:
    """A dead consent is not asked about at every read; a provider that erred is asked again."""
    account.provider.answers.append((400, '{"error": "invalid_grant"}'))
    for _ in range(5):
        with pytest.raises(SignInNeeded):
            await account.token(rejected="access-0")
    assert len(account.provider.log) == 1
    account.desk.clock.advance(QUIET)

    assert await account.token() == "access-1"


async def test_a_refusal_that_passed_is_told_anew(account: Account) -> None:
    """Where a provider took a refusal back, the next one is news again."""
    for _ in range(2):
        account.provider.answers.append((400, '{"error": "invalid_grant"}'))
        with pytest.raises(SignInNeeded):
            await account.token(rejected=(await account.kept()).access_token)
        account.desk.clock.advance(QUIET)
        await account.token()

    assert len(await account.desk.mails()) == 2


async def test_check_now_asks_at_once(account: Account) -> None:
    """The owner need not wait for the next try."""
    account.provider.answers.append((400, '{"error": "invalid_grant"}'))
    with pytest.raises(SignInNeeded):
        await account.token(rejected="access-0")
    await account.service.ask_again(await account.stored())

    assert await account.token() == "access-1"


@pytest.mark.parametrize(
    "answer",
    [
        (500, "{}"),
        (503, "<html>"),
        (200, "<html>"),
        (200, "[]"),
        (200, '{"access_token": 5}'),
        (302, "{}"),
        (400, '{"error": "temporarily_unavailable"}'),
        (200, "{" * 100_000),
        (200, " " * 300_000),
    ],
)
async def test_nonsense_proves_nothing(account: Account, answer: tuple[int, str]) -> None:
    """An answer that is none is a failure for now; the grant and the calendars stay as they are."""
    before = await account.kept()
    account.provider.answers.append(answer)
    with pytest.raises(Unavailable):
        await account.token(rejected="access-0")

    assert await account.kept() == before
    assert (await account.calendar()).health.failure is None
    assert await account.token(rejected="access-0") == "access-1"


async def test_nobody_is_disconnected_for_the_operators_fault(account: Account) -> None:
    """A refused client secret is the gateway's own fault: no account is marked, no owner told."""
    account.provider.answers.append((401, '{"error": "invalid_client"}'))
    with pytest.raises(NotRegistered, match="client id and secret"):
        await account.token(rejected="access-0")

    assert (await account.calendar()).health.failure is None
    assert await account.desk.mails() == []


async def test_a_secret_of_another_row_does_not_open(account: Account) -> None:
    """A sealed grant that was copied to another connection is worth nothing there."""
    stored = await account.stored()
    other = replace(stored, id="cn_other")
    async with account.desk.store.write() as tx:
        await tx.connections.add(other)
    with pytest.raises(SignInNeeded, match="cannot be read"):
        await account.service.tokens(other).access_token()

    assert account.provider.log == []


async def test_the_store_holds_no_token_in_the_clear(account: Account) -> None:
    """What is stored shows neither token."""
    secret = (await account.stored()).secret

    assert b"refresh-0" not in secret
    assert b"access-0" not in secret
    assert b"refresh-0" in account.desk.cipher.open(
        secret, bound_to=secret_of(account.connection.id)
    )


@pytest.mark.parametrize(
    ("told", "lives"),
    [("3600", 3600), (-5, 30), (None, 300), ("soon", 300), (10**12, 86400), (1e999, 300)],
)
async def test_an_odd_lifetime_is_borne(account: Account, told: object, lives: int) -> None:
    """`expires_in` as a text, below zero, missing or huge is neither "for ever" nor a crash."""
    account.provider.expires_in = told
    await account.token(rejected="access-0")

    assert (await account.kept()).expires_at == account.desk.clock.now() + lives
