"""What adapters share: a client, a clock, tokens, and where the registered providers are."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.adapters._gates import Gates
from gateway.adapters._http import GuardedClient
from gateway.adapters._strikes import Strikes
from gateway.errors import SignInNeeded
from gateway.model.connection import Connection
from gateway.ports import Clock, TokenSource

TokensOf = Callable[[Connection], TokenSource]
"""Gives the access tokens of a connection that was made by consent."""


def no_tokens(connection: Connection) -> TokenSource:
    """Refuse: this gateway is registered with no provider."""
    raise SignInNeeded(f"This gateway is not registered with {connection.provider.title()}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a provider's API is; `ca_file` names the authorities it is trusted by."""

    url: str
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What every adapter may use."""

    client: GuardedClient
    clock: Clock
    tokens: TokensOf = no_tokens
    google: Endpoint = Endpoint(url="https://www.googleapis.com")
    microsoft: Endpoint = Endpoint(url="https://graph.microsoft.com/v1.0")
    exchange: Endpoint = Endpoint(url="")
    """Its `url` is the autodiscover address to ask instead of looking for one."""
    strikes: Strikes = field(default_factory=Strikes)
    gates: Gates = field(default_factory=Gates)
