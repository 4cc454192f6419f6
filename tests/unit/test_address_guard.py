"""The address guard against the spellings, redirects and DNS tricks of security.md section F."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.adapters._addresses import GuardOptions, networks
from gateway.adapters._http import Answer, Blocked, GuardedClient, read_url, retry_after
from gateway.errors import Unavailable

CORPUS = json.loads((Path(__file__).parent.parent / "cases" / "addresses.json").read_text("utf-8"))

OUTSIDE = "127.0.0.2"
"""The loopback address that these tests declare public."""

FORBIDDEN = CORPUS["forbidden"]
PUBLIC = CORPUS["public"]

SPELLINGS = CORPUS["spellings"]
WITH_CONTROLS = [
    "http://127.0.0\t.1:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: x",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\x00",
    "ht\ntp://127.0.0.1:{port}/",
    "http://good.example\u2028@127.0.0.1:{port}/",
    "",
    "x" * 5000,
]


@dataclass
class Site:
    """A raw HTTP server on one address: it counts connections and keeps the requests."""

    answer: bytes | Callable[[bytes], bytes] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    requests: list[bytes] = field(default_factory=list)
    hits: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        self.hits += 1
        request = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(request)
        writer.write(self.answer(request) if callable(self.answer) else self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(site: Site, *hosts: str) -> AsyncIterator[Site]:
    """Serve a site on loopback addresses, all on one port."""
    first = await asyncio.start_server(site.serve, hosts[0], 0)
    site.port = first.sockets[0].getsockname()[1]
    others = [await asyncio.start_server(site.serve, host, site.port) for host in hosts[1:]]
    try:
        yield site
    finally:
        for server in [first, *others]:
            server.close()
            await server.wait_closed()


class Names(AbstractResolver):
    """A resolver with prepared answers, the last of which stays; any other name is local."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """Give the next answer for this name."""
        self.asked.append(host)
        queue = self.answers.get(host, [["127.0.0.1", "::1"]])
        addresses = queue.pop(0) if len(queue) > 1 else queue[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


def options(*ports: int) -> GuardOptions:
    """Return options under which 127.0.0.2 is the whole internet, on these ports."""
    return GuardOptions(
        allowed_networks=networks([f"{OUTSIDE}/32"]), allowed_ports=frozenset(ports)
    )


async def fetch(url: str, guard: GuardOptions, resolver: AbstractResolver | None = None) -> Answer:
    """Read one address as an adapter does."""
    client = GuardedClient(guard, resolver=resolver, max_seconds=5)
    try:
        return await client.get(read_url(url, guard))
    finally:
        await client.close()


def redirect(to: str, status: int = 302) -> bytes:
    """Return an answer that sends the client on."""
    return f"HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_address_inside_is_allowed(address: str) -> None:
    """Every private, local, reserved, multicast and tunnelling address is out of bounds."""
    assert not GuardOptions().allows_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    """The neighbours of the listed ranges are the public internet."""
    assert GuardOptions().allows_address(address)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("192.168.1.1", True),
        ("fd00::1", True),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
    ],
)
def test_private_networks_can_be_opened(address: str, *, allowed: bool) -> None:
    """`allow_private_networks` opens loopback and private ranges, not metadata and tunnels."""
    assert GuardOptions(allow_private=True).allows_address(address) is allowed


async def test_no_spelling_reaches_a_forbidden_server() -> None:
    """Every spelling of a loopback address is refused; the counting server has no hit."""
    async with serving(Site(), "127.0.0.1", "::1") as inside:
        guard = options(inside.port, 80)
        for spelling in SPELLINGS + WITH_CONTROLS:
            with pytest.raises(Unavailable):
                await fetch(
                    spelling.replace("{port}", str(inside.port)),
                    guard,
                    Names({}),
                )

        assert inside.hits == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_reaches_a_forbidden_server(status: int) -> None:
    """A redirect from a public server into the network is refused at its socket."""
    async with serving(Site(), "127.0.0.1", "::1") as inside, serving(Site(), OUTSIDE) as outside:
        for spelling in SPELLINGS:
            outside.answer = redirect(
                spelling.replace("{port}", str(inside.port)).encode().decode("latin-1"), status
            )
            with pytest.raises(Unavailable):
                await fetch(
                    f"http://{OUTSIDE}:{outside.port}/",
                    options(inside.port, outside.port),
                    Names({}),
                )

        assert inside.hits == 0


async def test_the_checked_address_is_the_connected_one() -> None:
    """A name that answers public first and private next is asked once per connection."""
    async with serving(Site(), "127.0.0.1") as inside, serving(Site(), OUTSIDE) as outside:
        names = Names({"rebind.example": [[OUTSIDE], ["127.0.0.1"]]})
        guard = options(inside.port, outside.port)
        answer = await fetch(f"http://rebind.example:{outside.port}/", guard, names)
        with pytest.raises(Blocked):
            await fetch(f"http://rebind.example:{inside.port}/", guard, names)

        assert answer.body == b"ok"
        assert names.asked == ["rebind.example", "rebind.example"]
        assert inside.hits == 0


@pytest.mark.parametrize(
    "records", [[OUTSIDE, "127.0.0.1"], ["127.0.0.1", OUTSIDE], [OUTSIDE, "::1"]]
)
async def test_one_forbidden_record_spoils_the_name(records: list[str]) -> None:
    """A name with a public and a private record is refused as a whole."""
    async with serving(Site(), "127.0.0.1", OUTSIDE, "::1") as site:
        with pytest.raises(Blocked):
            await fetch(
                f"http://mixed.example:{site.port}/",
                options(site.port),
                Names({"mixed.example": [records]}),
            )

        assert site.hits == 0


async def test_five_redirects_are_followed_and_no_more() -> None:
    """A chain of five hops arrives, a loop ends."""
    async with serving(Site(), OUTSIDE) as site:

        def hop(request: bytes) -> bytes:
            step = int(request.split(b" ")[1].strip(b"/"))
            return redirect(f"/{step - 1}") if step else Site.answer

        site.answer = hop
        guard = options(site.port)
        answer = await fetch(f"http://{OUTSIDE}:{site.port}/5", guard)
        with pytest.raises(Unavailable, match="too often"):
            await fetch(f"http://{OUTSIDE}:{site.port}/6", guard)

        assert answer.status == 200


async def test_credentials_stay_with_their_origin() -> None:
    """Embedded credentials go to the first server as Basic and to no other port or host."""
    async with serving(Site(), OUTSIDE) as first, serving(Site(), OUTSIDE) as second:
        first.answer = redirect(f"http://{OUTSIDE}:{second.port}/")
        await fetch(
            f"http://jane:s%65cret@{OUTSIDE}:{first.port}/", options(first.port, second.port)
        )

        assert b"Authorization: Basic amFuZTpzZWNyZXQ=" in first.requests[0]
        assert b"authorization" not in second.requests[0].lower()
        assert b"cookie" not in second.requests[0].lower()


@pytest.mark.parametrize(("most", "fits"), [(2, True), (1, False)])
async def test_an_answer_is_read_up_to_its_limit(most: int, *, fits: bool) -> None:
    """A body of exactly the limit is read; one octet more is refused."""
    async with serving(Site(), OUTSIDE) as site:
        guard = options(site.port)
        client = GuardedClient(guard, max_bytes=most, max_seconds=5)
        asked = client.get(read_url(f"http://{OUTSIDE}:{site.port}/", guard))
        try:
            if fits:
                assert (await asked).body == b"ok"
            else:
                with pytest.raises(Unavailable, match="larger than"):
                    await asked
        finally:
            await client.close()


async def test_a_redirect_cannot_bring_its_own_login() -> None:
    """Credentials in a Location header are dropped."""
    async with serving(Site(), OUTSIDE) as first, serving(Site(), OUTSIDE) as second:
        first.answer = redirect(f"http://eve:x@{OUTSIDE}:{second.port}/")
        await fetch(f"http://{OUTSIDE}:{first.port}/", options(first.port, second.port))

        assert b"authorization" not in second.requests[0].lower()


@pytest.mark.parametrize("port", [22, 25, 5432, 6379, 8080])
def test_only_web_ports_are_read(port: int) -> None:
    """Without the administrator's word only 80 and 443 can be named."""
    with pytest.raises(Blocked, match="80 and 443"):
        read_url(f"https://example.org:{port}/x.ics", GuardOptions())


def test_the_gateway_does_not_read_itself() -> None:
    """The gateway's own public address is refused even where private networks are open."""
    guard = GuardOptions(allow_private=True, own_origins=frozenset({("cal.example.org", 443)}))

    with pytest.raises(Blocked, match="itself"):
        read_url("https://CAL.example.org/feeds/x.ics", guard)


async def test_the_listening_address_is_refused_as_a_socket() -> None:
    """A name that resolves to the gateway's own listening address is refused when it connects."""
    async with serving(Site(), OUTSIDE) as site:
        guard = replace(options(site.port), own_origins=frozenset({(OUTSIDE, site.port)}))
        with pytest.raises(Blocked):
            await fetch(
                f"http://self.example:{site.port}/", guard, Names({"self.example": [[OUTSIDE]]})
            )

        assert site.hits == 0


async def test_proxy_variables_and_netrc_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The environment neither reroutes a request nor adds a password to it."""
    async with serving(Site(), "127.0.0.1") as proxy, serving(Site(), OUTSIDE) as site:
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine {OUTSIDE} login me password hidden\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await fetch(f"http://{OUTSIDE}:{site.port}/", options(site.port))

        assert proxy.hits == 0
        assert b"authorization" not in site.requests[0].lower()


async def test_closed_and_refusing_servers_read_alike() -> None:
    """A closed port gives the same sentence as a name that does not exist, with no detail."""
    async with serving(Site(), OUTSIDE) as site:
        port = site.port

    with pytest.raises(Unavailable) as refused:
        await fetch(f"http://{OUTSIDE}:{port}/", options(port))
    assert str(refused.value) == "The server of this address cannot be reached."


async def test_a_message_repeats_nothing_of_the_answer() -> None:
    """Garbage from the server does not come back in the error."""
    async with serving(Site(answer=b"canary-7f3a internal banner\r\n\r\n"), OUTSIDE) as site:
        with pytest.raises(Unavailable) as broken:
            await fetch(f"http://{OUTSIDE}:{site.port}/", options(site.port))

        assert "canary" not in str(broken.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 1),
        ("-1", None),
        ("1000000000", 600),
        ("9" * 5000, 600),
        ("abc", None),
        ("", None),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 600),
    ],
)
def test_retry_after_is_bounded(header: str, seconds: int | None) -> None:
    """Seconds and dates are obeyed up to ten minutes, nonsense is ignored."""
    assert retry_after({"Retry-After": header}, now=100) == seconds
