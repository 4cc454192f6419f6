"""Push channels: asked for, renewed before their end, stopped when nobody needs them.

Law: a channel only makes reading sooner. Whatever goes wrong here, polling reads every calendar.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast
from uuid import uuid4

import structlog

from gateway.errors import AccessLost, CalgateError, Overloaded
from gateway.model.collection import Collection
from gateway.model.connection import Connection
from gateway.model.grant import Channel
from gateway.model.timerange import DAY, MINUTE, Instant
from gateway.ports import Capability, Cipher, Clock, Sources, Store, Watch
from gateway.services.ending import WatchingAdapter, stop
from gateway.services.last_look import open_secret
from gateway.services.tokens import digest, new_secret

RENEWED_AT = 0.7
"""The part of a channel's life after which the next one is asked for."""
SPREAD = 0.1
AGAIN_AFTER = 10 * MINUTE
"""How long after a failure a source is asked again; also how long an unfinished try counts."""
REFUSED_FOR = DAY
"""How long a calendar that cannot be watched is only polled before it is asked again."""
HOOKS = {"google": "google", "microsoft": "graph"}
"""Providers that push, and the address below /hooks/ that theirs is."""


class WatchService:
    """Keeps a channel for each calendar that matters, where the gateway can be reached."""

    def __init__(
        self, store: Store, clock: Clock, sources: Sources, cipher: Cipher, *, address: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._sources = sources
        self._cipher = cipher
        self._address = address.rstrip("/")
        self._log = structlog.get_logger("gateway.watching")

    async def work(self) -> bool:
        """Ask for what is missing or ends soon (a loop of the worker)."""
        able = {
            spec.provider for spec in self._sources.specs() if Capability.PUSH in spec.capabilities
        } & set(HOOKS)
        if not self._address or not able:
            return False
        async with self._store.read() as tx:
            every = [one for one in await tx.connections.all() if one.provider in able]
        for connection in every:
            try:
                await self.keep(connection)
            except Overloaded:
                raise
            except Exception as error:  # noqa: BLE001 - one account's trouble is not the others'
                self._log.warning("watching.failed", connection=connection.id, error=str(error))
        return False

    async def keep(self, connection: Connection) -> None:
        """Bring one account's channels to what they should be."""
        async with self._store.read() as tx:
            owner = await tx.owners.get(connection.owner_id)
            default = owner.default_collection_id if owner else None
            calendars = [
                one
                for one in await tx.collections.of_connection(connection.id)
                if one.selected or one.id == default
            ]
            channels = await tx.channels.of_connection(connection.id)
        now = self._clock.now()
        wanted = [one for one in calendars if _is_due(one, channels, now)]
        watched = {one.id for one in calendars}
        over = [one for one in channels if one.collection_id not in watched]
        over += [one for one in channels if one.watch_id and one.expires_at <= now]
        if not wanted and not over:
            return
        async with self._opened(connection) as adapter:
            for calendar in wanted:
                await self._watch(adapter, connection, calendar)
            for channel in over:
                await self._end(adapter, channel)

    @asynccontextmanager
    async def _opened(self, connection: Connection) -> AsyncIterator[WatchingAdapter]:
        opened = self._sources.open(connection, open_secret(self._cipher, connection))
        try:
            yield cast("WatchingAdapter", opened)
        finally:
            await opened.close()

    async def _watch(
        self, adapter: WatchingAdapter, connection: Connection, calendar: Collection
    ) -> None:
        """Ask for a channel, then stop those before it: told twice for a while, never not at all.

        The channel is stored before it is asked for, because its first notification may come
        before the answer; and so that another node asks for none.
        """
        secret, now = new_secret(), self._clock.now()
        channel = Channel(
            id=str(uuid4()),
            collection_id=calendar.id,
            connection_id=connection.id,
            provider=connection.provider,
            secret_digest=digest(secret),
            renew_at=now + AGAIN_AFTER,
        )
        async with self._store.write(owner_id=connection.owner_id) as tx:
            before = [
                one
                for one in await tx.channels.of_connection(connection.id)
                if one.collection_id == calendar.id
            ]
            if await tx.connections.get(connection.id) is None or not _is_due(
                calendar, before, now
            ):
                return
            await tx.channels.add(channel)
        try:
            made = await adapter.watch(
                calendar.upstream_id,
                channel=channel.id,
                secret=secret,
                address=f"{self._address}/hooks/{HOOKS[connection.provider]}",
            )
        except CalgateError as error:
            refused = isinstance(error, AccessLost)
            await self._postpone(channel, REFUSED_FOR if refused else AGAIN_AFTER)
            self._log.info("watching.refused", calendar=calendar.public_id, error=str(error))
            return
        life = max(made.expires_at - now, 0)
        part = RENEWED_AT * random.uniform(1 - SPREAD, 1)  # noqa: S311 - spreads load
        async with self._store.write() as tx:
            await tx.channels.update(
                replace(
                    channel,
                    watch_id=made.id,
                    resource=made.resource,
                    expires_at=made.expires_at,
                    renew_at=now + max(int(life * part), MINUTE),
                )
            )
        for one in before:
            await self._end(adapter, one)

    async def _postpone(self, channel: Channel, seconds: int) -> None:
        async with self._store.write() as tx:
            again = replace(channel, renew_at=self._clock.now() + seconds)
            await tx.channels.update(again)

    async def _end(self, adapter: WatchingAdapter, channel: Channel) -> None:
        if channel.watch_id:
            watch = Watch(
                id=channel.watch_id, resource=channel.resource, expires_at=channel.expires_at
            )
            try:
                await stop(adapter, watch)
            except CalgateError as error:
                # It ends by itself; what it still tells is told of an unknown channel.
                self._log.info("watching.not_stopped", error=str(error))
        async with self._store.write() as tx:
            await tx.channels.remove(channel.id)


def _is_due(calendar: Collection, channels: Sequence[Channel], now: Instant) -> bool:
    """Tell whether a calendar needs a new channel: no try or channel of its own is fresh."""
    mine = [one for one in channels if one.collection_id == calendar.id]
    return all(one.renew_at <= now for one in mine)
