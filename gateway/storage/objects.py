"""Calendar object resources, their revisions and what was removed (RFC 6578)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    Row,
    bindparam,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)

from gateway import errors
from gateway.model.collection import ObjectChange, ObjectRecord, ObjectTag
from gateway.model.timerange import Instant
from gateway.storage import schema
from gateway.storage.repository import Repository

TABLE = schema.object_.c
COLUMNS = list(TABLE)
HEADERS = [
    *(column for column in TABLE if column.name != "data"),
    func.length(TABLE.data).label("size"),
]
# What every request asks is made once: building a statement costs as much as running it.
BY_NAME = select(*COLUMNS).where(
    TABLE.collection_id == bindparam("collection"), TABLE.name == bindparam("wanted")
)
TAGS = select(TABLE.name, TABLE.etag, TABLE.uid).where(
    TABLE.collection_id == bindparam("collection")
)
BATCH = 500
"""Names asked for in one statement, far below what either engine takes."""


def record(row: Row[Any], data: bytes | None = None) -> ObjectRecord:
    """Return the record of a row; `data` stands in where the column was not read."""
    return ObjectRecord(
        id=row.id,
        collection_id=row.collection_id,
        name=row.name,
        uid=row.uid,
        component=row.component,
        etag=row.etag,
        data=row.data if data is None else data,
        revision=row.revision,
        created_at=row.created_at,
        modified_at=row.modified_at,
        size=len(row.data) if data is None else row.size,
    )


class Objects(Repository):
    """Implements ports.Objects."""

    async def get(self, collection_id: int, name: str) -> ObjectRecord | None:
        row = await self._one(BY_NAME, collection=collection_id, wanted=name)
        return record(row) if row else None

    async def get_many(self, collection_id: int, names: Sequence[str]) -> Sequence[ObjectRecord]:
        found: list[ObjectRecord] = []
        for start in range(0, len(names), BATCH):
            rows = await self._all(
                select(*COLUMNS).where(
                    TABLE.collection_id == collection_id,
                    TABLE.name.in_(names[start : start + BATCH]),
                )
            )
            found.extend(record(row) for row in rows)
        return found

    async def by_uid(self, collection_id: int, uid: str) -> ObjectRecord | None:
        row = await self._one(
            select(*COLUMNS).where(TABLE.collection_id == collection_id, TABLE.uid == uid)
        )
        return record(row) if row else None

    async def list(
        self, collection_id: int, component: str | None = None
    ) -> Sequence[ObjectRecord]:
        statement = select(*COLUMNS).where(TABLE.collection_id == collection_id).order_by(TABLE.id)
        if component is not None:
            statement = statement.where(TABLE.component == component)
        return [record(row) for row in await self._all(statement)]

    async def headers(self, collection_id: int) -> Sequence[ObjectRecord]:
        statement = select(*HEADERS).where(TABLE.collection_id == collection_id).order_by(TABLE.id)
        return [record(row, b"") for row in await self._all(statement)]

    async def tags(self, collection_id: int) -> Mapping[str, ObjectTag]:
        rows = await self._all(TAGS, collection=collection_id)
        return {name: ObjectTag(etag, uid) for name, etag, uid in map(tuple, rows)}

    async def put(self, record: ObjectRecord) -> ObjectRecord:
        # The revision first: it locks the collection, so what is read next stays true.
        revision = await self._next_revision(record.collection_id)
        existing = await self._existing(record)
        values = {
            "uid": record.uid,
            "component": record.component,
            "etag": record.etag,
            "data": record.data,
            "revision": revision,
            "modified_at": record.modified_at,
        }
        if existing is not None:
            await self._run(update(schema.object_).where(TABLE.id == existing.id).values(values))
            return replace(
                record,
                id=existing.id,
                revision=revision,
                created_at=existing.created_at,
                size=len(record.data),
            )
        values |= {
            "collection_id": record.collection_id,
            "name": record.name,
            "created_at": record.created_at,
        }
        stored = await self._one(insert(schema.object_).values(values).returning(TABLE.id))
        assert stored is not None
        await self._bury(record.collection_id, record.name, None)
        return replace(record, id=stored.id, revision=revision, size=len(record.data))

    async def add(self, records: Sequence[ObjectRecord]) -> Sequence[int]:
        if not records:
            return []
        collection_id = records[0].collection_id
        last = await self._next_revision(collection_id, len(records))
        rows = [
            {
                "collection_id": collection_id,
                "name": one.name,
                "uid": one.uid,
                "component": one.component,
                "etag": one.etag,
                "data": one.data,
                "revision": last - len(records) + number,
                "created_at": one.created_at,
                "modified_at": one.modified_at,
            }
            for number, one in enumerate(records, start=1)
        ]
        await self._many(insert(schema.object_), rows)
        # Asking for the ids while inserting sends a statement for each row.
        ids: dict[str, int] = {}
        buried = schema.tombstone.c
        names = [one.name for one in records]
        for start in range(0, len(names), BATCH):
            some = names[start : start + BATCH]
            found = select(TABLE.id, TABLE.name)
            for row in await self._all(
                found.where(TABLE.collection_id == collection_id, TABLE.name.in_(some))
            ):
                ids[row.name] = row.id
            await self._run(
                delete(schema.tombstone).where(
                    buried.collection_id == collection_id, buried.name.in_(some)
                )
            )
        return [ids[name] for name in names]

    async def meeting(
        self, collection_id: int, names: Sequence[str], uids: Sequence[str]
    ) -> Sequence[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for column, values in ((TABLE.name, names), (TABLE.uid, uids)):
            for start in range(0, len(values), BATCH):
                statement = select(TABLE.name, TABLE.uid).where(
                    TABLE.collection_id == collection_id, column.in_(values[start : start + BATCH])
                )
                found |= {(row.name, row.uid) for row in await self._all(statement)}
        return sorted(found)

    async def _existing(self, record: ObjectRecord) -> Row[Any] | None:
        rows = await self._all(
            select(TABLE.id, TABLE.name, TABLE.created_at).where(
                TABLE.collection_id == record.collection_id,
                or_(TABLE.name == record.name, TABLE.uid == record.uid),
            )
        )
        other = next((row for row in rows if row.name != record.name), None)
        if other is not None:
            raise errors.Refused(
                errors.Condition.NO_UID_CONFLICT,
                "Another object of this calendar has this UID.",
                href=other.name,
            )
        return rows[0] if rows else None

    async def _next_revision(self, collection_id: int, steps: int = 1) -> int:
        table = schema.collection.c
        row = await self._one(
            update(schema.collection)
            .where(table.id == collection_id)
            .values(revision=table.revision + steps)
            .returning(table.revision)
        )
        if row is None:
            raise errors.NotFound("calendar")
        return int(row.revision)

    async def _bury(self, collection_id: int, name: str, row: dict[str, Any] | None) -> None:
        """Set or, with None, clear the tombstone of a name."""
        table = schema.tombstone.c
        await self._run(
            delete(schema.tombstone).where(table.collection_id == collection_id, table.name == name)
        )
        if row is not None:
            await self._run(insert(schema.tombstone).values(row))

    async def remove(self, collection_id: int, name: str, now: Instant) -> bool:
        existing = await self._one(
            select(TABLE.id).where(TABLE.collection_id == collection_id, TABLE.name == name)
        )
        if existing is None:
            return False
        revision = await self._next_revision(collection_id)
        removed = await self._run(delete(schema.object_).where(TABLE.id == existing.id))
        if removed.rowcount == 0:
            return False
        tombstone = {
            "collection_id": collection_id,
            "name": name,
            "revision": revision,
            "removed_at": now,
        }
        await self._bury(collection_id, name, tombstone)
        return True

    async def changes(
        self, collection_id: int, since: int, limit: int | None = None
    ) -> Sequence[ObjectChange]:
        gone = schema.tombstone.c
        live = select(TABLE.name, TABLE.revision, TABLE.etag).where(
            TABLE.collection_id == collection_id, TABLE.revision > since
        )
        # A first synchronisation is not told of what it never had.
        buried = select(gone.name, gone.revision, null().label("etag")).where(
            gone.collection_id == collection_id, gone.revision > since, literal(since > 0)
        )
        both = union_all(live, buried).subquery()
        statement = select(both).order_by(both.c.revision)
        if limit is not None:
            statement = statement.limit(limit)
        return [
            ObjectChange(name=row.name, revision=row.revision, etag=row.etag)
            for row in await self._all(statement)
        ]

    async def count(self, collection_id: int) -> int:
        row = await self._one(
            select(func.count().label("n")).where(TABLE.collection_id == collection_id)
        )
        return int(row.n) if row else 0
