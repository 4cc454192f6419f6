"""Two nodes over one database: rules that no constraint of a database can see hold as well.

Bookings that overlap are refused by the database itself. A limit of a day, and the buffers between
two bookings, are only kept because one claim of an owner waits for the other.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway import errors
from gateway.model.page import BookingLimits
from gateway.model.timerange import HOUR
from gateway.storage.engine import open_store
from tests.booking_desk import TEN, Desk, a_desk, closing
from tests.builders import a_booking, an_owner
from tests.conftest import FakeClock
from tests.emptying import empty

pytestmark = pytest.mark.postgresql


@asynccontextmanager
async def two_nodes(
    url: str, folder: Path, clock: FakeClock, page: dict[str, Any]
) -> AsyncIterator[tuple[Desk, Desk]]:
    """Open two gateways on one database, with one owner and one page."""
    await empty(url)
    one, two = await open_store(url, folder), await open_store(url, folder)
    try:
        async with one.write() as tx:
            owner = await tx.owners.add(an_owner(), "hash")
        async with (
            closing(await a_desk(one, clock, owner, page=page)) as desk,
            closing(desk.restarted(store=two)) as other,
        ):
            yield desk, other
    finally:
        await one.close()
        await two.close()


async def until_done_or_waiting(url: str, task: asyncio.Task[Any]) -> None:
    """Let a task run until it has ended, or its database session waits for another's lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(60):
            while not task.done() and not await connection.fetchval(waiting):
                await asyncio.sleep(0.01)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ({"limits": BookingLimits(per_day=1)}, TEN + 4 * HOUR),
        ({"buffer_after": 60}, TEN + HOUR),
    ],
    ids=["limit of a day", "buffer"],
)
async def test_a_claim_waits_for_another_nodes(
    postgresql_server: str, data_dir: Path, clock: FakeClock, page: dict[str, Any], wanted: int
) -> None:
    """What another node is about to store counts, although the two times do not overlap."""
    async with two_nodes(postgresql_server, data_dir, clock, page) as (desk, other):
        values = {"start": TEN, "page_id": desk.page.id, **page}
        values.pop("limits", None)
        async with desk.store.write(owner_id=desk.owner.id) as tx:
            await tx.bookings.add(a_booking(desk.owner.id, **values))
            task = asyncio.create_task(other.book(wanted))
            await until_done_or_waiting(postgresql_server, task)
        with pytest.raises(errors.SlotTaken):
            await task

        assert [booking.start for booking in await desk.stored()] == [TEN]
