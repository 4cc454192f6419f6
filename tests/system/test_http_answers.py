"""What answers say, and whose word about a request counts (security section A)."""

import json

from tests.raw_http import Told, ask, request

# --- what answers say ---------------------------------------------------------------------------


async def test_no_answer_tells_the_machinery(port: int) -> None:
    """No answer names a version, a path of the machine or a library."""
    for target in (
        "/login",
        "/nothing",
        "/meetings/none",
        "/dav/",
        "/api/v1/pages",
        "/feeds/x.ics",
    ):
        told = await ask(port, request(target=target))

        assert told.headers["server"] == "calgate"
        assert told.headers["x-content-type-options"] == "nosniff"
        for word in (b"aiohttp", b"Python", b"Traceback", b".py", b"site-packages"):
            assert word not in told.raw


async def test_pages_have_their_headers(port: int) -> None:
    """Every page forbids frames, foreign scripts, sniffing and leaking addresses."""
    for target in ("/login", "/nothing", "/meetings/none"):
        told = await ask(port, request(target=target))
        policy = told.headers["content-security-policy"]

        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert told.headers["x-frame-options"] == "DENY"
        assert told.headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert told.headers["cache-control"] == "no-store"


async def test_input_is_not_repeated(port: int) -> None:
    """An error page says nothing of what was asked for."""
    told = await ask(port, request(target="/meetings/%3Cscript%3Ealert(1)%3C/script%3E?q=canary"))

    assert told.status in (400, 404)
    assert b"<script>alert" not in told.raw
    assert b"canary" not in told.raw


FORWARDED = [
    "X-Forwarded-Host: evil.example",
    "Forwarded: host=evil.example;proto=https",
    "X-Forwarded-Proto: https",
    "X-Script-Name: /evil.example",
    "X-Original-URL: /evil.example",
    "X-Rewrite-URL: /evil.example",
]


async def test_forwarded_headers_of_strangers_mean_nothing(port: int) -> None:
    """Who is no trusted proxy cannot say under which host or path it was asked."""
    for line in FORWARDED:
        plain = await ask(port, request(target="/dashboard"))
        told = await ask(port, request("GET", "/dashboard", line))

        assert _lasting(told) == _lasting(plain)
        assert b"evil" not in told.raw


def _lasting(told: Told) -> tuple[int, dict[str, str]]:
    return told.status, {key: value for key, value in told.headers.items() if key != "date"}


async def test_a_forged_address_escapes_no_limit(port: int) -> None:
    """Wrong tokens are counted by the socket's address, whatever X-Forwarded-For says."""
    for number in range(40):
        lines = (f"X-Forwarded-For: 192.0.2.{number}", "Authorization: Bearer wrong-wrong-wrong")
        told = await ask(port, request("GET", "/api/v1/pages", *lines))
        if told.status == 429:
            break

    assert told.status == 429
    assert int(told.headers["retry-after"]) > 0
    assert json.loads(told.body)["code"] == "too_many_requests"
