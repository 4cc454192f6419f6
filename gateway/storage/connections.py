"""Accounts at sources, how far each calendar was read, and who may read now."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, case, delete, insert, select, update

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


def _later(column: Any, instant: Any) -> Any:
    # The greater of two has another name on each engine.
    return case((column > instant, column), else_=instant)


def _poked_during(quiet: Any, next_tick_at: Any) -> Any:
    # What was told during a tick may have been missed by it.
    told = TABLE.poked_at > 0
    return case((told & (quiet < next_tick_at), quiet), else_=next_tick_at)


# What every tick asks is made once: building a statement costs as much as running it.
_WANTED = TABLE.id == bindparam("wanted")
_HELD = (_WANTED, TABLE.lease_fence == bindparam("fence"))
_QUIET = _later(TABLE.quiet_until, bindparam("not_before", type_=TABLE.quiet_until.type))
_NEXT = bindparam("next_tick", type_=TABLE.next_tick_at.type)
BY_ID = select(*COLUMNS).where(_WANTED)
LEASE = (
    update(schema.connection)
    .where(_WANTED, TABLE.lease_until <= bindparam("now"))
    .values(
        lease_holder=bindparam("holder"),
        lease_until=bindparam("until"),
        lease_fence=TABLE.lease_fence + 1,
        quiet_until=bindparam("quiet"),
        poked_at=0,
    )
    .returning(TABLE.lease_fence)
)
HOLDS = select(TABLE.id).where(*_HELD).with_for_update()
RELEASE = (
    update(schema.connection)
    .where(*_HELD)
    .values(
        lease_holder="",
        lease_until=0,
        next_tick_at=_poked_during(_QUIET, _NEXT),
        quiet_until=_QUIET,
    )
)
DUE = (
    select(TABLE.id)
    .where(TABLE.next_tick_at <= bindparam("now"), TABLE.lease_until <= bindparam("now"))
    .order_by(TABLE.next_tick_at, TABLE.id)
)
CALENDAR = schema.collection.c
CURSORS = select(CALENDAR.id, CALENDAR.cursor).where(CALENDAR.connection_id == bindparam("wanted"))
SET_CURSOR = (
    update(schema.collection)
    .where(CALENDAR.id == bindparam("wanted"))
    .values(cursor=bindparam("reached"))
)


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
        row = await self._one(BY_ID, wanted=connection_id)
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

    async def cursors(self, connection_id: str) -> Mapping[int, str]:
        return {row.id: row.cursor for row in await self._all(CURSORS, wanted=connection_id)}

    async def set_cursor(self, collection_id: int, cursor: str) -> None:
        await self._run(SET_CURSOR, wanted=collection_id, reached=cursor)

    async def lease(
        self, connection_id: str, holder: str, now: Instant, seconds: int
    ) -> Lease | None:
        row = await self._one(
            LEASE,
            wanted=connection_id,
            holder=holder,
            now=now,
            until=now + seconds,
            quiet=now + GAP,
        )
        return Lease(connection_id=connection_id, fence=row.lease_fence) if row else None

    async def holds(self, lease: Lease) -> bool:
        # Locked, so that nobody takes the lease between this look and the commit.
        row = await self._one(HOLDS, wanted=lease.connection_id, fence=lease.fence)
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
    ) -> bool:
        result = await self._run(
            RELEASE,
            wanted=lease.connection_id,
            fence=lease.fence,
            next_tick=next_tick_at,
            not_before=not_before,
        )
        return result.rowcount > 0

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
        return [row.id for row in await self._all(DUE, now=now)]


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
