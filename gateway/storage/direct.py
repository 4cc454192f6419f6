"""Reading SQLite where one stands: no thread, no queue, as long as the statement is small.

Law: a statement may take about BUDGET steps of SQLite's machine on the event loop; one that wants
more is stopped there and run once more in a thread, in the same transaction, so in the same state
of the file. Nothing has to know beforehand which statements are large (docs/adr/0009).
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, Executable, QueuePool, Row, exc

BUDGET = 20_000
"""Steps of SQLite's machine: a row takes about one for each column; a millisecond or two."""
READERS = 8

T = TypeVar("T")


class Rows:
    """What a statement found, all of it."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[Row[Any]]) -> None:
        self._rows = rows

    def all(self) -> Sequence[Row[Any]]:
        """Return every row."""
        return self._rows

    def one_or_none(self) -> Row[Any] | None:
        """Return the only row, or None."""
        if len(self._rows) > 1:
            raise exc.MultipleResultsFound("More than one row where there is one at most.")
        return self._rows[0] if self._rows else None


class DirectConnection:
    """A reading connection; used by one task at a time."""

    def __init__(self, connection: Connection, *, patience_ms: int) -> None:
        self._connection = connection
        self._raw = raw_of(connection)
        self._patience_ms = patience_ms

    async def execute(self, statement: Executable, values: Any = None) -> Rows:
        """Run a statement here; in a thread if it turns out to be large, or has to wait."""

        def run() -> Sequence[Row[Any]]:
            return self._connection.execute(statement, values).all()

        found = run_here(self._raw, run)
        return Rows(await self._in_thread(run) if found is None else found)

    async def _in_thread(self, run: Callable[[], Sequence[Row[Any]]]) -> Sequence[Row[Any]]:
        left = threading.Event()

        def patiently() -> Sequence[Row[Any]]:
            self._raw.execute(f"PRAGMA busy_timeout={self._patience_ms}")
            try:
                with stopped_by(self._raw, left):
                    return run()
            finally:
                self._raw.execute("PRAGMA busy_timeout=0")

        work = asyncio.ensure_future(asyncio.to_thread(patiently))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            # Nobody else may have the connection before the thread has let go of it.
            left.set()
            await _until_done(work)
            work.exception()
            raise


class DirectReaders:
    """A few reading connections, waited for in turn."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._free = asyncio.Semaphore(READERS)

    @asynccontextmanager
    async def connect(self, patience: float) -> AsyncIterator[DirectConnection]:
        """Give a connection in a transaction that reads."""
        try:
            async with asyncio.timeout(patience):
                await self._free.acquire()
        except TimeoutError:
            raise exc.TimeoutError("no connection became free") from None
        try:
            with await self._connection() as connection, connection.begin():
                yield DirectConnection(connection, patience_ms=int(patience * 900))
        finally:
            self._free.release()

    async def _connection(self) -> Connection:
        """Return a connection; a new one is made in a thread, where opening the file may wait."""
        if cast("QueuePool", self._engine.pool).checkedin():
            return self._engine.connect()
        work = asyncio.ensure_future(asyncio.to_thread(self._engine.connect))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await _until_done(work)
            if work.exception() is None:
                work.result().close()
            raise

    async def dispose(self) -> None:
        """Close every connection."""
        self._engine.dispose()


async def _until_done(work: "asyncio.Future[Any]") -> None:
    """Wait for what a thread does, however often whoever waits is cancelled."""
    while not work.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({work})


@contextmanager
def stopped_by(raw: sqlite3.Connection, left: threading.Event) -> Iterator[None]:
    """Have what is run in here stopped when nobody wants it any more.

    Unlike `interrupt()` this counts too for what has not begun yet, and for nothing else.
    """
    raw.set_progress_handler(left.is_set, BUDGET)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


def raw_of(connection: Connection) -> sqlite3.Connection:
    """Return what SQLAlchemy's connection is one to."""
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def run_here(raw: sqlite3.Connection, run: Callable[[], T]) -> T | None:
    """Run what only reads where one stands; None where a thread is to do it once more."""
    try:
        return _within_budget(raw, run)
    except exc.OperationalError as error:
        # Too large, or it has to wait.
        if not any(word in str(error.orig) for word in ("interrupted", "locked", "busy")):
            raise
        return None


def _within_budget(raw: sqlite3.Connection, run: Callable[[], T]) -> T:
    """Run what only reads; SQLite stops it, with an error, where it wants more than the budget."""
    seen = 0

    def look() -> bool:
        # SQLite counts on from the statement's last run: the first look may come at once.
        nonlocal seen
        seen += 1
        return seen > 1

    raw.set_progress_handler(look, BUDGET)
    try:
        return run()
    finally:
        raw.set_progress_handler(None, 0)
