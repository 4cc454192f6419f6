"""Who is asking, and for which host: believed only as far as the socket or a trusted proxy says."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from aiohttp import hdrs, web

HOST = re.compile(
    r"(?P<name>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\.?"
    r"|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?",
    re.IGNORECASE,
)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_HOST = 260

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(names: Iterable[str]) -> tuple[Network, ...]:
    """Return addresses and networks as networks; raise ValueError for anything else."""
    return tuple(ipaddress.ip_network(name, strict=False) for name in names)


def host_name(header: str) -> str | None:
    """Return the name in a Host header, lower case, without its port; None if it is malformed."""
    found = HOST.fullmatch(header) if len(header) <= MAX_HOST else None
    return found["name"].lower().strip("[]").removesuffix(".") if found else None


def own_hosts(public_url: str, hosts: Sequence[str]) -> frozenset[str]:
    """Return the names this gateway answers under: its own, loopback aliases, and `hosts`."""
    public = (urlsplit(public_url).hostname or "localhost").lower()
    aliases = LOOPBACK if public in LOOPBACK else ()
    return frozenset({public, *aliases, *(host_name(host) or host for host in hosts)})


def client_address(request: web.BaseRequest, trusted: Sequence[Network]) -> str:
    """Return the address a request comes from.

    Forwarded-for counts only where a trusted proxy says it, read from the right: the first hop
    that is not a trusted proxy is the client.
    """
    peer = request.transport.get_extra_info("peername") if request.transport else None
    address = str(peer[0]).partition("%")[0] if peer else ""
    hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
    while hops and _is_trusted(address, trusted):
        hop = _address(hops.pop())
        if hop is None:
            break
        address = hop
    return address


def is_cross_site(request: web.BaseRequest) -> bool:
    """Tell whether a browser says that another site made it send this request."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return False
    return urlsplit(origin).netloc.lower() != request.headers.get(hdrs.HOST, "").lower()


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in trusted)


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text.strip().strip("[]")))
    except ValueError:
        return None
