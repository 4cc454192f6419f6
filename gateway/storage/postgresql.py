"""PostgreSQL as the store's engine: a server for one node or several."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, exc, func, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from gateway import errors
from gateway.storage import guard
from gateway.storage.repository import Writer

PATIENCE = 5.0
"""Seconds until a server that does not answer becomes Overloaded."""
TURN = 20.0
"""Seconds that a transaction waits behind others, for a connection and for its owner's lock."""
FRESH = 5.0
"""Seconds for which a connection that was given back is good without being asked."""
ANSWER = 2.0
"""Seconds within which a connection that is asked must answer."""
LOCKS = 0x63616C67
"""The space of our named advisory locks, so that they never meet an owner's."""


def _returned(_connection: object, record: Any) -> None:
    record.info["returned_at"] = time.monotonic()


def _look(connection: Any, record: Any, _proxy: object) -> None:
    """Have a connection that has ended replaced, with every other one of its age.

    A server that ends it says so, which costs nothing to see. Only one that nobody used for a
    while is asked, and not for long: a firewall in between may have forgotten it without a word.
    """
    driver = connection.driver_connection
    if driver.is_closed():
        raise exc.InvalidatePoolError
    now = time.monotonic()
    if now - record.info.get("returned_at", now) > FRESH:
        try:
            connection.run_async(lambda asked: asked.execute(";", timeout=ANSWER))
        except Exception as error:  # whatever is wrong with this one, there are others to be had
            driver.terminate()  # without a farewell that would be waited for in vain
            raise exc.InvalidatePoolError from error


class Postgresql:
    """A PostgreSQL server, for one node or several.

    A write for an owner takes that owner's advisory lock first: the overlap guard alone would
    answer some of many simultaneous claims with a deadlock instead of "taken".
    """

    name = "postgresql"

    def __init__(self, url: URL) -> None:
        self.engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=10,
            max_overflow=10,
            pool_timeout=TURN,
            hide_parameters=True,  # a failed statement is logged, what it carried is not
            connect_args={
                "timeout": PATIENCE - 1,
                "server_settings": {
                    "application_name": "calgate",
                    "lock_timeout": str(int(TURN * 1000)),
                    "idle_in_transaction_session_timeout": "60000",
                },
            },
        )
        guard.install(self.engine.sync_engine)
        event.listen(self.engine.sync_engine, "checkin", _returned)
        event.listen(self.engine.sync_engine, "checkout", _look)
        self.readers = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def insert(self, table: Any) -> Any:
        """Return an INSERT that knows ON CONFLICT."""
        return postgresql.insert(table)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection that sees one state of the database."""
        async with self.readers.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def writing(self, owner_id: int | None) -> AsyncIterator[AsyncConnection]:
        """Give a connection with a transaction, under the owner's lock; commit at the end."""
        async with self.engine.connect() as connection, connection.begin():
            if owner_id is not None:
                await connection.execute(select(func.pg_advisory_xact_lock(owner_id)))
            yield connection

    async def lock(self, connection: Writer, name: str) -> None:
        """Hold a named lock until the transaction ends."""
        # Two keys, so that a name never meets an owner's lock, which has one.
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))").bindparams(
                space=LOCKS, name=name
            )
        )

    def translate(self, error: BaseException) -> BaseException:
        """Return the domain error for one of PostgreSQL's, or the error itself."""
        if isinstance(error, exc.TimeoutError):
            return errors.Overloaded("All connections to the database are in use.")
        if isinstance(error, OSError):
            return errors.Overloaded("The database server cannot be reached.")
        if not isinstance(error, exc.DBAPIError):
            return error
        state = getattr(error.orig, "sqlstate", None) or ""
        # Serialisation, deadlock, lock timeout; then what is down, starting, full or interrupted.
        if state in ("40001", "40P01", "55P03"):
            return errors.Overloaded("Another change got in the way; nothing was stored.")
        if (
            error.connection_invalidated
            or state[:2] in ("08", "53", "57", "58")
            or state == "25P03"
        ):
            return errors.Overloaded("The database server is not available.")
        if state[:2] == "22" or state == "54000" or isinstance(error, exc.DataError):
            return errors.Invalid({"text": "A value is longer or larger than can be stored."})
        if isinstance(error, exc.InterfaceError):
            return errors.Overloaded("The database server is not available.")
        return error

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
