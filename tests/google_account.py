"""A Google account at the simulated Google, for tests: its tokens and its calendars."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Endpoint, Shared
from gateway.adapters.google.adapter import GoogleAdapter
from gateway.adapters.registry import Registry
from gateway.errors import SignInNeeded
from gateway.model.component import Component, parse_many
from gateway.model.local_time import parse_wall
from gateway.model.timerange import DAY
from gateway.model.zones import UTC_ZONE
from gateway.ports import Adapter, Clock
from gateway.sandbox.google import Fault, GoogleServer
from gateway.sandbox.google.expansion import in_zone
from gateway.sandbox.google.world import EVERYTHING, Grant
from tests.builders import a_connection
from tests.conftest import FakeClock
from tests.sandbox_watch import WATCH

ANA = "ana@example.com"
HOSTS = ("events.*", "calendarList.*", "freebusy.*")


@dataclass
class GrantTokens:
    """A TokenSource over a grant at the simulated Google; `renewed` counts refusals."""

    server: GoogleServer
    grant: Grant
    token: str = ""
    renewed: int = 0

    async def access_token(self, *, rejected: str = "") -> str:
        """Return a token; after a refusal another one, while the grant lives."""
        if rejected:
            self.renewed += 1
        if not self.token or rejected:
            if self.grant.refresh_token not in self.server.world.grants:
                raise SignInNeeded("Google wants you to sign in again.")
            self.token = self.server.world.access_token(self.grant)
        return self.token


@dataclass
class GoogleSource:
    """One calendar, Work, of Ana's account."""

    server: GoogleServer
    client: GuardedClient
    tokens: GrantTokens
    clock: Clock = field(default_factory=FakeClock)
    opened: list[GoogleAdapter] = field(default_factory=list)

    async def put(self, uid: str, data: bytes) -> None:
        """Add or replace an event."""
        (event,) = parse_many(data)[0].inside("VEVENT")
        self.server.world.put(ANA, _as_google_has_it(uid, event))

    async def remove(self, uid: str) -> None:
        """Delete an event."""
        self.server.world.remove(ANA, uid)

    def fail(self, **fault: Any) -> None:
        """Break every answer from now on."""
        renamed = {"gzip_bomb": "bad_gzip"}
        facts = {renamed.get(name, name): value for name, value in fault.items()}
        self.server.break_with(*(Fault(route=route, **facts) for route in HOSTS))

    def mend(self) -> None:
        """Answer well again."""
        self.server.break_with()

    def open(self) -> Adapter:
        """Return the adapter under test."""
        return self.adapter()

    def adapter(self) -> GoogleAdapter:
        """Return the adapter under test, with all that it can."""
        shared = Shared(
            client=self.client,
            clock=self.clock,
            tokens=lambda _: self.tokens,
            google=Endpoint(url=self.server.url),
        )
        made = Registry(shared).open(a_connection(1, provider="google", account=ANA), b"")
        assert isinstance(made, GoogleAdapter)
        self.opened.append(made)
        return made


@asynccontextmanager
async def google_source(
    *, clock: Clock | None = None, seconds: float = 2.0
) -> AsyncIterator[GoogleSource]:
    """Run a simulated Google with Ana's account."""
    client = GuardedClient(GuardOptions(), max_seconds=seconds)
    async with GoogleServer() as server:
        server.world.add_account(ANA)
        server.world.calendars[ANA].summary = "Work"
        grant = server.world.grant(ANA, EVERYTHING)
        made = GoogleSource(server, client, GrantTokens(server, grant), clock or FakeClock())
        try:
            yield made
            WATCH.end()  # campaigns have nobody else who asks
        finally:
            for adapter in made.opened:
                await adapter.close()
            await client.close()
            client.threads.close()


def _as_google_has_it(uid: str, event: Component) -> dict[str, Any]:
    item: dict[str, Any] = {"id": uid, "iCalUID": uid, "summary": event.text("SUMMARY")}
    try:
        start = parse_wall(event.value("DTSTART"))
    except ValueError:
        return item | {"start": {}, "end": {}}
    end = parse_wall(event.value("DTEND")) if event.first("DTEND") else start
    for name, value in (("start", start), ("end", end)):
        item[name] = {"dateTime": in_zone(value.wall, UTC_ZONE), "timeZone": "UTC"}
    rules = [f"{line.name}:{line.value}" for line in event.all("RRULE")]
    return item | ({"recurrence": rules} if rules else {}) | {"sequence": value.wall // DAY}
