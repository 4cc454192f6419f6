"""The two gateways of a chain, each a process of its own, and the wire between them.

Ann keeps her calendars at the upper one. Jane (the same person, under another address) has
connected that account at the lower one, and takes bookings there.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from gateway.bootstrap import open_gateway
from gateway.config import load
from gateway.model.principal import CredentialKind
from gateway.services.registry import Services
from tests.chain.dav import Program
from tests.faulty_proxy import FaultyProxy
from tests.forked import ForkedServed
from tests.owner_desk import OwnerDesk, owner_desk
from tests.served import Served

ANN, JANE = "ann@upper.example", "jane@lower.example"
LIMITS_OFF = "[limits]\nbookings_per_address_per_hour = 0\nbookings_per_email_per_day = 0\n"
LOWER = f"{LIMITS_OFF}[security]\nallow_private_networks = true\n[sync]\npoll_seconds = 2\n"
HOURS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


class Refused(Exception):
    """The API's answer to what it did not do: status and code; 0 for no answer."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code = status, code


@dataclass(slots=True, kw_only=True)
class Chain:
    """Both gateways while they run."""

    upper: Served | OwnerDesk
    lower: Served | OwnerDesk
    proxy: FaultyProxy
    ann: Program
    jane: Program
    token: str
    session: ClientSession
    page: str = ""
    connection: str = ""
    kills: int = 0
    notes: list[str] = field(default_factory=list)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Call the lower gateway's API; what is not done raises Refused."""
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        try:
            async with self.session.request(
                method, f"{self.lower.url}/api/v1/{path}", data=data, headers=sent
            ) as answer:
                told = await answer.json() if answer.content_length else {}
                if answer.status >= 400:
                    raise Refused(answer.status, str(told.get("code", "")))
                return told
        except (ClientError, TimeoutError) as error:
            raise Refused(0, type(error).__name__) from error

    async def restart(self, served: Served | OwnerDesk, *, kill: bool) -> None:
        """End a gateway, as an operator or as a power cut would, and start it again."""
        assert isinstance(served, Served), "what runs in this process cannot be killed"
        await asyncio.to_thread(served.kill if kill else served.stop)
        self.kills += kill
        await asyncio.to_thread(served.start)

    async def look(self) -> list[dict[str, Any]]:
        """Have the lower one read the account now; return its calendars there."""
        try:
            told = await self.call("POST", f"connections/{self.connection}/check")
        except Refused:
            return []
        return list(told["calendars"])


async def _accounts(services: Services, email: str, *kinds: CredentialKind) -> list[str]:
    """Make an owner; return credentials of these kinds."""
    owner = await services.owners.add(email, "correct horse battery", time_zone="Europe/Amsterdam")
    return [(await services.owners.add_credential(owner.id, kind, "chain"))[1] for kind in kinds]


async def _behind(served: Served, email: str, *kinds: CredentialKind) -> list[str]:
    """Make an owner of a gateway that does not run yet, without a command for it."""
    async with open_gateway(load(served.config)) as gateway:
        return await _accounts(gateway.services, email, *kinds)


@asynccontextmanager
async def chain(folder: Path) -> AsyncIterator[Chain]:
    """Start two processes, put two calendars into the upper one, connect it to the lower one."""
    for name in ("upper", "lower"):
        (folder / name).mkdir()
    upper = ForkedServed(folder / "upper")
    lower = ForkedServed(folder / "lower", extra=LOWER)
    await asyncio.gather(*(asyncio.to_thread(one.prepare) for one in (upper, lower)))
    (password,) = await _behind(upper, ANN, CredentialKind.APP_PASSWORD)
    secrets = await _behind(lower, JANE, CredentialKind.APP_PASSWORD, CredentialKind.API_TOKEN)
    try:
        await asyncio.gather(*(asyncio.to_thread(one.start) for one in (upper, lower)))
        async with _joined(upper, lower, password, secrets) as made:
            words = ("connect", "caldav", JANE, f"{made.proxy.url}/dav/", "--username", ANN)
            command = [*words, "--password-stdin"]
            printed = await asyncio.to_thread(lower.cli, *command, stdin=f"{password}\n")
            made.connection = printed.split()[-1]
            await _open_page(made)
            yield made
    finally:
        await asyncio.gather(*(asyncio.to_thread(one.stop) for one in (upper, lower)))


@asynccontextmanager
async def short_chain(upper_dir: Path, lower_dir: Path) -> AsyncIterator[Chain]:
    """Serve both from this process: nothing has to be started, nothing can be killed."""
    kinds = (CredentialKind.APP_PASSWORD, CredentialKind.API_TOKEN)
    async with owner_desk(upper_dir) as upper, owner_desk(lower_dir) as lower:
        (password,) = await _accounts(upper.services, ANN, CredentialKind.APP_PASSWORD)
        secrets = await _accounts(lower.services, JANE, *kinds)
        async with _joined(upper, lower, password, secrets) as made:
            async with lower.services.store.read() as tx:
                jane = await tx.owners.by_email(JANE)
            assert jane is not None
            state = await lower.services.connections.connect_caldav(
                jane, f"{made.proxy.url}/dav/", username=ANN, password=password
            )
            made.connection = state.connection.id
            await _open_page(made)
            yield made


@asynccontextmanager
async def _joined(
    upper: Served | OwnerDesk, lower: Served | OwnerDesk, password: str, secrets: list[str]
) -> AsyncIterator[Chain]:
    """Put the wire between two gateways that run, and Ann's calendars into the upper one."""
    async with (
        FaultyProxy(upper.url) as proxy,
        ClientSession(
            connector=TCPConnector(force_close=True),  # none outlives a death
            timeout=ClientTimeout(total=60),
        ) as session,
    ):
        ann = Program(url=upper.url, email=ANN, password=password, session=session)
        for name, title in (("work", "Work"), ("private", "Private")):
            assert await ann.make(f"{ann.home}{name}/", title, "Europe/Amsterdam") == 201
        yield Chain(
            upper=upper,
            lower=lower,
            proxy=proxy,
            ann=ann,
            jane=Program(url=lower.url, email=JANE, password=secrets[0], session=session),
            token=secrets[1],
            session=session,
        )


async def _open_page(made: Chain) -> None:
    body = {"title": "Intro", "durations": [30], "weekly_hours": HOURS, "min_notice": 0}
    made.page = (await made.call("POST", "pages", body | {"horizon_days": 60}))["id"]
