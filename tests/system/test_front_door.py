"""Every vector through the front door: PUT, then free-busy-query, as a client would.

`tests/unit/test_recurrence_cases.py` and `test_bombs.py` hold the core to the same vectors; here
stands that HTTP, the store and the occurrence index change nothing about the answers.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.model.collection import Collection
from gateway.model.component import parse_many, serialize
from gateway.model.objects import split
from gateway.model.timerange import DAY, TimeRange, format_utc, to_instant
from gateway.model.zones import tzdata_version
from tests.bombs import BOMBS, bytes_of
from tests.dav_desk import Answer, DavClient
from tests.owner_desk import OwnerDesk

CASES = json.loads((Path(__file__).parents[1] / "cases" / "recurrence.json").read_text())["cases"]
CLEAR = [case for case in CASES if not case.get("ambiguous")]
LANES = 4
"""Vectors under way at a time, each in calendars of its own."""
COMPONENTS = "".join(f'<C:comp name="{name}"/>' for name in ("VEVENT", "VTODO", "VJOURNAL"))
FREEBUSY = re.compile(r"^FREEBUSY;FBTYPE=([A-Z-]+):([0-9TZ]+)/([0-9TZ]+)\r$", re.MULTILINE)


class Door:
    """A client's calendars, one for each time zone, and what it asks of them."""

    def __init__(self, dav: DavClient, desk: OwnerDesk, prefix: str = "c") -> None:
        self.dav = dav
        self.desk = desk
        self.prefix = prefix
        self.paths: dict[str, str] = {}

    async def calendar(self, zone: str) -> str:
        """Return the path of the calendar whose days are those of a zone."""
        if zone not in self.paths:
            inner = (
                f"<C:calendar-timezone-id>{zone}</C:calendar-timezone-id>"
                "<C:supported-calendar-component-set>"
                f'{COMPONENTS}<C:comp name="VFREEBUSY"/></C:supported-calendar-component-set>'
            )
            self.paths[zone] = await self.dav.mkcalendar(f"{self.prefix}{len(self.paths)}", inner)
        return self.paths[zone]

    async def cover(self, path: str, window: TimeRange) -> None:
        """Have the index of a calendar reach over a window, as if it were now."""
        name = path.rstrip("/").rpartition("/")[2]
        days = TimeRange(window.start // DAY * DAY, -(-window.end // DAY) * DAY)
        async with self.desk.services.store.write() as tx:
            found = await tx.collections.by_name(self.dav.owner.id, name)
            assert isinstance(found, Collection)
            await tx.index.set_horizon(found.id, days, tzdata_version())

    async def busy(self, path: str, window: TimeRange) -> Answer:
        """Ask a calendar when it is busy."""
        edges = f'start="{format_utc(window.start)}" end="{format_utc(window.end)}"'
        return await self.dav.report(
            path,
            "<C:free-busy-query {DECLARED}>" + f"<C:time-range {edges}/></C:free-busy-query>",
        )


@pytest.fixture
async def door(dav: DavClient, desk: OwnerDesk) -> AsyncIterator[Door]:
    """Give a client with no calendars yet."""
    return Door(dav, desk)


def window_of(case: dict[str, Any]) -> TimeRange:
    """Return the window of a vector."""
    start, end = (to_instant(datetime.fromisoformat(text)) for text in case["window_utc"])
    return TimeRange(start, end)


def resources_of(case: dict[str, Any]) -> list[bytes]:
    """Return the objects of a vector as a client would put them: each UID by itself."""
    objects = [
        item
        for calendar in parse_many(case["ics"].encode(), lenient=True)
        for item in split(calendar)[0]
    ]
    return [case["ics"].encode()] if len(objects) == 1 else [serialize(o.calendar) for o in objects]


def told(answer: Answer) -> list[list[str]]:
    """Return the periods of an answer as the vectors write them."""
    assert answer.status == 200, answer.text
    return [
        [f"{datetime.fromisoformat(text):%Y-%m-%dT%H:%M:%SZ}" for text in edges] + [kind]
        for kind, *edges in FREEBUSY.findall(answer.text)
    ]


async def test_every_clear_vector_is_busy_as_it_says(door: Door) -> None:
    """Answers near to now are read from the index, those far from it computed: both are right."""
    lanes = [Door(door.dav, door.desk, f"lane{number}-") for number in range(LANES)]
    found = await asyncio.gather(
        *(wrong_in(lane, CLEAR[number::LANES]) for number, lane in enumerate(lanes))
    )

    assert {name: what for wrong in found for name, what in wrong.items()} == {}
    assert len(CLEAR) > 150


async def wrong_in(door: Door, cases: list[dict[str, Any]]) -> dict[str, object]:
    """Put and ask one vector after another; return the wrong answers by name."""
    wrong: dict[str, object] = {}
    for number, case in enumerate(cases):
        path, window = await door.calendar(case["calendar_timezone"]), window_of(case)
        if number % 4:
            await door.cover(path, window)
        resources = list(enumerate(resources_of(case)))
        puts = [await door.dav.put(f"{path}{name}.ics", data) for name, data in resources]
        refused = [put.text for put in puts if put.status != 201]
        found = told(await door.busy(path, window))
        if refused or found not in accepted(case):
            wrong[case["name"]] = refused or (found, accepted(case))
        for name, _ in resources:
            await door.dav.request("DELETE", f"{path}{name}.ics")
    return wrong


def accepted(case: dict[str, Any]) -> list[list[list[str]]]:
    """Return the answers that a vector takes; docs/policies.md chooses among several."""
    others = [item.get("expect_instances", []) for item in case.get("accept_alternatives", [])]
    return [case["expect_busy"], *([[*span, "BUSY"] for span in spans] for spans in others)]


async def test_every_bomb_is_answered(door: Door) -> None:
    """A bomb is refused with a named condition, or stored, found, expanded and told as busy."""
    path = await door.calendar("UTC")
    odd = {}
    for case in BOMBS:
        put = await door.dav.put(f"{path}bomb.ics", bytes_of(case))
        outcomes: list[tuple[int, str]] = [(put.status, put.condition())]
        if put.status == 201:
            start, end = case.get("window", ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"])
            low = to_instant(datetime.fromisoformat(start))
            high = to_instant(datetime.fromisoformat(end)) if end else low + 366 * DAY
            window = TimeRange(low, high)
            outcomes += await asked(door, path, window)
            await door.dav.request("DELETE", f"{path}bomb.ics")
        if not all(
            status in (200, 201, 207) or (status == 403 and condition)
            for status, condition in outcomes
        ):
            odd[case["name"]] = outcomes

    assert odd == {}


async def asked(door: Door, path: str, window: TimeRange) -> list[tuple[int, str]]:
    """Ask about a stored bomb in every way; return how each was answered."""
    edges = f'start="{format_utc(window.start)}" end="{format_utc(window.end)}"'
    alarm = f'<C:comp-filter name="VALARM"><C:time-range {edges}/></C:comp-filter>'
    answers = [await door.busy(path, window)]
    answers += [
        await door.dav.report(
            path,
            "<C:calendar-query {DECLARED}><D:prop><C:calendar-data>"
            f"<C:expand {edges}/></C:calendar-data></D:prop><C:filter>"
            '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
            f"{inner}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>",
        )
        for inner in (f"<C:time-range {edges}/>", alarm)
    ]
    return [(answer.status, answer.condition()) for answer in answers]
