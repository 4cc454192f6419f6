"""The end of a connection at its provider: push channels stopped, the consent taken back.

Law: here a connection ends at once and whatever its provider says; there it is ended by a job that
is tried for a day. A consent that another connection of the same account lives on is left alone,
because a provider that takes one back takes them all.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, cast

from gateway.errors import AccessLost, SignInNeeded
from gateway.model.connection import Connection
from gateway.model.grant import EndedConnection, Grant
from gateway.model.timerange import DAY
from gateway.ports import (
    Adapter,
    Cipher,
    Clock,
    Consent,
    Job,
    Sources,
    Store,
    Transaction,
    Watch,
    Watcher,
)
from gateway.services.farewell import secret_of_ended
from gateway.services.grants import GrantService
from gateway.services.outbox import GiveUp, Leased
from gateway.services.sync import secret_of

PATIENCE = DAY


class WatchingAdapter(Adapter, Watcher, Protocol):
    """What an adapter with Capability.PUSH is."""


class Ending:
    """The outbox's handler that tells a provider."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        cipher: Cipher,
        sources: Sources,
        consents: Mapping[str, Consent],
        *,
        grants: GrantService,
    ) -> None:
        self._store = store
        self._clock = clock
        self._cipher = cipher
        self._sources = sources
        self._consents = consents
        self._grants = grants

    async def run(self, leased: Leased) -> None:
        """Stop the channels, then take the consent back: not before, or they could not be."""
        async with self._store.read() as tx:
            ended = await tx.consents.ended(leased.job.payload["connection"])
        if ended is None:
            return
        if self._clock.now() - ended.ended_at > PATIENCE:
            raise GiveUp("The provider could not be told for a day.")
        plain = self._cipher.open(ended.secret, bound_to=secret_of_ended(ended.id))
        if ended.channels:
            plain = await self._stopped(ended, plain)
        await self._revoke(ended, plain)
        async with leased.finish() as tx:
            await tx.consents.forget(ended.id)
            detail = f"{ended.id}: {ended.provider}"
            await tx.notices.record(ended.owner_id, "connection.ended", detail, self._clock.now())

    async def left(self, tx: Transaction, job: Job, reason: str) -> None:
        """Forget the secret all the same, and leave a trace for the owner."""
        ended = await tx.consents.ended(job.payload["connection"])
        if ended is not None:
            await tx.consents.forget(ended.id)
            detail = f"{ended.id}: {ended.provider}: {reason}"
            await tx.notices.record(
                ended.owner_id, "connection.not_ended", detail, self._clock.now()
            )

    async def _stopped(self, ended: EndedConnection, plain: bytes) -> bytes:
        """Stop the channels; return the secret, which may be another one after it."""
        connection = Connection(
            id=ended.id,
            owner_id=ended.owner_id,
            provider=ended.provider,
            account=ended.account,
            secret=self._cipher.seal(plain, bound_to=secret_of(ended.id)),
        )
        try:
            async with self._grants.holding(connection) as held:
                await self._stop(connection, ended, plain)
        finally:
            if held.renewed:
                plain = held.grant.encode()
                await self._keep(ended, plain)
        return plain

    async def _stop(self, connection: Connection, ended: EndedConnection, plain: bytes) -> None:
        adapter = cast("WatchingAdapter", self._sources.open(connection, plain))
        try:
            for watch_id, resource in ended.channels:
                await stop(adapter, Watch(id=watch_id, resource=resource, expires_at=0))
        finally:
            await adapter.close()

    async def _keep(self, ended: EndedConnection, plain: bytes) -> None:
        """Store a secret that came in meanwhile: whatever is tried again is so with that one."""
        sealed = self._cipher.seal(plain, bound_to=secret_of_ended(ended.id))
        async with self._store.write(owner_id=ended.owner_id) as tx:
            if await tx.consents.ended(ended.id) is not None:
                await tx.consents.forget(ended.id)
                await tx.consents.end(replace(ended, secret=sealed))

    async def _revoke(self, ended: EndedConnection, plain: bytes) -> None:
        consent = self._consents.get(ended.provider)
        if consent is None:
            return
        try:
            grant = Grant.decode(plain)
        except ValueError:
            return
        async with self._store.read() as tx:
            others = await tx.connections.all()
        if any(
            one.provider == ended.provider and one.options.get("subject") == grant.subject
            for one in others
        ):
            return
        try:
            await consent.revoke(grant)
        except SignInNeeded:
            return  # it is dead already


async def stop(watcher: Watcher, watch: Watch) -> None:
    """End a push channel; one that the source knows no more is ended."""
    try:
        await watcher.unwatch(watch)
    except (SignInNeeded, AccessLost):
        return
