"""What adapters share: a client, a clock, tokens, and where the registered providers are."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.adapters._gates import Gates
from gateway.adapters._http import GuardedClient
from gateway.errors import SignInNeeded
from gateway.model.connection import Connection
from gateway.ports import Clock, SignIns, SignInTry, TokenSource

TokensOf = Callable[[Connection], TokenSource]
"""Gives the access tokens of a connection that was made by consent."""


def no_tokens(connection: Connection) -> TokenSource:
    """Refuse: this gateway is registered with no provider."""
    raise SignInNeeded(f"This gateway is not registered with {connection.provider.title()}.")


class NoSignIns:
    """Refuses: without a record of refusals no password is sent (ports.SignIns)."""

    async def begin(self, account: str, password: str, *, entered: bool) -> SignInTry:
        """Refuse."""
        del account, password, entered
        raise SignInNeeded("This gateway keeps no record of refused passwords.")

    def given_up(self, one: SignInTry) -> None:
        """Nothing was begun."""

    async def accepted(self, one: SignInTry) -> None:
        """Nothing was begun."""

    async def refused(self, one: SignInTry, *, for_good: bool) -> int:
        """Nothing was begun."""
        raise NotImplementedError


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
    sign_ins: SignIns = field(default_factory=NoSignIns)
    gates: Gates = field(default_factory=Gates)
