"""Merged feeds, found by the digest of their token."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select

from gateway.model.feed import Feed, Visibility
from gateway.storage import schema
from gateway.storage.codec import dump, load
from gateway.storage.repository import Repository

TABLE = schema.feed.c


class Feeds(Repository):
    """Implements ports.Feeds."""

    async def add(self, feed: Feed) -> None:
        await self._run(
            insert(schema.feed).values(
                id=feed.id,
                owner_id=feed.owner_id,
                label=feed.label,
                visibility=feed.visibility.value,
                calendars=dump(feed.calendars),
                token_digest=feed.token_digest,
                token_sealed=feed.token_sealed,
                created_at=feed.created_at,
            )
        )

    async def by_digest(self, digest: str) -> Feed | None:
        row = await self._one(select(schema.feed).where(TABLE.token_digest == digest))
        return _feed(row) if row else None

    async def of_owner(self, owner_id: int) -> Sequence[Feed]:
        statement = (
            select(schema.feed)
            .where(TABLE.owner_id == owner_id)
            .order_by(TABLE.created_at, TABLE.id)
        )
        return [_feed(row) for row in await self._all(statement)]

    async def remove(self, owner_id: int, feed_id: str) -> bool:
        result = await self._run(
            delete(schema.feed).where(TABLE.id == feed_id, TABLE.owner_id == owner_id)
        )
        return result.rowcount > 0


def _feed(row: Any) -> Feed:
    return Feed(
        id=row.id,
        owner_id=row.owner_id,
        label=row.label,
        visibility=Visibility(row.visibility),
        calendars=load(tuple[str, ...], row.calendars),
        token_digest=row.token_digest,
        token_sealed=row.token_sealed,
        created_at=row.created_at,
    )
