"""A booking into a mailbox by a gateway as its users run it: one item, in one calendar."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.sandbox.exchange.soap import T
from tests.booking_visitor import OPEN, Visitor
from tests.exchange_account import ExchangeSource, exchange_source
from tests.forked import ForkedServed
from tests.served import Served


@pytest.fixture
async def source() -> AsyncIterator[ExchangeSource]:
    """Run a server with Jane's mailbox, and a second calendar in it."""
    async with exchange_source() as made:
        made.mailbox.add_folder("Team")
        yield made


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Prepare a gateway; what runs of it at the end is stopped."""
    made = ForkedServed(tmp_path, extra=OPEN).prepare()
    yield made
    made.stop()


def items(source: ExchangeSource) -> dict[str, int]:
    """Return how many items each calendar holds."""
    folders = source.mailbox.folders.values()
    return {one.name: len(one.items) for one in folders if one.kind == "IPF.Appointment"}


async def test_a_booking_is_one_item_in_the_default_calendar(
    source: ExchangeSource, served: Served
) -> None:
    """One CalendarItem, in the default calendar and nowhere else; cancelled, it is gone (S28)."""
    visitor = Visitor(served)
    await asyncio.to_thread(visitor.connect, source.server.url)
    booked = await asyncio.to_thread(visitor.book)
    state = booked["state"]
    for _ in range(200):
        if state != "pending":
            break
        await asyncio.sleep(0.1)
        state = (await asyncio.to_thread(visitor.bookings))[0]["state"]

    assert state == "confirmed"
    assert items(source) == {"Work": 1, "Team": 0}
    (item,) = source.mailbox.calendar.items.values()
    assert item.findtext(f"{T}Subject")
    assert source.server.asked("CreateItem") == 1
    await asyncio.to_thread(visitor.call, "POST", f"bookings/{booked['id']}/cancel", {})
    for _ in range(200):
        if not source.mailbox.calendar.items:
            break
        await asyncio.sleep(0.1)
    assert items(source) == {"Work": 0, "Team": 0}
