"""Calendars and their dead properties."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, update

from gateway import errors
from gateway.model.collection import BusyRules, Collection, Provider, Role
from gateway.model.connection import Health
from gateway.storage import schema
from gateway.storage.codec import dump, load
from gateway.storage.epoch import EPOCH
from gateway.storage.repository import Repository

TABLE = schema.collection.c
APART = {"cursor", "horizon_start", "horizon_end", "tzdata"}
COLUMNS = [*(column for column in TABLE if column.name not in APART), EPOCH]
# What every request asks is made once: building a statement costs as much as running it.
BY_ID = select(*COLUMNS).where(TABLE.id == bindparam("wanted"))
BY_NAME = select(*COLUMNS).where(
    TABLE.owner_id == bindparam("owner"), TABLE.name == bindparam("wanted")
)
OF_OWNER = (
    select(*COLUMNS).where(TABLE.owner_id == bindparam("wanted")).order_by(TABLE.order, TABLE.id)
)
OF_CONNECTION = (
    select(*COLUMNS)
    .where(TABLE.connection_id == bindparam("wanted"))
    .order_by(TABLE.order, TABLE.id)
)
SET_HEALTH = (
    update(schema.collection)
    .where(TABLE.id == bindparam("wanted"))
    .values(health=bindparam("found"))
)


def _collection(row: Row[Any]) -> Collection:
    return Collection(
        id=row.id,
        public_id=row.public_id,
        owner_id=row.owner_id,
        connection_id=row.connection_id,
        provider=Provider(row.provider),
        upstream_id=row.upstream_id,
        name=row.name,
        display_name=row.display_name,
        description=row.description,
        color=row.color,
        order=row.order,
        time_zone=row.time_zone,
        time_zone_ics=row.time_zone_ics,
        components=frozenset(row.components.split(",")),
        selected=row.selected,
        role=Role(row.role),
        revision=row.revision,
        epoch=row.epoch or "",
        rules=load(BusyRules, row.rules),
        health=load(Health, row.health),
        created_at=row.created_at,
    )


def _values(collection: Collection) -> dict[str, Any]:
    return {
        "provider": collection.provider.value,
        "upstream_id": collection.upstream_id,
        "name": collection.name,
        "display_name": collection.display_name,
        "description": collection.description,
        "color": collection.color,
        "order": collection.order,
        "time_zone": collection.time_zone,
        "time_zone_ics": collection.time_zone_ics,
        "components": ",".join(sorted(collection.components)),
        "selected": collection.selected,
        "role": collection.role.value,
    }


class Collections(Repository):
    """Implements ports.Collections."""

    async def add(self, collection: Collection) -> Collection:
        statement = (
            self.dialect.insert(schema.collection)
            .values(
                public_id=collection.public_id,
                owner_id=collection.owner_id,
                connection_id=collection.connection_id,
                revision=collection.revision,
                rules=dump(collection.rules),
                health=dump(collection.health),
                created_at=collection.created_at,
                **_values(collection),
            )
            .on_conflict_do_nothing(index_elements=["owner_id", "name"])
            .returning(*COLUMNS)
        )
        row = await self._one(statement)
        if row is None:
            raise errors.Conflict("calendar_exists", f"There is a calendar {collection.name}.")
        return _collection(row)

    async def get(self, collection_id: int) -> Collection | None:
        row = await self._one(BY_ID, wanted=collection_id)
        return _collection(row) if row else None

    async def by_name(self, owner_id: int, name: str) -> Collection | None:
        row = await self._one(BY_NAME, owner=owner_id, wanted=name)
        return _collection(row) if row else None

    async def by_public_id(self, owner_id: int, public_id: str) -> Collection | None:
        return await self._first(TABLE.owner_id == owner_id, TABLE.public_id == public_id)

    async def of_owner(self, owner_id: int) -> Sequence[Collection]:
        return [_collection(row) for row in await self._all(OF_OWNER, wanted=owner_id)]

    async def of_connection(self, connection_id: str) -> Sequence[Collection]:
        return [_collection(row) for row in await self._all(OF_CONNECTION, wanted=connection_id)]

    async def _first(self, *where: Any) -> Collection | None:
        row = await self._one(select(*COLUMNS).where(*where))
        return _collection(row) if row else None

    async def _where(self, *where: Any) -> Sequence[Collection]:
        statement = select(*COLUMNS).where(*where).order_by(TABLE.order, TABLE.id)
        return [_collection(row) for row in await self._all(statement)]

    async def update(self, collection: Collection) -> None:
        await self._update(collection.id, _values(collection))

    async def set_health(self, collection_id: int, health: Health) -> None:
        result = await self._run(SET_HEALTH, wanted=collection_id, found=dump(health))
        if result.rowcount == 0:
            raise errors.NotFound("calendar")

    async def set_rules(self, collection_id: int, rules: BusyRules) -> None:
        await self._update(collection_id, {"rules": dump(rules)})

    async def _update(self, collection_id: int, values: dict[str, Any]) -> None:
        statement = update(schema.collection).where(TABLE.id == collection_id).values(values)
        if (await self._run(statement)).rowcount == 0:
            raise errors.NotFound("calendar")

    async def remove(self, collection_id: int) -> None:
        await self._run(
            update(schema.owner)
            .where(schema.owner.c.default_collection_id == collection_id)
            .values(default_collection_id=None)
        )
        await self._run(delete(schema.collection).where(TABLE.id == collection_id))

    async def dead_properties(self, collection_id: int) -> Mapping[str, str]:
        table = schema.dead_property.c
        rows = await self._all(
            select(table.name, table.xml)
            .where(table.collection_id == collection_id)
            .order_by(table.name)
        )
        return {row.name: row.xml for row in rows}

    async def set_dead_property(self, collection_id: int, name: str, xml: str | None) -> None:
        table = schema.dead_property.c
        if xml is None:
            await self._run(
                delete(schema.dead_property).where(
                    table.collection_id == collection_id, table.name == name
                )
            )
            return
        statement = self.dialect.insert(schema.dead_property).values(
            collection_id=collection_id, name=name, xml=xml
        )
        await self._run(
            statement.on_conflict_do_update(
                index_elements=["collection_id", "name"], set_={"xml": xml}
            )
        )
