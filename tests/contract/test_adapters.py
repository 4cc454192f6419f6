"""What every adapter promises, held against a simulated source that is a real server."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Shared
from gateway.adapters.registry import Registry
from gateway.errors import AccessLost, SignInNeeded, Unavailable
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.component import parse_many
from gateway.model.timerange import HOUR, TimeRange
from gateway.ports import Adapter, Capability, UpstreamObject, UpstreamPage
from gateway.sandbox.ics_server import Fault, IcsServer
from tests.builders import a_connection, an_event
from tests.conftest import START, FakeClock

NOON = START + 24 * HOUR
"""2026-11-25T12:00:00Z."""


@dataclass
class IcsSource:
    """A subscription on the sandbox's server."""

    server: IcsServer
    client: GuardedClient
    events: dict[str, bytes] = field(default_factory=dict)
    provider: str = "ics"

    def put(self, uid: str, data: bytes) -> None:
        """Add or replace an event."""
        self.events[uid] = data
        self._publish()

    def remove(self, uid: str) -> None:
        """Delete an event."""
        del self.events[uid]
        self._publish()

    def fail(self, **fault: object) -> None:
        """Break every answer from now on."""
        self.server.faults["work"] = Fault(**fault)  # type: ignore[arg-type]

    def mend(self) -> None:
        """Answer well again."""
        self.server.faults.clear()

    def open(self) -> Adapter:
        """Return the adapter under test."""
        registry = Registry(Shared(client=self.client, clock=FakeClock()))
        secret = self.server.url("work").encode()
        return registry.open(a_connection(1, provider=self.provider), secret)

    def _publish(self) -> None:
        bodies = [
            data.split(b"PRODID:-//example.org//tests//EN\r\n")[1].split(b"END:VCALENDAR")[0]
            for data in self.events.values()
        ]
        head = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nX-WR-CALNAME:Work\r\n"
        self.server.calendars["work"] = head + b"".join(bodies) + b"END:VCALENDAR\r\n"


@pytest.fixture(params=["ics"])
async def source(request: pytest.FixtureRequest) -> AsyncIterator[IcsSource]:
    """Run each kind of source in turn, with one event in its calendar."""
    assert request.param == "ics"
    client = GuardedClient(GuardOptions(allow_private=True), max_seconds=2)
    async with IcsServer() as server:
        made = IcsSource(server, client)
        made.put("first", an_event("first", start="20261125T120000Z", end="20261125T130000Z"))
        yield made
        await client.close()


async def read(adapter: Adapter, cursor: str = "") -> tuple[list[UpstreamObject], UpstreamPage]:
    """Read all changes; return the objects and the last page."""
    upstream_id = (await adapter.calendars())[0].upstream_id
    objects: list[UpstreamObject] = []
    pages = [page async for page in adapter.changes(upstream_id, cursor)]
    for page in pages:
        objects.extend(page.objects)
    assert [page.cursor is not None for page in pages] == [*[False] * (len(pages) - 1), True]
    return objects, pages[-1]


async def test_it_lists_its_calendars(source: IcsSource) -> None:
    """Each calendar has a name, an id, and at most one is the primary one."""
    calendars = await source.open().calendars()

    assert [calendar.name for calendar in calendars] == ["Work"]
    assert sum(calendar.is_primary for calendar in calendars) == 1


async def test_a_first_read_is_complete(source: IcsSource) -> None:
    """Without a cursor everything comes, as one object per UID in iCalendar."""
    source.put("second", an_event("second"))
    objects, last = await read(source.open())

    assert {item.uid for item in objects} == {"first", "second"}
    assert last.complete
    for item in objects:
        assert item.data is not None
        (event,) = parse_many(item.data)[0].inside("VEVENT")
        assert event.text("UID") == item.uid


async def test_an_unchanged_calendar_costs_no_objects(source: IcsSource) -> None:
    """With the last cursor and nothing new, no object comes."""
    _, last = await read(source.open())
    objects, again = await read(source.open(), last.cursor or "")

    assert objects == []
    assert again.unchanged


async def test_a_change_comes_with_another_etag(source: IcsSource) -> None:
    """A moved event keeps its key and changes its etag; an untouched one keeps both."""
    source.put("second", an_event("second"))
    before, last = await read(source.open())
    source.put("first", an_event("first", start="20261126T120000Z"))
    after, _ = await read(source.open(), last.cursor or "")

    old = {item.key: item.etag for item in before}
    new = {item.key: item.etag for item in after}
    assert new["first"] != old["first"]
    assert new.get("second", old["second"]) == old["second"]


async def test_a_deletion_is_told_or_absent(source: IcsSource) -> None:
    """A deleted event comes as gone, or is absent from an answer that is complete."""
    source.put("second", an_event("second"))
    _, last = await read(source.open())
    source.remove("first")
    objects, page = await read(source.open(), last.cursor or "")

    told = any(item.key == "first" and item.data is None for item in objects)
    absent = page.complete and all(item.key != "first" for item in objects)
    assert told or absent


async def test_two_reads_of_the_same_are_equal(source: IcsSource) -> None:
    """Reading twice from the start gives the same keys and etags."""
    first, _ = await read(source.open())
    second, _ = await read(source.open())

    assert [(item.key, item.etag) for item in first] == [(item.key, item.etag) for item in second]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 401}, SignInNeeded),
        ({"status": 403}, AccessLost),
        ({"status": 404}, AccessLost),
        ({"status": 410}, AccessLost),
        ({"status": 400}, Unavailable),
        ({"status": 429}, Unavailable),
        ({"status": 500}, Unavailable),
        ({"status": 503}, Unavailable),
        ({"status": 204}, Unavailable),
        ({"html": True}, Unavailable),
        ({"truncate": 0}, Unavailable),
        ({"truncate": 60}, Unavailable),
        ({"truncate": 150}, Unavailable),
        ({"cut": 60}, Unavailable),
        ({"drip": 0.2}, Unavailable),
        ({"delay": 10}, Unavailable),
        ({"gzip_bomb": True}, Unavailable),
        ({"redirect": "/calendars/work.ics"}, Unavailable),
        ({"redirect": "file:///etc/passwd"}, Unavailable),
        ({"redirect": "http://169.254.169.254/"}, Unavailable),
    ],
    ids=str,
)
async def test_a_failure_is_one_of_three_kinds(
    source: IcsSource, fault: dict[str, object], kind: type[Exception]
) -> None:
    """Every fault raises its kind with a sentence of ours and never reads as an empty calendar."""
    source.fail(**fault)
    with pytest.raises(kind) as raised:
        await read(source.open())

    detail = str(raised.value)
    assert detail.endswith(".")
    assert "canary" not in detail
    assert "127.0.0.1" not in detail


async def test_a_wait_is_handed_on(source: IcsSource) -> None:
    """Retry-After of a source comes with the error, bounded."""
    source.fail(status=503, retry_after="100000")
    with pytest.raises(Unavailable) as raised:
        await read(source.open())

    assert raised.value.retry_after == 600


async def test_a_mended_source_is_read_again(source: IcsSource) -> None:
    """Nothing of a failure is remembered by the adapter."""
    adapter = source.open()
    source.fail(status=500)
    with pytest.raises(Unavailable):
        await read(adapter)
    source.mend()
    objects, _ = await read(adapter)

    assert len(objects) == 1


async def test_an_unreadable_event_is_named_and_costs_no_other(source: IcsSource) -> None:
    """An event that makes no sense is named as unreadable; the others come."""
    source.put("bad", an_event("bad", start="99999999T999999Z"))
    objects, last = await read(source.open())

    assert [item.uid for item in objects] == ["first"]
    assert last.unreadable == ("bad",)
    assert len(last.notes) == 1


async def test_a_last_look_tells_the_busy_time_of_now(source: IcsSource) -> None:
    """The last look reads live and answers for its window only."""
    adapter = source.open()
    busy = await adapter.last_look("feed", TimeRange(NOON, NOON + HOUR))
    free = await adapter.last_look("feed", TimeRange(NOON + HOUR, NOON + 2 * HOUR))

    assert busy == [BusyPeriod(NOON, NOON + HOUR, BusyType.BUSY)]
    assert free == []


async def test_a_last_look_fails_closed(source: IcsSource) -> None:
    """A last look at a broken source raises; it never says "free"."""
    source.fail(html=True)
    with pytest.raises(Unavailable):
        await source.open().last_look("feed", TimeRange(NOON, NOON + HOUR))


def test_every_source_says_what_it_can() -> None:
    """Each registry line has a title and reads at least."""
    specs = list(Registry(Shared(client=GuardedClient(GuardOptions()), clock=FakeClock())).specs())

    assert [spec.provider for spec in specs] == ["ics"]
    assert all(spec.title and Capability.READ in spec.capabilities for spec in specs)


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
    source.put("first", stamped)
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
