"""Which time a feed tells: the asked window as free/busy, and days that move on."""

from collections.abc import AsyncIterator

import icalendar
import pytest

from gateway.model.timerange import DAY, HOUR, format_utc
from gateway.storage.engine import SqlStore
from tests.builders import an_event
from tests.conftest import START, FakeClock
from tests.feed_world import World, feed_world


@pytest.fixture
async def world(sqlite_store: SqlStore, clock: FakeClock) -> AsyncIterator[World]:
    """Serve the feeds of a gateway over SQLite."""
    async with feed_world(sqlite_store, clock) as made:
        yield made


@pytest.mark.parametrize(
    "query",
    [
        "start=20261201T000000Z&end=20261202T000000Z",
        "start=2026-12-01T00:00:00Z&end=2026-12-02T00:00:00Z",
        "period=20261201T000000Z/20261202T000000Z",
        "period=2026-12-01T00:00:00Z/PT24H",
        "period=20261201T000000Z/P1D",
    ],
)
async def test_free_busy_answers_for_the_asked_window(world: World, query: str) -> None:
    """Every form of window gives the same answer, clipped to it."""
    await world.put(an_event("a", start="20261130T230000Z", end="20261201T010000Z"))
    await world.put(an_event("b", start="20261203T090000Z", end="20261203T100000Z"))
    _, path = await world.feed()
    text = await (await world.get(f"{path}.ifb?{query}")).text()
    (found,) = icalendar.Calendar.from_ical(text).walk("VFREEBUSY")

    assert found["DTSTART"].to_ical() == b"20261201T000000Z"
    assert found["DTEND"].to_ical() == b"20261202T000000Z"
    assert "FREEBUSY;FBTYPE=BUSY:20261201T000000Z/20261201T010000Z\r\n" in text
    assert text.count("FREEBUSY;") == 1


@pytest.mark.parametrize(
    "query",
    [
        "start=yesterday",
        "start=20261201",
        "start=20261201T000000",
        "start=2026-12-01T00:00:00%2B01:00",
        "start=20261301T000000Z",
        "start=20261202T000000Z&end=20261201T000000Z",
        "start=20261201T000000Z&end=20261201T000000Z",
        "start=20261201T000000Z&end=x",
        "end=20200101T000000Z",
        "period=20261201T000000Z",
        "period=/",
        "period=x/y",
        "period=20261201T000000Z/P",
        "period=20261201T000000Z/-PT1H",
        "period=20261201T000000Z/P1D&start=20261201T000000Z",
        "start=19900101T000000Z&end=19910101T000000Z",
        "start=21000101T000000Z&end=21010101T000000Z",
        "start=00000000T000000Z",
        "start=99991231T235959Z",
        "start=20261201T000000Z&end=%00",
        "start=" + "9" * 3000,
    ],
)
async def test_a_bad_window_is_a_sentence(world: World, query: str) -> None:
    """What is no usable window gets 400 and one sentence that says what would be."""
    _, path = await world.feed()
    answer = await world.get(f"{path}.ifb?{query}")

    assert answer.status == 400
    assert (await answer.text()).strip().endswith(".")


async def test_history_cannot_be_harvested(world: World) -> None:
    """A window from 1990 to 2100 is answered from yesterday to a year ahead."""
    await world.put(an_event("old", start="20261001T090000Z", end="20261001T100000Z"))
    _, path = await world.feed()
    answer = await world.get(f"{path}.ifb?start=19900101T000000Z&end=21000101T000000Z")
    text = await answer.text()

    midnight = START - START % DAY
    assert f"DTSTART:{format_utc(midnight - DAY)}" in text
    assert f"DTEND:{format_utc(midnight + 366 * DAY)}" in text
    assert "FREEBUSY;" not in text
    assert await world.events(path) == []


async def test_a_feed_moves_on_with_the_days(world: World) -> None:
    """A cached rendering does not outlive its day: what is past leaves the feed."""
    await world.put(an_event("a", start="20261125T090000Z", end="20261125T100000Z"))
    _, path = await world.feed()
    before = await world.events(path)
    world.clock.advance(3 * DAY + HOUR)

    assert len(before) == 1
    assert await world.events(path) == []
