"""Which network addresses a URL given by a user may lead to; docs/adr/0007 says why each is listed.

`ipaddress.is_global` alone is not trusted: it calls several tunnels into private networks global.
"""

import socket
from dataclasses import dataclass, field
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

PRIVATE_4 = tuple(
    IPv4Network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
PRIVATE_6 = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
NEVER_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "168.63.129.16/32",  # the host agent of a large cloud, public by number only
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
UNICAST_6 = IPv6Network("2000::/3")
NEVER_6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries any IPv4 address, 127.0.0.1 included
        "3fff::/20",
    )
)

Network = IPv4Network | IPv6Network


class AddressRefusedError(OSError):
    """The connection would lead to an address that is out of bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardOptions:
    """What the administrator opens; by default the public internet on the two web ports.

    `own_origins` are host and port pairs of the gateway itself, which never reads itself.
    """

    allow_private: bool = False
    allowed_networks: tuple[Network, ...] = ()
    allowed_ports: frozenset[int] = frozenset({80, 443})
    own_origins: frozenset[tuple[str, int]] = field(default_factory=frozenset)

    def allows_port(self, port: int) -> bool:
        """Tell whether a user's URL may name this port."""
        return self.allow_private or port in self.allowed_ports

    def allows_address(self, text: str) -> bool:
        """Tell whether a socket may be opened to this numeric address."""
        try:
            address = ip_address(text.partition("%")[0])
        except (ValueError, AddressValueError):
            return False
        if any(address in network for network in self.allowed_networks):
            return True
        if isinstance(address, IPv4Address):
            return self._allows_4(address)
        return self._allows_6(address)

    def _allows_4(self, address: IPv4Address) -> bool:
        if any(address in network for network in NEVER_4):
            return False
        if any(address in network for network in PRIVATE_4):
            return self.allow_private
        return address.is_global

    def _allows_6(self, address: IPv6Address) -> bool:
        if any(address in network for network in PRIVATE_6):
            return self.allow_private
        # Outside 2000::/3 lie mapped IPv4, NAT64, link-local, site-local and multicast.
        if address not in UNICAST_6 or any(address in network for network in NEVER_6):
            return False
        return address.is_global


def networks(texts: list[str]) -> tuple[Network, ...]:
    """Read networks from a configuration list."""
    return tuple(ip_network(text) for text in texts)


@dataclass(frozen=True, slots=True)
class GuardedSockets:
    """A socket factory: it sees the address of every attempt, IP literals and redirects too."""

    options: GuardOptions

    def __call__(self, addr_info: tuple[Any, ...]) -> socket.socket:
        """Open a socket for this address or refuse; what was checked here is what is connected."""
        family, kind, proto, _, address = addr_info
        host, port = str(address[0]), int(address[1])
        if not self.options.allows_address(host) or (host, port) in self.options.own_origins:
            raise AddressRefusedError("refused")
        return socket.socket(family=family, type=kind, proto=proto)


class GuardedResolver(AbstractResolver):
    """Refuses a name when any of its addresses is out of bounds: mixed answers gain nothing."""

    def __init__(self, inner: AbstractResolver, options: GuardOptions) -> None:
        self._inner = inner
        self._options = options

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve once; the connector uses exactly these addresses."""
        found = await self._inner.resolve(host, port, family)
        if not all(self._options.allows_address(result["host"]) for result in found):
            raise AddressRefusedError("refused")
        return found

    async def close(self) -> None:
        """Close the resolver that does the work."""
        await self._inner.close()
