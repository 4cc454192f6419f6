"""The store over SQLAlchemy Core: one schema on SQLite and on PostgreSQL.

What differs between the two stands in `sqlite`, `postgresql` and the migrations: how a connection
is made, how a write begins and waits, how locks are named and which errors mean "not now".
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

from sqlalchemy import exc, make_url

from gateway import errors, ports
from gateway.storage.migrations import runner
from gateway.storage.postgresql import Postgresql
from gateway.storage.repository import Writer
from gateway.storage.sqlite import Sqlite
from gateway.storage.transaction import SqlTransaction


class SqlStore:
    """Implements ports.Store."""

    def __init__(self, dialect: Sqlite | Postgresql) -> None:
        self.dialect = dialect

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ports.Transaction]:
        """Give the repositories over one consistent state."""
        try:
            async with self.dialect.reading() as connection:
                yield SqlTransaction(connection, self.dialect)
        except (exc.SQLAlchemyError, OSError) as error:
            self._reraise(error)

    @asynccontextmanager
    async def write(self, *, owner_id: int | None = None) -> AsyncIterator[ports.Transaction]:
        """Give the repositories in a transaction that commits when left without an error."""
        try:
            async with self.dialect.writing(owner_id) as connection:
                transaction = SqlTransaction(connection, self.dialect)
                yield transaction
                await transaction.flush()
        except (exc.SQLAlchemyError, OSError) as error:
            self._reraise(error)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Writer]:
        """Give the writing connection itself, for what concerns tables and not the gateway."""
        try:
            async with self.dialect.writing(None) as connection:
                yield connection
        except (exc.SQLAlchemyError, OSError) as error:
            self._reraise(error)

    def _reraise(self, error: BaseException) -> NoReturn:
        translated = self.dialect.translate(error)
        if translated is error:
            raise error
        raise translated from error

    async def ping(self) -> None:
        """Raise Overloaded unless the database answers."""
        async with self.read() as transaction:
            await transaction.owners.get(0)

    async def revision(self) -> str:
        """Return the revision of the schema."""
        async with self.connect() as connection:
            return await connection.run_sync(runner.revision) or ""

    async def close(self) -> None:
        """Close every connection."""
        await self.dialect.close()


async def open_store(url: str, data_dir: Path) -> SqlStore:
    """Open the database, bring its schema up to date, and return the store."""
    dialect = open_dialect(url, data_dir)
    try:
        await migrate(dialect)
    except BaseException:
        await dialect.close()
        raise
    return SqlStore(dialect)


def open_dialect(url: str, data_dir: Path, *, anew: bool = False) -> Sqlite | Postgresql:
    """Return the database a URL names; a SQLite path counts from `data_dir`.

    `anew` allows a SQLite file to be made where one has vanished.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return Postgresql(parsed)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise errors.ConfigError(
            f"database.url must be sqlite:///FILE or postgresql://…, not {parsed.drivername!r}."
        )
    dialect = Sqlite(data_dir / parsed.database)
    dialect.create_file(anew=anew)
    return dialect


async def migrate(dialect: Sqlite | Postgresql) -> None:
    """Bring the schema up to date in one transaction; raise SchemaTooNew for a newer one."""
    try:
        async with dialect.writing(None) as connection:
            await dialect.lock(connection, "migration")
            await connection.run_sync(runner.upgrade)
    except (exc.SQLAlchemyError, OSError) as error:
        translated = dialect.translate(error)
        if translated is error:
            raise
        raise translated from error
