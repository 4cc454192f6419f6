"""What statements compile to, kept from one test's engine to the next.

SQLAlchemy keeps it with the engine, and nearly every test opens one: a third of what such a test
costs would be to compile anew what the test before it compiled.
"""

from typing import Any, ClassVar, Self

from sqlalchemy import Engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite


class _Kept:
    """One dialect for every engine, since a compiled statement belongs to a dialect."""

    compiled: ClassVar[dict[Any, Any]]
    only: ClassVar[Self | None] = None

    def __new__(cls, **_: Any) -> Self:
        if cls.only is None:
            cls.only, cls.compiled = super().__new__(cls), {}
        return cls.only

    def __init__(self, **options: Any) -> None:
        if not self.__dict__:
            super().__init__(**options)

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        """Let an engine look where the others kept theirs."""
        engine.update_execution_options(compiled_cache=cls.compiled)


class Pysqlite(_Kept, SQLiteDialect_pysqlite):
    """SQLite."""

    supports_statement_cache = True


class Asyncpg(_Kept, PGDialect_asyncpg):
    """PostgreSQL."""

    supports_statement_cache = True


def install() -> None:
    """Give these to whoever makes an engine from now on."""
    registry.register("sqlite.pysqlite", __name__, Pysqlite.__name__)
    registry.register("postgresql.asyncpg", __name__, Asyncpg.__name__)
