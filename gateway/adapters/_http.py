"""The one HTTP client for URLs that users give, under the rules of docs/adr/0007.

The socket that is opened is checked, every redirect is a new request under the same rules, size
and time are bounded, credentials stay with their origin, proxies, cookies and netrc are ignored,
and an error is one sentence that repeats nothing of the answer.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import unquote

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from multidict import CIMultiDictProxy
from yarl import URL

from gateway.adapters._addresses import (
    AddressRefusedError,
    GuardedResolver,
    GuardedSockets,
    GuardOptions,
)
from gateway.adapters._certificates import told, trusting
from gateway.adapters._threads import Threads
from gateway.errors import Unavailable
from gateway.model.timerange import MINUTE, Instant, to_instant

MAX_BYTES = 10 * 1024 * 1024
MAX_CONFIGURED_BYTES = 64 * 1024 * 1024
SENT_FOR_KEPT = 3
"""How many times its limit may be sent of an answer of which a sieve keeps only a part."""
MAX_SECONDS = 30.0
MAX_REDIRECTS = 5
MAX_RETRY_AFTER = 10 * MINUTE
MAX_URL = 2000
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SEE_OTHER = 303
NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029]")
CHUNK = 64 * 1024

UNREACHABLE = "The server of this address cannot be reached."
FORBIDDEN_ADDRESS = "This address leads to a network that the gateway does not read."


class Sieve(Protocol):
    """Takes an answer as it arrives and keeps what is wanted of it."""

    def take(self, chunk: bytes) -> bytes:
        """Return what is kept after these octets."""

    def finish(self) -> bytes:
        """Return what is left at the end."""


class Blocked(Unavailable):
    """The address guard refused; nothing was sent."""


class Unreachable(Unavailable):
    """No connection came about; nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A checked URL and, as an Authorization header, the credentials embedded in it."""

    url: URL
    auth: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer within bounds.

    `headers` may hold a name more than once; `certificate` is the server's own, in DER, over TLS.
    """

    status: int
    headers: CIMultiDictProxy[str]
    charset: str | None
    body: bytes
    url: URL
    reason: str = ""
    certificate: bytes | None = None


def read_url(text: str, options: GuardOptions) -> Target:
    """Check a user's URL and take its credentials out; raises Blocked with a sentence."""
    if len(text) > MAX_URL or NOT_IN_A_URL.search(text):
        raise Blocked("This is not a web address.")
    try:
        url = URL(text)
        host, user, password = url.host, url.user, url.password
    except ValueError as error:
        raise Blocked("This is not a web address.") from error
    if url.scheme not in {"http", "https"} or not host or "%" in host:
        raise Blocked("An address must begin with https:// or http:// and name a server.")
    check_origin(url, options)
    auth = None
    if user is not None:
        if ":" in unquote(user):
            raise Blocked("A user name cannot contain a colon.")
        auth = aiohttp.encode_basic_auth(unquote(user), unquote(password or ""), "utf-8")
    return Target(url=url.with_user(None).with_fragment(None), auth=auth)


def check_origin(url: URL, options: GuardOptions) -> None:
    """Refuse a scheme, port or host that is out of bounds whatever it resolves to."""
    if url.scheme not in {"http", "https"} or not url.host or url.port is None:
        raise Blocked("The server sends us to an address that is not a web address.")
    if not options.allows_port(url.port):
        raise Blocked("Only the ports 80 and 443 are read.")
    if (url.host.rstrip(".").lower(), url.port) in options.own_origins:
        raise Blocked("This address leads to the gateway itself.")


class GuardedClient:
    """Fetches URLs that users give; one for the process, closed at its end."""

    def __init__(
        self,
        options: GuardOptions,
        *,
        resolver: AbstractResolver | None = None,
        max_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
        ca_file: str = "",
        ca: str = "",
        connections: int = 32,
        at_a_host: int = 4,
    ) -> None:
        self.options = options
        self._resolver = resolver
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._ca_file, self._ca = ca_file, ca
        self._connections, self._at_a_host = connections, at_a_host
        self._session: aiohttp.ClientSession | None = None
        self._configured: dict[str, GuardedClient] = {}
        self.threads = Threads()

    def apart(self, *, ca_file: str = "", ca: str = "") -> "GuardedClient":
        """Return a client under the same rules with one connection that nobody else uses.

        NTLM signs a connection in, not a request: two accounts must never share one.
        """
        made = GuardedClient(
            self.options,
            resolver=self._resolver,
            max_bytes=self._max_bytes,
            max_seconds=self._max_seconds,
            ca_file=ca_file,
            ca=ca,
            connections=1,
        )
        made.threads = self.threads
        return made

    def configured(self, *, ca_file: str = "") -> "GuardedClient":
        """Return the client for addresses that stand in the configuration, wherever they are.

        All accounts share its connections, which this client closes: who asks is told by each
        request. They have no limit here, or accounts that hang would hold up the others; what one
        account may ask at a time is bounded by its provider's client.
        """
        known = self._configured.get(ca_file)
        if known is None:
            known = self._configured[ca_file] = GuardedClient(
                replace(self.options, allow_private=True, own_origins=frozenset()),
                resolver=self._resolver,
                max_bytes=MAX_CONFIGURED_BYTES,
                max_seconds=self._max_seconds,
                ca_file=ca_file,
                connections=0,
                at_a_host=0,
            )
            known.threads = self.threads
        return known

    async def get(
        self,
        target: Target,
        *,
        headers: Mapping[str, str] | None = None,
        sieve: Callable[[], Sieve] | None = None,
    ) -> Answer:
        """Get a document over at most five redirects; raises Unavailable with one sentence.

        The limit of size is on what a sieve keeps; what is sent has a wider one.
        """
        return await self.request("GET", target, headers=headers, sieve=sieve)

    async def request(
        self,
        method: str,
        target: Target,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        follow: bool = True,
        sieve: Callable[[], Sieve] | None = None,
    ) -> Answer:
        """Send one request; a redirect keeps its method and body (RFC 4918 clients do so too)."""
        request = _Request(
            method=method,
            headers=headers or {},
            body=body,
            hops=MAX_REDIRECTS if follow else 0,
            sieve=sieve,
        )
        try:
            async with asyncio.timeout(self._max_seconds):
                return await self._follow(target, request)
        except TimeoutError as error:
            raise Unavailable("The server did not answer completely in time.") from error
        except aiohttp.ClientError as error:
            raise _explained(error) from error
        except UnicodeError as error:
            raise Unreachable(UNREACHABLE) from error  # a host that no name can be
        except ValueError as error:
            raise Unavailable("The server's answer makes no sense.") from error

    async def close(self) -> None:
        """Close every connection."""
        for one in self._configured.values():
            await one.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _follow(self, target: Target, request: "_Request") -> Answer:
        url, auth, headers = target.url, target.auth, request.headers
        for _ in range(request.hops + 1):
            check_origin(url, self.options)
            async with self._opened().request(
                request.method,
                url,
                headers=_with(headers, auth),
                data=request.body,
                allow_redirects=False,
                ssl=self._trusted(),
            ) as response:
                if response.status not in REDIRECTS or request.takes(response.status):
                    return await self._read(response, request.sieve)
                location = response.headers.get("Location", "")
            following = _next_url(url, location)
            signed_in = auth is not None or any(k.lower() == "authorization" for k in headers)
            if signed_in and url.scheme == "https" and following.scheme != "https":
                raise Blocked("The server sends us to an unprotected address.")
            if following.origin() != url.origin():
                auth = None
                headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
            url = following
        raise Unavailable("The server sends us on too often.")

    async def _read(
        self, response: aiohttp.ClientResponse, wanted: Callable[[], Sieve] | None
    ) -> Answer:
        body, sent = bytearray(), 0
        sieve = wanted() if wanted is not None else None
        most = self._max_bytes * (SENT_FOR_KEPT if sieve is not None else 1)
        async for chunk in response.content.iter_chunked(CHUNK):
            sent += len(chunk)
            body += chunk if sieve is None else sieve.take(chunk)
            if len(body) > self._max_bytes or sent > most:
                response.close()
                limit = self._max_bytes if len(body) > self._max_bytes else most
                raise Unavailable(f"The answer is larger than {limit >> 20} MiB.")
        if sieve is not None:
            body += sieve.finish()
        return Answer(
            status=response.status,
            headers=response.headers,
            charset=response.charset,
            body=bytes(body),
            url=response.url,
            reason=response.reason or "",
            certificate=response.certificate if isinstance(response, _Response) else None,
        )

    def _trusted(self) -> ssl.SSLContext | bool:
        # Asked for each request: a file that was replaced counts without a restart.
        return trusting(self._ca_file, self._ca) if self._ca_file or self._ca else True

    def _opened(self) -> aiohttp.ClientSession:
        # Opened late: a session belongs to the loop that runs it.
        if self._session is None:
            inner = self._resolver or aiohttp.ThreadedResolver()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    socket_factory=GuardedSockets(self.options),
                    resolver=GuardedResolver(inner, self.options),
                    use_dns_cache=False,
                    limit=self._connections,
                    limit_per_host=self._at_a_host,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=_Response,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=15),
                headers={"User-Agent": "calgate", "Accept-Encoding": "gzip, deflate"},
            )
        return self._session


class _Response(aiohttp.ClientResponse):
    """Keeps the server's certificate: after a short answer its connection is gone at once."""

    certificate: bytes | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Look at the connection before anything is read from it."""
        transport = connection.transport
        tls = transport.get_extra_info("ssl_object") if transport else None
        self.certificate = tls.getpeercert(True) if tls else None
        return await super().start(connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    headers: Mapping[str, str]
    body: bytes | None
    hops: int
    sieve: Callable[[], Sieve] | None = None

    def takes(self, status: int) -> bool:
        """Tell whether a redirect is the answer: where none is followed, or it would be a GET."""
        return not self.hops or (status == SEE_OTHER and self.method != "GET")


def _with(headers: Mapping[str, str], auth: str | None) -> dict[str, str]:
    return {**headers, **({} if auth is None else {"Authorization": auth})}


def _next_url(url: URL, location: str) -> URL:
    if not location or len(location) > MAX_URL or NOT_IN_A_URL.search(location):
        raise Unavailable("The server sends us on without a usable address.")
    following = url.join(URL(location))
    # A login in a redirect would be the server's choice, not the owner's.
    return following.with_user(None).with_fragment(None) if following.host else following


def _explained(error: aiohttp.ClientError) -> Unavailable:
    reason = getattr(error, "os_error", None)
    if isinstance(reason, AddressRefusedError):
        return Blocked(FORBIDDEN_ADDRESS)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Unreachable(told(error.certificate_error, error.host))
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return Unreachable(told(reason, error.host))
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ServerTimeoutError):
        if isinstance(reason, ssl.SSLError):
            return Unreachable(told(reason, getattr(error, "host", "The server")))
        return Unreachable(UNREACHABLE)
    if isinstance(error, aiohttp.InvalidURL):
        return Blocked("This is not a web address.")
    return Unavailable("The server broke off or answered in a way that makes no sense.")


def retry_after(headers: Mapping[str, str], now: Instant) -> int | None:
    """Read Retry-After (RFC 9110 section 10.2.3), at most ten minutes; nonsense is absence."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(max(int(text[:9]), 1), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
        wait = to_instant(moment) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(wait, MAX_RETRY_AFTER) if wait > 0 else None
