"""Side effects to be done at least once, leased with a fencing number."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from gateway.model.timerange import Instant
from gateway.ports import Job
from gateway.storage import schema
from gateway.storage.codec import dump, load
from gateway.storage.repository import Repository

TABLE = schema.outbox.c


class Outbox(Repository):
    """Implements ports.Outbox; jobs of one subject are leased in the order they were added."""

    async def add(
        self, kind: str, subject: str, payload: Mapping[str, str], due_at: Instant
    ) -> int:
        row = await self._one(
            insert(schema.outbox)
            .values(
                kind=kind,
                subject=subject,
                payload=dump(dict(payload)),
                due_at=due_at,
                attempts=0,
                fence=0,
                lease_holder="",
                lease_until=0,
                buried=False,
                error="",
            )
            .returning(TABLE.id)
        )
        assert row is not None
        return int(row.id)

    async def lease(
        self, holder: str, now: Instant, *, seconds: int, limit: int, subject: str | None = None
    ) -> Sequence[Job]:
        earlier = schema.outbox.alias("earlier")
        statement = (
            select(TABLE.id)
            .where(
                TABLE.buried.is_(False),
                TABLE.due_at <= now,
                TABLE.lease_until <= now,
                ~select(earlier.c.id)
                .where(
                    earlier.c.subject == TABLE.subject,
                    earlier.c.id < TABLE.id,
                    earlier.c.buried.is_(False),
                )
                .exists(),
            )
            .order_by(TABLE.due_at, TABLE.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        if subject is not None:
            statement = statement.where(TABLE.subject == subject)
        chosen = [row.id for row in await self._all(statement)]
        if not chosen:
            return []
        rows = await self._all(
            update(schema.outbox)
            .where(TABLE.id.in_(chosen))
            .values(fence=TABLE.fence + 1, lease_holder=holder, lease_until=now + seconds)
            .returning(*TABLE)
        )
        return sorted((_job(row) for row in rows), key=lambda job: (job.due_at, job.id))

    async def done(self, job: Job) -> bool:
        result = await self._run(
            delete(schema.outbox).where(TABLE.id == job.id, TABLE.fence == job.fence)
        )
        return result.rowcount > 0

    async def retry(self, job: Job, due_at: Instant, error: str) -> bool:
        return await self._give_back(job, error, due_at=due_at)

    async def bury(self, job: Job, error: str) -> bool:
        return await self._give_back(job, error, buried=True)

    async def _give_back(self, job: Job, error: str, **values: Any) -> bool:
        # The fence moves on, so that whoever gives a job back cannot finish it any more.
        result = await self._run(
            update(schema.outbox)
            .where(TABLE.id == job.id, TABLE.fence == job.fence)
            .values(
                attempts=TABLE.attempts + 1,
                fence=TABLE.fence + 1,
                lease_holder="",
                lease_until=0,
                error=error,
                **values,
            )
        )
        return result.rowcount > 0

    async def waiting(self) -> int:
        row = await self._one(select(func.count().label("n")).where(TABLE.buried.is_(False)))
        return int(row.n) if row else 0


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        payload=load(dict[str, str], row.payload),
        due_at=row.due_at,
        attempts=row.attempts,
        fence=row.fence,
    )
