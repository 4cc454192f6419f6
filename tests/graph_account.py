"""A mailbox at the simulated Microsoft, for tests: its tokens and its calendars."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._gates import Gates
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Endpoint, Shared
from gateway.adapters.graph.adapter import GraphAdapter
from gateway.adapters.registry import Registry
from gateway.errors import SignInNeeded
from gateway.model.component import Component, parse_many
from gateway.model.connection import Connection
from gateway.model.local_time import datetime_of, parse_wall
from gateway.ports import Adapter, Clock
from gateway.sandbox.microsoft import Fault, MicrosoftServer
from gateway.sandbox.microsoft.world import Grant
from tests.builders import a_connection
from tests.conftest import FakeClock
from tests.sandbox_watch import WATCH, tolerate

LEA = "lea@contoso.example"
ROUTES = ("events.*", "calendars", "settings", "schedule")


@dataclass
class GrantTokens:
    """A TokenSource over a grant at the simulated Microsoft; `renewed` counts refusals."""

    server: MicrosoftServer
    grant: Grant
    token: str = ""
    renewed: int = 0

    async def access_token(self, *, rejected: str = "") -> str:
        """Return a token; after a refusal another one, while the grant lives."""
        if rejected:
            self.renewed += 1
        if not self.token or rejected:
            if self.grant.refresh_token not in self.server.world.grants:
                raise SignInNeeded("Office 365 wants you to sign in again.")
            self.token = self.server.world.access_token(self.grant)
        return self.token


@dataclass
class GraphSource:
    """One calendar, Work, of Lea's account."""

    server: MicrosoftServer
    client: GuardedClient
    tokens: GrantTokens
    clock: Clock = field(default_factory=FakeClock)
    gates: Gates = field(default_factory=Gates)
    connection: Connection = field(
        default_factory=lambda: a_connection(1, provider="microsoft", account=LEA)
    )
    opened: list[GraphAdapter] = field(default_factory=list)

    @property
    def calendar_id(self) -> str:
        """Return the default calendar's id."""
        return self.server.world.default_calendar(LEA).id

    async def put(self, uid: str, data: bytes) -> None:
        """Add or replace an event."""
        (event,) = parse_many(data)[0].inside("VEVENT")
        if not _is_a_time(event.value("DTSTART")):
            tolerate("an event without a time is planted")
        self.server.world.put(self.calendar_id, as_graph_has_it(uid, event))

    async def remove(self, uid: str) -> None:
        """Delete an event."""
        self.server.world.remove(self.calendar_id, uid)

    def fail(self, **fault: Any) -> None:
        """Break every answer from now on."""
        renamed = {"gzip_bomb": "bad_gzip"}
        facts = {renamed.get(name, name): value for name, value in fault.items()}
        self.server.break_with(*(Fault(route=route, **facts) for route in ROUTES))

    def mend(self) -> None:
        """Answer well again."""
        self.server.break_with()

    def shared(self) -> Shared:
        """Return what an adapter is opened with."""
        return Shared(
            client=self.client,
            clock=self.clock,
            tokens=lambda _: self.tokens,
            microsoft=Endpoint(url=self.server.graph_url),
            gates=self.gates,
        )

    def open(self) -> Adapter:
        """Return the adapter under test."""
        return self.adapter()

    def adapter(self) -> GraphAdapter:
        """Return the adapter under test, with all that it can."""
        made = Registry(self.shared()).open(self.connection, b"")
        assert isinstance(made, GraphAdapter)
        self.opened.append(made)
        return made


@asynccontextmanager
async def graph_source(
    *, clock: Clock | None = None, seconds: float = 2.0, time_zone: str = "W. Europe Standard Time"
) -> AsyncIterator[GraphSource]:
    """Run a simulated Microsoft with Lea's account."""
    client = GuardedClient(GuardOptions(), max_seconds=seconds)
    async with MicrosoftServer() as server:
        server.world.add_mailbox(LEA, name="Lea", time_zone=time_zone)
        server.world.default_calendar(LEA).name = "Work"
        grant = server.world.grant(LEA)
        made = GraphSource(server, client, GrantTokens(server, grant), clock or FakeClock())
        try:
            yield made
            WATCH.end()  # campaigns have nobody else who asks
        finally:
            for adapter in made.opened:
                await adapter.close()
            await client.close()
            client.threads.close()


def as_graph_has_it(uid: str, event: Component) -> dict[str, Any]:
    """Return a test's event in Graph's JSON."""
    item: dict[str, Any] = {
        "id": uid,
        "iCalUId": uid,
        "subject": event.text("SUMMARY"),
        "showAs": "busy",
        "originalStartTimeZone": "UTC",
        "originalEndTimeZone": "UTC",
    }
    end = event.value("DTEND") or event.value("DTSTART")
    for name, text in (("start", event.value("DTSTART")), ("end", end)):
        item[name] = {"dateTime": _written(text), "timeZone": "UTC"}
    return item


def _is_a_time(text: str) -> bool:
    try:
        parse_wall(text)
    except ValueError:
        return False
    return True


def _written(text: str) -> str:
    if not _is_a_time(text):
        return text
    return datetime_of(parse_wall(text).wall).isoformat() + ".0000000"
