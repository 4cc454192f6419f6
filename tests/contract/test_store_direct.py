"""SQLite is read without a thread where little is read, and in one where it is much."""

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import exc, text

from gateway import errors
from gateway.storage import direct, sqlite
from gateway.storage.engine import SqlStore
from tests.builders import a_full_calendar

HERE = threading.current_thread()
ENDLESS = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) "
    "SELECT sum(i) AS total FROM n"
)
MANY = 3_000
MANY_NUMBERS = 500_000
NUMBERS = (
    f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY_NUMBERS})"
)


@pytest.fixture
async def collection_id(sqlite_store: SqlStore) -> int:
    """Add a calendar with many objects."""
    return await a_full_calendar(sqlite_store, MANY)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Keep what is given to threads."""
    given: list[object] = []
    run = asyncio.to_thread

    async def to_thread(work, *arguments, **options):
        given.append(work)
        return await run(work, *arguments, **options)

    monkeypatch.setattr(direct.asyncio, "to_thread", to_thread)
    return given


async def test_a_small_statement_uses_no_thread(sqlite_store, collection_id, threads):
    """A look-up by key is answered where it is asked, each time."""
    async with sqlite_store.read() as tx:
        found = [await tx.objects.get(collection_id, f"{number}.ics") for number in range(2000)]

    assert all(found)
    assert len(threads) <= 1  # the one that opens the file


async def test_a_large_statement_leaves_the_loop(sqlite_store, collection_id, threads):
    """What takes many steps is answered from a thread, whole."""
    async with sqlite_store.read() as tx:
        found = await tx.objects.list(collection_id)

    assert len(found) == MANY
    assert len(threads) == 2  # one of them opens the file


async def test_what_is_read_again_in_a_thread_is_of_the_same_state(sqlite_store, collection_id):
    """A commit in between does not show in the second run."""
    async with sqlite_store.read() as tx:
        first = await tx.objects.get(collection_id, "0.ics")
        async with sqlite_store.write() as writing:
            await writing.objects.remove(collection_id, "0.ics", 1)
        found = await tx.objects.list(collection_id)

    assert first in found


async def test_a_cancelled_reader_gives_its_connection_back(sqlite_store, collection_id):
    """Whoever goes away in the middle of a long statement stops it, and the next one reads."""
    for _ in range(direct.READERS + 1):
        async with asyncio.timeout(20):
            with pytest.raises(TimeoutError):
                async with sqlite_store.dialect.reading() as connection, asyncio.timeout(0.02):
                    await connection.execute(ENDLESS)
    async with sqlite_store.read() as tx:
        assert await tx.objects.count(collection_id) == MANY


async def test_more_readers_than_connections_wait_in_turn(sqlite_store, collection_id, monkeypatch):
    """All of them are answered; one that waits too long is told that the gateway is overloaded."""
    held = [sqlite_store.read() for _ in range(direct.READERS)]
    for one in held:
        await one.__aenter__()
    late = asyncio.create_task(sqlite_store.ping())
    await asyncio.sleep(0)
    monkeypatch.setattr(sqlite, "PATIENCE", 0.05)
    with pytest.raises(errors.Overloaded, match="All connections"):
        await sqlite_store.ping()
    await held[0].__aexit__(None, None, None)
    await late
    for one in held[1:]:
        await one.__aexit__(None, None, None)


async def test_a_reader_waits_for_a_locked_file(sqlite_store, data_dir, threads):
    """Where another program has the file for itself, a reader waits, and not on the loop."""
    await sqlite_store.ping()
    await sqlite_store.close()
    other = sqlite3.connect(data_dir / "calgate.db", isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    asyncio.get_running_loop().call_later(0.05, other.close)
    try:
        await sqlite_store.ping()
    except errors.Overloaded:
        pytest.fail("nobody waited")


async def test_a_reader_writes_nothing(sqlite_store):
    """A connection for reading refuses to write."""
    async with sqlite_store.dialect.reading() as connection:
        with pytest.raises(exc.OperationalError, match="readonly"):
            await connection.execute(text("DELETE FROM owner"))


async def test_a_reader_cancelled_twice_keeps_its_connection_until_it_is_free(sqlite_store):
    """Its end would have the loop wait for the thread, and the next reader get what is in use."""
    loop, begun, gate = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def wait(_: int) -> None:
        if threading.current_thread() is not HERE and not begun.is_set():
            loop.call_soon_threadsafe(begun.set)
            gate.wait(5)

    async def read() -> None:
        async with sqlite_store.dialect.reading() as connection:
            connection._raw.create_function("wait", 1, wait)
            await connection.execute(text(f"{NUMBERS} SELECT count(wait(i)) FROM n"))

    reading = asyncio.create_task(read())
    await begun.wait()
    for _ in range(3):
        reading.cancel()
        await asyncio.sleep(0)
    held = not reading.done()
    gate.set()
    await asyncio.wait({reading})

    assert held
    assert reading.cancelled()


async def test_a_reader_cancelled_before_its_thread_began_is_stopped_too(sqlite_store):
    """Where every thread is busy its statement comes later, and then for nobody."""
    gate, called = threading.Event(), []
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(1)
    loop.set_default_executor(pool)
    begun = asyncio.Event()

    async def read() -> None:
        async with sqlite_store.dialect.reading() as connection:
            connection._raw.create_function("wait", 1, called.append)
            busy = loop.run_in_executor(None, gate.wait, 5)
            begun.set()
            try:
                await connection.execute(text(f"{NUMBERS} SELECT count(wait(i)) FROM n"))
            finally:
                await busy

    reading = asyncio.create_task(read())
    await begun.wait()
    reading.cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wait({reading})

    assert reading.cancelled()
    assert len(called) < MANY_NUMBERS
