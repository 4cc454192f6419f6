"""Owners, their credentials and sessions."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, update

from gateway import errors
from gateway.model.principal import Credential, CredentialKind, Owner, OwnerSettings, Session
from gateway.model.timerange import Instant
from gateway.storage import schema
from gateway.storage.codec import dump, load
from gateway.storage.repository import Repository

OWNER = [column for column in schema.owner.c if column.name != "password_hash"]
CREDENTIAL = [column for column in schema.credential.c if column.name != "digest"]
# What every request asks is made once: building a statement costs as much as running it.
BY_ID = select(*OWNER).where(schema.owner.c.id == bindparam("wanted"))
BY_DIGEST = select(*CREDENTIAL).where(
    schema.credential.c.kind == bindparam("of_kind"),
    schema.credential.c.digest == bindparam("wanted"),
)


def _owner(row: Row[Any]) -> Owner:
    return Owner(
        id=row.id,
        email=row.email,
        name=row.name,
        time_zone=row.time_zone,
        locale=row.locale,
        seat=row.seat,
        admin=row.admin,
        disabled=row.disabled,
        default_collection_id=row.default_collection_id,
        settings=load(OwnerSettings, row.settings),
    )


def _credential(row: Row[Any]) -> Credential:
    return Credential(
        id=row.id,
        owner_id=row.owner_id,
        kind=CredentialKind(row.kind),
        label=row.label,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _values(owner: Owner) -> dict[str, object]:
    return {
        "name": owner.name,
        "time_zone": owner.time_zone,
        "locale": owner.locale,
        "seat": owner.seat,
        "admin": owner.admin,
        "disabled": owner.disabled,
    }


class Owners(Repository):
    """Implements ports.Owners."""

    async def add(self, owner: Owner, password_hash: str) -> Owner:
        statement = (
            self.dialect.insert(schema.owner)
            .values(
                email=owner.email,
                password_hash=password_hash,
                settings=dump(owner.settings),
                default_collection_id=owner.default_collection_id,
                **_values(owner),
            )
            .on_conflict_do_nothing(index_elements=["email"])
            .returning(*OWNER)
        )
        row = await self._one(statement)
        if row is None:
            raise errors.Conflict("email_taken", f"{owner.email} already has an account.")
        return _owner(row)

    async def get(self, owner_id: int) -> Owner | None:
        row = await self._one(BY_ID, wanted=owner_id)
        return _owner(row) if row else None

    async def by_email(self, email: str) -> Owner | None:
        row = await self._one(select(*OWNER).where(schema.owner.c.email == email))
        return _owner(row) if row else None

    async def all(self) -> Sequence[Owner]:
        return [_owner(row) for row in await self._all(select(*OWNER).order_by(schema.owner.c.id))]

    async def password_hash(self, owner_id: int) -> str:
        row = await self._one(
            select(schema.owner.c.password_hash).where(schema.owner.c.id == owner_id)
        )
        if row is None:
            raise errors.NotFound("owner")
        return str(row.password_hash)

    async def set_password_hash(self, owner_id: int, password_hash: str) -> None:
        await self._update(owner_id, {"password_hash": password_hash})

    async def update(self, owner: Owner) -> None:
        await self._update(owner.id, _values(owner))

    async def save_settings(self, owner_id: int, settings: OwnerSettings) -> None:
        await self._update(owner_id, {"settings": dump(settings)})

    async def set_default(self, owner_id: int, collection_id: int | None) -> None:
        await self._update(owner_id, {"default_collection_id": collection_id})

    async def _update(self, owner_id: int, values: dict[str, Any]) -> None:
        statement = update(schema.owner).where(schema.owner.c.id == owner_id).values(**values)
        if (await self._run(statement)).rowcount == 0:
            raise errors.NotFound("owner")

    async def add_credential(self, credential: Credential, digest: str) -> None:
        statement = (
            self.dialect.insert(schema.credential)
            .values(
                id=credential.id,
                owner_id=credential.owner_id,
                kind=credential.kind.value,
                label=credential.label,
                digest=digest,
                created_at=credential.created_at,
                last_used_at=credential.last_used_at,
            )
            .on_conflict_do_nothing()
        )
        if (await self._run(statement)).rowcount == 0:
            raise errors.Conflict("secret_taken", "This password is in use already; take another.")

    async def credentials(self, owner_id: int, kind: CredentialKind) -> Sequence[Credential]:
        table = schema.credential.c
        statement = (
            select(*CREDENTIAL)
            .where(table.owner_id == owner_id, table.kind == kind.value)
            .order_by(table.created_at, table.id)
        )
        return [_credential(row) for row in await self._all(statement)]

    async def by_credential(
        self, kind: CredentialKind, digest: str
    ) -> tuple[Owner, Credential] | None:
        row = await self._one(BY_DIGEST, of_kind=kind.value, wanted=digest)
        if row is None:
            return None
        owner = await self.get(row.owner_id)
        return (owner, _credential(row)) if owner else None

    async def touch_credential(self, credential_id: str, now: Instant) -> None:
        await self._run(
            update(schema.credential)
            .where(schema.credential.c.id == credential_id)
            .values(last_used_at=now)
        )

    async def remove_credential(self, owner_id: int, credential_id: str) -> bool:
        table = schema.credential.c
        result = await self._run(
            delete(schema.credential).where(table.id == credential_id, table.owner_id == owner_id)
        )
        return result.rowcount > 0

    async def add_session(self, session: Session) -> None:
        await self._run(
            schema.session.insert().values(
                digest=session.digest,
                owner_id=session.owner_id,
                csrf=session.csrf,
                expires_at=session.expires_at,
            )
        )

    async def session(self, digest: str, now: Instant) -> tuple[Session, Owner] | None:
        table = schema.session.c
        row = await self._one(
            select(schema.session).where(table.digest == digest, table.expires_at > now)
        )
        if row is None:
            return None
        owner = await self.get(row.owner_id)
        session = Session(
            digest=row.digest, owner_id=row.owner_id, csrf=row.csrf, expires_at=row.expires_at
        )
        return (session, owner) if owner else None

    async def remove_session(self, digest: str) -> None:
        await self._run(delete(schema.session).where(schema.session.c.digest == digest))

    async def remove_sessions(self, owner_id: int) -> None:
        await self._run(delete(schema.session).where(schema.session.c.owner_id == owner_id))
