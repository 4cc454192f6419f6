"""Background loops that survive their errors, say them once, and stop cleanly."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from gateway.errors import CalgateError

STOP_SECONDS = 10.0
JITTER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """Work to be done every so many seconds.

    `work` returns whether there is more to do at once; `end` gives up what it left going. Nodes
    that share a database may run the same loop: its work takes leases or is harmless twice.
    """

    name: str
    seconds: float
    work: Callable[[], Awaitable[bool]]
    end: Callable[[], Awaitable[None]] | None = None


class Worker:
    """Runs the loops between `start` and `stop`."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self._loops = loops
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._wakes = {loop.name: asyncio.Event() for loop in loops}
        self._log = structlog.get_logger("gateway.worker")

    async def start(self) -> None:
        """Start every loop."""
        self._stopping.clear()
        self._tasks = [
            asyncio.create_task(self._run(loop), name=f"worker.{loop.name}") for loop in self._loops
        ]

    async def stop(self) -> None:
        """Let each loop finish what it is doing, for ten seconds at most; leases cover the rest."""
        self._stopping.set()
        for wake in self._wakes.values():
            wake.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for loop in self._loops:
            if loop.end is not None:
                await loop.end()
        self._tasks = []

    def wake(self, name: str) -> None:
        """Run a loop now rather than when its time comes."""
        self._wakes[name].set()

    async def _run(self, loop: Loop) -> None:
        down = False
        while not self._stopping.is_set():
            more = False
            try:
                more = await loop.work()
            except Exception as error:  # noqa: BLE001 - a loop outlives whatever its work does
                if not down:
                    self._tell_down(loop, error)
                down = True
            else:
                if down:
                    self._log.info("worker.recovered", loop=loop.name)
                down = False
            if not more:
                await self._pause(loop)

    def _tell_down(self, loop: Loop, error: Exception) -> None:
        # A domain error is a state of the world; anything else is a bug and needs its trace.
        expected = isinstance(error, CalgateError)
        self._log.warning(
            "worker.failing",
            loop=loop.name,
            error=str(error) or type(error).__name__,
            exc_info=None if expected else error,
        )

    async def _pause(self, loop: Loop) -> None:
        # Spread a little, so that nodes started together do not ask together.
        seconds = loop.seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
        wake = self._wakes[loop.name]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()
        wake.clear()
