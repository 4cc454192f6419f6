"""What a push notification does: it makes the next read of one account come sooner, nothing else.

Law: an unknown channel, a wrong secret and an ended channel look the same from outside, and cost
no call to anybody. A flood makes no more than two reads in any minute.
"""

import hmac
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from gateway.model.grant import Channel
from gateway.model.timerange import Instant
from gateway.ports import Clock, Store
from gateway.services.tokens import digest

LONGEST = 256
"""Characters of an id or secret that are looked at."""
MOST = 200
"""Distinct channels of one notification that are looked up."""
HEARD = 4096
HEARD_SECONDS = 2
"""For how long a channel that was just heard is not looked up again: one edit is told twice."""
NOBODY = digest("")
OVER, RENEW = "subscriptionRemoved", "reauthorizationRequired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One line of what a source tells: of which channel, with what secret."""

    channel: str
    secret: str
    resource: str = ""
    lifecycle: str = ""


class HookService:
    """Takes notifications."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._heard: OrderedDict[str, tuple[Channel, Instant]] = OrderedDict()

    async def google(self, told: Notification) -> None:
        """Take one notification, named by our channel id."""

        async def find() -> Channel | None:
            async with self._store.read() as tx:
                return await tx.channels.get(told.channel)

        channel = await self._checked("google", told, find)
        if channel is not None and told.resource in ("", channel.resource or told.resource):
            await self._poke([channel])

    async def graph(self, told: Iterable[Any]) -> None:
        """Take a batch, each named by Microsoft's subscription id and checked by itself."""
        good: dict[str, Channel] = {}
        seen: set[str] = set()
        for one in told:
            line = _line(one)
            if line is None or len(seen) >= MOST:
                continue
            key = f"{line.channel} {line.secret} {line.lifecycle}"
            if key in seen:
                continue
            seen.add(key)

            async def find(line: Notification = line) -> Channel | None:
                async with self._store.read() as tx:
                    return await tx.channels.by_watch("microsoft", line.channel)

            channel = await self._checked("microsoft", line, find)
            if channel is None:
                continue
            good[channel.id] = channel
            if line.lifecycle:
                await self._lifecycle(channel, line.lifecycle)
        await self._poke([*good.values()])

    async def _checked(self, provider: str, told: Notification, find: Any) -> Channel | None:
        """Return the channel if it is there, lives, and this is its secret."""
        if not 0 < len(told.channel) <= LONGEST or len(told.secret) > LONGEST:
            return None
        now, key = self._clock.now(), f"{provider}:{told.channel}"
        heard = self._heard.get(key)
        fresh = heard is not None and now < heard[1]
        channel = heard[0] if heard is not None and fresh else await find()
        wanted = channel.secret_digest if channel is not None else NOBODY
        matches = hmac.compare_digest(digest(told.secret), wanted)
        if channel is None or channel.provider != provider or not told.secret or not matches:
            return None
        if channel.expires_at and channel.expires_at <= now:
            return None
        if fresh and not told.lifecycle:
            return None  # the read it asks for is asked for already
        self._heard[key] = (channel, now + HEARD_SECONDS)
        self._heard.move_to_end(key)
        while len(self._heard) > HEARD:
            self._heard.popitem(last=False)
        return channel

    async def _poke(self, channels: list[Channel]) -> None:
        accounts = {one.connection_id for one in channels}
        if not accounts:
            return
        now = self._clock.now()
        async with self._store.write() as tx:
            for account in accounts:
                await tx.connections.poke(account, now)

    async def _lifecycle(self, channel: Channel, event: str) -> None:
        async with self._store.write() as tx:
            if event == OVER:
                await tx.channels.remove(channel.id)
            elif event == RENEW:
                await tx.channels.update(replace(channel, renew_at=0))


def _line(told: Any) -> Notification | None:
    """Return one row of a batch, where it has the shape of one."""
    if not isinstance(told, dict):
        return None
    found = [told.get(name, "") for name in ("subscriptionId", "clientState", "lifecycleEvent")]
    if not all(isinstance(text, str) for text in found):
        return None
    return Notification(channel=found[0], secret=found[1], lifecycle=found[2][:64])
