"""Idempotency keys: what each was answered with."""

from sqlalchemy import delete, select

from gateway import errors
from gateway.model.timerange import Instant
from gateway.ports import StoredAnswer
from gateway.storage import schema
from gateway.storage.repository import Repository

TABLE = schema.idempotency_key.c


class IdempotencyKeys(Repository):
    """Implements ports.IdempotencyKeys."""

    async def get(self, page_id: str, key: str) -> StoredAnswer | None:
        row = await self._one(
            select(TABLE.digest, TABLE.booking_id).where(TABLE.page_id == page_id, TABLE.key == key)
        )
        return StoredAnswer(digest=row.digest, booking_id=row.booking_id) if row else None

    async def put(self, page_id: str, key: str, answer: StoredAnswer, now: Instant) -> None:
        statement = (
            self.dialect.insert(schema.idempotency_key)
            .values(
                page_id=page_id,
                key=key,
                digest=answer.digest,
                booking_id=answer.booking_id,
                created_at=now,
            )
            .on_conflict_do_nothing()
        )
        if (await self._run(statement)).rowcount == 0:
            raise errors.Conflict("idempotency_key", "This Idempotency-Key is in use.")

    async def purge(self, before: Instant) -> int:
        result = await self._run(delete(schema.idempotency_key).where(TABLE.created_at < before))
        return int(result.rowcount)
