"""The HTTP front door, byte by byte: hosts, framing, methods and paths (security section A)."""

from itertools import product

import pytest

from tests.raw_http import ask, parsed, request, talk

FORM = "Content-Type: application/x-www-form-urlencoded"


# --- which host ---------------------------------------------------------------------------------


HOSTS = [
    ("a@b:99999", {400}),
    ("[::1", {400}),
    ("", {400}),
    ("local host", {400}),
    ("local\x00host", {400}),
    ("[fe80::1%eth0]", {400, 421}),
    ("xn--bcher-kva.example", {421}),
    ("b\xfccher.example", {400}),
    ("localhost:port", {400}),
    ("localhost:80:80", {400}),
    ("localhost/x", {400}),
    ("evil.example", {421}),
    ("localhost.evil.example", {421}),
    ("169.254.169.254", {421}),
    ("x" * 300, {400}),
    ("localhost.", {200}),
    ("LOCALHOST:8080", {200}),
    ("[::1]:8080", {200}),
    ("meet.example.org", {200}),
]


async def test_only_own_hosts_are_served(port: int) -> None:
    """A host that is not ours is 421, a malformed one 400; ours count in every spelling."""
    for host, statuses in HOSTS:
        told = await ask(port, request(host=host))

        assert told.status in statuses, (host, told)
        assert b"evil" not in told.raw


async def test_two_hosts_or_none_are_refused(port: int) -> None:
    """Exactly one Host header makes a request (RFC 9112 section 3.2)."""
    assert (await ask(port, request("GET", "/login", "Host: evil.example"))).status == 400
    assert (await ask(port, request(host=None))).status == 400


@pytest.mark.parametrize("target", ["http://evil.example/login", "https://evil.example:443/login"])
async def test_an_absolute_target_opens_no_other_host(port: int, target: str) -> None:
    """The host of an absolute request target is as untrusted as a header, and never repeated."""
    told = await ask(port, request(target=target))

    assert told.status in (400, 421)
    assert b"evil" not in told.raw


async def test_operations_answer_on_any_host(port: int) -> None:
    """Watchmen reach a gateway by whatever name they have for it."""
    for path in ("/healthz", "/readyz", "/metrics", "/api/openapi.json"):
        assert (await ask(port, request(target=path, host="10.1.2.3"))).status == 200


# --- framing ------------------------------------------------------------------------------------

SMUGGLED = {
    "length and chunked": ("Content-Length: 4", "Transfer-Encoding: chunked"),
    "chunked and length": ("Transfer-Encoding: chunked", "Content-Length: 4"),
    "unknown coding": ("Transfer-Encoding: xchunked",),
    "chunked twice": ("Transfer-Encoding: chunked, chunked",),
    "chunked not last": ("Transfer-Encoding: chunked, gzip",),
    "two lengths": ("Content-Length: 4", "Content-Length: 5"),
    "signed length": ("Content-Length: +4",),
    "negative length": ("Content-Length: -4",),
    "list of lengths": ("Content-Length: 4,4",),
    "other digits": ("Content-Length: \xd9\xa4",),
    "hexadecimal length": ("Content-Length: 0x4",),
    "underscores": ("Content-Length: 1_0",),
    "folded line": ("X-One: 1\r\n two",),
    "space before colon": ("Content-Length : 4",),
    "NUL": ("X-One: a\x00b",),
    "bare CR": ("X-One: a\rContent-Length: 4",),
    "no name": (": 4",),
    "no colon": ("Content-Length 4",),
}


async def test_ambiguous_framing_is_refused(port: int) -> None:
    """What two parsers could read in two ways is 400, and the connection is closed."""
    for kind, lines in SMUGGLED.items():
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
        head = request("POST", "/login", FORM, *lines).replace(b"Connection: close\r\n", b"")

        raw = await talk(port, head + b"0\r\n\r\n" + smuggled)
        assert parsed(raw).status == 400, kind
        assert raw.count(b"HTTP/1.") == 1


CHUNKS = [
    b"0x5\r\nabcde\r\n0\r\n\r\n",
    b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
    b"+5\r\nabcde\r\n0\r\n\r\n",
    b"-1\r\nabcde\r\n0\r\n\r\n",
    b"5_0\r\nabcde\r\n0\r\n\r\n",
    b"5\nabcde\n0\n\n",
    b"5\r\nabcdefgh\r\n0\r\n\r\n",
    b"fffffffffffffffffffff\r\nabcde\r\n0\r\n\r\n",
    b"zz\r\n\r\n",
]


async def test_odd_chunks_are_refused(port: int) -> None:
    """A chunk that is not plainly framed is 400 and ends the connection."""
    for body in CHUNKS:
        head = request("POST", "/login", FORM, "Transfer-Encoding: chunked")
        head = head.replace(b"Connection: close\r\n", b"")
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

        raw = await talk(port, head + body + smuggled)
        assert parsed(raw).status in (0, 400), body
        assert raw.count(b"HTTP/1.") <= 1


NO_REQUESTS = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"GET /login\r\n\r\n",
    b"GET /login HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET /login HTTP/1.1 extra\r\nHost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x00" * 100 + b"\r\n\r\n",
    b"GET /lo\x00gin HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET " + b"/x" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /login HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
    b"GET /login HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 40_000 + b"\r\n",
    b"F" * 8000 + b" /login HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


async def test_what_is_no_request_is_refused(port: int) -> None:
    """Other protocols and oversized heads are refused, without a word about the machinery."""
    for data in NO_REQUESTS:
        raw = await talk(port, data, end=True)

        assert parsed(raw).status in (0, 400, 414, 431, 505), data[:40]
        for word in (b"Traceback", b"aiohttp", b"Python", b"site-packages"):
            assert word not in raw


async def test_a_clients_mistake_is_not_logged_as_ours(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The bytes of a malformed request, which may hold a secret, do not reach the log."""
    await talk(port, b"GET /x HTTP/1.1\r\nHost: localhost\r\nAuthorization: canary\x00\r\n\r\n")

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert "canary" not in caplog.text


async def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    """Requests that are sent before the answers each get theirs, none is lost or invented."""
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    raw = await talk(port, one * 99 + request(target="/nothing"))

    assert raw.count(b"HTTP/1.1 200 OK") == 99
    assert raw.count(b"HTTP/1.1 404") == 1


# --- methods and paths --------------------------------------------------------------------------


METHODS = ("FOO", "TRACE", "CONNECT", "PROPFIND", "DELETE", "PATCH")
TARGETS = ("/login", "/meetings/jane", "/robots.txt", "/healthz")


async def test_other_methods_are_refused(port: int) -> None:
    """A method that a page does not have is refused; TRACE repeats nothing."""
    for method, target in product(METHODS, TARGETS):
        told = await ask(port, request(method, target, "X-Canary: canary"))

        assert told.status in (400, 404, 405, 501), (method, target)
        assert b"canary" not in told.raw


async def test_a_method_is_not_overridden(port: int) -> None:
    """A header or parameter makes no other method of a request."""
    lines = ("X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE")

    assert (await ask(port, request("GET", "/login?_method=DELETE", *lines))).status == 200


PATHS = (
    "/%00",
    "/login%00",
    "/%ff%fe",
    "/%zz",
    "/%u0041",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/static/..%2f..%2fetc/passwd",
    "/static/../../etc/passwd",
    "/static/%2e%2e/web.py",
    "/static/calgate.css%00.png",
    "/static/..\\..\\etc",
    "/static//etc/passwd",
    "/a%2fb",
    "/a%5cb",
    "/%252e%252e/etc",
    "/%c0%ae%c0%ae/etc",
    "//evil.example/login",
    "/login;a=b",
    "/login/",
    "/login.",
    "/login%20",
    "/\uff0e\uff0e/etc".encode().decode("latin-1"),
    "/" + "a/" * 2000,
    "/meetings/" + "x" * 4000,
    "/meetings/%E2%80%AE",
    "/feeds/" + "x" * 4000 + ".ics",
    "/settings/../login",
    "*",
    "login",
)


async def test_odd_paths_lead_nowhere(port: int) -> None:
    """A path that could mean two things is 400 or 404, never another page."""
    for path in PATHS:
        told = await ask(port, request(target=path))

        assert told.status in (400, 404, 414), path[:60]
        assert b"root:" not in told.raw


async def test_huge_queries_and_ranges_are_bounded(port: int) -> None:
    """Five hundred parameters and a thousand ranges are only that."""
    query = "&".join(f"p{number}=x" for number in range(500))
    ranges = "Range: bytes=" + ",".join(["0-0"] * 1000)

    assert (await ask(port, request(target=f"/login?{query}"))).status == 200
    told = await ask(port, request("GET", "/static/calgate.css", ranges))
    assert told.status in (200, 416)
