"""What single CalDAV servers do differently, each in a fault or a fake."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Shared
from gateway.adapters.caldav.adapter import CaldavAdapter, _syncs, build
from gateway.errors import SignInNeeded, Unavailable
from tests.builders import a_connection, an_event
from tests.conftest import FakeClock
from tests.contract.test_adapters import read
from tests.contract.test_caldav_account import BOOKING, an_hour, events, opened
from tests.upstreams import CaldavSource, Peers, open_source

NONCE = "abc123"
HOME = (
    '<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:response>'
    "<D:href>/cal/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/><C:calendar/>"
    "</D:resourcetype><D:displayname>Work</D:displayname></D:prop>"
    "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
)


@pytest.fixture(params=["radicale"])
async def source(request: pytest.FixtureRequest, peers: Peers) -> AsyncIterator[CaldavSource]:
    """Run a server with an empty calendar behind a proxy that plays another one."""
    async with open_source(request.param, peers) as made:
        assert isinstance(made, CaldavSource)
        yield made


async def test_names_with_spaces_and_percent_signs_are_read(source: CaldavSource) -> None:
    """Whatever a resource is called (Nextcloud, Fastmail), it is read once, and told when gone."""
    for name in ("two%20words", "100%25%20sure", "a%2Bb%3Bc", "na%C3%AFve"):
        await source.put(name, an_event(name))
    objects, last = await read(source.open())
    await source.remove("100%25%20sure")
    gone, _ = await read(source.open(), last.cursor or "")

    assert len(objects) == 4
    assert [item.data for item in gone] == [None]
    assert gone[0].key in {item.key for item in objects}


async def test_absolute_hrefs_are_read(source: CaldavSource) -> None:
    """A server that tells whole addresses (SOGo, Zimbra) is read like one that tells paths."""
    await source.put("first", an_event("first"))
    address = source.proxy.url.encode()
    source.proxy.rewrite[b"<href>/"] = b"<href>" + address + b"/"

    assert [item.uid for item in await events(source)] == ["first"]


async def test_a_failure_inside_a_multistatus_is_a_failure(source: CaldavSource) -> None:
    """An event whose data answers 500 among others makes the read incomplete, not shorter."""
    for uid in ("first", "second"):
        await source.put(uid, an_event(uid))
    adapter, calendar = await opened(source)
    _, last = await read(adapter)
    await source.put("third", an_event("third"))
    source.proxy.rewrite[b"200 OK"] = b"500 Internal Server Error"
    with pytest.raises(Unavailable):
        [page async for page in adapter.changes(calendar, last.cursor or "")]


async def test_a_full_account_is_told_and_nothing_is_taken_for_written(
    source: CaldavSource,
) -> None:
    """507 to a PUT is a failure in words; once there is room the same write goes through."""
    adapter, calendar = await opened(source)
    source.fail(status=507)
    with pytest.raises(Unavailable, match="507"):
        await adapter.create(calendar, BOOKING, an_event(BOOKING))
    source.mend()
    await adapter.create(calendar, BOOKING, an_event(BOOKING))

    assert [item.uid for item in await events(source)] == [BOOKING]


async def test_a_server_that_rewrites_what_is_put_is_not_fought(source: CaldavSource) -> None:
    """Where the event comes back changed (Zimbra, iCloud) it moves, by its new etag."""
    adapter, calendar = await opened(source)
    await adapter.create(calendar, BOOKING, an_event(BOOKING))
    name = hashlib.sha256(BOOKING.encode()).hexdigest()[:40]
    await source.put(name, an_event(BOOKING, summary="As the server likes it", x_server="1"))
    before = await adapter.find(calendar, BOOKING)
    assert before is not None
    moved = await adapter.move(calendar, BOOKING, before=before, after=an_hour(15))

    (item,) = await events(source)
    assert moved == an_hour(15)
    assert b"DTSTART:20261201T150000Z" in (item.data or b"")
    assert b"X-SERVER:1" in (item.data or b"")


async def test_a_server_without_ctag_and_tokens_is_compared(source: CaldavSource) -> None:
    """With neither sync-collection nor getctag every look compares etags, and finds the change."""
    source.proxy.rewrite[b"sync-collection"] = b"sink-collection"
    source.proxy.rewrite[b"getctag"] = b"getctog"
    await source.put("stays", an_event("stays"))
    await source.put("goes", an_event("goes"))
    _, last = await read(source.open())
    await source.remove("goes")
    objects, page = await read(source.open(), last.cursor or "")

    assert [item.data for item in objects] == [None]
    assert not page.complete


@pytest.mark.parametrize("status", [400, 403, 409, 410, 412, 507])
async def test_an_expired_token_is_no_loss(source: CaldavSource, status: int) -> None:
    """Servers say "token too old" in six ways; each time everything is read and compared anew."""
    await source.put("first", an_event("first"))
    _, last = await read(source.open())
    token = json.loads(last.cursor or "")["token"].encode()
    source.proxy.answers[b"<D:sync-token>" + token] = (
        status,
        b'<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>',
    )
    objects, page = await read(source.open(), last.cursor or "")

    assert [item.uid for item in objects] == ["first"]
    assert page.complete


@pytest.mark.parametrize(
    ("address", "syncs"),
    [
        ("https://p42-caldav.icloud.com/1/calendars/", True),
        ("https://cloud.example.org/remote.php/dav/", True),
        ("https://caldav.fastmail.com/dav/", True),
        ("https://mail.example.org/SOGo/dav/jane/", False),
        ("https://caldav.gmx.net/begenda/dav/", False),
        ("https://posteo.de:8443/calendars/", False),
    ],
)
def test_known_servers_are_read_as_they_can_be(address: str, syncs: bool) -> None:
    """Whose sync tokens are known to lose changes is compared by etags."""
    assert _syncs(address) is syncs


# --- Digest


def _digest(request: web.Request, password: str) -> bool:
    """Check the answer to our challenge (RFC 7616 with MD5, as old servers have it)."""
    told = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("Authorization", "")))
    ours = [f"jane:dav:{password}", f"{request.method}:{told.get('uri')}"]
    first, second = (hashlib.md5(text.encode()).hexdigest() for text in ours)
    middle = f"{NONCE}:{told.get('nc')}:{told.get('cnonce')}:{told.get('qop')}"
    expected = hashlib.md5(f"{first}:{middle}:{second}".encode()).hexdigest()
    return told.get("response") == expected


@asynccontextmanager
async def digest_account(password: str) -> AsyncIterator[tuple[CaldavAdapter, list[str]]]:
    """Run a server that knows Digest only; give an adapter, and the headers it was sent."""
    sent: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        sent.append(request.headers.get("Authorization", ""))
        if not _digest(request, "right"):
            challenge = f'Digest realm="dav", nonce="{NONCE}", qop="auth", algorithm=MD5'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return web.Response(status=207, body=HOME.encode(), content_type="application/xml")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = GuardedClient(GuardOptions(allow_private=True), max_seconds=10)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/cal/"
    secret = json.dumps({"url": url, "username": "jane", "password": password}).encode()
    shared = Shared(client=client, clock=FakeClock())
    adapter = build(a_connection(1, provider="caldav"), secret, shared)
    try:
        yield adapter, sent
    finally:
        await adapter.close()
        await client.close()
        client.threads.close()
        await runner.cleanup()


async def test_digest_is_spoken() -> None:
    """A server that asks for Digest is signed in to, and never sees the password."""
    async with digest_account("right") as (adapter, sent):
        (calendar,) = await adapter.calendars()

    assert calendar.name == "Work"
    assert not any(header.startswith("Basic") for header in sent)


async def test_a_wrong_digest_is_a_refused_sign_in() -> None:
    """A password that Digest refuses is told as one."""
    async with digest_account("wrong") as (adapter, _):
        with pytest.raises(SignInNeeded):
            await adapter.calendars()
