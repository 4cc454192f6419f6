"""Calendars on any CalDAV server (RFC 4791): discovery, reading by sync-collection, writing.

The library behind it takes a good part of a second to load: only who opens a connection pays.
"""

from gateway.adapters._loading import loaded
from gateway.adapters._shared import Shared
from gateway.model.connection import Connection
from gateway.ports import Adapter, AdapterSpec, Capability

MODULE = "gateway.adapters.caldav.adapter"
SPEC = AdapterSpec(
    provider="caldav",
    title="CalDAV",
    capabilities=Capability.READ
    | Capability.LIST_CALENDARS
    | Capability.LAST_LOOK
    | Capability.WRITE,
)


def build(connection: Connection, secret: bytes, shared: Shared) -> Adapter:
    """Build an adapter from a connection's secret in JSON."""
    made: Adapter = loaded(MODULE).build(connection, secret, shared)
    return made
