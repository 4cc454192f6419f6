"""A served gateway with an account that pushes, and its providers' notifications."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp.test_utils import TestClient

from gateway import ports
from gateway.model.connection import Connection
from gateway.model.grant import Channel
from gateway.model.principal import Owner
from gateway.services.tokens import digest
from gateway.services.watching import WatchService
from tests.booking_desk import Desk, ScriptedSources, a_desk
from tests.conftest import FakeClock
from tests.web_desk import visited

SECRET, WEEK = "s3cret", 7 * 86400
FAR = 10**9


@dataclass
class PushingSources(ScriptedSources):
    """Sources that push: they note which channels they were asked for and to stop."""

    refuses: list[Exception] = field(default_factory=list)
    watched: list[dict[str, str]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.capabilities |= ports.Capability.PUSH
        self.clock: FakeClock | None = None

    async def watch(self, upstream_id: str, **asked: str) -> ports.Watch:
        """Give a channel for a week."""
        self.watched.append({"upstream": upstream_id, **asked})
        if self.refuses:
            raise self.refuses.pop(0)
        assert self.clock
        name = f"watch-{len(self.watched)}"
        return ports.Watch(id=name, resource="res-1", expires_at=self.clock.now() + WEEK)

    async def unwatch(self, watch: ports.Watch) -> None:
        """End a channel."""
        self.stopped.append(watch.id)


@dataclass
class Hooked:
    """A served gateway with a connected account."""

    desk: Desk
    client: TestClient[Any, Any]
    connection: Connection
    watching: WatchService

    @property
    def sources(self) -> PushingSources:
        """The scripted source."""
        assert isinstance(self.desk.sources, PushingSources)
        return self.desk.sources

    async def channel(self, provider: str = "google", **values: Any) -> Channel:
        """Store a channel whose secret is known."""
        calendar = self.desk.calendars["work"]
        known: dict[str, Any] = {
            "id": "channel-1",
            "collection_id": calendar.id,
            "connection_id": self.connection.id,
            "provider": provider,
            "secret_digest": digest(SECRET),
            "watch_id": "watch-1",
            "resource": "res-1",
            "expires_at": self.desk.clock.now() + WEEK,
            "renew_at": FAR * 10,
        }
        channel = Channel(**(known | values))
        async with self.desk.store.write() as tx:
            await tx.channels.add(channel)
        return channel

    async def channels(self) -> Sequence[Channel]:
        """Return the channels as stored."""
        async with self.desk.store.read() as tx:
            return await tx.channels.of_connection(self.connection.id)

    async def quiet(self) -> None:
        """Put the next read far away, as after one that has just ended."""
        async with self.desk.store.write() as tx:
            lease = await tx.connections.lease(
                self.connection.id, "node", self.desk.clock.now(), 60
            )
            assert lease
            await tx.connections.release(lease, self.desk.clock.now() + 60)

    async def due_in(self, most: int = 61) -> int:
        """Return the seconds until the account is read."""
        now = self.desk.clock.now()
        async with self.desk.store.read() as tx:
            for seconds in range(most):
                if await tx.connections.due(now + seconds):
                    return seconds
        return most

    async def google(self, **headers: str) -> int:
        """Send a notification as Google does."""
        known = {
            "X-Goog-Channel-ID": "channel-1",
            "X-Goog-Channel-Token": SECRET,
            "X-Goog-Resource-ID": "res-1",
            "X-Goog-Resource-State": "exists",
        }
        sent = known | {f"X-Goog-{name.replace('_', '-')}": text for name, text in headers.items()}
        async with self.client.post("/hooks/google", headers=sent) as answer:
            assert await answer.read() == b""
            return answer.status

    async def graph(self, *lines: Any, body: Any = None) -> int:
        """Send a batch as Microsoft does."""
        sent = {"value": list(lines)} if body is None else body
        async with self.client.post("/hooks/graph", json=sent) as answer:
            assert await answer.read() == b""
            return answer.status


def a_line(**values: Any) -> dict[str, Any]:
    """Return a row of Microsoft's batch."""
    known = {"subscriptionId": "watch-1", "clientState": SECRET, "changeType": "updated"}
    return known | values


@asynccontextmanager
async def hooked_gateway(
    store: ports.Store, clock: FakeClock, owner: Owner
) -> AsyncIterator[Hooked]:
    """Serve a gateway with one Google calendar."""
    sources = PushingSources()
    sources.clock = clock
    desk = await a_desk(
        store, clock, owner, local=(), connected=("work",), default="work", sources=sources
    )
    async with store.read() as tx:
        [connection] = await tx.connections.of_owner(owner.id)
    watching = WatchService(store, clock, sources, desk.cipher, address="https://meet.example.org")
    async with visited(desk) as client:
        made = Hooked(desk, client, connection, watching)
        await made.quiet()
        yield made
    await desk.outbox.close()
