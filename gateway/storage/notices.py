"""What the owner has been told, once for each loss, and the audit trail."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select

from gateway.model.timerange import Instant
from gateway.storage import schema_notices
from gateway.storage.repository import Repository

TABLE = schema_notices.notice.c

# What every tick asks is made once: building a statement costs as much as running it.
_TOLD = (
    TABLE.owner_id == bindparam("owner"),
    TABLE.kind == bindparam("of_kind"),
    TABLE.subject == bindparam("of_what"),
)
IS_TOLD = select(TABLE.told_at).where(*_TOLD)
SETTLE = delete(schema_notices.notice).where(*_TOLD)


class Notices(Repository):
    """Implements ports.Notices."""

    async def first_since(
        self, owner_id: int, kind: str, subject: str, now: Instant, *, quiet: int
    ) -> bool:
        statement = self.dialect.insert(schema_notices.notice).values(
            owner_id=owner_id, kind=kind, subject=subject, told_at=now, repeats=0
        )
        result = await self._run(
            statement.on_conflict_do_update(
                index_elements=["owner_id", "kind", "subject"],
                set_={"told_at": now, "repeats": TABLE.repeats + 1},
                where=TABLE.told_at <= now - quiet,
            )
        )
        return result.rowcount > 0

    async def settle(self, owner_id: int, kind: str, subject: str) -> bool:
        told = {"owner": owner_id, "of_kind": kind, "of_what": subject}
        # Hardly ever is anything told: looking costs less than deleting nothing.
        if await self._one(IS_TOLD, **told) is None:
            return False
        return (await self._run(SETTLE, **told)).rowcount > 0

    async def record(self, owner_id: int | None, event: str, detail: str, now: Instant) -> None:
        await self._run(
            insert(schema_notices.audit).values(
                owner_id=owner_id, at=now, event=event, detail=detail
            )
        )

    async def trail(self, owner_id: int, limit: int = 100) -> Sequence[tuple[Instant, str, str]]:
        table = schema_notices.audit.c
        rows = await self._all(
            select(table.at, table.event, table.detail)
            .where(table.owner_id == owner_id)
            .order_by(table.at.desc(), table.id.desc())
            .limit(limit)
        )
        return [(row.at, row.event, row.detail) for row in rows]
