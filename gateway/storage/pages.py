"""Scheduling pages: the page itself as JSON, beside it what is searched for."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from gateway import errors
from gateway.model.page import SchedulingPage
from gateway.storage import schema
from gateway.storage.codec import dump, load
from gateway.storage.repository import Repository

TABLE = schema.page.c
# What every request asks is made once: building a statement costs as much as running it.
BY_ID = select(TABLE.body).where(TABLE.id == bindparam("wanted"))
BY_SLUG = select(TABLE.body).where(TABLE.slug == bindparam("wanted"))


class Pages(Repository):
    """Implements ports.Pages."""

    async def add(self, page: SchedulingPage) -> None:
        await self._assert_free(page)
        await self._run(insert(schema.page).values(id=page.id, **_values(page)))

    async def get(self, page_id: str) -> SchedulingPage | None:
        row = await self._one(BY_ID, wanted=page_id)
        return load(SchedulingPage, row.body) if row else None

    async def by_slug(self, slug: str) -> SchedulingPage | None:
        row = await self._one(BY_SLUG, wanted=slug)
        return load(SchedulingPage, row.body) if row else None

    async def of_owner(self, owner_id: int) -> Sequence[SchedulingPage]:
        statement = (
            select(TABLE.body)
            .where(TABLE.owner_id == owner_id)
            .order_by(TABLE.created_at, TABLE.id)
        )
        return [load(SchedulingPage, row.body) for row in await self._all(statement)]

    async def update(self, page: SchedulingPage) -> None:
        await self._assert_free(page)
        statement = update(schema.page).where(TABLE.id == page.id).values(**_values(page))
        if (await self._run(statement)).rowcount == 0:
            raise errors.NotFound("page")

    async def remove(self, page_id: str) -> None:
        await self._run(delete(schema.page).where(TABLE.id == page_id))

    async def _assert_free(self, page: SchedulingPage) -> None:
        # Named by the slug: two nodes that want the same one decide it one after the other.
        await self.dialect.lock(self.writing, f"slug:{page.slug}")
        other = await self._one(
            select(TABLE.id).where(TABLE.slug == page.slug, TABLE.id != page.id)
        )
        if other is not None:
            raise errors.Conflict("slug_taken", f"{page.slug} is taken; choose another address.")


def _values(page: SchedulingPage) -> dict[str, Any]:
    return {
        "owner_id": page.owner_id,
        "slug": page.slug,
        "state": page.state.value,
        "created_at": page.created_at,
        "body": dump(page),
    }
