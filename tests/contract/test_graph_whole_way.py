"""The Graph cases over the whole way: simulated Microsoft, sync, the index, busy time."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.registry import Registry
from gateway.model.collection import Collection, Provider
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, HOUR, Instant, TimeRange, to_instant
from gateway.services.freebusy import FreeBusyService
from gateway.services.sync import SyncService, secret_of
from gateway.storage.cipher import KeyRing, new_key
from gateway.storage.engine import SqlStore
from tests.builders import a_collection, an_owner
from tests.conftest import FakeClock
from tests.graph_account import GraphSource, graph_source

FILE = Path(__file__).parents[1] / "cases" / "microsoft.json"
CASES = [case for case in json.loads(FILE.read_text()) if case["provider"] == "graph"]


class Gateway:
    """An owner whose Office 365 calendar is connected, and what keeps it fresh."""

    def __init__(self, store: SqlStore, source: GraphSource, clock: FakeClock) -> None:
        self.store, self.source, self.clock = store, source, clock
        self.cipher = KeyRing.from_text(new_key(), origin="The test's key")
        registry = Registry(source.shared())
        self.sync = SyncService(store, clock, registry, self.cipher)
        self.freebusy = FreeBusyService(store, clock)

    async def connect(self, time_zone: str) -> Collection:
        """Keep the default calendar of the account as a collection."""
        found = self.source.connection
        async with self.store.write() as tx:
            owner: Owner = await tx.owners.add(an_owner(), "hash")
            await tx.connections.add(type(found)(**{**_fields(found), "owner_id": owner.id}))
            sealed = self.cipher.seal(b"x", bound_to=secret_of(found.id))
            await tx.connections.set_secret(found.id, sealed)
            self.calendar = await tx.collections.add(
                a_collection(
                    owner.id,
                    provider=Provider.MICROSOFT,
                    connection_id=found.id,
                    upstream_id=self.source.calendar_id,
                    time_zone=time_zone,
                )
            )
        return self.calendar

    async def tick(self, error: str = "") -> None:
        """Read the account once; it comes to the error that is told, or to none."""
        outcomes = await self.sync.tick(self.source.connection.id)
        assert outcomes is not None
        assert [one.error for one in outcomes] == [error]

    async def busy(self, window: TimeRange) -> list[tuple[Instant, Instant, str]]:
        """Return what free/busy answers."""
        found = await self.freebusy.busy([self.calendar], window)
        return [(one.start, one.end, one.type.value) for one in found]


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def instant(text: str) -> Instant:
    """Return the instant of an RFC 3339 text."""
    return to_instant(datetime.fromisoformat(text))


def seed(source: GraphSource, case: Mapping[str, Any]) -> int:
    """Put a case's items into the calendar; return how many objects they make."""
    items = [item for item in case["items"] if item["type"] != "occurrence"]
    for item in items:
        source.server.world.put(source.calendar_id, item)
    return sum(item["type"] != "exception" for item in items)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_a_case_gives_its_busy_time(case: dict[str, Any], sqlite_store: SqlStore) -> None:
    """What is seeded in Graph's own JSON comes out of free/busy as expected."""
    window = TimeRange(*map(instant, case["window"]))
    clock = FakeClock(window.start + DAY)
    async with graph_source(clock=clock, seconds=10.0, time_zone=case["mailbox_tz"]) as source:
        expected = seed(source, case)
        gateway = Gateway(sqlite_store, source, clock)
        await gateway.connect(case["mailbox_tz"])
        await gateway.tick()

        found = await gateway.busy(window)
        assert found == [
            (instant(low), instant(high), kind) for low, high, kind in case["expect"]["freebusy"]
        ]
        async with sqlite_store.read() as tx:
            assert await tx.objects.count(gateway.calendar.id) == expected


MARCH = "2026-03-04T00:00:00Z"


async def test_a_life_of_a_series_is_followed(sqlite_store: SqlStore) -> None:
    """Made, moved on one day, cancelled on another, deleted: busy time is that of Graph."""
    clock = FakeClock(instant(MARCH))
    week = TimeRange(instant(MARCH), instant(MARCH) + 7 * DAY)
    async with graph_source(clock=clock, seconds=10.0) as source:
        gateway = Gateway(sqlite_store, source, clock)
        await gateway.connect("Europe/Berlin")
        world, calendar = source.server.world, source.calendar_id
        noon = instant(MARCH) + 11 * HOUR
        world.put(calendar, a_series("daily-1"))
        await gateway.tick()
        assert await gateway.busy(week) == [_busy(noon + day * DAY) for day in range(7)]

        day = "2026-03-06"
        world.put(calendar, an_exception("daily-1", day, hour=15))
        await gateway.tick()
        moved = [_busy(noon + day * DAY) for day in range(7) if day != 2]
        assert await gateway.busy(week) == sorted([*moved, _busy(noon + 2 * DAY + 3 * HOUR)])

        world.remove_occurrence(calendar, "daily-1", "2026-03-07")
        await gateway.tick()
        left = [_busy(noon + day * DAY) for day in (0, 1, 4, 5, 6)]
        assert await gateway.busy(week) == sorted([*left, _busy(noon + 2 * DAY + 3 * HOUR)])

        world.remove(calendar, "daily-1")
        await gateway.tick()
        assert await gateway.busy(week) == []


async def test_a_lost_token_costs_nothing_but_a_full_read(sqlite_store: SqlStore) -> None:
    """After 410 what was deleted meanwhile is gone and what was added is there."""
    clock = FakeClock(instant(MARCH))
    week = TimeRange(instant(MARCH), instant(MARCH) + 7 * DAY)
    async with graph_source(clock=clock, seconds=10.0) as source:
        gateway = Gateway(sqlite_store, source, clock)
        await gateway.connect("Europe/Berlin")
        world, calendar = source.server.world, source.calendar_id
        for number in range(4):
            world.put(calendar, a_single(f"old-{number}", number))
        await gateway.tick()
        world.remove(calendar, "old-0")
        world.put(calendar, a_single("new", 5))
        world.forget(calendar)
        await gateway.tick()

        noon = instant(MARCH) + 11 * HOUR
        assert await gateway.busy(week) == [_busy(noon + day * DAY) for day in (1, 2, 3, 5)]


async def test_an_empty_answer_is_not_believed(sqlite_store: SqlStore) -> None:
    """A good answer without rows, where many events were, opens no time at once."""
    clock = FakeClock(instant(MARCH))
    week = TimeRange(instant(MARCH), instant(MARCH) + 7 * DAY)
    async with graph_source(clock=clock, seconds=10.0) as source:
        gateway = Gateway(sqlite_store, source, clock)
        await gateway.connect("Europe/Berlin")
        for number in range(6):
            source.server.world.put(source.calendar_id, a_single(f"event-{number}", number))
        await gateway.tick()
        before = await gateway.busy(week)
        source.server.world.forget(source.calendar_id)
        source.fail(lose_items=True)
        outcomes = await gateway.sync.tick(source.connection.id)

        assert outcomes is not None
        assert "disappeared" in outcomes[0].error
        assert await gateway.busy(week) == before


def a_single(event_id: str, day: int) -> dict[str, Any]:
    """Return an hour at noon in Berlin, some days after 4 March 2026."""
    date = f"2026-03-{4 + day:02}"
    return {
        "id": event_id,
        "subject": event_id,
        "type": "singleInstance",
        "showAs": "busy",
        "originalStartTimeZone": "W. Europe Standard Time",
        "start": {"dateTime": f"{date}T11:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": f"{date}T12:00:00.0000000", "timeZone": "UTC"},
    }


def a_series(event_id: str) -> dict[str, Any]:
    """Return an hour at noon in Berlin, every day from 4 March 2026 on."""
    reach = {"type": "noEnd", "startDate": "2026-03-04", "endDate": "0001-01-01"}
    pattern = {"type": "daily", "interval": 1}
    zone = {"recurrenceTimeZone": "W. Europe Standard Time", "numberOfOccurrences": 0}
    recurrence = {"pattern": pattern, "range": {**reach, **zone}}
    return a_single(event_id, 0) | {"type": "seriesMaster", "recurrence": recurrence}


def an_exception(master_id: str, day: str, *, hour: int) -> dict[str, Any]:
    """Return a day of a series at another hour of Berlin."""
    return a_single(f"{master_id}-{day}", 0) | {
        "type": "exception",
        "seriesMasterId": master_id,
        "occurrenceId": f"OID.{master_id}.{day}",
        "originalStart": f"{day}T11:00:00Z",
        "start": {"dateTime": f"{day}T{hour - 1}:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": f"{day}T{hour}:00:00.0000000", "timeZone": "UTC"},
    }


def _busy(start: Instant) -> tuple[Instant, Instant, str]:
    return start, start + HOUR, "BUSY"
