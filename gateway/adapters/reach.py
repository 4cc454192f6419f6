"""Looks at a source's servers one step at a time: name, connection, protection, ways to sign in.

Law: the address guard of docs/adr/0007 holds here too; what a server writes is never repeated,
only what it is.
"""

import asyncio
import contextlib
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._certificates import told, trusting
from gateway.errors import Unavailable
from gateway.model.connection import Connection
from gateway.model.timerange import Instant
from gateway.ports import Greeting, Place

SECONDS = 10.0
MAX_HEAD = 64 * 1024
CHALLENGE = re.compile(rb"(?im)^www-authenticate:[ \t]*([A-Za-z0-9_-]{1,40})")
DATE = re.compile(rb"(?im)^date:[ \t]*([A-Za-z0-9,: ]{10,40}?)[ \t]*\r?$")


class ServerReach:
    """Implements ports.Reach; `fixed` holds the addresses of the registered providers.

    `trusted` are files of certificates that a provider's given servers are trusted by besides.
    """

    def __init__(
        self,
        options: GuardOptions,
        fixed: Mapping[str, Sequence[Place]],
        *,
        trusted: Mapping[str, str] | None = None,
    ) -> None:
        self._options = options
        self._fixed = fixed
        self._trusted = trusted or {}

    def places(self, connection: Connection, secret: bytes) -> Sequence[Place]:
        """Return the servers of a connection; none where its address cannot be read."""
        if connection.provider in self._fixed:
            return self._fixed[connection.provider]
        ca_file = self._trusted.get(connection.provider, "")
        place = place_of(
            _member(secret, "url", bare=True),
            ca_file=ca_file,
            ca=_member(secret, "ca"),
            is_given=True,
        )
        return () if place is None else (place,)

    async def resolve(self, place: Place) -> Sequence[str]:
        """Return the numeric addresses of a name."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SECONDS):
                found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise Unavailable(f"There is no server called {place.host}.") from error
        except TimeoutError as error:
            raise Unavailable(f"The name {place.host} was not looked up in time.") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if place.is_given and not all(map(self._options.allows_address, addresses)):
            raise Unavailable(
                f"{place.host} lies in a network that the gateway does not read "
                "(`security.allow_private_networks`)."
            )
        if place.is_given and not self._options.allows_port(place.port):
            raise Unavailable("Only the ports 80 and 443 are read.")
        return addresses

    async def connect(self, place: Place) -> str:
        """Open a connection and tell how it is protected."""
        async with self._opened(place) as (_reader, writer):
            protection = writer.get_extra_info("ssl_object")
            if protection is None:
                return f"{place.host} answers, without protection (http)."
            return f"{place.host} answers over {protection.version()}, its certificate is good."

    async def greet(self, place: Place) -> Greeting:
        """Ask without signing in; read which ways to sign in are offered, and what time it is."""
        async with self._opened(place) as (reader, writer):
            head = (
                f"GET {place.path} HTTP/1.1\r\nHost: {place.host}:{place.port}\r\n"
                "User-Agent: calgate\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode("ascii", "replace"))
            try:
                async with asyncio.timeout(SECONDS):
                    await writer.drain()
                    answer = await reader.readuntil(b"\r\n\r\n")
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                raise Unavailable(f"{place.host} does not speak HTTP.") from error
            except TimeoutError as error:
                raise Unavailable(f"{place.host} does not answer in time.") from error
        if not answer.startswith(b"HTTP/1."):
            raise Unavailable(f"{place.host} does not speak HTTP.")
        names = (name.decode().title() for name in CHALLENGE.findall(answer))
        told = DATE.search(answer)
        return Greeting(
            methods=list(dict.fromkeys(names)),
            clock=_instant(told.group(1).decode()) if told else None,
        )

    @asynccontextmanager
    async def _opened(
        self, place: Place
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        # The address that was checked is the one that is connected to.
        address = (await self.resolve(place))[0]
        trusted = trusting(place.ca_file, place.ca) if place.secure else None
        try:
            async with asyncio.timeout(SECONDS):
                reader, writer = await asyncio.open_connection(
                    address,
                    place.port,
                    ssl=trusted,
                    server_hostname=place.host if place.secure else None,
                    limit=MAX_HEAD,
                )
        except (OSError, TimeoutError) as error:
            raise Unavailable(_said(error, place)) from error
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()


def place_of(url: str, *, ca_file: str = "", ca: str = "", is_given: bool = False) -> Place | None:
    """Return the server of a web address."""
    try:
        parts = urlsplit(re.sub("^webcals?:", "https:", url))
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    secure = parts.scheme == "https"
    return Place(
        host=parts.hostname,
        port=port or (443 if secure else 80),
        secure=secure,
        ca_file=ca_file,
        ca=ca,
        is_given=is_given,
        path=parts.path or "/",
    )


def _instant(text: str) -> Instant | None:
    """Read an HTTP date (RFC 9110 section 5.6.7)."""
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError):
        return None


def _member(secret: bytes, name: str, *, bare: bool = False) -> str:
    """Return a member of a connection's secret; a `bare` one may be the whole of it."""
    try:
        facts = json.loads(secret)
    except ValueError:
        return secret.decode("utf-8", "replace") if bare else ""
    value = facts.get(name, "") if isinstance(facts, dict) else ""
    return value if isinstance(value, str) else ""


def _said(error: OSError | TimeoutError, place: Place) -> str:
    if isinstance(error, ssl.SSLError):
        return told(error, place.host)
    if isinstance(error, ConnectionRefusedError):
        return f"{place.host} refuses connections on port {place.port}."
    if isinstance(error, TimeoutError):
        return f"{place.host} does not answer on port {place.port}."
    return f"{place.host} cannot be reached on port {place.port}."
