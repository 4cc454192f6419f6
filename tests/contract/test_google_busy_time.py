"""Google's busy time: calendars that share nothing else, and the last look before a booking."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.errors import AccessLost, Unavailable, UpstreamError
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.sandbox.google import Fault
from tests.conftest import FakeClock
from tests.google_account import ANA, GoogleSource, google_source
from tests.google_events import NOON, at, put, put_exception, put_series, read
from tests.upstream_read import members


@pytest.fixture
async def ana() -> AsyncIterator[GoogleSource]:
    """Run a simulated Google with Ana's account."""
    async with google_source() as made:
        yield made


# --- free/busy -----------------------------------------------------------------------------------


def share_busy(ana: GoogleSource) -> str:
    """Let Ana see when the boss is busy, and no more; return the calendar's id."""
    world = ana.server.world
    world.add_account("boss@example.com")
    world.calendars["boss@example.com"].roles[ANA] = "freeBusyReader"
    world.put("boss@example.com", {"id": "secret", "start": at(25), "end": at(25, 13)})
    world.put(
        "boss@example.com",
        {"id": "later", "start": {"date": "2027-06-01"}, "end": {"date": "2027-06-02"}},
    )
    return "boss@example.com"


async def test_a_calendar_that_shares_only_busy_time_is_read(ana: GoogleSource) -> None:
    """Each busy time is an event called Busy; nothing new is unchanged; a change is complete."""
    boss = share_busy(ana)
    adapter = ana.adapter()
    objects, first = await read(adapter, calendar=boss)
    _, second = await read(adapter, first.cursor or "", calendar=boss)
    ana.server.world.remove(boss, "secret")
    after, third = await read(adapter, second.cursor or "", calendar=boss)
    (event,) = members(next(iter(objects.values())))

    assert [members(item)[0].value("DTSTART") for item in objects.values()] == [
        "20261125T110000Z",
        "20270531T220000Z",
    ]
    assert event.text("SUMMARY") == "Busy"
    assert second.unchanged
    assert third.complete
    assert len(after) == 1


async def test_a_role_that_grows_or_shrinks_is_seen(ana: GoogleSource) -> None:
    """Events once they are shared, within six hours; busy time at once when they no longer are."""
    boss = share_busy(ana)
    adapter = ana.adapter()
    _, last = await read(adapter, calendar=boss)
    ana.server.world.calendars[boss].roles[ANA] = "reader"
    assert isinstance(ana.clock, FakeClock)
    ana.clock.advance(6 * HOUR)
    events, last = await read(adapter, last.cursor or "", calendar=boss)
    ana.server.world.calendars[boss].roles[ANA] = "freeBusyReader"
    busy, last = await read(adapter, last.cursor or "", calendar=boss)

    assert set(events) == {"secret", "later"}
    assert len(busy) == 2
    assert last.complete


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"calendars": {}}, Unavailable),
        ({}, Unavailable),
        ({"calendars": {"boss@example.com": {}}}, Unavailable),
        ({"calendars": {"boss@example.com": {"busy": [{"start": "x"}]}}}, Unavailable),
        (
            {"calendars": {"boss@example.com": {"busy": [], "errors": [{"reason": "notFound"}]}}},
            AccessLost,
        ),
        (
            {"calendars": {"boss@example.com": {"busy": [], "errors": [{"reason": "new"}]}}},
            Unavailable,
        ),
    ],
    ids=str,
)
async def test_an_error_inside_a_good_answer_is_never_free(
    ana: GoogleSource, body: dict[str, Any], kind: type[UpstreamError]
) -> None:
    """A calendar's own error, a missing calendar or a broken time is a failure."""
    boss = share_busy(ana)
    ana.server.break_with(Fault(route="freebusy.query", body=json.dumps(body)))
    with pytest.raises(kind):
        await read(ana.adapter(), calendar=boss)
    with pytest.raises(kind):
        await ana.adapter().last_look(boss, TimeRange(NOON, NOON + HOUR))


# --- last look -----------------------------------------------------------------------------------


async def test_a_last_look_knows_kinds_and_instances(ana: GoogleSource) -> None:
    """Series, exceptions, answers and whole days as they are now, each with its type."""
    put_series(ana)
    put_exception(ana, 25)
    guest = {"email": ANA, "self": True, "responseStatus": "needsAction"}
    put(ana, "maybe", start=at(25, 16), end=at(25, 17), attendees=[guest])
    put(ana, "no", attendees=[{**guest, "responseStatus": "declined"}])
    put(ana, "away", start=at(25, 18), end=at(25, 19), eventType="outOfOffice")
    put(ana, "day", start={"date": "2026-11-26"}, end={"date": "2026-11-27"})
    morning = NOON - 12 * HOUR
    found = await ana.adapter().last_look(ANA, TimeRange(morning, morning + DAY))

    assert found == [
        BusyPeriod(NOON + HOUR, NOON + 2 * HOUR, BusyType.BUSY),
        BusyPeriod(NOON + 3 * HOUR, NOON + 4 * HOUR, BusyType.TENTATIVE),
        BusyPeriod(NOON + 5 * HOUR, NOON + 6 * HOUR, BusyType.UNAVAILABLE),
        BusyPeriod(NOON + 11 * HOUR, NOON + 12 * HOUR, BusyType.BUSY),
    ]


async def test_a_last_look_at_busy_time_only(ana: GoogleSource) -> None:
    """Where events are not shared, free/busy answers."""
    boss = share_busy(ana)
    window = TimeRange(NOON - 2 * HOUR, NOON)
    found = await ana.adapter().last_look(boss, window)

    assert found == [BusyPeriod(NOON - HOUR, NOON, BusyType.BUSY)]


async def test_a_last_look_fails_at_what_it_cannot_read(ana: GoogleSource) -> None:
    """An event without a time in the window is not free."""
    put(ana, "odd", start={}, end={})
    with pytest.raises(Unavailable):
        await ana.adapter().last_look(ANA, TimeRange(NOON, NOON + HOUR))
