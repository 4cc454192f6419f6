"""Sources for the adapters' contract: real servers that hold one calendar, Work, and can fail."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

import aiohttp

from bench.peers import PASSWORD, USER, Peer, Radicale, Xandikos
from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Shared
from gateway.adapters.registry import Registry
from gateway.ports import Adapter
from gateway.sandbox.faults import Fault
from gateway.sandbox.ics_server import IcsServer
from tests.builders import a_connection
from tests.conftest import FakeClock
from tests.exchange_account import exchange_source
from tests.faulty_proxy import FaultyProxy
from tests.forked import ForkedServed
from tests.google_account import google_source
from tests.graph_account import graph_source

KINDS = ("ics", "radicale", "xandikos", "google", "graph", "exchange", "calgate")
SIMULATED = {"google": google_source, "graph": graph_source, "exchange": exchange_source}
NAMED = (
    b'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>Work</D:displayname>'
    b"</D:prop></D:set></D:propertyupdate>"
)
DEPTH_ONE = b'<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/></D:prop></D:propfind>'
NONSENSE = b"99999999T999999Z"
STAND_IN = b"20990909T090909Z"
"""What is put for nonsense that a server would refuse; the proxy makes it nonsense again."""


class Source(Protocol):
    """One calendar at a source, and how to break it."""

    async def put(self, uid: str, data: bytes) -> None:
        """Add or replace an event."""

    async def remove(self, uid: str) -> None:
        """Delete an event."""

    def fail(self, **fault: object) -> None:
        """Break every answer from now on."""

    def mend(self) -> None:
        """Answer well again."""

    def open(self) -> Adapter:
        """Return the adapter under test."""


@dataclass
class IcsSource:
    """A subscription on the sandbox's server."""

    server: IcsServer
    client: GuardedClient
    events: dict[str, bytes] = field(default_factory=dict)

    async def put(self, uid: str, data: bytes) -> None:
        """Add or replace an event."""
        self.events[uid] = data
        self._publish()

    async def remove(self, uid: str) -> None:
        """Delete an event."""
        del self.events[uid]
        self._publish()

    def fail(self, **fault: object) -> None:
        """Break every answer from now on."""
        self.server.faults["work"] = Fault(**fault)

    def mend(self) -> None:
        """Answer well again."""
        self.server.faults.clear()

    def open(self) -> Adapter:
        """Return the adapter under test."""
        secret = self.server.url("work").encode()
        return Registry(Shared(client=self.client, clock=FakeClock())).open(a_connection(1), secret)

    def _publish(self) -> None:
        bodies = [
            data.split(b"PRODID:-//example.org//tests//EN\r\n")[1].split(b"END:VCALENDAR")[0]
            for data in self.events.values()
        ]
        head = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nX-WR-CALNAME:Work\r\n"
        self.server.calendars["work"] = head + b"".join(bodies) + b"END:VCALENDAR\r\n"


class OwnGateway:
    """Another gateway of ours, with Jane and her calendar."""

    name = "calgate"
    user = "jane@example.org"
    path = f"/dav/calendars/{user}/work/"

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._served = ForkedServed(folder)
        self.port = self._served.port
        self.password = ""

    def __enter__(self) -> Self:
        self._served.prepare()
        cli = self._served.cli
        cli("user", "add", self.user, "--password-stdin", stdin="correct horse battery\n")
        self.password = cli("app-password", "add", self.user, "test").split()[-1]
        self._served.start()
        return self

    def stop(self) -> None:
        """End it."""
        self._served.stop()


@dataclass
class CaldavSource:
    """An account at a CalDAV server of somebody else, behind a proxy that can fail."""

    peer: Peer | OwnGateway
    proxy: FaultyProxy
    client: GuardedClient
    path: str
    opened: list[Adapter] = field(default_factory=list)

    @property
    def options(self) -> dict[str, str]:
        """Return what an owner would type."""
        address = f"{self.proxy.url}{self.path}"
        user, password = self.account
        return {"url": address, "username": user, "password": password}

    @property
    def account(self) -> tuple[str, str]:
        """Return user name and password; a server that knows none is given some."""
        return self.peer.user or USER, self.peer.password or PASSWORD

    async def put(self, uid: str, data: bytes) -> None:
        """Add or replace an event."""
        if NONSENSE in data:
            self.proxy.rewrite[STAND_IN] = NONSENSE
            data = data.replace(NONSENSE, STAND_IN)
        await self.ask("PUT", f"{uid}.ics", data)

    async def remove(self, uid: str) -> None:
        """Delete an event."""
        await self.ask("DELETE", f"{uid}.ics")

    def fail(self, **fault: object) -> None:
        """Break every answer from now on."""
        self.proxy.fault = Fault(**fault)

    def mend(self) -> None:
        """Answer well again."""
        self.proxy.fault = None

    def open(self) -> Adapter:
        """Return the adapter under test."""
        connection = a_connection(1, provider="caldav")
        secret = json.dumps(self.options).encode()
        self.opened.append(
            Registry(Shared(client=self.client, clock=FakeClock())).open(connection, secret)
        )
        return self.opened[-1]

    async def ask(
        self, method: str, name: str, data: bytes = b"", *, allowed: tuple[int, ...] = ()
    ) -> bytes:
        """Send a request to the server itself, into its calendar."""
        url = f"http://127.0.0.1:{self.peer.port}{self.path}{name}"
        headers = {"Authorization": aiohttp.encode_basic_auth(*self.account)}
        if method == "PROPFIND":
            headers["Depth"] = "1"
        if data:
            kind = "text/calendar" if method == "PUT" else "application/xml"
            headers["Content-Type"] = f"{kind}; charset=utf-8"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, data=data, headers=headers) as answer,
        ):
            told = (method, url, answer.status, await answer.text())
            assert answer.status < 300 or answer.status in allowed, told
            return await answer.read()

    async def empty(self) -> None:
        """Make the calendar anew, called Work, and the only one of the account."""
        home = self.path.rstrip("/").rpartition("/")[0] + "/"
        if isinstance(self.peer, Peer):
            listed = await self.ask("PROPFIND", "../", DEPTH_ONE)
            for href in re.findall(rb"<(?:\w+:)?href>([^<]+/)</", listed):
                if href.decode() not in {home, self.path}:
                    await self.ask("DELETE", "../" + href.decode().removeprefix(home))
        await self.ask("DELETE", "", allowed=(404,))
        await self.ask("MKCALENDAR", "")
        await self.ask("PROPPATCH", "", NAMED)


class Peers:
    """Servers of others, each started when it is first wanted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, Peer | OwnGateway] = {}

    def get(self, kind: str) -> Peer | OwnGateway:
        """Return a running server."""
        if kind not in self._running:
            folder = self._folder / kind
            if kind == "calgate":
                self._running[kind] = OwnGateway(folder).__enter__()
            else:
                peer = (Radicale if kind == "radicale" else Xandikos)(folder, [])
                self._running[kind] = peer.__enter__()
        return self._running[kind]

    def stop(self) -> None:
        """Stop what was started."""
        for peer in self._running.values():
            peer.stop()


@asynccontextmanager
async def open_source(kind: str, peers: Peers) -> AsyncIterator[Source]:
    """Run a source of a kind with an empty calendar."""
    if kind in SIMULATED:
        async with SIMULATED[kind]() as account:
            yield account
        return
    client = GuardedClient(GuardOptions(allow_private=True), max_seconds=2)
    try:
        if kind == "ics":
            async with IcsServer() as server:
                yield IcsSource(server, client)
            return
        peer = peers.get(kind)
        async with FaultyProxy(f"http://127.0.0.1:{peer.port}") as proxy:
            made = CaldavSource(peer, proxy, client, peer.path)
            await made.empty()
            yield made
            for adapter in made.opened:
                await adapter.close()
    finally:
        await client.close()
        client.threads.close()
