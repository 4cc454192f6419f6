"""Writing SQLite crosses over to its thread once a statement, and not at all to read a little."""

import pytest
from sqlalchemy import text

from gateway.storage.crossing import AHEAD, CrossingConnection
from gateway.storage.engine import SqlStore
from tests.builders import a_collection, an_object, an_owner

MANY = 3 * AHEAD + 1
HEAVY = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
    "SELECT count(*) AS n FROM n"
)


@pytest.fixture
def crossings(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Keep what is done in the thread of a connection."""
    done: list[object] = []
    run = CrossingConnection._execute

    async def counted(self, fn, *args, **kwargs):
        done.append(fn)
        return await run(self, fn, *args, **kwargs)

    monkeypatch.setattr(CrossingConnection, "_execute", counted)
    return done


@pytest.fixture
async def collection_id(sqlite_store: SqlStore) -> int:
    """Add a calendar with more objects than come along with a statement."""
    async with sqlite_store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
        collection = await tx.collections.add(a_collection(owner.id))
        await tx.objects.add([an_object(collection.id, f"{n}.ics") for n in range(MANY)])
    return collection.id


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


async def test_every_row_comes_however_many_there_are(sqlite_store, collection_id):
    """What does not come along with its statement is fetched after it."""
    async with sqlite_store.write() as tx:
        found = await tx.objects.headers(collection_id)

    assert len(found) == MANY


async def test_rows_come_by_portions(sqlite_store, collection_id):
    """A backup reads a table without holding all of it."""
    async with sqlite_store.connect() as connection:
        rows = await connection.stream(text("SELECT name FROM object ORDER BY id"))
        portions = [len(part) async for part in rows.partitions(AHEAD - 1)]

    assert portions == [AHEAD - 1] * 3 + [MANY - 3 * (AHEAD - 1)]


async def test_a_large_look_up_goes_to_the_thread(sqlite_store, crossings):
    """What wants more than the budget is stopped on the loop and run once more in the thread."""
    async with sqlite_store.connect() as connection:
        before = len(crossings)
        select = "SELECT count(*) AS n FROM (" + HEAVY.text + ")"
        found = (await connection.execute(text(select))).one().n

    assert found == 1
    assert len(crossings) - before >= 1


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
