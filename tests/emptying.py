"""A PostgreSQL database made empty between two tests, by one connection that knows its tables.

A new connection would read the catalogue of every table first, which takes ten times as long.
"""

import asyncio
from functools import cache
from typing import Self

import asyncpg

from gateway.storage import schema

# Truncating makes every table's files anew; most tests fill few tables with few rows.
DELETED = "".join(f'DELETE FROM "{table.name}";' for table in schema.metadata.sorted_tables)
PREPARED = f"""
SET session_replication_role = replica;
CREATE FUNCTION pg_temp.emptied() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    {DELETED}
    PERFORM setval(format('%I.%I', schemaname, sequencename), start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""
"""Without the triggers that follow references all of it goes; ids begin at 1 again."""


class Emptier:
    """Removes every row of one database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection | None = None

    @classmethod
    @cache
    def of(cls, url: str) -> Self:
        """Return the one of a database."""
        return cls(url)

    def empty(self) -> None:
        """Remove every row; for where no loop runs."""
        self._runner.run(self._empty())

    async def _empty(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url)
            await self._connection.execute(PREPARED)
        await self._connection.execute("SELECT pg_temp.emptied()")

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._runner.run(self._connection.close())
        self._runner.close()


async def empty(url: str) -> None:
    """Remove every row of a database; for where a loop runs."""
    await asyncio.to_thread(Emptier.of(url).empty)
