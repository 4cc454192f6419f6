"""Access tokens of connections made by consent: kept sealed, renewed by one node at a time.

Law: a refresh token is used by one node at a time, and what comes of it is stored before anybody
uses it, also where whoever asked has left: a refresh token may be good once. What comes in after
its connection was removed is used by nobody and taken back. "Sign in again" is believed only if no
other node has stored newer tokens meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

import structlog

from gateway.errors import CalgateError, NotRegistered, SignInNeeded, Unavailable
from gateway.model.connection import Connection, Failure
from gateway.model.grant import Grant
from gateway.ports import Cipher, Clock, Consent, Store, TokenSource, Transaction
from gateway.services.farewell import say_goodbye_late
from gateway.services.notices import Notices
from gateway.services.sync import secret_of

HOLD_SECONDS = 30
"""How long a node may take to fetch tokens, before another one may try."""
WAIT_SECONDS = 20.0
LOOK_SECONDS = 0.1
STOP_SECONDS = 10.0
"""How long tokens that are being fetched are waited for at the end."""
QUIET = 50
"""Seconds for which a refusal is remembered: a dead consent costs its provider one call a minute,
and a provider that said no by mistake is asked again within one."""
UNREADABLE = "The stored credentials of this connection cannot be read."
UNREGISTERED = "This gateway is not registered with the provider of this account any more."
BUSY = "Another process is renewing the sign-in of this account."


@dataclass(slots=True)
class Held:
    """The grant of a connection that is not stored, the newest there is."""

    grant: Grant
    renewed: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class GrantService:
    """Gives every adapter the access tokens of its connection."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        cipher: Cipher,
        consents: Mapping[str, Consent],
        notices: Notices,
    ) -> None:
        self._store = store
        self._clock = clock
        self._cipher = cipher
        self._consents = consents
        self._notices = notices
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._fetching: set[asyncio.Task[str]] = set()
        self._held: dict[str, Held] = {}
        self._log = structlog.get_logger("gateway.grants")

    def tokens(self, connection: Connection) -> TokenSource:
        """Return the tokens of a connection, as adapters want them."""
        return _Tokens(self, connection)

    def seal(self, connection_id: str, grant: Grant) -> bytes:
        """Return a grant as its connection keeps it."""
        return self._cipher.seal(grant.encode(), bound_to=secret_of(connection_id))

    def read(self, connection: Connection) -> Grant:
        """Return what a connection keeps; raise SignInNeeded where it opens no more."""
        try:
            plain = self._cipher.open(connection.secret, bound_to=secret_of(connection.id))
            return Grant.decode(plain)
        except (CalgateError, ValueError):
            raise SignInNeeded(UNREADABLE) from None

    async def ask_again(self, connection: Connection) -> None:
        """Forget that the provider refused, so that the next read asks it at once."""
        try:
            grant = self.read(connection)
        except SignInNeeded:
            return
        if grant.refused_at:
            fresh = self.seal(connection.id, replace(grant, refused_at=0))
            async with self._store.write(owner_id=connection.owner_id) as tx:
                current = await tx.connections.get(connection.id)
                if current is not None and current.secret == connection.secret:
                    await tx.connections.set_secret(connection.id, fresh)

    async def access_token(self, connection: Connection, rejected: str) -> str:
        """Return an access token; fetch a new one where it is used up or was just refused."""
        held = self._held.get(connection.id)
        if held is not None:
            return await self._shielded(self._of_held(connection, held, rejected))
        async with self._store.read() as tx:
            current = await tx.connections.get(connection.id)
        if current is None:
            raise SignInNeeded(UNREADABLE)
        found = self._ready(self.read(current), rejected)
        if found:
            return found
        lock = self._locks.setdefault(connection.id, asyncio.Lock())
        try:
            async with asyncio.timeout(WAIT_SECONDS), lock:
                return await self._renewed(current, rejected)
        except TimeoutError:
            raise Unavailable(BUSY) from None

    async def close(self, *, seconds: float = STOP_SECONDS) -> None:
        """Let tokens that are being fetched be stored; break off what does not come."""
        if self._fetching:
            _, late = await asyncio.wait(set(self._fetching), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @asynccontextmanager
    async def holding(self, connection: Connection) -> AsyncIterator[Held]:
        """Serve a connection that is not stored, not yet or no more, for as long as this lasts.

        What stands in what is given is newest only after the end.
        """
        self._held[connection.id] = held = Held(self.read(connection))
        try:
            yield held
        finally:
            del self._held[connection.id]
            async with held.lock:
                pass  # what is under way, of whoever has left too, comes in first

    async def _of_held(self, connection: Connection, held: Held, rejected: str) -> str:
        async with held.lock:
            if not held.grant.usable(self._clock.now(), rejected):
                held.grant = await self._consent(connection).refresh(held.grant)
                held.renewed = True
            return held.grant.access_token

    def _ready(self, grant: Grant, rejected: str) -> str:
        now = self._clock.now()
        if grant.refused_at and now - grant.refused_at < QUIET:
            raise SignInNeeded(grant.refusal)
        return grant.access_token if grant.usable(now, rejected) else ""

    async def _renewed(self, connection: Connection, rejected: str) -> str:
        while True:
            async with self._store.write() as tx:
                # First the right to renew, then the grant: what was read before might be what
                # another node has just used up.
                mine = await tx.connections.begin_refresh(
                    connection.id, self._clock.now(), HOLD_SECONDS
                )
                current = await tx.connections.get(connection.id)
                if current is None:
                    raise SignInNeeded(UNREADABLE)
                grant = self.read(current)
                found = self._ready(grant, rejected)
                if found:
                    if mine:
                        await tx.connections.end_refresh(connection.id)
                    return found
            if mine:
                break
            await asyncio.sleep(LOOK_SECONDS)
        return await self._shielded(self._fetched(current, grant, rejected))

    async def _shielded(self, work: Coroutine[Any, Any, str]) -> str:
        """Do it to its end, whoever leaves meanwhile."""
        fetching = asyncio.create_task(work, name="grants.refresh")
        self._fetching.add(fetching)
        fetching.add_done_callback(self._ended)
        return await asyncio.shield(fetching)

    def _ended(self, fetching: asyncio.Task[str]) -> None:
        self._fetching.discard(fetching)
        # Whoever waits is told; where nobody does any more, this is all that is left of it.
        if not fetching.cancelled() and (error := fetching.exception()) is not None:
            self._log.debug("grant.refresh_failed", error=type(error).__name__)

    async def _fetched(self, connection: Connection, grant: Grant, rejected: str) -> str:
        """Fetch tokens and store what comes of it."""
        try:
            fresh = await self._consent(connection).refresh(grant)
        except SignInNeeded as refusal:
            return await self._refused(connection, grant, refusal, rejected)
        except BaseException:
            await self._let_go(connection.id)
            raise
        return await self._keep(connection, grant, fresh)

    async def _keep(self, connection: Connection, before: Grant, fresh: Grant) -> str:
        async with self._store.write(owner_id=connection.owner_id) as tx:
            current = await tx.connections.get(connection.id)
            # A sign-in that came in between is newer than what we fetched.
            if current is not None and self._same(current, before):
                await tx.connections.set_secret(connection.id, self.seal(connection.id, fresh))
                if before.refused_at:
                    await self._notices.signed_in(tx, connection)
            await tx.connections.end_refresh(connection.id)
            gone = current is None
            if gone and fresh.refresh_token != before.refresh_token:
                now = self._clock.now()
                await say_goodbye_late(tx, self._cipher, connection, fresh, now)
        if gone:
            raise SignInNeeded(UNREADABLE)
        return fresh.access_token

    async def _refused(
        self, connection: Connection, used: Grant, refusal: SignInNeeded, rejected: str
    ) -> str:
        now = self._clock.now()
        async with self._store.write(owner_id=connection.owner_id) as tx:
            current = await tx.connections.get(connection.id)
            await tx.connections.end_refresh(connection.id)
            if current is None:
                raise refusal
            if self._same(current, used):
                marked = replace(used, refused_at=now, refusal=refusal.detail, access_token="")
                await tx.connections.set_secret(connection.id, self.seal(connection.id, marked))
                await self._tell(tx, current, refusal.detail)
                current = None
        if current is not None:
            # Another node, or the owner at the consent screen, was faster.
            found = self._ready(self.read(current), rejected)
            if found:
                return found
            raise Unavailable(BUSY)
        self._log.warning("grant.refused", connection=connection.id, provider=connection.provider)
        raise refusal

    async def _tell(self, tx: Transaction, connection: Connection, detail: str) -> None:
        """Mark every calendar of the account, and tell its owner once (CONTRACT.md: no access)."""
        now = self._clock.now()
        for one in await tx.collections.of_connection(connection.id):
            health = one.health.failed(Failure.SIGN_IN_NEEDED, detail, now)
            await tx.collections.set_health(one.id, health)
        owner = await tx.owners.get(connection.owner_id)
        if owner is not None:
            title = self._consent(connection).title
            await self._notices.sign_in_needed(tx, owner, connection, title, now)

    def _same(self, connection: Connection, grant: Grant) -> bool:
        try:
            return self.read(connection).refresh_token == grant.refresh_token
        except SignInNeeded:
            return False

    async def _let_go(self, connection_id: str) -> None:
        async with self._store.write() as tx:
            await tx.connections.end_refresh(connection_id)

    def _consent(self, connection: Connection) -> Consent:
        found = self._consents.get(connection.provider)
        if found is None:
            raise NotRegistered(UNREGISTERED)
        return found


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Implements ports.TokenSource for one connection."""

    service: GrantService
    connection: Connection

    async def access_token(self, *, rejected: str = "") -> str:
        """Return a token to send."""
        return await self.service.access_token(self.connection, rejected)
