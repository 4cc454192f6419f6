"""Push channels that sources keep for calendars."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update

from gateway.model.grant import Channel
from gateway.storage import schema_access
from gateway.storage.repository import Repository

TABLE = schema_access.channel.c


class Channels(Repository):
    """Implements ports.Channels."""

    async def add(self, channel: Channel) -> None:
        await self._run(
            insert(schema_access.channel).values(
                id=channel.id,
                collection_id=channel.collection_id,
                connection_id=channel.connection_id,
                provider=channel.provider,
                secret_digest=channel.secret_digest,
                **_changing(channel),
            )
        )

    async def get(self, channel_id: str) -> Channel | None:
        row = await self._one(select(*TABLE).where(TABLE.id == channel_id))
        return _channel(row) if row else None

    async def by_watches(self, provider: str, watch_ids: Collection[str]) -> Mapping[str, Channel]:
        wanted = (TABLE.watch_id.in_(watch_ids), TABLE.watch_id != "")
        rows = await self._all(select(*TABLE).where(TABLE.provider == provider, *wanted))
        return {row.watch_id: _channel(row) for row in rows}

    async def of_connection(self, connection_id: str) -> Sequence[Channel]:
        statement = select(*TABLE).where(TABLE.connection_id == connection_id)
        return [_channel(row) for row in await self._all(statement.order_by(TABLE.id))]

    async def update(self, channel: Channel) -> None:
        await self._run(
            update(schema_access.channel).where(TABLE.id == channel.id).values(**_changing(channel))
        )

    async def remove(self, channel_id: str) -> None:
        await self._run(delete(schema_access.channel).where(TABLE.id == channel_id))


def _changing(channel: Channel) -> dict[str, Any]:
    return {
        "watch_id": channel.watch_id,
        "resource": channel.resource,
        "expires_at": channel.expires_at,
        "renew_at": channel.renew_at,
    }


def _channel(row: Any) -> Channel:
    return Channel(
        id=row.id,
        collection_id=row.collection_id,
        connection_id=row.connection_id,
        provider=row.provider,
        secret_digest=row.secret_digest,
        watch_id=row.watch_id,
        resource=row.resource,
        expires_at=row.expires_at,
        renew_at=row.renew_at,
    )
