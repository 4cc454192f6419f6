"""Opening, locking and losing a database."""

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import threading

import asyncpg
import pytest
from sqlalchemy import text

from gateway import errors
from gateway.storage import postgresql, sqlite
from gateway.storage.engine import open_store
from gateway.storage.migrations import runner
from gateway.storage.schema import metadata
from tests.builders import a_collection, an_object, an_owner
from tests.conftest import SQLITE_URL


async def test_a_newer_schema_is_refused(store, store_url, data_dir):
    """A database of a newer version is not touched; the sentence says what to do."""
    async with store.connect() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(errors.SchemaTooNew, match="newer calgate"):
            await open_store(store_url, data_dir)
    finally:
        async with store.connect() as connection:
            back = text("UPDATE alembic_version SET version_num = :head")
            await connection.execute(back, {"head": runner.head()})


async def test_the_migrations_make_what_the_schema_says(store):
    """No table or column is in schema.py alone, or in the migrations alone."""

    def differences(connection: object) -> list[object]:
        from alembic.autogenerate import compare_metadata
        from alembic.runtime.migration import MigrationContext

        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with store.connect() as connection:
        found = await connection.run_sync(differences)

    assert found == []


async def test_an_older_database_is_brought_up_to_date(store, store_url, data_dir):
    """A database of before push channels and consents gets their tables and columns."""
    async with store.connect() as connection:
        for name in ("channel", "consent", "ended_connection"):
            await connection.execute(text(f"DROP TABLE {name}"))
        await connection.execute(text("ALTER TABLE connection DROP COLUMN poked_at"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    await (await open_store(store_url, data_dir)).close()

    await test_the_migrations_make_what_the_schema_says(store)
    assert await store.revision() == runner.head()


async def test_nobody_else_can_read_the_file(sqlite_store, data_dir):
    """The database file is the gateway's own."""
    mode = stat.S_IMODE((data_dir / "calgate.db").stat().st_mode)

    assert mode & 0o077 == 0 or data_dir.stat().st_mode & 0o077 == 0


async def test_a_new_file_is_private(tmp_path):
    """A database file is made with mode 0600."""
    store = await open_store(SQLITE_URL, tmp_path / "new")
    await store.close()

    assert stat.S_IMODE((tmp_path / "new" / "calgate.db").stat().st_mode) == 0o600


async def test_a_vanished_file_is_not_replaced_by_an_empty_one(sqlite_store, data_dir):
    """Where a database was, a missing file is an error and not a fresh start."""
    await sqlite_store.close()
    (data_dir / "calgate.db").unlink()

    with pytest.raises(errors.ConfigError, match="vanished"):
        await open_store(SQLITE_URL, data_dir)


async def test_a_file_replaced_under_the_gateway_is_noticed(sqlite_store, data_dir):
    """Writes into a file that nobody will find again are refused."""
    file = data_dir / "calgate.db"
    shutil.copy(file, data_dir / "other.db")
    (data_dir / "other.db").replace(file)

    with pytest.raises(errors.Overloaded, match="replaced"):
        await sqlite_store.ping()


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    """Rubbish in the file's place is named and left alone."""
    (tmp_path / "calgate.db").write_bytes(b"not a database, but long enough to be one" * 100)

    with pytest.raises(errors.Overloaded, match="not a database"):
        await open_store(SQLITE_URL, tmp_path)


async def test_a_locked_file_is_overloaded_and_can_be_read(sqlite_store, data_dir, monkeypatch):
    """While another program holds the write lock writers give up in time; readers go on."""
    monkeypatch.setattr(sqlite, "PATIENCE", 1.0)
    other = sqlite3.connect(data_dir / "calgate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def write() -> None:
        async with sqlite_store.write() as transaction:
            await transaction.owners.add(an_owner(), "hash")

    with pytest.raises(errors.Overloaded):
        await asyncio.wait_for(write(), 3)
    await sqlite_store.ping()
    other.execute("ROLLBACK")
    other.close()
    await write()


async def test_a_writer_waits_for_as_long_as_others_get_done(sqlite_store, monkeypatch):
    """A long queue that moves is no reason to give up; one that stands still is."""
    monkeypatch.setattr(sqlite, "PATIENCE", 1.0)

    async def write(seconds: float) -> None:
        async with sqlite_store.write():
            await asyncio.sleep(seconds)

    await asyncio.gather(*(write(0.4) for _ in range(4)))
    monkeypatch.setattr(sqlite, "PATIENCE", 0.05)
    still = asyncio.create_task(write(60))
    await asyncio.sleep(0)
    try:
        with pytest.raises(errors.Overloaded, match="Too many changes"):
            await write(0)
    finally:
        still.cancel()


async def test_two_gateways_share_one_file_safely(data_dir):
    """Writers of two stores on one file, as of two processes, lose nothing."""
    stores = [await open_store(SQLITE_URL, data_dir) for _ in range(2)]
    async with stores[0].write() as transaction:
        owner = await transaction.owners.add(an_owner(), "hash")
        collection = await transaction.collections.add(a_collection(owner.id))

    async def put(number: int) -> None:
        async with stores[number % 2].write() as transaction:
            await transaction.objects.put(an_object(collection.id, f"{number}.ics"))

    await asyncio.gather(*(put(number) for number in range(40)))
    async with stores[1].read() as transaction:
        found = await transaction.collections.get(collection.id)
        count = await transaction.objects.count(collection.id)
    for store in stores:
        await store.close()

    assert (found.revision, count) == (40, 40)


async def test_a_read_sees_one_state(store, owner):
    """What is committed during a read does not show in it."""
    async with store.read() as reading:
        before = await reading.owners.all()
        async with store.write() as writing:
            await writing.owners.add(an_owner(email="joe@example.org"), "hash")
        after = await reading.owners.all()

    assert list(after) == list(before)


async def test_a_cancelled_write_leaves_nothing_and_blocks_nobody(store, owner):
    """A visitor who goes away in the middle of a write leaves no half state and no lock."""
    entered = asyncio.Event()

    async def write() -> None:
        async with store.write(owner_id=owner.id) as transaction:
            await transaction.collections.add(a_collection(owner.id))
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.write(owner_id=owner.id) as transaction:
        assert list(await transaction.collections.of_owner(owner.id)) == []


LONG = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000) "
    "SELECT count(*) FROM n"
)


async def test_a_write_cancelled_in_mid_statement_lets_go_of_the_lock(store, owner):
    """The next write does not wait until what is left of the cancelled one is collected."""

    async def write() -> None:
        async with store.connect() as connection:
            await connection.execute(text("UPDATE owner SET password_hash = 'lost'"))
            begun.set()
            await connection.execute(LONG)

    begun = asyncio.Event()
    cancelled = asyncio.create_task(write())
    await begun.wait()
    await asyncio.sleep(0.02)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError) as kept:
        await cancelled
    async with store.connect() as connection:
        rows = (await connection.execute(text("SELECT password_hash FROM owner"))).all()

    assert kept.tb is not None  # the frames, so the cursor too, are alive until here
    assert ("lost",) not in rows


async def test_a_full_disk_is_overloaded_and_heals(sqlite_store, owner_id):
    """A file that cannot grow refuses with nothing stored, and works again when it can."""
    async with sqlite_store.write() as transaction:
        collection = await transaction.collections.add(a_collection(owner_id))
    async with sqlite_store.connect() as connection:
        ((pages,),) = (await connection.execute(text("PRAGMA page_count"))).all()
        await connection.execute(text(f"PRAGMA max_page_count={pages + 2}"))

    async def put(name: str) -> None:
        async with sqlite_store.write() as transaction:
            await transaction.objects.put(an_object(collection.id, name, data=b"x" * 100_000))

    with pytest.raises(errors.Overloaded, match="full"):
        await put("big.ics")
    async with sqlite_store.connect() as connection:
        await connection.execute(text("PRAGMA max_page_count=1000000"))
    await put("big.ics")
    async with sqlite_store.read() as transaction:
        assert await transaction.objects.count(collection.id) == 1


@pytest.fixture
async def owner_id(sqlite_store) -> int:
    """Add an owner to the SQLite store."""
    async with sqlite_store.write() as transaction:
        return (await transaction.owners.add(an_owner(), "hash")).id


@pytest.mark.postgresql
async def test_a_server_that_is_away_is_overloaded(tmp_path):
    """Without its server the store says "try again", in time."""
    with pytest.raises(errors.Overloaded):
        await open_store(f"postgresql://calgate@/postgres?host={tmp_path}", tmp_path)


ENDING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND application_name = 'calgate'"
)


@pytest.mark.postgresql
async def test_ended_connections_are_replaced(postgresql_server, tmp_path):
    """After the server has ended every connection, the next write works."""
    store = await open_store(postgresql_server, tmp_path)
    other = await open_store(postgresql_server, tmp_path)
    async with other.connect() as connection:
        await connection.execute(text(ENDING))
    await asyncio.sleep(0.05)  # the server says so, and waits for nobody to hear it
    async with store.write(owner_id=1) as transaction:
        await transaction.counters.purge(0)
    await store.close()
    await other.close()


@pytest.mark.postgresql
async def test_a_connection_that_nobody_used_is_asked_first(
    postgresql_server, tmp_path, monkeypatch
):
    """One whose end was never heard of is replaced before anything is written through it."""
    monkeypatch.setattr(postgresql, "FRESH", 0.0)
    store = await open_store(postgresql_server, tmp_path)

    async def end_all() -> None:
        connection = await asyncpg.connect(postgresql_server)
        await connection.execute(ENDING)
        await connection.close()

    ending = threading.Thread(target=asyncio.run, args=(end_all(),))
    ending.start()
    ending.join()  # with the loop standing still, it hears of nothing
    async with store.write(owner_id=1) as transaction:
        await transaction.counters.purge(0)
    await store.close()


@pytest.mark.postgresql
async def test_a_connection_that_does_not_answer_is_not_waited_for(
    postgresql_server, tmp_path, monkeypatch
):
    """One that a firewall has forgotten is replaced: asking it would last a quarter of an hour."""
    monkeypatch.setattr(postgresql, "FRESH", 0.0)
    monkeypatch.setattr(postgresql, "ANSWER", 0.2)
    store = await open_store(postgresql_server, tmp_path)
    async with store.connect() as connection:
        ((pid,),) = (await connection.execute(text("SELECT pg_backend_pid()"))).all()
    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(20), store.write(owner_id=1) as transaction:
            await transaction.counters.purge(0)
    finally:
        os.kill(pid, signal.SIGCONT)
    await store.close()
