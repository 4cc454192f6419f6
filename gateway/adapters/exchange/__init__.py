"""Exchange on premises over EWS (docs/connect-exchange.md), with exchangelib over our own wire.

The library behind it takes a good part of a second to load: only who opens a connection pays.
"""

from gateway.adapters._loading import loaded
from gateway.adapters._shared import Shared
from gateway.model.connection import Connection
from gateway.ports import Adapter, AdapterSpec, Capability

MODULE = "gateway.adapters.exchange.adapter"
SPEC = AdapterSpec(
    provider="exchange",
    title="Exchange",
    capabilities=Capability.READ
    | Capability.LIST_CALENDARS
    | Capability.LAST_LOOK
    | Capability.WRITE
    | Capability.SETTLE,
)


def build(connection: Connection, secret: bytes, shared: Shared) -> Adapter:
    """Build an adapter from a connection's secret in JSON."""
    made: Adapter = loaded(MODULE).build(connection, secret, shared)
    return made
