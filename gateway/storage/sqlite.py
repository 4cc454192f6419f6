"""SQLite as the store's engine: one file in WAL mode, its one writer, and readers on the loop."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, create_engine, event, exc
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL

from gateway import errors
from gateway.storage import guard
from gateway.storage.direct import READERS, DirectConnection, DirectReaders
from gateway.storage.writing import WritingConnection

PATIENCE = 5.0
"""Seconds until a file that another program has locked becomes Overloaded."""
MOST_PATIENCE = 30.0
"""Seconds that a writer waits for others which do get done; an answer may take 55."""
BUSY_SLICE_MS = 500
"""How long SQLite itself waits for another process before the deadline is looked at again."""


class FileIdentity(NamedTuple):
    """Which file a path named when it was opened."""

    device: int
    inode: int


class Sqlite:
    """One file in WAL mode.

    Writers of this process queue fairly before an asyncio lock, since SQLite's own waiting is a
    lottery. Other processes (the command line, even a second gateway) are safe: every write begins
    IMMEDIATE, so it has the file's write lock before it reads what it decides on. Reading waits for
    nobody, and so does without threads where little is read.
    """

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.readers = DirectReaders(self._engine(READERS, begin="BEGIN", query_only=True))
        self.writer = WritingConnection(self._engine(1, begin="BEGIN IMMEDIATE", query_only=False))
        self._queue = asyncio.Lock()
        self._written = 0
        self._identity: FileIdentity | None = None

    def _engine(self, size: int, *, begin: str, query_only: bool) -> Engine:
        engine = create_engine(
            URL.create("sqlite+pysqlite", database=str(self.path)),
            connect_args={
                "isolation_level": None,
                "timeout": BUSY_SLICE_MS / 1000,
                "check_same_thread": False,
            },
            pool_size=size,
            max_overflow=0,
            pool_timeout=PATIENCE,
            hide_parameters=True,  # a failed statement is logged, what it carried is not
        )

        def prepare(dbapi_connection: Any, _record: object) -> None:
            cursor = dbapi_connection.cursor()
            for pragma in (
                f"busy_timeout={int(PATIENCE * 900) if query_only else BUSY_SLICE_MS}",
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "journal_size_limit=67108864",
                f"query_only={'ON' if query_only else 'OFF'}",
            ):
                cursor.execute(f"PRAGMA {pragma}")
            if query_only:
                # From here on a reader that has to wait does so in a thread, which sets it again.
                cursor.execute("PRAGMA busy_timeout=0")
            cursor.close()

        def start(connection: Any) -> None:
            connection.exec_driver_sql(begin)

        event.listen(engine, "connect", prepare)
        event.listen(engine, "begin", start)
        guard.install(engine)
        return engine

    def create_file(self, *, anew: bool = False) -> None:
        """Make the file, for nobody else to read; refuse to begin anew where one has vanished."""
        marker = self.path.with_name(self.path.name + ".exists")
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not anew and not self.path.exists() and marker.exists():
            raise errors.ConfigError(
                f"The database {self.path} has vanished. Restore a backup; or, to begin with an "
                f"empty one, remove {marker} first."
            )
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            os.close(os.open(marker, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise errors.ConfigError(
                f"The database {self.path} cannot be written: {error.strerror}."
            ) from error
        self._identity = self._file()

    def _file(self) -> FileIdentity | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return FileIdentity(status.st_dev, status.st_ino)

    def _assert_same_file(self) -> None:
        if self._file() != self._identity:
            raise errors.Overloaded(
                f"The database file {self.path} was removed or replaced while the gateway runs; "
                "start it again."
            )

    def insert(self, table: Any) -> Any:
        """Return an INSERT that knows ON CONFLICT."""
        return sqlite.insert(table)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[DirectConnection]:
        """Give a connection that sees one state of the file."""
        self._assert_same_file()
        async with self.readers.connect(PATIENCE) as connection:
            yield connection

    @asynccontextmanager
    async def writing(self, owner_id: int | None) -> AsyncIterator[WritingConnection]:  # noqa: ARG002 - one writer at a time serves every owner
        """Give the writing connection, begun; commit when left without an error."""
        await self._turn()
        try:
            self._assert_same_file()
            try:
                await self._begin(asyncio.get_running_loop().time() + PATIENCE)
                yield self.writer
                await self.writer.commit()
            except BaseException:
                await self.writer.reset()
                raise
        finally:
            self._written += 1
            self._queue.release()

    async def _turn(self) -> None:
        """Wait for the writers before, for as long as any of them gets done."""
        loop = asyncio.get_running_loop()
        last = loop.time() + MOST_PATIENCE
        while True:
            written = self._written
            try:
                async with asyncio.timeout_at(min(loop.time() + PATIENCE, last)):
                    await self._queue.acquire()
            except TimeoutError:
                if self._written == written or loop.time() >= last:
                    raise errors.Overloaded(
                        "Too many changes are waiting for the database."
                    ) from None
            else:
                return

    async def _begin(self, deadline: float) -> None:
        while True:
            try:
                await self.writer.begin()
            except exc.OperationalError as error:
                if "locked" not in str(error.orig) or (
                    asyncio.get_running_loop().time() + BUSY_SLICE_MS / 1000 > deadline
                ):
                    raise
                await self.writer.reset()
            else:
                return

    async def lock(self, connection: object, name: str) -> None:
        """Do nothing: a writer is alone."""

    def translate(self, error: BaseException) -> BaseException:
        """Return the domain error for one of SQLite's, or the error itself."""
        if isinstance(error, exc.TimeoutError):
            return errors.Overloaded("All connections to the database are in use.")
        if not isinstance(error, exc.DBAPIError):
            return error
        reason = str(error.orig)
        if isinstance(error, exc.IntegrityError):
            return error
        if "locked" in reason or "busy" in reason:
            return errors.Overloaded("The database is locked by another program.")
        if re.search(r"full|disk I/O|readonly|unable to open|malformed|not a database", reason):
            return errors.Overloaded(f"The database cannot be used: {reason}.", retry_after=30)
        return error

    async def close(self) -> None:
        """Close every connection."""
        await self.readers.dispose()
        await self.writer.dispose()
