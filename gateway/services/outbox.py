"""The outbox worker: side effects decided in a transaction, done after it, at least once.

Law: whatever a job changes in the store is committed together with the job's end, and only while
its lease holds (`Leased.finish`). A worker that was paused for too long commits nothing.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from gateway.errors import Overloaded, UpstreamError
from gateway.ports import Clock, Job, Store, Transaction

LEASE_SECONDS = 30
WORK_SECONDS = 25.0
"""A job is broken off before its lease runs out, so that no two workers do it at once."""
CAPACITY = 16
LONGEST_PAUSE = 600
"""The longest wait between two tries, also where a server asks for more."""
UNEXPECTED_TRIES = 12
"""How often a job that fails for no reason we know is tried, before it is put away."""


class LeaseLost(Exception):
    """Somebody else has the job now; nothing of what was done here counts."""


class GiveUp(Exception):
    """Trying again is pointless; the message says why and is kept with the job."""


class Leased:
    """A job in hand. `attended` says that a request waits for it and will tell its visitor."""

    def __init__(self, store: Store, job: Job, *, attended: bool) -> None:
        self.job = job
        self.attended = attended
        self.finished = False
        self._store = store

    @asynccontextmanager
    async def finish(self, *, owner_id: int | None = None) -> AsyncIterator[Transaction]:
        """Give the transaction that ends the job; raise LeaseLost if it is no longer ours."""
        async with self._store.write(owner_id=owner_id) as tx:
            if not await tx.outbox.done(self.job):
                raise LeaseLost
            yield tx
        self.finished = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """Does the jobs of one kind.

    `run` raises an UpstreamError to be tried again and GiveUp to be put away; `buried` says what
    follows from that, in the same transaction.
    """

    run: Callable[[Leased], Awaitable[None]]
    buried: Callable[[Transaction, Job, str], Awaitable[None]]


class OutboxService:
    """Leases jobs, runs them side by side, and gives back what failed with a growing pause.

    Jobs of one subject come one after the other; a job that fails keeps only its own subject
    waiting, and one that cannot succeed is put away and makes room.
    """

    def __init__(
        self, store: Store, clock: Clock, handlers: Mapping[str, Handler], *, node: str
    ) -> None:
        self.node = node
        self._store = store
        self._clock = clock
        self._handlers = handlers
        self._running: set[asyncio.Task[None]] = set()
        self._nudge: asyncio.Task[None] | None = None
        self._closed = False
        self._log = structlog.get_logger("gateway.outbox")

    async def work(self) -> bool:
        """Start what is due, as far as there is room; a loop of the worker calls this."""
        room = CAPACITY - len(self._running)
        if room <= 0 or self._closed:
            return False
        async with self._store.read() as tx:
            if not await tx.outbox.waiting():
                return False
        async with self._store.write() as tx:
            jobs = await tx.outbox.lease(
                self.node, self._clock.now(), seconds=LEASE_SECONDS, limit=room
            )
        for job in jobs:
            self.start(job)
        return False  # a job that ends asks for more by itself

    def start(self, job: Job, *, attended: bool = False) -> asyncio.Task[None]:
        """Run a leased job in the background; it goes on when whoever waits for it leaves."""
        task = asyncio.create_task(self._run(job, attended=attended), name=f"outbox.{job.kind}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.nudge()

    def nudge(self) -> None:
        """Look for due jobs now rather than at the next turn of the loop."""
        if self._closed or (self._nudge is not None and not self._nudge.done()):
            return
        self._nudge = asyncio.create_task(self._work_quietly(), name="outbox.nudge")

    async def _work_quietly(self) -> None:
        try:
            await self.work()
        except Exception as error:  # noqa: BLE001 - the loop tries again and tells
            self._log.debug("outbox.nudge", error=str(error))

    async def settle(self) -> None:
        """Work until nothing is due and nothing runs: at start, and wherever quiet is needed."""
        while True:
            await self.work()
            # A nudge under way may have leased a job that does not run yet.
            nudges = {self._nudge} if self._nudge is not None and not self._nudge.done() else set()
            if not self._running | nudges:
                return
            await asyncio.wait(self._running | nudges)

    async def close(self) -> None:
        """Stop leasing and let running jobs end; what is broken off is done after its lease."""
        self._closed = True
        if self._nudge is not None:
            await asyncio.wait({self._nudge})
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self, job: Job, *, attended: bool) -> None:
        handler = self._handlers.get(job.kind)
        leased = Leased(self._store, job, attended=attended)
        try:
            async with asyncio.timeout(WORK_SECONDS):
                await self._do(handler, leased)
        except LeaseLost:
            self._log.info("outbox.lease_lost", kind=job.kind, subject=job.subject)
        except GiveUp as reason:
            await self._bury(handler, job, str(reason))
        except (UpstreamError, Overloaded, TimeoutError) as error:
            await self._retry(job, error)
        except Exception as error:  # noqa: BLE001 - no job ends the worker; it is told and retried
            self._log.exception("outbox.failed", kind=job.kind, subject=job.subject)
            if job.attempts + 1 >= UNEXPECTED_TRIES:
                await self._bury(handler, job, type(error).__name__)
            else:
                await self._retry(job, error)

    @staticmethod
    async def _do(handler: Handler | None, leased: Leased) -> None:
        if handler is None:
            raise GiveUp(f"Nobody here does jobs of the kind {leased.job.kind}.")
        await handler.run(leased)
        if not leased.finished:
            async with leased.finish():
                pass

    async def _retry(self, job: Job, error: Exception) -> None:
        asked = getattr(error, "retry_after", None)
        pause = pause_before(job.attempts, asked)
        detail = str(error) or type(error).__name__
        # If even this fails, the lease runs out and the job comes back by itself.
        try:
            async with self._store.write() as tx:
                await tx.outbox.retry(job, self._clock.now() + pause, detail)
        except Overloaded:
            pass
        except Exception:  # noqa: BLE001 - see above
            self._log.exception("outbox.retry_failed", kind=job.kind, subject=job.subject)

    async def _bury(self, handler: Handler | None, job: Job, reason: str) -> None:
        self._log.warning("outbox.buried", kind=job.kind, subject=job.subject, reason=reason)
        try:
            async with self._store.write() as tx:
                if await tx.outbox.bury(job, reason) and handler is not None:
                    await handler.buried(tx, job, reason)
        except Exception as error:  # noqa: BLE001 - then the job stays and is tried again
            self._log.exception("outbox.bury_failed", kind=job.kind, subject=job.subject)
            await self._retry(job, error)


def pause_before(attempts: int, asked: int | None) -> int:
    """Return the seconds until the next try: doubling, with full jitter; a server's wish counts."""
    if asked is not None:
        return max(1, min(int(asked), LONGEST_PAUSE))
    ceiling = min(2 ** min(attempts + 1, 10), LONGEST_PAUSE)
    return random.randint(1, ceiling)  # noqa: S311 - spreads load, keeps no secret
