"""Limits in a sliding window, shared by all nodes and kept over a restart."""

from sqlalchemy import delete, func, insert, select

from gateway.model.timerange import Instant
from gateway.storage import schema_notices
from gateway.storage.repository import Repository

TABLE = schema_notices.counter.c


class Counters(Repository):
    """Implements ports.Counters."""

    async def hit(self, key: str, now: Instant, *, window: int, limit: int) -> int:
        if limit <= 0:
            return 0
        await self.hold(key)
        wait = await self.wait(key, now, window=window, limit=limit)
        if wait == 0:
            await self._run(insert(schema_notices.counter).values(key=key, at=now))
        return wait

    async def wait(self, key: str, now: Instant, *, window: int, limit: int) -> int:
        if limit <= 0:
            return 0
        recent = (TABLE.key == key, TABLE.at > now - window)
        row = await self._one(select(func.count().label("n")).where(*recent))
        count = int(row.n) if row else 0
        if count < limit:
            return 0
        # The event that must leave the window before there is room for one more.
        leaving = await self._one(
            select(TABLE.at).where(*recent).order_by(TABLE.at).offset(count - limit).limit(1)
        )
        assert leaving is not None
        return max(1, int(leaving.at) + window - now)

    async def hold(self, key: str) -> None:
        await self.dialect.lock(self.writing, f"counter:{key}")

    async def take_back(self, key: str, at: Instant) -> None:
        one = select(func.min(TABLE.id)).where(TABLE.key == key, TABLE.at == at)
        await self._run(delete(schema_notices.counter).where(TABLE.id == one.scalar_subquery()))

    async def clear(self, key: str) -> None:
        await self._run(delete(schema_notices.counter).where(TABLE.key == key))

    async def purge(self, before: Instant) -> int:
        result = await self._run(
            delete(schema_notices.counter).where(TABLE.at < before, TABLE.key.not_like("kept:%"))
        )
        return int(result.rowcount)
