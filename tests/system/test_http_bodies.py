"""Bodies and deadlines at the front door (security section A): bounded in size and in time."""

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.model.feed import Visibility
from gateway.model.principal import CredentialKind
from gateway.model.timerange import to_datetime
from gateway.services.feeds import Form
from gateway.web.server import Deadlines
from tests.builders import an_event
from tests.owner_desk import OwnerDesk, owner_desk
from tests.raw_http import PATIENCE, ask, is_closed, parsed, request

FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"


def sent(target: str, body: bytes, *lines: str) -> bytes:
    """Return a POST with a body of a known length."""
    return request("POST", target, f"Content-Length: {len(body)}", *lines, body=body)


# --- bodies -------------------------------------------------------------------------------------

FORMS = {
    "unknown charset": (b"email=a", "Content-Type: text/plain; charset=nope"),
    "form with an unknown charset": (b"email=a", f"{FORM}; charset=nope"),
    "not UTF-8": (b"email=\xff\xfe", FORM),
    "escaped not UTF-8": (b"email=%ff%fe", FORM),
    "no type": (b"email=a",),
    "JSON": (b'{"email": "a"}', JSON),
    "no boundary": (b"--x--", "Content-Type: multipart/form-data"),
    "cut part": (
        b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\na',
        "Content-Type: multipart/form-data; boundary=x",
    ),
    "file": (
        b'--x\r\nContent-Disposition: form-data; name="email"; filename="a"\r\n\r\na\r\n--x--\r\n',
        "Content-Type: multipart/form-data; boundary=x",
    ),
    "10,000 fields": (b"&".join(b"f%d=x" % number for number in range(10_000)), FORM),
    "huge name": (b"x" * 65_536 + b"=1", FORM),
    "huge value": (b"email=" + b"x" * 200_000, FORM),
    "broken gzip": (b"\x1f\x8b\x08\x00garbage", FORM, "Content-Encoding: gzip"),
    "broken deflate": (b"garbage", FORM, "Content-Encoding: deflate"),
    "br": (b"garbage", FORM, "Content-Encoding: br"),
    "zstd": (b"garbage", FORM, "Content-Encoding: zstd"),
    "gzip twice": (gzip.compress(b"a=b"), FORM, "Content-Encoding: gzip, gzip"),
    "unknown coding": (b"email=a", FORM, "Content-Encoding: nope"),
    "array names": (b"email[]=a&email[0][x]=b&csrf[]=c", FORM),
    "nothing": (b"", FORM),
}


async def test_malformed_forms_are_refused(port: int) -> None:
    """A form that cannot be read is refused with a 4xx, whatever is wrong with it."""
    for kind, target in product(FORMS, ("/login", "/meetings/jane/send")):
        body, *lines = FORMS[kind]
        told = await ask(port, sent(target, body, *lines))

        assert 400 <= told.status < 500, (kind, target)
        assert b"Traceback" not in told.raw


def bomb() -> bytes:
    """Return 300 KiB that inflate to 300 MiB: one packed MiB of zeros, again and again."""
    zeros, packer, checksum = bytes(1 << 20), zlib.compressobj(9, zlib.DEFLATED, -15), 0
    piece = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(300):
        checksum = zlib.crc32(zeros, checksum)
    trailer = struct.pack("<LL", checksum, 300 << 20)
    return gzip.compress(b"", mtime=0)[:10] + piece * 300 + packer.flush() + trailer


BOMBS = {
    "bomb": bomb,
    "nested": lambda: gzip.compress(bomb()),
    "many members": lambda: gzip.compress(b"", mtime=0) * 50_000,
}


@pytest.mark.parametrize("kind", BOMBS)
async def test_bombs_are_cut(port: int, desk: OwnerDesk, kind: str) -> None:
    """A body that inflates without end is cut where reading stops."""
    body = BOMBS[kind]()
    token = await a_token(desk)
    lines = (JSON, "Content-Encoding: gzip", f"Authorization: Bearer {token}")
    told = await ask(port, sent("/api/v1/pages", body, *lines))

    assert told.status in (400, 413, 415)


async def a_token(desk: OwnerDesk) -> str:
    """Make an owner with an API token."""
    jane = await desk.owner()
    _, secret = await desk.services.owners.add_credential(jane.id, CredentialKind.API_TOKEN, "test")
    return secret


@pytest.mark.parametrize("framing", ["right length", "smaller length", "chunked", "tiny chunks"])
async def test_an_oversized_body_is_refused(port: int, desk: OwnerDesk, framing: str) -> None:
    """One byte too many is 413, however it is framed."""
    token = await a_token(desk)
    body = b'{"title": "' + b"x" * (256 * 1024) + b'"}'
    lines = [JSON, f"Authorization: Bearer {token}"]
    if framing == "right length":
        told = await ask(port, sent("/api/v1/pages", body, *lines))
    elif framing == "smaller length":
        lines.append(f"Content-Length: {len(body) // 2}")
        told = await ask(port, request("POST", "/api/v1/pages", *lines, body=body))
    else:
        size = len(body) if framing == "chunked" else 16
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        lines.append("Transfer-Encoding: chunked")
        told = await ask(port, request("POST", "/api/v1/pages", *lines, body=chunks + b"0\r\n\r\n"))

    assert told.status in ((400, 413) if framing == "smaller length" else (413,))


# --- deadlines ----------------------------------------------------------------------------------


HURRIED = Deadlines(head=0.4, request=0.8, look=0.05)
CROWDED = Deadlines(head=600.0, look=0.05, grace=0.2, max_waiting=3)


@pytest.fixture
async def hurried(data_dir: Path) -> AsyncIterator[OwnerDesk]:
    """Serve a gateway whose deadlines are short."""
    async with owner_desk(data_dir, deadlines=HURRIED) as opened:
        yield opened


SLOW_CHUNKS = request("POST", "/login", FORM, "Transfer-Encoding: chunked")


async def drip(port: int, head: bytes, piece: bytes) -> bool:
    """Send a byte now and then until the server closes; tell whether it did."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)

    async def go_on() -> None:
        while True:
            await asyncio.sleep(0.05)
            writer.write(piece)

    dripping = asyncio.create_task(go_on())
    try:
        return await is_closed(reader)
    finally:
        dripping.cancel()
        writer.close()


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b""),
        (b"G", b"E"),
        (b"GET /login HTTP/1.1\r\nHost: localhost\r\nX: ", b"x"),
        (b"\r\n", b"\r\n"),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n", b"x"),
        (SLOW_CHUNKS, b"1\r\nx\r\n"),
    ],
    ids=["silence", "slow line", "slow head", "empty lines", "slow body", "slow chunks"],
)
async def test_slow_requests_are_cut(hurried: OwnerDesk, head: bytes, piece: bytes) -> None:
    """Who does not get a request done by its deadline is disconnected; others are answered."""
    found = port_of(hurried)
    closed = asyncio.create_task(drip(found, head, piece))

    assert (await ask(found, request(target="/healthz"))).status == 200
    assert await closed


def port_of(desk: OwnerDesk) -> int:
    """Return the port that a gateway listens on."""
    found = urlsplit(desk.url).port
    assert found
    return found


async def a_large_feed(desk: OwnerDesk) -> str:
    """Make a feed of more than 5 MiB; return its path."""
    jane = await desk.owner()
    calendar = await desk.calendar(jane)
    start = to_datetime(desk.services.clock.now()).strftime("%Y%m%dT%H%M%SZ")
    for number in range(6):
        event = an_event(f"{number}@example.org", start=start, description="x" * 950_000)
        await desk.services.objects.put(jane, calendar, f"{number}.ics", event)
    _, token = await desk.services.feeds.add(jane, label="all", visibility=Visibility.FULL)
    await desk.services.feeds.render(token, Form.EVENTS)  # kept: the deadlines are for sending it
    return f"/feeds/{token}.ics"


@contextmanager
def small_window(port: int) -> Iterator[socket.socket]:
    """Connect as one who takes little at a time."""
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.connect(("127.0.0.1", port))
        wire.setblocking(False)
        yield wire


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "to be closed"])
async def test_slow_readers_are_cut_and_cost_little(hurried: OwnerDesk, *, keep: bool) -> None:
    """Who takes 5 MiB byte by byte is cut off by the deadline; little of it waits in memory."""
    asked = request(target=await a_large_feed(hurried))
    if keep:
        asked = asked.replace(b"Connection: close\r\n", b"")
    loop, most, got = asyncio.get_running_loop(), 0, 0
    with small_window(port_of(hurried)) as wire:
        await loop.sock_sendall(wire, asked)
        late = loop.time() + HURRIED.request + 3 * HURRIED.look
        async with asyncio.timeout(PATIENCE):
            while loop.time() < late:
                got += len(await loop.sock_recv(wire, 1))
                most = max(most, hurried.server.buffered)
                await asyncio.sleep(0.02)
            with suppress(ConnectionError):
                while piece := await loop.sock_recv(wire, 1 << 20):
                    got += len(piece)

    assert 0 < most <= 256 * 1024
    assert 0 < got < 1 << 20


async def test_a_patient_reader_gets_all_of_a_large_answer(data_dir: Path) -> None:
    """A reader is not cut off for taking longer than a request head may take."""
    deadlines = Deadlines(head=0.2, request=PATIENCE, look=0.05)
    async with owner_desk(data_dir, deadlines=deadlines) as desk:
        feed, got = await a_large_feed(desk), 0
        with small_window(port_of(desk)) as wire:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(wire, request(target=feed))
            await asyncio.sleep(2 * deadlines.head)
            while piece := await loop.sock_recv(wire, 1 << 20):
                got += len(piece)

    assert got > 6 * 950_000


async def test_one_address_holds_few_waiting_connections(data_dir: Path) -> None:
    """Past the limit those that wait longest are closed; a newer one is still served."""
    async with owner_desk(data_dir, deadlines=CROWDED) as desk:
        opened = [await asyncio.open_connection("127.0.0.1", port_of(desk)) for _ in range(8)]
        try:
            assert all(await asyncio.gather(*(is_closed(reader) for reader, _ in opened[:5])))
            reader, writer = opened[-1]
            writer.write(request(target="/healthz"))

            assert parsed(await reader.read()).status == 200
        finally:
            for _, writer in opened:
                writer.close()


async def test_a_burst_of_new_connections_is_served(data_dir: Path) -> None:
    """Connections that only just came are not closed for being many: their heads are on the way."""
    async with owner_desk(data_dir, deadlines=replace(CROWDED, grace=5.0)) as desk:
        opened = [await asyncio.open_connection("127.0.0.1", port_of(desk)) for _ in range(8)]
        try:
            await asyncio.sleep(0.5)  # the watchman, hurried, has looked several times
            for _, writer in opened:
                writer.write(request(target="/healthz"))
            answers = await asyncio.gather(*(reader.read() for reader, _ in opened))

            assert {parsed(answer).status for answer in answers} == {200}
        finally:
            for _, writer in opened:
                writer.close()


async def test_a_connection_in_use_is_kept(hurried: OwnerDesk) -> None:
    """Requests one after the other keep a connection, however long they go on together."""
    found = urlsplit(hurried.url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", found)
    clock = asyncio.get_running_loop()
    until = clock.time() + 2 * HURRIED.head
    quick = request(target="/healthz").replace(b"Connection: close\r\n", b"")
    try:
        while clock.time() < until:
            writer.write(quick)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(parsed(head).headers["content-length"]))

            assert head.startswith(b"HTTP/1.1 200 ")
    finally:
        writer.close()
