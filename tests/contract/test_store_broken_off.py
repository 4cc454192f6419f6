"""A SQLite transaction that is broken off, in whatever way, leaves no half change and no lock."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc, text

from gateway import errors
from gateway.storage.direct import raw_of
from gateway.storage.engine import SqlStore
from tests.builders import an_owner

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
SET = text("UPDATE owner SET password_hash = :to")
SLOWLY = text(
    f"UPDATE owner SET password_hash = ({NUMBERS} SELECT 'slow' || count(wait(i)) FROM n)"
)

MANY = text(f"{NUMBERS} SELECT i FROM n CROSS JOIN owner")


@pytest.fixture
async def store(sqlite_store: SqlStore) -> SqlStore:
    """Keep one owner."""
    async with sqlite_store.write() as tx:
        await tx.owners.add(an_owner(), "before")
    return sqlite_store


async def kept(store: SqlStore) -> str | None:
    """Return what is stored."""
    async with store.read() as tx:
        return await tx.owners.password_hash(1)


def written_by_another_program(data_dir: Path) -> None:
    """Write at once, which a lock that was left behind would not let."""
    with contextlib.closing(sqlite3.connect(data_dir / "calgate.db", timeout=0)) as other, other:
        other.execute("UPDATE owner SET password_hash = 'other'")


async def written(store: SqlStore) -> None:
    """Write as the next writer does."""
    async with store.write() as tx:
        await tx.owners.set_password_hash(1, "next")
    assert await kept(store) == "next"


async def with_function(store: SqlStore, function: Callable[[int], object]) -> None:
    """Give the writing connection a function, `wait`."""
    async with store.connect() as connection:
        await connection.run_sync(lambda one: raw_of(one).create_function("wait", 1, function))


@dataclass
class Held:
    """A function of the writing connection's that holds SLOWLY until it is let go."""

    begun: asyncio.Event
    gate: threading.Event

    async def cancel(self, running: asyncio.Task[Any]) -> None:
        """Cancel a task in the midst of SLOWLY."""
        await self.begun.wait()
        running.cancel()
        await asyncio.sleep(0)
        self.gate.set()
        await asyncio.wait({running})


@pytest.fixture
async def held(store: SqlStore) -> Held:
    """Hold SLOWLY at its first step."""
    made = Held(asyncio.Event(), threading.Event())
    loop = asyncio.get_running_loop()

    def wait(number: int) -> None:
        if number == 1:
            loop.call_soon_threadsafe(made.begun.set)
            made.gate.wait(30)

    await with_function(store, wait)
    return made


async def test_after_a_commit_that_failed_the_next_write_is_done(store, data_dir):
    """What could not be committed is taken back, not found begun by whoever comes next."""

    async def fail() -> None:
        async with store.connect() as connection:
            await connection.execute(text("PRAGMA defer_foreign_keys = ON"))
            await connection.execute(text("CREATE TABLE one (owner REFERENCES owner (id))"))
            await connection.execute(text("INSERT INTO one VALUES (99)"))

    with pytest.raises(exc.IntegrityError):
        await fail()
    written_by_another_program(data_dir)
    await written(store)


async def test_a_connection_that_cannot_take_back_is_closed(store, data_dir):
    """Where even that fails, as on a disk that fails, the lock goes with the open file."""

    def refuse(action: int, what: str | None, *_: object) -> int:
        no = action == sqlite3.SQLITE_TRANSACTION and what == "ROLLBACK"
        return sqlite3.SQLITE_DENY if no else sqlite3.SQLITE_OK

    async def fail() -> None:
        async with store.connect() as connection:
            await connection.run_sync(lambda one: raw_of(one).set_authorizer(refuse))
            await connection.execute(SET, {"to": "half"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    written_by_another_program(data_dir)
    await written(store)


async def test_a_transaction_that_sqlite_gave_up_is_not_gone_on_with(store, data_dir, held):
    """SQLite takes all of it back with a change that is stopped; the rest must not stand alone."""

    async def go_on() -> None:
        async with store.connect() as connection:
            await connection.execute(SET, {"to": "first"})
            await held.cancel(asyncio.create_task(connection.execute(SLOWLY)))
            await connection.execute(SET, {"to": "last"})

    with pytest.raises(errors.Overloaded, match="broken off"):
        await go_on()
    assert await kept(store) == "before"
    written_by_another_program(data_dir)
    await written(store)


async def test_an_error_that_ended_the_transaction_fails_its_commit(store):
    """Also where nothing comes after it: half a change is never told to be stored."""

    async def go_on() -> None:
        async with store.connect() as connection:
            await connection.execute(SET, {"to": "first"})
            with contextlib.suppress(exc.DBAPIError):
                await connection.execute(text("INSERT OR ROLLBACK INTO owner (id) VALUES (1)"))

    with pytest.raises(errors.Overloaded, match="broken off"):
        await go_on()
    assert await kept(store) == "before"
    await written(store)


async def test_what_was_cancelled_inside_a_savepoint_is_taken_back(store):
    """Whoever goes on after a time-out goes on from the savepoint."""
    async with store.connect() as connection:
        await connection.execute(SET, {"to": "first"})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as limit, connection.begin_nested():
                await connection.execute(SET, {"to": "half"})
                limit.reschedule(0)
                await asyncio.sleep(60)

    assert await kept(store) == "first"


async def test_who_is_cancelled_in_a_savepoint_that_is_gone_is_told_so(store, held):
    """The savepoint that SQLite gave up with all the rest hides no cancellation."""

    async def write() -> None:
        async with store.connect() as connection, connection.begin_nested():
            await connection.execute(SLOWLY)

    writing = asyncio.create_task(write())
    await held.cancel(writing)

    assert writing.cancelled()
    await written(store)


async def test_rows_that_nobody_reads_to_their_end_hold_nothing(store, data_dir):
    """Neither the lock of the transaction they were read in, nor the file's state of then."""
    left = []

    async def read() -> None:
        async with store.connect() as connection:
            await connection.execute(SET, {"to": "lost"})
            left.append(await connection.stream(MANY))
            async for _ in left[0].partitions(10):
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read()
    written_by_another_program(data_dir)
    await written(store)


async def test_rows_that_come_after_their_reader_has_left_hold_nothing(store, data_dir):
    """Whoever is cancelled while the first rows are looked for keeps the file from nobody."""
    gone = []

    async def read() -> None:
        async with store.connect() as connection:
            await connection.execute(SET, {"to": "lost"})
            begun.set()
            await connection.stream(MANY)
            await asyncio.sleep(60)

    for turns in range(8):
        begun = asyncio.Event()
        reading = asyncio.create_task(read())
        await begun.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError) as told:
            await reading
        gone.append(told)  # the frames, so the rows too, are alive
        written_by_another_program(data_dir)
    await written(store)


async def test_after_its_end_a_transaction_takes_nothing(store, data_dir):
    """A late statement is refused: it would begin a transaction that nobody ends."""
    async with store.connect() as connection:
        pass

    with pytest.raises(errors.Overloaded):
        await connection.execute(SET, {"to": "late"})
    written_by_another_program(data_dir)
    await written(store)


async def test_what_was_cancelled_before_its_turn_is_not_done_to_its_end(store):
    """A statement that stands behind another one in the thread is stopped as one that runs is."""
    called: list[int] = []
    gate, waiting = threading.Event(), asyncio.Event()
    await with_function(store, called.append)

    async def write() -> None:
        async with store.connect() as connection:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await connection.run_sync(lambda _: gate.wait(30))
            waiting.set()
            await connection.execute(SLOWLY)

    writing = asyncio.create_task(write())
    await waiting.wait()
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert len(called) < 200_000


async def test_a_store_closed_under_a_writer_keeps_nothing_of_it(store, data_dir):
    """At the end of the gateway a change that is half done is taken back, and its caller told."""
    begun, closed = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with store.write() as tx:
            await tx.owners.set_password_hash(1, "half")
            begun.set()
            await closed.wait()
            await tx.owners.set_password_hash(1, "whole")

    writing = asyncio.create_task(write())
    await begun.wait()
    await store.close()
    closed.set()

    with pytest.raises(errors.Overloaded):
        await writing
    assert await kept(store) == "before"
    written_by_another_program(data_dir)
    await written(store)
