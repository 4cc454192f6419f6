"""The epoch of a database: a name for one line of its history, which a restore ends.

Revisions count on from wherever a backup was taken, so that after a restore the same number stands
for something else than it stood for before. What is given out with a revision carries the epoch,
too. A database that was never restored has none.
"""

import secrets

from sqlalchemy import select

from gateway.storage import schema
from gateway.storage.repository import Dialect, Writer

ROW = "epoch"
EPOCH = select(schema.meta.c.value).where(schema.meta.c.key == ROW).scalar_subquery().label("epoch")
"""A column that says it, beside those of any table."""


async def begin_epoch(connection: Writer, dialect: Dialect) -> None:
    """Begin another line of history."""
    value = secrets.token_hex(8)
    statement = dialect.insert(schema.meta).values(key=ROW, value=value)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["key"], set_={"value": value})
    )
