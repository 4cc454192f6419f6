"""A process that dies at the n-th step: a fuse in the store, the sources and the mail host.

Every commit is two steps (just before it, so that nothing is stored; just after it, so that
nobody hears of it), and so is every call to the outside. Once blown, nothing of it runs any more.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway import ports
from gateway.model.timerange import TimeRange
from tests.booking_desk import ScriptedSources


class Killed(BaseException):
    """The process is gone."""


class Fuse:
    """Blows at one step of many; `steps` counts those that were passed."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.steps = 0
        self.blown = False

    def alive(self) -> None:
        """Raise Killed in a process that is gone."""
        if self.blown:
            raise Killed

    def burn(self) -> None:
        """Pass one step, or blow."""
        self.alive()
        if self.steps == self.at:
            self.blown = True
            raise Killed
        self.steps += 1


class FusedStore:
    """A store whose process may die around any commit (ports.Store)."""

    def __init__(self, store: ports.Store, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ports.Transaction]:
        """Read, while alive."""
        self._fuse.alive()
        async with self._store.read() as tx:
            yield tx

    @asynccontextmanager
    async def write(self, *, owner_id: int | None = None) -> AsyncIterator[ports.Transaction]:
        """Write; die just before or just after the commit."""
        self._fuse.alive()
        async with self._store.write(owner_id=owner_id) as tx:
            yield tx
            self._fuse.burn()
        self._fuse.burn()


class FusedSources(ScriptedSources):
    """Sources to which the request may never get, or from which the answer may never come."""

    def __init__(self, fuse: Fuse, real: ScriptedSources) -> None:
        super().__init__()
        self._fuse = fuse
        # What is at the source outlives the process.
        self.events, self.calls, self.answers = real.events, real.calls, real.answers

    async def create(self, upstream_id: str, uid: str, data: bytes) -> None:
        """Create an event; die before or after."""
        self._fuse.burn()
        await super().create(upstream_id, uid, data)
        self._fuse.burn()

    async def move(
        self, upstream_id: str, uid: str, *, before: TimeRange, after: TimeRange
    ) -> TimeRange | None:
        """Move an event; die before or after."""
        self._fuse.burn()
        there = await super().move(upstream_id, uid, before=before, after=after)
        self._fuse.burn()
        return there

    async def remove(self, upstream_id: str, uid: str) -> None:
        """Remove an event; die before or after."""
        self._fuse.burn()
        await super().remove(upstream_id, uid)
        self._fuse.burn()


class FusedMailer:
    """A mail host that keeps what it took in; its answer may never come (ports.Mailer)."""

    def __init__(self, fuse: Fuse, taken: list[tuple[str, bytes]]) -> None:
        self._fuse = fuse
        self._taken = taken

    async def send(self, recipient: str, raw: bytes) -> None:
        """Take a mail in; die before or after."""
        self._fuse.burn()
        self._taken.append((recipient, raw))
        self._fuse.burn()
