"""Contacts, one for each address of an owner."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from gateway import errors
from gateway.model.contact import Contact
from gateway.storage.repository import Repository
from gateway.storage.schema_contacts import contact as table

TABLE = table.c
# What every tick asks is made once: building a statement costs as much as running it.
ADDRESSES = select(TABLE.address, TABLE.id).where(TABLE.owner_id == bindparam("wanted"))


class Contacts(Repository):
    """Implements ports.Contacts."""

    async def add(self, contact: Contact) -> None:
        await self._assert_free(contact)
        await self._run(
            insert(table).values(
                id=contact.id,
                owner_id=contact.owner_id,
                created_at=contact.created_at,
                **_values(contact),
            )
        )

    async def get(self, contact_id: str) -> Contact | None:
        row = await self._one(select(table).where(TABLE.id == contact_id))
        return _contact(row) if row else None

    async def by_address(self, owner_id: int, address: str) -> Contact | None:
        row = await self._one(
            select(table).where(TABLE.owner_id == owner_id, TABLE.address == address)
        )
        return _contact(row) if row else None

    async def of_owner(
        self, owner_id: int, *, limit: int, after: Contact | None = None
    ) -> Sequence[Contact]:
        statement = select(table).where(TABLE.owner_id == owner_id)
        if after is not None:
            later = and_(TABLE.sort_key == after.sort_key, TABLE.id > after.id)
            statement = statement.where(or_(TABLE.sort_key > after.sort_key, later))
        statement = statement.order_by(TABLE.sort_key, TABLE.id).limit(limit)
        return [_contact(row) for row in await self._all(statement)]

    async def addresses(self, owner_id: int) -> Mapping[str, str]:
        rows = await self._all(ADDRESSES, wanted=owner_id)
        return {row.address: row.id for row in rows}

    async def count(self, owner_id: int) -> int:
        row = await self._one(select(func.count().label("n")).where(TABLE.owner_id == owner_id))
        return int(row.n) if row else 0

    async def update(self, contact: Contact) -> None:
        await self._assert_free(contact)
        statement = update(table).where(TABLE.id == contact.id).values(**_values(contact))
        if (await self._run(statement)).rowcount == 0:
            raise errors.NotFound("contact")

    async def remove(self, contact_id: str) -> None:
        await self._run(delete(table).where(TABLE.id == contact_id))

    async def erase(self, address: str) -> int:
        return int((await self._run(delete(table).where(TABLE.address == address))).rowcount)

    async def _assert_free(self, contact: Contact) -> None:
        other = await self.by_address(contact.owner_id, contact.key)
        if other is not None and other.id != contact.id:
            raise errors.Conflict("contact_exists", "You have a contact with this address already.")


def _values(contact: Contact) -> dict[str, Any]:
    return {
        "email": contact.email,
        "address": contact.key,
        "name": contact.name,
        "phone": contact.phone,
        "notes": contact.notes,
        "sort_key": contact.sort_key,
        "updated_at": contact.updated_at,
    }


def _contact(row: Any) -> Contact:
    return Contact(
        id=row.id,
        owner_id=row.owner_id,
        email=row.email,
        name=row.name,
        phone=row.phone,
        notes=row.notes,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
