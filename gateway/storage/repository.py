"""What every repository has: the connection of its transaction and a few ways to ask."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import CursorResult, Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.storage.direct import DirectConnection
from gateway.storage.writing import Done, WritingConnection

Writer = AsyncConnection | WritingConnection
"""What a transaction writes through, on PostgreSQL and on SQLite."""
AnyConnection = Writer | DirectConnection
"""What a transaction reads through."""


class Dialect(Protocol):
    """What a kind of database does in its own way; implemented in engine.py."""

    def insert(self, table: Any) -> Any:
        """Return an INSERT that knows ON CONFLICT."""

    async def lock(self, connection: Writer, name: str) -> None:
        """Hold a named lock until the transaction ends."""


class Repository:
    """One family of tables, seen inside one transaction."""

    __slots__ = ("connection", "dialect")

    def __init__(self, connection: AnyConnection, dialect: Dialect) -> None:
        self.connection = connection
        self.dialect = dialect

    @property
    def writing(self) -> Writer:
        """The connection of a transaction that writes."""
        assert not isinstance(self.connection, DirectConnection), "this transaction only reads"
        return self.connection

    async def _run(self, statement: Executable, **values: object) -> CursorResult[Any] | Done:
        """Write; `values` are those of a statement made once."""
        return await self.writing.execute(statement, values or None)

    async def _one(self, statement: Executable, **values: object) -> Row[Any] | None:
        """Return the only row, or None; `values` are those of a statement made once."""
        return (await self.connection.execute(statement, values or None)).one_or_none()

    async def _all(self, statement: Executable, **values: object) -> Sequence[Row[Any]]:
        """Return every row; `values` are those of a statement made once."""
        return (await self.connection.execute(statement, values or None)).all()

    async def _many(self, statement: Executable, rows: Sequence[dict[str, object]]) -> None:
        """Run one statement for many rows; for none, nothing."""
        if rows:
            await self.writing.execute(statement, rows)
