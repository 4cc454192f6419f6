"""Accounts at sources, how far each calendar was read, and who may read now."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import case, delete, insert, select, update

from gateway import errors
from gateway.model.connection import Connection
from gateway.model.timerange import Instant
from gateway.ports import Lease
from gateway.storage import schema
from gateway.storage.codec import dump, load
from gateway.storage.repository import Repository

TABLE = schema.connection.c
APART = {
    "lease_holder",
    "lease_until",
    "lease_fence",
    "next_tick_at",
    "quiet_until",
    "poked_at",
    "refresh_until",
}
COLUMNS = [column for column in TABLE if column.name not in APART]
GAP = 31
"""Seconds from the begin of one tick to the earliest that a notification brings about: so that
not more than two fall into any minute."""
DEBOUNCE = 2
"""Seconds a notification waits for those that follow it: one edit is told several times."""


class Connections(Repository):
    """Implements ports.Connections."""

    async def add(self, connection: Connection) -> None:
        await self._run(
            insert(schema.connection).values(
                id=connection.id,
                owner_id=connection.owner_id,
                provider=connection.provider,
                account=connection.account,
                options=dump(connection.options),
                secret=connection.secret,
                created_at=connection.created_at,
            )
        )

    async def get(self, connection_id: str) -> Connection | None:
        row = await self._one(select(*COLUMNS).where(TABLE.id == connection_id))
        return _connection(row) if row else None

    async def of_owner(self, owner_id: int) -> Sequence[Connection]:
        return await self._where(TABLE.owner_id == owner_id)

    async def all(self) -> Sequence[Connection]:
        return await self._where()

    async def _where(self, *where: Any) -> Sequence[Connection]:
        statement = select(*COLUMNS).where(*where).order_by(TABLE.created_at, TABLE.id)
        return [_connection(row) for row in await self._all(statement)]

    async def set_secret(self, connection_id: str, sealed: bytes) -> None:
        statement = update(schema.connection).where(TABLE.id == connection_id).values(secret=sealed)
        if (await self._run(statement)).rowcount == 0:
            raise errors.NotFound("connection")

    async def set_account(
        self, connection_id: str, account: str, options: Mapping[str, str]
    ) -> None:
        await self._run(
            update(schema.connection)
            .where(TABLE.id == connection_id)
            .values(account=account, options=dump(dict(options)))
        )

    async def begin_refresh(self, connection_id: str, now: Instant, seconds: int) -> bool:
        result = await self._run(
            update(schema.connection)
            .where(TABLE.id == connection_id, TABLE.refresh_until <= now)
            .values(refresh_until=now + seconds)
        )
        return result.rowcount > 0

    async def end_refresh(self, connection_id: str) -> None:
        await self._run(
            update(schema.connection).where(TABLE.id == connection_id).values(refresh_until=0)
        )

    async def remove(self, connection_id: str) -> None:
        calendars = select(schema.collection.c.id).where(
            schema.collection.c.connection_id == connection_id
        )
        await self._run(
            update(schema.owner)
            .where(schema.owner.c.default_collection_id.in_(calendars))
            .values(default_collection_id=None)
        )
        await self._run(delete(schema.connection).where(TABLE.id == connection_id))

    async def cursor(self, collection_id: int) -> str:
        table = schema.collection.c
        row = await self._one(select(table.cursor).where(table.id == collection_id))
        return str(row.cursor) if row else ""

    async def set_cursor(self, collection_id: int, cursor: str) -> None:
        table = schema.collection.c
        await self._run(
            update(schema.collection).where(table.id == collection_id).values(cursor=cursor)
        )

    async def lease(
        self, connection_id: str, holder: str, now: Instant, seconds: int
    ) -> Lease | None:
        row = await self._one(
            update(schema.connection)
            .where(TABLE.id == connection_id, TABLE.lease_until <= now)
            .values(
                lease_holder=holder,
                lease_until=now + seconds,
                lease_fence=TABLE.lease_fence + 1,
                quiet_until=now + GAP,
                poked_at=0,
            )
            .returning(TABLE.lease_fence)
        )
        return Lease(connection_id=connection_id, fence=row.lease_fence) if row else None

    async def holds(self, lease: Lease) -> bool:
        # Locked, so that nobody takes the lease between this look and the commit.
        row = await self._one(
            select(TABLE.id)
            .where(TABLE.id == lease.connection_id, TABLE.lease_fence == lease.fence)
            .with_for_update()
        )
        return row is not None

    async def extend(self, lease: Lease, until: Instant) -> bool:
        row = await self._one(
            update(schema.connection)
            .where(TABLE.id == lease.connection_id, TABLE.lease_fence == lease.fence)
            .values(lease_until=until)
            .returning(TABLE.id)
        )
        return row is not None

    async def release(
        self, lease: Lease, next_tick_at: Instant, *, not_before: Instant = 0
    ) -> None:
        # What was told during the tick may have been missed by it.
        told = TABLE.poked_at > 0
        quiet = _later(TABLE.quiet_until, not_before)
        await self._run(
            update(schema.connection)
            .where(TABLE.id == lease.connection_id, TABLE.lease_fence == lease.fence)
            .values(
                lease_holder="",
                lease_until=0,
                next_tick_at=case((told & (quiet < next_tick_at), quiet), else_=next_tick_at),
                quiet_until=quiet,
            )
        )

    async def poke(self, connection_id: str, now: Instant) -> None:
        soon = _later(TABLE.quiet_until, now + DEBOUNCE)
        await self._run(
            update(schema.connection)
            .where(TABLE.id == connection_id)
            .values(
                poked_at=now,
                next_tick_at=case((TABLE.next_tick_at > soon, soon), else_=TABLE.next_tick_at),
            )
        )

    async def due(self, now: Instant) -> Sequence[str]:
        rows = await self._all(
            select(TABLE.id)
            .where(TABLE.next_tick_at <= now, TABLE.lease_until <= now)
            .order_by(TABLE.next_tick_at, TABLE.id)
        )
        return [row.id for row in rows]


def _later(column: Any, instant: Instant) -> Any:
    # The greater of two has another name on each engine.
    return case((column > instant, column), else_=instant)


def _connection(row: Any) -> Connection:
    return Connection(
        id=row.id,
        owner_id=row.owner_id,
        provider=row.provider,
        account=row.account,
        options=load(dict[str, str], row.options),
        secret=row.secret,
        created_at=row.created_at,
    )
