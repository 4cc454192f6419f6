"""All EWS cases through the whole way: simulated Exchange, sync tick, CalDAV free-busy-query."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from gateway.model.collection import Provider
from gateway.model.principal import Owner
from gateway.model.timerange import TimeRange, format_utc, to_instant
from gateway.services.exchange_account import ExchangeAccount
from tests.dav_desk import dav_client
from tests.exchange_account import ADDRESS, PASSWORD, ExchangeSource, exchange_source
from tests.owner_desk import OwnerDesk, owner_desk

FILE = Path(__file__).parents[1] / "cases" / "microsoft.json"
CASES = [case for case in json.loads(FILE.read_text()) if case["provider"] == "ews"]
SERVERS = {"Exchange2010_SP2", "Exchange2013"}


@pytest.fixture
async def desk(data_dir: Path) -> AsyncIterator[OwnerDesk]:
    """Serve a gateway over an empty database."""
    async with owner_desk(data_dir) as opened:
        yield opened


@pytest.fixture(params=sorted(SERVERS))
async def source(request: pytest.FixtureRequest) -> AsyncIterator[ExchangeSource]:
    """Run a server of each schema that the cases are told in."""
    async with exchange_source(version=request.param) as made:
        yield made


def instant(text: str) -> int:
    """Return the instant of an RFC 3339 text."""
    return to_instant(datetime.fromisoformat(text))


async def told_by_dav(
    desk: OwnerDesk, owner: Owner, name: str, window: TimeRange
) -> list[tuple[int, int, str]]:
    """Return the periods that a free-busy-query of a calendar gives, in order."""
    span = f'start="{format_utc(window.start)}" end="{format_utc(window.end)}"'
    async with dav_client(desk, owner) as dav:
        answer = await dav.report(
            f"{dav.home}{name}/",
            f"<C:free-busy-query {{DECLARED}}><C:time-range {span}/></C:free-busy-query>",
        )
    assert answer.status == 200
    found = []
    for line in answer.text.replace("\r\n ", "").splitlines():
        if line.startswith("FREEBUSY;FBTYPE="):
            kind, _, periods = line.removeprefix("FREEBUSY;FBTYPE=").partition(":")
            for period in periods.split(","):
                low, high = (datetime.fromisoformat(one) for one in period.split("/"))
                found.append((to_instant(low), to_instant(high), kind))
    return sorted(found)


async def test_every_case_is_told_as_it_should(desk: OwnerDesk, source: ExchangeSource) -> None:
    """Each item, put upstream and read by a tick, makes its owner busy exactly when it says."""
    wrong: list[tuple[str, Any, Any]] = []
    cases = [case for case in CASES if case["server_version"] == source.server.version]
    assert cases
    for number, case in enumerate(cases):
        address = f"person{number}@corp.example"
        mailbox = source.server.add(address, PASSWORD)
        for text in case["items"]:
            mailbox.put(ET.fromstring(text))
        owner = await desk.owner(f"owner{number}@example.org", time_zone=case["mailbox_tz"])
        given = ExchangeAccount(address=address, password=PASSWORD, url=source.server.url)
        (seen,) = (await desk.services.connections.connect_exchange(owner, given)).calendars
        window = TimeRange(*map(instant, case["window"]))
        told = await told_by_dav(desk, owner, seen.collection.name, window)
        wanted = [
            (instant(low), instant(high), kind) for low, high, kind in case["expect"]["freebusy"]
        ]
        if told != wanted:
            wrong.append((case["name"], told, wanted))

    assert wrong == []


async def test_an_event_makes_busy_until_it_is_deleted(desk: OwnerDesk) -> None:
    """Put upstream, sync: busy; delete upstream, sync: free (S01)."""
    async with exchange_source() as source:
        owner = await desk.owner()
        given = ExchangeAccount(address=ADDRESS, password=PASSWORD, url=source.server.url)
        state = await desk.services.connections.connect_exchange(owner, given)
        work = state.calendars[0].collection
        assert work.provider is Provider.EXCHANGE
        start = instant("2026-12-01T09:00:00Z")
        window = TimeRange(start, start + 3600)
        case = next(one for one in CASES if one["name"] == "ews_offset_datetimes")
        item = ET.fromstring(case["items"][0].replace("2026-03-25T12", "2026-12-01T10"))
        identifier = source.mailbox.put(item)
        await desk.services.connections.check(owner.id, state.connection.id)
        busy = await desk.services.freebusy.busy([work], window)
        source.mailbox.remove(identifier)
        await desk.services.connections.check(owner.id, state.connection.id)

        assert [(one.start, one.end) for one in busy] == [(start, start + 1800)]
        assert await desk.services.freebusy.busy([work], window) == []
