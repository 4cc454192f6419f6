"""Writing SQLite: what changes the file in a thread, what only reads where one stands.

Law: what changes the file, begins or ends a transaction is done in the writer's own thread, one
thing after the other, since it may wait for the disk or for another program. A SELECT inside the
transaction waits for nobody: it is run where one stands, within the budget of direct.py, and in the
thread only where it turns out to be large (docs/adr/0020). Nothing is done outside a transaction:
SQLite gives one up by itself after some errors, and what came next would stand alone.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Engine, Executable, Row

from gateway import errors
from gateway.storage.direct import Rows, raw_of, run_here, stopped_by

BROKEN_OFF = "The change was broken off before its end, so nothing of it was stored."

T = TypeVar("T")


class Done(Rows):
    """What a statement changed, and the rows it told."""

    __slots__ = ("rowcount",)

    def __init__(self, rows: Sequence[Row[Any]], rowcount: int) -> None:
        super().__init__(rows)
        self.rowcount = rowcount


class WritingConnection:
    """The one connection that writes, opened when first wanted; used by one task at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._opened: Connection | None = None
        self._thread = _thread()
        self._pending = 0
        self._streams: list[CursorResult[Any]] = []

    # --- a transaction -------------------------------------------------------------------------

    async def begin(self) -> None:
        """Begin, which waits for another program's write for as long as SQLite was told."""

        def begin() -> None:
            if self._opened is None:
                self._opened = self._engine.connect()
            self._opened.begin()

        await self._run(begin)

    async def commit(self) -> None:
        """Commit; whoever is cancelled here does not know whether it was done."""
        connection = self._connection

        def commit() -> None:
            _assert_whole(connection)
            self._end_streams()
            connection.commit()

        await self._run(commit)

    async def reset(self) -> None:
        """Take back what was begun; after whatever went wrong the next one opens anew.

        Whoever writes next does so after this, even when nobody waits for it here.
        """

        def close() -> None:
            opened, self._opened = self._opened, None
            self._end_streams()
            if opened is None:
                return
            raw = raw_of(opened)
            with suppress(sqlite3.Error):
                raw.rollback()  # SQLAlchemy would not, after a commit that failed
            if raw.in_transaction:
                opened.invalidate()  # a file that is closed holds no lock
            opened.close()

        await self._run(close)

    async def dispose(self) -> None:
        """Close the file and let the thread end; whoever writes after all opens both anew."""
        await self.reset()
        await self._run(self._engine.dispose)
        self._thread.shutdown(wait=False)
        self._thread = _thread()

    # --- inside one ----------------------------------------------------------------------------

    async def execute(self, statement: Executable, values: Any = None) -> Done:
        """Run a statement and take its rows."""
        connection = self._connection

        def run() -> Done:
            _assert_whole(connection)
            result = connection.execute(statement, values)
            return Done(result.all() if result.returns_rows else (), result.rowcount)

        if statement.is_select and not self._pending:
            found = run_here(raw_of(connection), run)
            if found is not None:
                return found
        return await self._interruptible(run)

    async def stream(self, statement: Executable) -> "Portions":
        """Run a statement whose rows are wanted by portions."""
        connection = self._connection

        def run() -> CursorResult[Any]:
            _assert_whole(connection)
            self._streams.append(connection.execute(statement))
            return self._streams[-1]

        return Portions(await self._interruptible(run), self)

    async def run_sync(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run what takes SQLAlchemy's own connection."""
        connection = self._connection

        def run() -> T:
            _assert_whole(connection)
            return work(connection, *arguments)

        return await self._run(run)

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        """Set a savepoint, and go back to it after an error."""
        savepoint = await self.run_sync(Connection.begin_nested)

        def go_back(connection: Connection) -> None:
            if raw_of(connection).in_transaction:
                savepoint.rollback()

        try:
            yield
        except BaseException:
            await self._run(go_back, self._connection)
            raise
        await self.run_sync(lambda _: savepoint.commit())

    # --- the thread ----------------------------------------------------------------------------

    @property
    def _connection(self) -> Connection:
        if self._opened is None:
            raise errors.Overloaded(BROKEN_OFF)
        return self._opened

    async def _interruptible(self, work: Callable[[], T]) -> T:
        """Do what is stopped when nobody wants it any more: what follows waits for it."""
        raw, left = raw_of(self._connection), threading.Event()

        def run() -> T:
            with stopped_by(raw, left):
                return work()

        try:
            return await self._run(run)
        except asyncio.CancelledError:
            left.set()
            raise

    def _end_streams(self) -> None:
        """Close rows that nobody reads to their end: they would keep the file's old state."""
        for result in self._streams:
            result.close()
        self._streams.clear()

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do it after everything before; it is done even when its caller is cancelled."""
        self._pending += 1
        done = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        done.add_done_callback(self._ended)
        return await asyncio.shield(done)

    def _ended(self, done: "asyncio.Future[Any]") -> None:
        self._pending -= 1
        if not done.cancelled():
            done.exception()  # looked at, where nobody waits for it any more


def _assert_whole(connection: Connection) -> None:
    """Refuse to go on where the transaction has ended: by an error, or with its `async with`."""
    if not raw_of(connection).in_transaction:
        raise errors.Overloaded(BROKEN_OFF)


def _thread() -> ThreadPoolExecutor:
    """Return what starts the thread as soon as there is something to do."""
    return ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")


class Portions:
    """Rows that come by portions, so that a backup never holds a whole table."""

    def __init__(self, result: CursorResult[Any], connection: WritingConnection) -> None:
        self._result = result
        self._connection = connection

    async def partitions(self, size: int) -> AsyncIterator[Sequence[Row[Any]]]:
        """Yield the rows, so many at a time."""
        while rows := await self._connection.run_sync(lambda _: self._result.fetchmany(size)):
            yield rows
