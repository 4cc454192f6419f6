"""What every adapter promises, held against sources that are real servers."""

from collections.abc import AsyncIterator

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
from tests.builders import an_event
from tests.conftest import START, FakeClock
from tests.upstreams import KINDS, Peers, Source, open_source

NOON = START + 24 * HOUR
"""2026-11-25T12:00:00Z."""


@pytest.fixture(params=KINDS)
async def source(request: pytest.FixtureRequest, peers: Peers) -> AsyncIterator[Source]:
    """Run each kind of source in turn, with one event in its calendar."""
    async with open_source(request.param, peers) as made:
        await made.put("first", an_event("first", start="20261125T120000Z", end="20261125T130000Z"))
        yield made


async def read(adapter: Adapter, cursor: str = "") -> tuple[list[UpstreamObject], UpstreamPage]:
    """Read all changes; return the objects and the last page."""
    objects, pages = await read_pages(adapter, cursor)
    return objects, pages[-1]


async def read_pages(
    adapter: Adapter, cursor: str = ""
) -> tuple[list[UpstreamObject], list[UpstreamPage]]:
    """Read all changes; return the objects and the pages."""
    upstream_id = (await adapter.calendars())[0].upstream_id
    objects: list[UpstreamObject] = []
    pages = [page async for page in adapter.changes(upstream_id, cursor)]
    for page in pages:
        objects.extend(page.objects)
    assert [page.cursor is not None for page in pages] == [*[False] * (len(pages) - 1), True]
    return objects, pages


async def test_it_lists_its_calendars(source: Source) -> None:
    """Each calendar has a name, an id, and at most one is the primary one."""
    calendars = await source.open().calendars()

    assert [calendar.name for calendar in calendars] == ["Work"]
    assert sum(calendar.is_primary for calendar in calendars) == 1


async def test_a_first_read_is_complete(source: Source) -> None:
    """Without a cursor everything comes, as one object per UID in iCalendar."""
    await source.put("second", an_event("second"))
    objects, last = await read(source.open())

    assert {item.uid for item in objects} == {"first", "second"}
    assert last.complete
    for item in objects:
        assert item.data is not None
        (event,) = parse_many(item.data)[0].inside("VEVENT")
        assert event.text("UID") == item.uid


async def test_an_unchanged_calendar_costs_no_objects(source: Source) -> None:
    """With the last cursor and nothing new, no object comes."""
    _, last = await read(source.open())
    objects, again = await read(source.open(), last.cursor or "")

    assert objects == []
    assert again.unchanged


async def test_a_change_comes_with_another_etag(source: Source) -> None:
    """A moved event keeps its key and changes its etag; an untouched one keeps both."""
    await source.put("second", an_event("second"))
    before, last = await read(source.open())
    await source.put("first", an_event("first", start="20261126T120000Z"))
    after, _ = await read(source.open(), last.cursor or "")

    old = {item.uid: (item.key, item.etag) for item in before}
    new = {item.uid: (item.key, item.etag) for item in after}
    assert new["first"][0] == old["first"][0]
    assert new["first"][1] != old["first"][1]
    assert new.get("second", old["second"]) == old["second"]


async def test_a_deletion_is_told_or_absent(source: Source) -> None:
    """A deleted event comes as gone, or is absent from an answer that is complete."""
    await source.put("second", an_event("second"))
    before, last = await read(source.open())
    (key,) = [item.key for item in before if item.uid == "first"]
    await source.remove("first")
    objects, page = await read(source.open(), last.cursor or "")

    told = any(item.key == key and item.data is None for item in objects)
    absent = page.complete and all(item.key != key for item in objects)
    assert told or absent


async def test_two_reads_of_the_same_are_equal(source: Source) -> None:
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
    source: Source, fault: dict[str, object], kind: type[Exception]
) -> None:
    """Every fault raises its kind with a sentence of ours and never reads as an empty calendar."""
    source.fail(**fault)
    with pytest.raises(kind) as raised:
        await read(source.open())

    detail = str(raised.value)
    assert detail.endswith(".")
    assert "canary" not in detail
    assert "127.0.0.1" not in detail


async def test_a_wait_is_handed_on(source: Source) -> None:
    """Retry-After of a source comes with the error, bounded."""
    source.fail(status=503, retry_after="100000")
    with pytest.raises(Unavailable) as raised:
        await read(source.open())

    assert raised.value.retry_after == 600


async def test_a_mended_source_is_read_again(source: Source) -> None:
    """Nothing of a failure is remembered by the adapter."""
    adapter = source.open()
    source.fail(status=500)
    with pytest.raises(Unavailable):
        await read(adapter)
    source.mend()
    objects, _ = await read(adapter)

    assert len(objects) == 1


async def test_an_unreadable_event_is_named_and_costs_no_other(source: Source) -> None:
    """An event that makes no sense is named as unreadable; the others come."""
    await source.put("bad", an_event("bad", start="99999999T999999Z"))
    objects, pages = await read_pages(source.open())

    assert [item.uid for item in objects] == ["first"]
    assert sum(len(page.unreadable) for page in pages) == 1
    assert sum(len(page.notes) for page in pages) == 1


async def test_a_last_look_tells_the_busy_time_of_now(source: Source) -> None:
    """The last look reads live and answers for its window only."""
    adapter = source.open()
    calendar = (await adapter.calendars())[0].upstream_id
    busy = await adapter.last_look(calendar, TimeRange(NOON, NOON + HOUR))
    free = await adapter.last_look(calendar, TimeRange(NOON + HOUR, NOON + 2 * HOUR))

    assert busy == [BusyPeriod(NOON, NOON + HOUR, BusyType.BUSY)]
    assert free == []


async def test_a_last_look_fails_closed(source: Source) -> None:
    """A last look at a broken source raises; it never says "free"."""
    adapter = source.open()
    calendar = (await adapter.calendars())[0].upstream_id
    source.fail(html=True)
    with pytest.raises(Unavailable):
        await adapter.last_look(calendar, TimeRange(NOON, NOON + HOUR))


def test_every_source_says_what_it_can() -> None:
    """Each registry line has a title and reads at least."""
    specs = list(Registry(Shared(client=GuardedClient(GuardOptions()), clock=FakeClock())).specs())

    assert [spec.provider for spec in specs] == ["ics", "caldav", "google", "microsoft", "exchange"]
    assert all(spec.title and Capability.READ in spec.capabilities for spec in specs)
