"""Consents under way, taken once each, and ended connections until their provider knows."""

from typing import Any

from sqlalchemy import delete, insert, select

from gateway.model.grant import EndedConnection, PendingConsent
from gateway.model.timerange import Instant
from gateway.storage import schema_access
from gateway.storage.codec import dump, load
from gateway.storage.repository import Repository

TABLE = schema_access.consent.c
ENDED = schema_access.ended_connection.c


class Consents(Repository):
    """Implements ports.Consents."""

    async def add(self, pending: PendingConsent) -> None:
        await self._run(
            insert(schema_access.consent).values(
                id=pending.id,
                owner_id=pending.owner_id,
                provider=pending.provider,
                state_digest=pending.state_digest,
                session_digest=pending.session_digest,
                sealed=pending.sealed,
                connection_id=pending.connection_id,
                created_at=pending.created_at,
                expires_at=pending.expires_at,
            )
        )

    async def take(
        self, state_digest: str, session_digest: str, provider: str, now: Instant
    ) -> PendingConsent | None:
        # One statement, so that of two that come at once only one finds it.
        row = await self._one(
            delete(schema_access.consent)
            .where(
                TABLE.state_digest == state_digest,
                TABLE.session_digest == session_digest,
                TABLE.provider == provider,
                TABLE.expires_at > now,
            )
            .returning(*TABLE)
        )
        return _pending(row) if row else None

    async def look(self, state_digest: str, now: Instant) -> PendingConsent | None:
        row = await self._one(
            select(*TABLE).where(TABLE.state_digest == state_digest, TABLE.expires_at > now)
        )
        return _pending(row) if row else None

    async def purge(self, now: Instant) -> int:
        return (
            await self._run(delete(schema_access.consent).where(TABLE.expires_at <= now))
        ).rowcount

    async def end(self, ended: EndedConnection) -> None:
        await self._run(
            insert(schema_access.ended_connection).values(
                id=ended.id,
                owner_id=ended.owner_id,
                provider=ended.provider,
                account=ended.account,
                secret=ended.secret,
                channels=dump(ended.channels),
                ended_at=ended.ended_at,
            )
        )

    async def ended(self, connection_id: str) -> EndedConnection | None:
        row = await self._one(select(*ENDED).where(ENDED.id == connection_id))
        if row is None:
            return None
        return EndedConnection(
            id=row.id,
            owner_id=row.owner_id,
            provider=row.provider,
            account=row.account,
            secret=row.secret,
            channels=load(tuple[tuple[str, str], ...], row.channels),
            ended_at=row.ended_at,
        )

    async def forget(self, connection_id: str) -> None:
        await self._run(delete(schema_access.ended_connection).where(ENDED.id == connection_id))


def _pending(row: Any) -> PendingConsent:
    return PendingConsent(
        id=row.id,
        owner_id=row.owner_id,
        provider=row.provider,
        state_digest=row.state_digest,
        session_digest=row.session_digest,
        sealed=row.sealed,
        connection_id=row.connection_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
