"""Faults planted at an Office 365 account and at an Exchange mailbox: what a user reads for each.

(Those of a CalDAV account and of Google stand in test_doctor_planted.py and test_doctor.py.)
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.config import Microsoft, Providers
from gateway.model.principal import Owner
from gateway.model.timerange import DAY
from gateway.sandbox.microsoft import Fault
from gateway.services.doctor import Check, Diagnosis, Result, Step
from gateway.services.exchange_account import ExchangeAccount
from gateway.services.sync import secret_of
from tests.exchange_account import ADDRESS, PASSWORD, ExchangeSource, exchange_source
from tests.owner_desk import PASSWORD as OWNERS
from tests.owner_desk import OwnerDesk, owner_desk
from tests.provider_accounts import MicrosoftAccount
from tests.served import free_port
from tests.system.test_doctor import a_server, certificate


@dataclass
class Patient:
    """Jane's one connection, and the gateway that reads it."""

    desk: OwnerDesk
    jane: Owner

    async def know(self, **facts: object) -> None:
        """Change what is kept of the connection."""
        [state] = await self.desk.services.connections.list(self.jane.id)
        cipher, bound_to = self.desk.services.cipher, secret_of(state.connection.id)
        known = json.loads(cipher.open(state.connection.secret, bound_to=bound_to))
        sealed = cipher.seal(json.dumps(known | facts).encode(), bound_to=bound_to)
        async with self.desk.services.store.write() as tx:
            await tx.connections.set_secret(state.connection.id, sealed)

    async def forget_reading(self) -> None:
        """Let nobody have read for three days."""
        async with self.desk.services.store.write() as tx:
            for one in await tx.collections.of_owner(self.jane.id):
                then = self.desk.services.clock.now() - 3 * DAY - 60
                await tx.collections.set_health(one.id, replace(one.health, last_success_at=then))

    async def examined(self) -> Diagnosis:
        """Examine the connection; nothing secret is said."""
        [state] = await self.desk.services.connections.list(self.jane.id)
        found = await self.desk.services.doctor.examine(state.connection)
        told = " ".join(f"{step.detail} {step.remedy}" for step in found.steps)
        assert not any(secret in told for secret in (PASSWORD, "canary", "secret-of")), told
        return found

    async def first_bad(self) -> Step:
        """Return the first step that failed; what rests on it was not guessed at."""
        found = await self.examined()
        bad = next(step for step in found.steps if step.result is Result.BAD)
        assert bad.detail.endswith("."), "a sentence"
        assert bad.remedy, bad
        after = found.steps[found.steps.index(bad) + 1 : -1]
        assert all(step.result is Result.UNTRIED for step in after)
        return bad


# --- Office 365


@dataclass
class Office(Patient):
    """The account at the simulated Microsoft, its consent given."""

    account: MicrosoftAccount

    def fail(self, route: str, **fault: object) -> None:
        """Break the calls of a route."""
        self.account.server.break_with(Fault(route=route, **fault))


@pytest.fixture
async def office(data_dir: Path) -> AsyncIterator[Office]:
    """Connect Jane's account, of whose two calendars the default one takes the bookings."""
    account = MicrosoftAccount()
    async with account.server as server:
        registered = Microsoft(
            client_id="sandbox",
            client_secret="secret",
            authority=server.authority,
            graph_url=server.graph_url,
        )
        async with owner_desk(data_dir, providers=Providers(microsoft=registered)) as desk:
            jane = await desk.owner()
            await account.connect(desk.url, jane.email, OWNERS)
            yield Office(desk, jane, account)


async def revoked(office: Office) -> None:
    """Take the consent back."""
    await office.know(expires_at=0)
    office.account.server.world.refuses_refresh = "invalid_grant"


async def another_client_secret(office: Office) -> None:
    """Change the client secret at Microsoft."""
    await office.know(expires_at=0)
    office.account.server.world.refuses_refresh = "invalid_client"


async def not_allowed(office: Office) -> None:
    """Leave writing out of what was allowed."""
    await office.know(scopes=["Calendars.Read", "User.Read", "MailboxSettings.Read"])


async def no_mailbox(office: Office) -> None:
    """Have the mailbox on a server of the organisation's own."""
    office.fail("calendars", status=404, reason="MailboxNotEnabledForRESTAPI")


async def throttled(office: Office) -> None:
    """Ask for patience."""
    office.fail("calendars", status=429, retry_after="180")


async def down(office: Office) -> None:
    """Fail."""
    office.fail("calendars", status=503)


async def a_page(office: Office) -> None:
    """Show a sign-in page instead of answering."""
    office.fail("calendars", html=True)


async def calendar_removed(office: Office) -> None:
    """Remove the calendar, and leave the account another one."""
    world = office.account.server.world
    del world.calendars[next(one.id for one in world.calendars.values() if one.is_default)]


async def read_only(office: Office) -> None:
    """Take the right to write into the default calendar."""
    world = office.account.server.world
    [own] = [one for one in world.calendars.values() if one.is_default]
    own.can_edit = False


async def denied(office: Office) -> None:
    """Deny reading events."""
    office.fail("events.*", status=403)


async def away(office: Office) -> None:
    """Listen no more."""
    await office.account.server.stop()


async def unread(patient: Patient) -> None:
    """Let nobody have read for three days."""
    await patient.forget_reading()


AT_OFFICE: list[tuple[Callable[[Office], Awaitable[None]], Check, str, str]] = [
    (away, Check.CONNECTION, "refuses connections", "firewall"),
    (revoked, Check.SIGN_IN, "Office 365 wants you to sign in again", "/reconnect"),
    (another_client_secret, Check.SIGN_IN, "does not accept this gateway", "client_secret"),
    (not_allowed, Check.PERMISSIONS, "Not allowed: ", "/reconnect"),
    (no_mailbox, Check.CALENDARS, "connect it as Exchange", "Try again in a while"),
    (throttled, Check.CALENDARS, "come back later", "Wait 3 minutes"),
    (down, Check.CALENDARS, "status 503", "Try again in a while"),
    (a_page, Check.CALENDARS, "makes no sense or broke off", "Try again in a while"),
    (calendar_removed, Check.CALENDARS, "No longer in the account: Calendar", "with the X"),
    (read_only, Check.CALENDARS, "which can only be read", "another default calendar"),
    (denied, Check.READ, "denies access", "access again"),
    (unread, Check.FRESHNESS, "was read 3 days ago", "calgate serve"),
]


@pytest.mark.parametrize(
    ("plant", "check", "said", "remedy"), AT_OFFICE, ids=lambda one: getattr(one, "__name__", None)
)
async def test_a_fault_at_office_365_is_named(
    office: Office,
    plant: Callable[[Office], Awaitable[None]],
    check: Check,
    said: str,
    remedy: str,
) -> None:
    """The first step that fails says the cause, and what mends it."""
    await plant(office)
    bad = await office.first_bad()

    assert bad.check is check, bad
    assert said in bad.detail, bad
    assert remedy in bad.remedy, bad


# --- Exchange


@dataclass
class Own(Patient):
    """A mailbox on the simulated Exchange."""

    source: ExchangeSource


@pytest.fixture
async def own(desk: OwnerDesk, jane: Owner) -> AsyncIterator[Own]:
    """Connect a mailbox whose one calendar, Work, is the default."""
    async with exchange_source() as source:
        given = ExchangeAccount(address=ADDRESS, password=PASSWORD, url=source.server.url)
        await desk.services.connections.connect_exchange(jane, given)
        yield Own(desk, jane, source)


async def nowhere(own: Own) -> None:
    """Name a server that does not exist."""
    await own.know(url="https://no-such-host.invalid/EWS/Exchange.asmx")


async def refused(own: Own) -> None:
    """Name a port that nobody listens on."""
    await own.know(url=f"http://127.0.0.1:{free_port()}/EWS/Exchange.asmx")


async def another_password(own: Own) -> None:
    """Change the password at the server."""
    own.source.rename(password="another one")


async def only_tokens(own: Own) -> None:
    """Take tokens of a sign-in service only."""
    own.source.server.methods = ("Bearer",)
    own.source.server.sign_out()


async def too_old(own: Own) -> None:
    """Be a server of before 2010 SP2."""
    own.source.server.version = "Exchange2010_SP1"


async def busy(own: Own) -> None:
    """Ask for patience."""
    own.source.fail(code="ErrorServerBusy", back_off=180_000)


async def broken(own: Own) -> None:
    """Fail."""
    own.source.fail(status=500)


async def a_sign_in_page(own: Own) -> None:
    """Show a sign-in page instead of answering."""
    own.source.fail(html=True)


async def folder_gone(own: Own) -> None:
    """Know the calendar by an id that the mailbox no longer has, as after it was moved."""
    async with own.desk.services.store.write() as tx:
        for one in await tx.collections.of_owner(own.jane.id):
            await tx.collections.update(replace(one, upstream_id="AAMkOld"))


AT_EXCHANGE: list[tuple[Callable[[Own], Awaitable[None]], Check, str, str]] = [
    (nowhere, Check.NAME, "no server called no-such-host.invalid", "name server"),
    (refused, Check.CONNECTION, "refuses connections", "firewall"),
    (another_password, Check.SIGN_IN, "refused the sign-in", "New password"),
    (only_tokens, Check.METHODS, "The server offers Bearer", "allow NTLM or Basic"),
    (too_old, Check.SIGN_IN, "Exchange 2010 SP2 or later", "later version"),
    (busy, Check.SIGN_IN, "come back later", "Wait 3 minutes"),
    (broken, Check.SIGN_IN, "status 500", "whoever runs that server"),
    (a_sign_in_page, Check.SIGN_IN, "a web page instead", "whoever runs that server"),
    (folder_gone, Check.CALENDARS, "No longer in the account: Work", "with the X"),
    (unread, Check.FRESHNESS, "“Work” was read 3 days ago", "calgate serve"),
]


@pytest.mark.parametrize(
    ("plant", "check", "said", "remedy"),
    AT_EXCHANGE,
    ids=lambda one: getattr(one, "__name__", None),
)
async def test_a_fault_at_exchange_is_named(
    own: Own,
    plant: Callable[[Own], Awaitable[None]],
    check: Check,
    said: str,
    remedy: str,
) -> None:
    """The first step that fails says the cause, and what mends it."""
    await plant(own)
    bad = await own.first_bad()

    assert bad.check is check, bad
    assert said in bad.detail, bad
    assert remedy in bad.remedy, bad


async def test_a_certificate_of_exchange_is_named(own: Own, tmp_path: Path) -> None:
    """A certificate that nobody vouches for fails at the connection, not at the sign-in."""
    async with a_server(b"", certificate(tmp_path)) as port:
        await own.know(url=f"https://localhost:{port}/EWS/Exchange.asmx")
        bad = await own.first_bad()

    assert bad.check is Check.CONNECTION
    assert "signed by itself" in bad.detail
    assert "certificate" in bad.remedy
