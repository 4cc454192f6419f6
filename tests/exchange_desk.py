"""Jane's Exchange account as the gateway keeps it, opened and read by tests."""

import json
from typing import Any

from gateway.adapters.exchange.adapter import ExchangeAdapter
from gateway.model.timerange import HOUR, TimeRange
from gateway.ports import UpstreamObject
from tests.contract.test_adapters import NOON, read
from tests.exchange_account import ExchangeSource

BOOKING = "bk_0001@gateway.example.org"
WINDOW = TimeRange(NOON, NOON + HOUR)


async def opened(source: ExchangeSource, **given: str) -> tuple[ExchangeAdapter, str]:
    """Return an adapter of an account that is kept, and its calendar."""
    first = source.open(**given)
    assert isinstance(first, ExchangeAdapter)
    calendar = (await first.calendars())[0].upstream_id
    kept = source.open(**json.loads(first.settled()))
    assert isinstance(kept, ExchangeAdapter)
    return kept, calendar


async def events(source: ExchangeSource) -> list[UpstreamObject]:
    """Return what stands in the calendar."""
    return (await read(source.open()))[0]


async def read_one_page(adapter: Any, calendar: str) -> None:
    """Begin to read a calendar."""
    async for _ in adapter.changes(calendar, ""):
        break
