"""Work on many things at once in which the slow hold up nobody but themselves."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

AT_ONCE = 8
PATIENCE = 5.0
"""For how many seconds a piece of work may keep a place that others wait for."""
ASIDE = 64
"""How many slow ones may go on aside; beyond that they keep their places."""


class SideBySide:
    """Does a piece of work per key, a few at once; what takes long goes on without a place."""

    def __init__(
        self,
        work: Callable[[str], Awaitable[object]],
        *,
        patience: float = PATIENCE,
        told: Callable[[str, BaseException], None],
    ) -> None:
        self._work = work
        self._patience = patience
        self._told = told
        self._aside: dict[str, asyncio.Task[object]] = {}

    async def run(self, keys: Iterable[str]) -> None:
        """Do the work of these keys; return when what is not slow is done.

        A key whose work still goes on aside is left out. The first error is raised; the others,
        and those of work that went aside, are told.
        """
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(key: str) -> None:
            async with gate:
                await self._for_a_while(key)

        wanted = [key for key in dict.fromkeys(keys) if key not in self._aside]
        results = await asyncio.gather(*map(one, wanted), return_exceptions=True)
        together = zip(wanted, results, strict=True)
        failed = [(key, error) for key, error in together if isinstance(error, BaseException)]
        for key, error in failed[1:]:
            self._told(key, error)
        for _, error in failed[:1]:
            raise error

    async def stop(self) -> None:
        """End what goes on aside."""
        tasks = list(self._aside.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _for_a_while(self, key: str) -> None:
        task: asyncio.Task[object] = asyncio.ensure_future(self._work(key))
        try:
            await asyncio.wait({task}, timeout=self._patience)
            if not task.done() and len(self._aside) >= ASIDE:
                await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        if task.done():
            task.result()
            return
        self._aside[key] = task
        task.add_done_callback(lambda done: self._done(key, done))

    def _done(self, key: str, task: asyncio.Task[object]) -> None:
        del self._aside[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._told(key, error)
