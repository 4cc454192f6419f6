"""Connections: an owner's accounts at sources, proved by reading once before they are kept."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import structlog

from gateway.errors import CalgateError, Conflict, Invalid, NotFound, SignInNeeded, UpstreamError
from gateway.model.collection import Collection, Provider
from gateway.model.connection import Connection, HealthState
from gateway.model.principal import Owner
from gateway.ports import (
    Capability,
    Cipher,
    Clock,
    Settling,
    Sources,
    Store,
    Transaction,
    UpstreamCalendar,
)
from gateway.services.discovery import adopt
from gateway.services.exchange_account import ExchangeAccount
from gateway.services.farewell import say_goodbye
from gateway.services.grants import GrantService
from gateway.services.last_look import open_secret
from gateway.services.sync import SyncService, secret_of
from gateway.services.sync_outcome import Outcome
from gateway.services.tokens import new_id

MAX_CONNECTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarState:
    """A calendar of a connection, and what its health means now."""

    collection: Collection
    state: HealthState


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionState:
    """A connection with its calendars."""

    connection: Connection
    calendars: tuple[CalendarState, ...]


class ConnectionService:
    """Connects, lists, checks and removes sources."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sources: Sources,
        cipher: Cipher,
        sync: SyncService,
        *,
        grants: GrantService,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sources = sources
        self._cipher = cipher
        self._sync = sync
        self._grants = grants
        self._log = structlog.get_logger("gateway.connections")

    async def connect_ics(self, owner: Owner, url: str, *, name: str = "") -> ConnectionState:
        """Subscribe to a calendar; an address that gives none is Invalid with the reason."""
        address = url.strip()
        if not address:
            raise Invalid({"url": "Give the address of a calendar."})
        return await self.connect(
            owner, Provider.ICS, host_of(address), address.encode(), name=name.strip()
        )

    async def connect_caldav(
        self, owner: Owner, url: str, *, username: str, password: str
    ) -> ConnectionState:
        """Connect an account at a CalDAV server; what is wrong is Invalid at its field."""
        address, user = url.strip(), username.strip()
        wrong = {
            "url": "" if address else "Give the address of the server.",
            "username": "" if user and ":" not in user else "Give the user name, without a colon.",
            "password": "" if password else "Give the password.",
        }
        if any(wrong.values()):
            raise Invalid({name: sentence for name, sentence in wrong.items() if sentence})
        if "://" not in address:
            address = f"https://{address}"
        account = user if "@" in user else f"{user}@{host_of(address)}"
        secret = {"url": address, "username": user, "password": password}
        return await self.connect(owner, Provider.CALDAV, account, json.dumps(secret).encode())

    async def connect_exchange(self, owner: Owner, given: ExchangeAccount) -> ConnectionState:
        """Connect a mailbox on premises; a server that is not found is Invalid at `url` (S14)."""
        secret = given.secret(owner.time_zone)
        return await self.connect(owner, Provider.EXCHANGE, given.address, secret)

    async def connect(
        self,
        owner: Owner,
        provider: Provider,
        account: str,
        secret: bytes,
        *,
        name: str = "",
    ) -> ConnectionState:
        """Prove an account by reading its calendars, keep it sealed, read it for the first time."""
        connection = Connection(
            id=new_id("cn_"),
            owner_id=owner.id,
            provider=provider.value,
            account=account,
            created_at=self._clock.now(),
        )
        await self._refuse_twice(connection, secret)
        found, settled = await self._prove(connection, secret)
        await self._keep(owner, connection, settled, found, name)
        await self._sync.tick(connection.id)
        return await self._one(owner.id, connection.id)

    async def renew(self, owner_id: int, connection_id: str, password: str) -> ConnectionState:
        """Prove an account under a new password and go on with it (S31)."""
        connection = (await self._one(owner_id, connection_id)).connection
        try:
            facts = json.loads(open_secret(self._cipher, connection))
        except ValueError:
            facts = {}
        if "password" not in facts:
            raise NotFound("connection with a password")
        if not password:
            raise Invalid({"password": "Give the password."})
        # How it is signed in to is found out anew, as if it were connected for the first time.
        secret = {**facts, "password": password} | ({"auth": ""} if "auth" in facts else {})
        _, settled = await self._prove(connection, json.dumps(secret).encode())
        sealed = self._cipher.seal(settled, bound_to=secret_of(connection.id))
        async with self._store.write(owner_id=owner_id) as tx:
            if await tx.connections.get(connection_id) is None:
                raise NotFound("connection")
            await tx.connections.set_secret(connection.id, sealed)
            now = self._clock.now()
            await tx.notices.record(owner_id, "connection.renewed", connection.id, now)
        await self._sync.tick(connection.id)
        return await self._one(owner_id, connection_id)

    async def list(self, owner_id: int) -> Sequence[ConnectionState]:
        """Return the owner's connections with the health of each calendar."""
        async with self._store.read() as tx:
            connections = await tx.connections.of_owner(owner_id)
            return [await self._state(tx, connection) for connection in connections]

    async def check(self, owner_id: int, connection_id: str) -> ConnectionState:
        """Read a connection now, whatever its turn ("Check now"), and which calendars it has."""
        connection = (await self._one(owner_id, connection_id)).connection
        await self._grants.ask_again(connection)
        await self._follow(connection)
        await self._sync.tick(connection_id)
        return await self._one(owner_id, connection_id)

    async def follow_all(self) -> bool:
        """See which calendars every account has now (a loop of the worker)."""
        async with self._store.read() as tx:
            every = await tx.connections.all()
        for connection in every:
            await self._follow(connection)
        return False

    async def _follow(self, connection: Connection) -> None:
        """Add calendars that are new at the source; what fails here is told by the next read."""
        if connection.provider == Provider.ICS:
            return  # a subscription is one calendar for good
        try:
            secret = open_secret(self._cipher, connection)
            adapter = self._sources.open(connection, secret)
            try:
                found = await adapter.calendars()
            finally:
                await adapter.close()
        except CalgateError:
            return
        except Exception:  # noqa: BLE001 - a bug in an adapter costs a list, not the check
            self._log.exception("connection.list_failed", connection=connection.id)
            return
        async with self._store.write(owner_id=connection.owner_id) as tx:
            owner = await tx.owners.get(connection.owner_id)
            if owner is not None and await tx.connections.get(connection.id) is not None:
                await adopt(tx, owner, connection, found, self._clock.now())

    async def sync(
        self, owner_id: int | None = None, *, full: bool = False
    ) -> Sequence[tuple[Connection, Sequence[Outcome]]]:
        """Read every connection, of one owner or of all, and tell what came of it."""
        async with self._store.read() as tx:
            connections = (
                await tx.connections.all()
                if owner_id is None
                else await tx.connections.of_owner(owner_id)
            )
        return [
            (connection, await self._sync.tick(connection.id, full=full) or ())
            for connection in connections
        ]

    async def remove(self, owner_id: int, connection_id: str) -> None:
        """Remove a connection and its calendars: with this transaction they block nothing."""
        async with self._store.write(owner_id=owner_id) as tx:
            connection = await tx.connections.get(connection_id)
            if connection is None or connection.owner_id != owner_id:
                raise NotFound("connection")
            await say_goodbye(tx, self._cipher, connection, self._clock.now())
            await tx.connections.remove(connection_id)
            await tx.notices.record(
                owner_id,
                "connection.removed",
                f"{connection.id}: {connection.provider}",
                self._clock.now(),
            )

    async def _refuse_twice(self, made: Connection, secret: bytes) -> None:
        async with self._store.read() as tx:
            connections = await tx.connections.of_owner(made.owner_id)
        if len(connections) >= MAX_CONNECTIONS:
            raise Invalid({"url": f"There can be at most {MAX_CONNECTIONS} connections."})
        for other in connections:
            if other.provider != made.provider or other.account != made.account:
                continue
            known = self._cipher.open(other.secret, bound_to=secret_of(other.id))
            if _without_password(known) == _without_password(secret):
                raise Conflict("already_connected", "This calendar is connected already.")

    async def _prove(
        self, connection: Connection, secret: bytes
    ) -> tuple[Sequence[UpstreamCalendar], bytes]:
        """Return the calendars, and the secret to keep: some sources find out more."""
        able = {spec.provider: spec.capabilities for spec in self._sources.specs()}
        try:
            adapter = self._sources.open(connection, secret)
            try:
                found = await adapter.calendars()
            finally:
                await adapter.close()
        except SignInNeeded as error:
            asked = connection.provider != Provider.ICS
            raise Invalid({"password" if asked else "url": error.detail}) from error
        except UpstreamError as error:
            raise Invalid({"url": error.detail}) from error
        if Capability.SETTLE in able.get(connection.provider, Capability(0)):
            return found, cast("Settling", adapter).settled()
        return found, secret

    async def _keep(
        self,
        owner: Owner,
        connection: Connection,
        secret: bytes,
        found: Sequence[UpstreamCalendar],
        name: str,
    ) -> None:
        sealed = self._cipher.seal(secret, bound_to=secret_of(connection.id))
        async with self._store.write(owner_id=owner.id) as tx:
            await tx.connections.add(connection)
            await tx.connections.set_secret(connection.id, sealed)
            await adopt(tx, owner, connection, found, connection.created_at, name=name)
            await tx.notices.record(
                owner.id,
                "connection.added",
                f"{connection.id}: {connection.provider}, {connection.account}",
                connection.created_at,
            )

    async def _one(self, owner_id: int, connection_id: str) -> ConnectionState:
        async with self._store.read() as tx:
            connection = await tx.connections.get(connection_id)
            if connection is None or connection.owner_id != owner_id:
                raise NotFound("connection")
            return await self._state(tx, connection)

    async def _state(self, tx: Transaction, connection: Connection) -> ConnectionState:
        now = self._clock.now()
        collections = await tx.collections.of_connection(connection.id)
        return ConnectionState(
            connection=connection,
            calendars=tuple(
                CalendarState(collection=item, state=item.state(now)) for item in collections
            ),
        )


def _without_password(secret: bytes) -> object:
    """Return what says which account a secret is for: a new password makes no new account."""
    try:
        facts = json.loads(secret)
    except ValueError:
        return secret
    # A mailbox is its address, however its server was found and signed in to.
    return facts.get("address") or {key: facts[key] for key in facts if key != "password"}


def host_of(address: str) -> str:
    """Return what may be shown of an address: its host, never path or credentials."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
