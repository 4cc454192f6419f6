"""What the core needs of providers that give access by consent, and of what is kept of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.model.grant import Channel, EndedConnection, Grant, PendingConsent
from gateway.model.timerange import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequest:
    """What a browser carries to a provider: RFC 6749 section 4.1.1, RFC 7636, OpenID's nonce."""

    redirect_uri: str
    state: str
    nonce: str
    challenge: str
    login_hint: str = ""


class Consent(Protocol):
    """A provider's consent screen and token endpoint.

    Failures: SignInNeeded where the provider takes the code or refresh token no longer,
    NotRegistered where it refuses the gateway itself, Unavailable for anything else.
    `missing` names, in words for people, the permissions that a grant lacks. `origin` is where
    the consent screen lives.
    """

    @property
    def title(self) -> str: ...
    @property
    def origin(self) -> str: ...
    def authorize_url(self, asked: ConsentRequest) -> str: ...
    async def exchange(
        self, code: str, *, verifier: str, nonce: str, redirect_uri: str
    ) -> Grant: ...
    async def refresh(self, grant: Grant) -> Grant: ...
    async def revoke(self, grant: Grant) -> None: ...
    def missing(self, grant: Grant) -> tuple[str, ...]: ...


class Consents(Protocol):
    """Consents under way, each taken once; and ended connections until their provider knows."""

    async def add(self, pending: PendingConsent) -> None: ...
    async def take(
        self, state_digest: str, session_digest: str, provider: str, now: Instant
    ) -> PendingConsent | None: ...
    async def look(self, state_digest: str, now: Instant) -> PendingConsent | None: ...
    async def purge(self, now: Instant) -> int: ...
    async def end(self, ended: EndedConnection) -> None: ...
    async def ended(self, connection_id: str) -> EndedConnection | None: ...
    async def forget(self, connection_id: str) -> None: ...


class Channels(Protocol):
    """Push channels, by our name or the source's."""

    async def add(self, channel: Channel) -> None: ...
    async def get(self, channel_id: str) -> Channel | None: ...
    async def by_watches(
        self, provider: str, watch_ids: Collection[str]
    ) -> Mapping[str, Channel]: ...
    async def of_connection(self, connection_id: str) -> Sequence[Channel]: ...
    async def update(self, channel: Channel) -> None: ...
    async def remove(self, channel_id: str) -> None: ...
