"""Refused sign-ins without a database: the real service over counters in memory."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from gateway.ports import Clock, SignIns
from gateway.services import sign_ins
from gateway.storage.cipher import KeyRing


@dataclass
class CountersInMemory:
    """A store that has counters only (ports.Store, ports.Counters)."""

    events: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def counters(self) -> Self:
        """Return itself."""
        return self

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Self]:
        """Give itself."""
        yield self

    write = read

    async def hold(self, key: str) -> None:
        """Nobody else counts here."""

    async def hit(self, key: str, now: int, *, window: int, limit: int) -> int:
        """Count one."""
        wait = await self.wait(key, now, window=window, limit=limit)
        if not wait:
            self.events[key].append(now)
        return wait

    async def wait(self, key: str, now: int, *, window: int, limit: int) -> int:
        """Tell how long there is no room."""
        recent = [at for at in self.events[key] if at > now - window]
        return recent[len(recent) - limit] + window - now if len(recent) >= limit else 0

    async def take_back(self, key: str, at: int) -> None:
        """Uncount one."""
        self.events[key].remove(at)

    async def clear(self, key: str) -> None:
        """Forget."""
        self.events.pop(key, None)


def sign_ins_of(clock: Clock) -> SignIns:
    """Return what keeps account of refused passwords."""
    return sign_ins.SignIns(CountersInMemory(), clock, KeyRing([b"k" * 32]))
