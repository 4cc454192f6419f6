"""Faults planted at a CalDAV account and at a subscription: what a user reads for each of them.

(Those of a Google account stand in test_doctor.py.)
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.peers import PASSWORD, USER
from gateway.model.principal import Owner
from gateway.model.timerange import DAY
from gateway.services.doctor import Check, Result
from gateway.services.sync import secret_of
from tests.owner_desk import OwnerDesk
from tests.served import free_port
from tests.system.test_doctor import a_server, certificate
from tests.upstreams import CaldavSource, Peers, open_source

CANARY = "canary-password"
LONG_AGO = b"HTTP/1.1 401 Unauthorized\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n"


@dataclass
class Account:
    """Jane's account at somebody else's server, and the gateway that reads it."""

    desk: OwnerDesk
    jane: Owner
    source: CaldavSource

    async def know(self, **facts: str) -> None:
        """Change what is kept of the connection."""
        [state] = await self.desk.services.connections.list(self.jane.id)
        known = json.dumps(self.source.options | facts).encode()
        sealed = self.desk.services.cipher.seal(known, bound_to=secret_of(state.connection.id))
        async with self.desk.services.store.write() as tx:
            await tx.connections.set_secret(state.connection.id, sealed)


@pytest.fixture
async def account(desk: OwnerDesk, jane: Owner, peers: Peers) -> AsyncIterator[Account]:
    """Connect a Radicale with one calendar, Work, which is the default."""
    async with open_source("radicale", peers) as source:
        assert isinstance(source, CaldavSource)
        url, user, password = source.options["url"], USER, PASSWORD
        await desk.services.connections.connect_caldav(jane, url, username=user, password=password)
        yield Account(desk, jane, source)


async def nowhere(account: Account) -> None:
    """Name a server that does not exist."""
    await account.know(url="https://no-such-host.invalid/")


async def refused(account: Account) -> None:
    """Name a port that nobody listens on."""
    await account.know(url=f"http://127.0.0.1:{free_port()}/")


async def another_password(account: Account) -> None:
    """Keep a password that is not the account's."""
    await account.know(password=CANARY)


async def forbidden(account: Account) -> None:
    """Deny everything."""
    account.source.fail(status=403)


async def busy(account: Account) -> None:
    """Ask for patience."""
    account.source.fail(status=429, retry_after="180")


async def broken(account: Account) -> None:
    """Fail."""
    account.source.fail(status=500)


async def a_page(account: Account) -> None:
    """Show a sign-in page instead of answering."""
    account.source.fail(html=True)


async def elsewhere(account: Account) -> None:
    """Send everybody to another server."""
    account.source.fail(redirect=f"http://localhost:{account.source.peer.port}/canary")


async def removed(account: Account) -> None:
    """Remove the calendar, and leave the account another one."""
    await account.source.ask("DELETE", "")
    account.source.path = account.source.path.replace("/calendar/", "/other/")
    await account.source.empty()


async def read_only(account: Account) -> None:
    """Take the right to write away."""
    for word in (b"all", b"write", b"write-content", b"bind"):
        account.source.proxy.rewrite[b"<" + word + b" />"] = b"<read />"
        account.source.proxy.rewrite[b"<D:" + word + b" />"] = b"<D:read />"


async def not_read(account: Account) -> None:
    """Let nobody have read for three days."""
    async with account.desk.services.store.write() as tx:
        for one in await tx.collections.of_owner(account.jane.id):
            then = account.desk.services.clock.now() - 3 * DAY - 60
            await tx.collections.set_health(one.id, replace(one.health, last_success_at=then))


Plant = Callable[[Account], Awaitable[None]]
FAULTS: list[tuple[Plant, Check, str, str]] = [
    (nowhere, Check.NAME, "no server called no-such-host.invalid", "name server"),
    (refused, Check.CONNECTION, "refuses connections", "firewall"),
    (another_password, Check.SIGN_IN, "does not accept this user name", "app password"),
    (forbidden, Check.SIGN_IN, "denies access", "access again"),
    (busy, Check.SIGN_IN, "come back later", "Wait 3 minutes"),
    (broken, Check.SIGN_IN, "status 500", "whoever runs that server"),
    (a_page, Check.SIGN_IN, "as a calendar server does", "whoever runs that server"),
    (elsewhere, Check.SIGN_IN, "another server", "whoever runs that server"),
    (removed, Check.CALENDARS, "No longer in the account: Work", "with the X"),
    (read_only, Check.CALENDARS, "“Work”, which can only be read", "another default calendar"),
    (not_read, Check.FRESHNESS, "“Work” was read 3 days ago", "calgate serve"),
]


@pytest.mark.parametrize(
    ("plant", "check", "said", "remedy"), FAULTS, ids=lambda one: getattr(one, "__name__", None)
)
async def test_a_planted_fault_is_named(
    account: Account, plant: Plant, check: Check, said: str, remedy: str
) -> None:
    """The first step that fails says the cause and what mends it, and nothing secret."""
    await plant(account)
    bad = await first_bad(account)

    assert bad[0] is check, bad
    assert said in bad[1], bad
    assert remedy in bad[2], bad


async def first_bad(account: Account) -> tuple[Check, str, str]:
    """Examine the account; return the first step that failed, after a look for secrets."""
    [state] = await account.desk.services.connections.list(account.jane.id)
    found = await account.desk.services.doctor.examine(state.connection)
    told = " ".join(f"{step.detail} {step.remedy}" for step in found.steps)
    assert not any(secret in told for secret in (PASSWORD, "canary")), told
    step = next(step for step in found.steps if step.result is Result.BAD)
    assert step.detail.endswith("."), "a sentence"
    return step.check, step.detail, step.remedy


async def test_a_bad_certificate_is_named(account: Account, tmp_path: Path) -> None:
    """A certificate that nobody vouches for fails at the connection, not at the sign-in."""
    async with a_server(b"", certificate(tmp_path)) as port:
        await account.know(url=f"https://localhost:{port}/")
        check, detail, remedy = await first_bad(account)

    assert check is Check.CONNECTION
    assert "signed by itself" in detail
    assert "certificate" in remedy


async def test_a_clock_that_is_wrong_is_named(account: Account) -> None:
    """Where this machine and the server disagree by minutes, both are named."""
    async with a_server(LONG_AGO) as port:
        await account.know(url=f"http://127.0.0.1:{port}/")
        check, detail, remedy = await first_bad(account)

    assert check is Check.CLOCK
    assert "days ahead of that of 127.0.0.1" in detail
    assert "NTP" in remedy
