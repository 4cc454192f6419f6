"""The registry of sources: an adapter is one file and one line here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.adapters import caldav, exchange, ics
from gateway.adapters._loading import loaded
from gateway.adapters._shared import Shared
from gateway.adapters.google import adapter as google
from gateway.adapters.graph import adapter as graph
from gateway.errors import NotFound
from gateway.model.connection import Connection
from gateway.ports import Adapter, AdapterSpec

Build = Callable[[Connection, bytes, Shared], Adapter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One kind of source: what it can do, and how an adapter is made of a connection."""

    spec: AdapterSpec
    build: Build


REGISTRATIONS: tuple[Registration, ...] = (
    Registration(spec=ics.SPEC, build=ics.build),
    Registration(spec=caldav.SPEC, build=caldav.build),
    Registration(spec=google.SPEC, build=google.build),
    Registration(spec=graph.SPEC, build=graph.build),
    Registration(spec=exchange.SPEC, build=exchange.build),
)


def load_libraries() -> None:
    """Load what the first connection would wait for: a second of work, for a thread."""
    for source in (caldav, exchange):
        loaded(source.MODULE)


class Registry:
    """All sources of this gateway (`Sources` of ports.py)."""

    def __init__(
        self, shared: Shared, registrations: Sequence[Registration] = REGISTRATIONS
    ) -> None:
        self._shared = shared
        self._by_provider = {entry.spec.provider: entry for entry in registrations}

    def specs(self) -> Iterable[AdapterSpec]:
        """Return what can be connected."""
        return [entry.spec for entry in self._by_provider.values()]

    def open(self, connection: Connection, secret: bytes) -> Adapter:
        """Return an adapter for this connection; a bad address raises Unavailable."""
        entry = self._by_provider.get(connection.provider)
        if entry is None:
            raise NotFound(f"source {connection.provider}")
        return entry.build(connection, secret, self._shared)

    async def close(self) -> None:
        """Close what the adapters share."""
        await self._shared.client.close()
