"""Writing SQLite crosses over to its thread once a statement, and not at all to read a little."""

import asyncio

import pytest
from sqlalchemy import func, literal, select, text

from gateway.storage.engine import SqlStore
from gateway.storage.writing import WritingConnection
from tests.builders import a_full_calendar, an_object

PORTION = 200
MANY = 3 * PORTION + 1
_FIRST = select(literal(1).label("i")).cte("numbers", recursive=True)
_NUMBERS = _FIRST.union_all(select(_FIRST.c.i + 1).where(_FIRST.c.i < 200_000))
HEAVY = select(func.count().label("n")).select_from(_NUMBERS)


@pytest.fixture
def crossings(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Keep what is done in the thread of a connection."""
    done: list[object] = []
    run = WritingConnection._run

    async def counted(self, work, *arguments):
        done.append(work)
        return await run(self, work, *arguments)

    monkeypatch.setattr(WritingConnection, "_run", counted)
    return done


@pytest.fixture
async def collection_id(sqlite_store: SqlStore) -> int:
    """Add a calendar with many objects."""
    return await a_full_calendar(sqlite_store, MANY)


async def test_a_transaction_crosses_to_begin_to_change_and_to_commit(
    sqlite_store, collection_id, crossings
):
    """Three crossings for one change, whatever is looked up beside it."""
    async with sqlite_store.write() as tx:
        for number in range(50):
            assert await tx.objects.get(collection_id, f"{number}.ics")
        await tx.connections.set_cursor(collection_id, "here")

    assert len(crossings) == 3


async def test_a_transaction_sees_what_it_has_written(sqlite_store, collection_id):
    """A look-up on the loop is of the same transaction as the change in the thread."""
    async with sqlite_store.write() as tx:
        await tx.owners.set_password_hash(1, "changed")
        assert await tx.owners.password_hash(1) == "changed"


async def test_rows_come_by_portions(sqlite_store, collection_id):
    """A backup reads a table without holding all of it."""
    async with sqlite_store.connect() as connection:
        rows = await connection.stream(text("SELECT name FROM object ORDER BY id"))
        portions = [len(part) async for part in rows.partitions(PORTION)]

    assert portions == [PORTION] * 3 + [1]


async def test_a_large_look_up_goes_to_the_thread(sqlite_store, collection_id, crossings):
    """What wants more than the budget is stopped on the loop and run once more in the thread."""
    async with sqlite_store.connect() as connection:
        before = len(crossings)
        (row,) = (await connection.execute(HEAVY)).all()

    assert row.n == 200_000
    assert len(crossings) - before == 2  # this and the commit


async def test_a_failed_write_leaves_nothing_for_the_next_one(sqlite_store, collection_id):
    """The writing connection is kept between transactions, what was begun on it is not."""

    async def fail() -> None:
        async with sqlite_store.write() as tx:
            await tx.owners.set_password_hash(1, "lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with sqlite_store.write() as tx:
        assert await tx.owners.password_hash(1) == "hash"


async def test_a_writer_cancelled_anywhere_holds_up_nobody(sqlite_store, collection_id):
    """Whenever its caller goes away, a write is done whole or not at all, and the next one is."""
    for number in range(40):
        task = asyncio.create_task(_put(sqlite_store, collection_id, f"cancelled-{number}.ics"))
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(2):
            await _put(sqlite_store, collection_id, f"after-{number}.ics")
    async with sqlite_store.read() as tx:
        names = {one.name for one in await tx.objects.list(collection_id)}
        revision = (await tx.collections.get(collection_id)).revision

    assert {f"after-{number}.ics" for number in range(40)} <= names
    assert revision == len(names)


async def _put(store: SqlStore, collection_id: int, name: str) -> None:
    async with store.write() as tx:
        await tx.objects.put(an_object(collection_id, name))
