"""Outgoing mail as it was, or would have been, sent."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update

from gateway.model.timerange import Instant
from gateway.ports import StoredMail
from gateway.storage import schema
from gateway.storage.repository import Repository

TABLE = schema.mail.c


class Mails(Repository):
    """Implements ports.Mails."""

    async def add(self, mail: StoredMail) -> None:
        await self._run(
            insert(schema.mail).values(
                id=mail.id,
                owner_id=mail.owner_id,
                recipient=mail.recipient,
                subject=mail.subject,
                raw=mail.raw,
                created_at=mail.created_at,
                sent_at=mail.sent_at,
                error=mail.error,
            )
        )

    async def get(self, mail_id: str) -> StoredMail | None:
        row = await self._one(select(schema.mail).where(TABLE.id == mail_id))
        return _mail(row) if row else None

    async def mark(self, mail_id: str, *, sent_at: Instant | None, error: str = "") -> None:
        await self._run(
            update(schema.mail).where(TABLE.id == mail_id).values(sent_at=sent_at, error=error)
        )

    async def of_owner(self, owner_id: int, limit: int = 50) -> Sequence[StoredMail]:
        statement = (
            select(schema.mail)
            .where(TABLE.owner_id == owner_id)
            .order_by(TABLE.created_at.desc(), TABLE.id)
            .limit(limit)
        )
        return [_mail(row) for row in await self._all(statement)]

    async def purge(self, before: Instant) -> int:
        result = await self._run(delete(schema.mail).where(TABLE.created_at < before))
        return int(result.rowcount)


def _mail(row: Any) -> StoredMail:
    return StoredMail(
        id=row.id,
        owner_id=row.owner_id,
        recipient=row.recipient,
        subject=row.subject,
        raw=row.raw,
        created_at=row.created_at,
        sent_at=row.sent_at,
        error=row.error,
    )
