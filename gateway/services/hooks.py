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
        heard = self._heard_of("google", told)
        if heard is None and _is_an_id(told.channel):
            async with self._store.read() as tx:
                heard = await tx.channels.get(told.channel)
        channel = self._checked("google", told, heard)
        if channel is not None and told.resource in ("", channel.resource or told.resource):
            await self._poke([channel])

    async def graph(self, told: Iterable[Any]) -> None:
        """Take a batch, each named by Microsoft's subscription id and checked by itself."""
        lines: dict[Notification, None] = {}
        for one in told:
            line = _line(one)
            if line is not None and len(lines) < MOST:
                lines[line] = None
        known = {one.channel: self._heard_of("microsoft", one) for one in lines}
        unheard = [name for name, channel in known.items() if channel is None]
        if unheard:
            async with self._store.read() as tx:
                known |= await tx.channels.by_watches("microsoft", unheard)
        good: dict[str, Channel] = {}
        for line in lines:
            channel = self._checked("microsoft", line, known[line.channel])
            if channel is None:
                continue
            good[channel.id] = channel
            if line.lifecycle:
                await self._lifecycle(channel, line.lifecycle)
        await self._poke([*good.values()])

    def _heard_of(self, provider: str, told: Notification) -> Channel | None:
        """Return the channel if it was heard a moment ago."""
        heard = self._heard.get(f"{provider}:{told.channel}")
        return heard[0] if heard is not None and self._clock.now() < heard[1] else None

    def _checked(
        self, provider: str, told: Notification, channel: Channel | None
    ) -> Channel | None:
        """Return the channel if it is there, lives, and this is its secret."""
        now, key = self._clock.now(), f"{provider}:{told.channel}"
        fresh = self._heard_of(provider, told) is not None
        wanted = channel.secret_digest if channel is not None else NOBODY
        matches = hmac.compare_digest(digest(told.secret[:LONGEST]), wanted)
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
    if not _is_an_id(found[0]) or len(found[1]) > LONGEST:
        return None
    return Notification(channel=found[0], secret=found[1], lifecycle=found[2][:64])


def _is_an_id(text: str) -> bool:
    """Tell whether a text can name a channel at all."""
    return 0 < len(text) <= LONGEST and text.isascii() and text.isprintable()
