"""The Google adapter against the simulated Google: lists, deltas and series."""

from collections.abc import AsyncIterator

import pytest

from gateway.adapters.google import adapter as google_adapter
from gateway.errors import Unavailable
from gateway.model.timerange import HOUR
from tests.conftest import FakeClock
from tests.google_account import ANA, GoogleSource, google_source
from tests.google_events import at, put, put_exception, put_series, read, told
from tests.upstream_read import members


@pytest.fixture
async def ana() -> AsyncIterator[GoogleSource]:
    """Run a simulated Google with Ana's account."""
    async with google_source() as made:
        yield made


# --- lists ---------------------------------------------------------------------------------------


async def test_calendars_come_with_what_may_be_done(ana: GoogleSource) -> None:
    """Every calendar over all pages; a role that nobody knows reads."""
    world = ana.server.world
    world.page_size = 2
    for role in ("writer", "writerWithoutPrivateAccess", "freeBusyReader", "somethingNew"):
        world.add_calendar(f"{role}@group", {ANA: role}, time_zone="Asia/Tokyo")
    found = {one.upstream_id: one for one in await ana.adapter().calendars()}

    assert {name.partition("@")[0]: one.role for name, one in found.items()} == {
        "ana": "owner",
        "writer": "reader",
        "writerWithoutPrivateAccess": "reader",
        "freeBusyReader": "free_busy",
        "somethingNew": "reader",
    }
    assert [one.upstream_id for one in found.values() if one.is_primary] == [ANA]
    assert found["writer@group"].time_zone == "Asia/Tokyo"


async def test_empty_and_short_pages_are_no_end(ana: GoogleSource) -> None:
    """Pages follow their tokens; exceptions may come pages before their master."""
    ana.server.world.page_size, ana.server.world.empty_pages = 2, True
    put_series(ana)
    put_exception(ana, 25)
    for number in range(7):
        put(ana, f"single{number}")
    objects, last = await read(ana.adapter())

    assert len(objects) == 8
    assert told(objects["series"]) == (["20261125T120000"], [])
    assert last.complete


async def test_leftovers_of_a_deleted_series_are_not_an_invitation(ana: GoogleSource) -> None:
    """A full list shows a live exception and not its deleted master: that one is gone too."""
    put_series(ana)
    ana.server.world.remove(ANA, "series")
    put_exception(ana, 25)
    put_exception(ana, 26, "elsewhere")
    objects, _ = await read(ana.adapter())

    assert set(objects) == {"elsewhere"}


async def test_old_events_are_not_asked_for(ana: GoogleSource) -> None:
    """Events of more than a year ago stay away, a series that still runs comes."""
    old = {"start": {"date": "2020-01-01"}, "end": {"date": "2020-01-02"}}
    put(ana, "old", **old)
    put(ana, "birthday", **old, recurrence=["RRULE:FREQ=YEARLY"])
    objects, _ = await read(ana.adapter())

    assert set(objects) == {"birthday"}


# --- deltas --------------------------------------------------------------------------------------


async def test_a_delta_holds_what_changed(ana: GoogleSource) -> None:
    """New, changed and deleted events; an unchanged calendar costs one question."""
    put(ana, "stays")
    put(ana, "changes")
    put(ana, "goes")
    adapter = ana.adapter()
    _, first = await read(adapter)
    put(ana, "changes", summary="Other")
    put(ana, "comes")
    ana.server.world.remove(ANA, "goes")
    objects, second = await read(adapter, first.cursor or "")
    asked = len(ana.server.world.log)
    _, third = await read(adapter, second.cursor or "")

    assert {key: item.data is None for key, item in objects.items()} == {
        "changes": False,
        "comes": False,
        "goes": True,
    }
    assert not second.complete
    assert third.unchanged
    assert len(ana.server.world.log) == asked + 1


@pytest.mark.parametrize("page_size", [0, 1])
async def test_an_exception_alone_brings_its_whole_series(
    ana: GoogleSource, page_size: int
) -> None:
    """A delta with one exception gives the series with all its exceptions, old ones included."""
    put_series(ana)
    put_exception(ana, 24)
    put_exception(ana, 25, status="cancelled")
    adapter = ana.adapter()
    _, first = await read(adapter)
    put_exception(ana, 26)
    ana.server.world.page_size = page_size
    objects, _ = await read(adapter, first.cursor or "")

    assert told(objects["series"]) == (
        ["20261124T120000", "20261126T120000"],
        ["20261125T120000"],
    )


async def test_a_changed_master_keeps_its_exceptions(ana: GoogleSource) -> None:
    """A delta with the master alone gives the series with its exceptions."""
    put_series(ana)
    put_exception(ana, 25)
    put_exception(ana, 26, status="cancelled")
    adapter = ana.adapter()
    _, first = await read(adapter)
    rule = ["RRULE:FREQ=DAILY;COUNT=5"]
    put(ana, "series", start=at(24), end=at(24, 13), recurrence=rule, summary="Longer")
    objects, _ = await read(adapter, first.cursor or "")

    assert members(objects["series"])[0].text("SUMMARY") == "Longer"
    assert told(objects["series"]) == (["20261125T120000"], ["20261126T120000"])


async def test_a_cancelled_instance_is_an_exception_date(ana: GoogleSource) -> None:
    """A bare tombstone of an instance gives the series without it."""
    put_series(ana)
    adapter = ana.adapter()
    _, first = await read(adapter)
    put_exception(ana, 25, status="cancelled")
    objects, _ = await read(adapter, first.cursor or "")

    assert told(objects["series"]) == ([], ["20261125T120000"])


async def test_a_deleted_series_is_gone(ana: GoogleSource) -> None:
    """Master and exceptions deleted at once leave nothing behind."""
    put_series(ana)
    put_exception(ana, 25)
    adapter = ana.adapter()
    _, first = await read(adapter)
    ana.server.world.remove(ANA, "series")
    objects, _ = await read(adapter, first.cursor or "")

    assert {key: item.data for key, item in objects.items()} == {"series": None}


async def test_instances_without_a_master_come_and_go(ana: GoogleSource) -> None:
    """Invited to two instances of somebody's series: both come, then one goes, then the other."""
    put_exception(ana, 25)
    put_exception(ana, 26)
    adapter = ana.adapter()
    objects, last = await read(adapter)
    assert len(members(objects["series"])) == 2
    ana.server.world.remove(ANA, "series_20261125T110000Z")
    objects, last = await read(adapter, last.cursor or "")
    assert [one.value("RECURRENCE-ID") for one in members(objects["series"])] == ["20261126T120000"]
    ana.server.world.remove(ANA, "series_20261126T110000Z")
    objects, last = await read(adapter, last.cursor or "")

    gone = not last.complete and objects["series"].data is None
    assert gone or (last.complete and "series" not in objects)


async def test_many_changed_series_are_one_full_read(
    ana: GoogleSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where reading everything is less work, everything is read."""
    monkeypatch.setattr(google_adapter, "MAX_SERIES", 2)
    adapter = ana.adapter()
    _, first = await read(adapter)
    for name in ("one", "two", "three"):
        put_series(ana, name)
    objects, last = await read(adapter, first.cursor or "")

    assert last.complete
    assert set(objects) == {"one", "two", "three"}


async def test_a_dead_token_starts_over(ana: GoogleSource) -> None:
    """After 410 everything is read, and absence means deletion."""
    put(ana, "stays")
    put(ana, "goes")
    adapter = ana.adapter()
    _, first = await read(adapter)
    ana.server.world.remove(ANA, "goes")
    ana.server.world.forget(ANA)
    objects, last = await read(adapter, first.cursor or "")

    assert last.complete
    assert set(objects) == {"stays"}


@pytest.mark.parametrize("cursor", ["nonsense", "{}", '{"version": 0, "token": "x"}', "[1]"])
async def test_an_odd_cursor_is_a_start(ana: GoogleSource, cursor: str) -> None:
    """What another version wrote, or nobody did, reads everything."""
    put(ana, "event")
    objects, last = await read(ana.adapter(), cursor)

    assert last.complete
    assert set(objects) == {"event"}


async def test_starting_over_has_an_end(ana: GoogleSource) -> None:
    """A Google that makes us start over each time is left alone after three times an hour."""
    adapter = ana.adapter()
    _, last = await read(adapter)
    for _ in range(3):
        ana.server.world.forget(ANA)
        _, last = await read(adapter, last.cursor or "")
    ana.server.world.forget(ANA)
    with pytest.raises(Unavailable, match="again and again") as raised:
        await read(adapter, last.cursor or "")
    assert raised.value.retry_after == 600
    assert isinstance(ana.clock, FakeClock)
    ana.clock.advance(HOUR)
    _, last = await read(adapter, last.cursor or "")

    assert last.complete
