"""What `.ics` subscriptions promise beyond the contract of all adapters."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import MAX_BYTES, GuardedClient
from gateway.adapters._shared import Shared
from gateway.adapters.registry import Registry
from gateway.errors import Unavailable
from gateway.model.component import parse_many
from gateway.ports import Adapter
from tests.builders import a_connection, an_event
from tests.conftest import FakeClock
from tests.contract.test_adapters import read
from tests.upstreams import IcsSource, Peers, open_source


@pytest.fixture
async def source(peers: Peers) -> AsyncIterator[IcsSource]:
    """Run a subscription with one event."""
    async with open_source("ics", peers) as made:
        assert isinstance(made, IcsSource)
        await made.put("first", an_event("first", start="20261125T120000Z", end="20261125T130000Z"))
        yield made


@asynccontextmanager
async def opened(source: IcsSource, *, most: int = MAX_BYTES) -> AsyncIterator[Adapter]:
    """Open a source with a client of its own: some patience, a limit of this size."""
    client = GuardedClient(GuardOptions(allow_private=True), max_bytes=most)
    registry = Registry(Shared(client=client, clock=FakeClock()))
    try:
        yield registry.open(a_connection(1), source.server.url("work").encode())
    finally:
        await client.close()


Encode = Callable[[str], bytes]


@pytest.mark.parametrize(
    ("encode", "content_type"),
    [
        (lambda text: text.encode(), "text/calendar"),
        (lambda text: b"\xef\xbb\xbf" + text.encode(), "text/calendar; charset=utf-8"),
        (lambda text: text.encode("latin-1"), "text/calendar; charset=iso-8859-1"),
        (lambda text: text.encode("cp1252"), "text/calendar; charset=utf-8"),
        (lambda text: text.encode("utf-16"), "application/octet-stream"),
        (lambda text: text.replace("\r\n", "\n").encode(), "text/plain"),
    ],
)
async def test_other_encodings_are_read(
    source: IcsSource, encode: Encode, content_type: str
) -> None:
    """UTF-8 with and without mark, Latin-1, Windows and UTF-16 give the same text."""
    text = an_event("x", summary="Café").decode()
    source.server.calendars["work"] = encode(text)
    source.fail(content_type=content_type)
    objects, _ = await read(source.open())

    (event,) = parse_many(objects[0].data or b"")[0].inside("VEVENT")
    assert event.text("SUMMARY") == "Café"


async def test_a_fresh_stamp_is_no_change(source: IcsSource) -> None:
    """Servers that stamp every download with its time do not make every event new."""
    before, _ = await read(source.open())
    stamped = source.events["first"].replace(
        b"DTSTAMP:20261101T000000Z", b"DTSTAMP:20261124T120000Z"
    )
    await source.put("first", stamped)
    after, last = await read(source.open())

    assert not last.unchanged
    assert after[0].etag == before[0].etag


async def test_several_calendars_in_one_stream_are_one(source: IcsSource) -> None:
    """A stream of two VCALENDARs gives the events of both (RFC 5545 section 3.4)."""
    source.server.calendars["work"] = an_event("a") + an_event("b")
    objects, _ = await read(source.open())

    assert {item.uid for item in objects} == {"a", "b"}


async def test_webcal_is_a_subscription_over_http(source: IcsSource) -> None:
    """A webcal address is tried with TLS and then without."""
    registry = Registry(Shared(client=source.client, clock=FakeClock()))
    secret = source.server.url("work").replace("http://", "webcal://").encode()
    objects, _ = await read(registry.open(a_connection(1), secret))

    assert len(objects) == 1


async def test_a_monstrous_description_costs_no_times(source: IcsSource) -> None:
    """A calendar over the limit of size is read where only texts nobody can use make it so large.

    The case description-10mb of tests/cases/bombs.json; the neighbour's text is as it was.
    """
    await source.put("second", an_event("second", summary="Caf\u00e9"))
    bomb = source.events["first"].replace(
        b"END:VEVENT", b"DESCRIPTION:" + b"x" * 10_485_760 + b"\r\nEND:VEVENT"
    )
    await source.put("first", bomb)
    async with opened(source) as adapter:
        objects, _ = await read(adapter)

    first, second = sorted(objects, key=lambda item: item.uid)
    assert b"DTSTART:20261125T120000Z" in (first.data or b"")
    assert len(first.data or b"") < 2_000
    assert "Caf\u00e9".encode() in (second.data or b"")


@pytest.mark.parametrize(
    ("line", "count"), [(b"X-A:1\r\n", 12_000), (b"x" * 1024, 4_000)], ids=["kept", "sent"]
)
async def test_a_calendar_past_its_limits_is_refused(
    source: IcsSource, line: bytes, count: int
) -> None:
    """Too many ordinary lines, or a text of more than three times the limit, is not read."""
    padded = source.events["first"].replace(b"END:VEVENT", line * count + b"\r\nEND:VEVENT")
    await source.put("first", padded)

    async with opened(source, most=64 * 1024 if count > 4_000 else 1024 * 1024) as adapter:
        with pytest.raises(Unavailable, match="larger than"):
            await read(adapter)
