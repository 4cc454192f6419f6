"""Writing SQLite from a thread with one crossing a statement, and none for what only reads.

Law: what changes the file, begins or ends a transaction is done in the connection's thread, since
it may wait for the disk or for another program. Through aiosqlite alone a statement crosses over
four times (cursor, execute, fetch, close); here its first rows come back with it. A SELECT inside a
transaction waits for nobody: it is run where one stands, within the budget of direct.py, and
crosses only where it turns out to be large (docs/adr/0019).
"""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from gateway.storage.direct import is_for_threads, within_budget

AHEAD = 200
"""Rows that come back with their statement; a backup reads on by portions."""

T = TypeVar("T")


class CrossingCursor(aiosqlite.Cursor):
    """A cursor that brings its first rows along."""

    def __init__(self, connection: "CrossingConnection", cursor: sqlite3.Cursor) -> None:
        super().__init__(connection, cursor)
        self._owner = connection
        self._ahead: list[Any] = []
        self._is_whole = True

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "CrossingCursor":
        """Run a statement and take its first rows."""

        def run() -> list[Any]:
            self._cursor.execute(sql, parameters or ())  # type: ignore[arg-type]
            return self._cursor.fetchmany(AHEAD) if self._cursor.description else []

        self._is_whole = False
        ahead = self._owner.read_here(run) if sql.startswith("SELECT") else None
        self._ahead = await self._execute(run) if ahead is None else ahead  # type: ignore[no-untyped-call]
        # Fewer than were asked for: SQLite has come to the statement's end and has let go of it.
        self._is_whole = len(self._ahead) < AHEAD
        return self

    async def fetchone(self) -> Any:
        """Return the next row, or None."""
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows."""
        size = size or self.arraysize
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        if len(taken) < size and not self._is_whole:
            taken += await super().fetchmany(size - len(taken))
        return taken

    async def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        taken, self._ahead = self._ahead, []
        return taken if self._is_whole else [*taken, *await super().fetchall()]

    async def close(self) -> None:
        """Let go of the statement, where SQLite still has it."""
        if not self._is_whole:
            await super().close()


class CrossingConnection(aiosqlite.Connection):
    """A connection that crosses over to its thread only for what touches the file."""

    _is_unsure = False

    def cursor(self) -> AbstractAsyncContextManager[CrossingCursor]:  # type: ignore[override]  # without a crossing
        """Return a new cursor, which is nothing of the file's yet."""
        return CrossingCursor(self, self._conn.cursor())

    async def rollback(self) -> None:
        """Roll back, where anything was begun: the pool asks whenever a connection comes back."""
        if self._is_unsure or self._conn.in_transaction:
            await super().rollback()

    def read_here(self, run: Callable[[], T]) -> T | None:
        """Run what only reads in the transaction, here; None where the thread is to do it."""
        if self._is_unsure or not self._conn.in_transaction:
            return None
        try:
            return within_budget(self._conn, run)
        except sqlite3.OperationalError as error:
            if not is_for_threads(error):
                raise
            return None

    async def _execute(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        # Whoever is cancelled here does not know whether the thread has done it.
        self._is_unsure = True
        try:
            done: T = await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except sqlite3.Error:
            self._is_unsure = False
            raise
        self._is_unsure = False
        return done


async def connect(path: Path, options: dict[str, Any]) -> CrossingConnection:
    """Open a file for writing, in a thread of the connection's own."""
    opening = partial(sqlite3.connect, path, check_same_thread=False, **options)
    connection = CrossingConnection(opening, iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does it for its own
    await connection
    return connection
