"""A gateway registered with two providers, and their consent screen as an owner answers it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway import ports
from gateway.adapters.oauth_google import GoogleConsent
from gateway.adapters.oauth_microsoft import MicrosoftConsent
from gateway.model.connection import Connection
from gateway.model.principal import Owner, Session
from gateway.services.consent import Callback, ConsentService
from gateway.services.ending import Ending
from gateway.services.farewell import END
from gateway.services.grants import GrantService
from gateway.services.outbox import Handler, OutboxService
from gateway.services.registry import Services
from tests.booking_desk import Desk, a_desk
from tests.conftest import FakeClock
from tests.token_endpoint import CLIENT, SECRET, Code, TokenEndpoint
from tests.web_desk import services_of

WORK = ports.UpstreamCalendar(upstream_id="jane", name="Jane", role="owner", is_primary=True)
TEAM = ports.UpstreamCalendar(upstream_id="team", name="Team", role="writer")
MICROSOFT_SCOPES = "Calendars.ReadWrite User.Read"


def a_session(owner: Owner, name: str = "session-1") -> Session:
    """Return a browser's session."""
    return Session(digest=name, owner_id=owner.id, csrf="csrf", expires_at=2**40)


@dataclass
class Screen:
    """The services, and the provider's consent screen as the owner answers it."""

    desk: Desk
    services: Services
    provider: TokenEndpoint
    consents: dict[str, ports.Consent]
    grants: GrantService

    @property
    def service(self) -> ConsentService:
        """The service under test."""
        return self.services.consent

    async def begin(self, provider: str = "google", **values: Any) -> dict[str, str]:
        """Accept; return the query that the browser carries to the provider."""
        owner = self.desk.owner
        known = {"session": a_session(owner), "acceptance": "text 1, en"} | values
        session = known.pop("session")
        url = await self.service.begin(owner, session, provider, **known)
        return {key: value[0] for key, value in parse_qs(urlsplit(url).query).items()}

    def allow(self, query: dict[str, str], code: str = "code-1", **values: Any) -> Callback:
        """Allow it on the consent screen; return what the browser comes back with."""
        self.provider.codes[code] = Code(
            challenge=query["code_challenge"],
            nonce=query["nonce"],
            redirect_uri=query["redirect_uri"],
            **values,
        )
        return Callback(state=query["state"], code=code)

    async def finish(
        self, told: Callback, provider: str = "google", session: str = "session-1"
    ) -> Connection:
        """Come back."""
        owner = self.desk.owner
        return await self.service.finish(owner, a_session(owner, session), provider, told)

    async def connect(self, provider: str = "google", **values: Any) -> Connection:
        """Go all the way."""
        if provider == "microsoft":
            values.setdefault("scope", MICROSOFT_SCOPES)
        query = await self.begin(provider)
        return await self.finish(self.allow(query, **values), provider)

    async def disconnect(self, connection: Connection) -> None:
        """Disconnect."""
        await self.services.connections.remove(self.desk.owner.id, connection.id)

    async def tell_providers(self) -> None:
        """Let the jobs run that a disconnecting left."""
        desk = self.desk
        ending = Ending(
            desk.store, desk.clock, desk.cipher, desk.sources, self.consents, grants=self.grants
        )
        handler = Handler(run=ending.run, buried=ending.left)
        outbox = OutboxService(desk.store, desk.clock, {END: handler}, node="node")
        await outbox.settle()
        await outbox.close()

    async def connections(self) -> list[Connection]:
        """Return what is connected."""
        async with self.desk.store.read() as tx:
            return list(await tx.connections.of_owner(self.desk.owner.id))

    async def trail(self) -> list[tuple[str, str]]:
        """Return the owner's log."""
        async with self.desk.store.read() as tx:
            found = await tx.notices.trail(self.desk.owner.id)
        return [(event, detail) for _at, event, detail in found]


@asynccontextmanager
async def consent_screen(
    store: ports.Store, clock: FakeClock, owner: Owner, **options: Any
) -> AsyncIterator[Screen]:
    """Register the gateway with both providers."""
    desk = await a_desk(store, clock, owner, local=(), default=None, **options)
    desk.sources.account = (TEAM, WORK)
    async with TokenEndpoint() as provider:
        provider.now = clock.now()
        consents: dict[str, ports.Consent] = {
            "google": GoogleConsent(
                clock,
                client_id=CLIENT,
                client_secret=SECRET,
                auth_url=provider.url("/authorize"),
                token_url=provider.url("/token"),
                revoke_url=provider.url("/revoke"),
            ),
            "microsoft": MicrosoftConsent(
                clock,
                client_id=CLIENT,
                client_secret=SECRET,
                authority=provider.url("/common"),
                graph_url="https://graph.microsoft.com/v1.0",
            ),
        }
        grants = GrantService(store, clock, desk.cipher, consents, desk.notices)
        services = services_of(desk, consents=consents, grants=grants)
        yield Screen(desk, services, provider, consents, grants)
        await services.consent.close()
        await grants.close()
    await desk.outbox.close()
