"""What an account's owner granted by consent (OAuth 2.0, RFC 6749), and consents under way."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.model.timerange import Instant

SPARE = 120
"""Seconds before its end from which an access token counts as used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Tokens of one account.

    `subject` is who it is for good: addresses change hands, subjects never do. `scopes` are those
    that were granted, which may be fewer than asked for. `refused_at` is when the provider last
    said, with `refusal`, that it takes the refresh token no longer.
    """

    subject: str
    email: str
    scopes: frozenset[str] = field(default_factory=frozenset)
    access_token: str = ""
    refresh_token: str = ""
    expires_at: Instant = 0
    refused_at: Instant = 0
    refusal: str = ""

    def usable(self, now: Instant, rejected: str = "") -> bool:
        """Tell whether the access token can be sent: it lives on, and was not just refused."""
        fresh = bool(self.access_token) and now < self.expires_at - SPARE
        return fresh and self.access_token != rejected

    def encode(self) -> bytes:
        """Return the grant as bytes to be sealed."""
        return json.dumps(asdict(self) | {"scopes": sorted(self.scopes)}).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Grant":
        """Return what `encode` wrote; raise ValueError for anything else."""
        known: Any = json.loads(data)
        try:
            return cls(**(known | {"scopes": frozenset(known["scopes"])}))
        except (TypeError, KeyError) as error:
            raise ValueError("this is no grant") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingConsent:
    """A consent that was begun: good once, for a while, in the browser session that began it.

    `state_digest` is of the random state that the provider hands back; `sealed` holds the PKCE
    verifier and the nonce. A way in from the command line has no session yet, and no verifier.
    `connection_id` is what it is to renew.
    """

    id: str
    owner_id: int
    provider: str
    state_digest: str
    session_digest: str = ""
    sealed: bytes = b""
    connection_id: str = ""
    created_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A push channel for one calendar.

    `id` is our name for it, `secret_digest` is of the secret that every notification must bring.
    `watch_id` and `resource` are the source's names, empty while it is being asked or refuses.
    """

    id: str
    collection_id: int
    connection_id: str
    provider: str
    secret_digest: str
    watch_id: str = ""
    resource: str = ""
    expires_at: Instant = 0
    renew_at: Instant = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedConnection:
    """A connection that is gone here, whose consent and channels are still to be ended there."""

    id: str
    owner_id: int
    provider: str
    account: str
    secret: bytes
    channels: tuple[tuple[str, str], ...] = ()
    ended_at: Instant = 0
