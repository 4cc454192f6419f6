"""Threads for libraries that block, with a bound for each server and an end for every call.

Law: a thread here waits for nothing but its server's slot and the loop (through `Call.wait_for`),
so ending a call ends its thread: a server that hangs holds its own few threads for as long as one
request may take, and nobody else's.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

from gateway.errors import Unavailable

MAX_THREADS = 32
AT_A_SERVER = 4
"""Threads that one server may hold at once, over all owners."""
TOO_LATE = "The server did not answer completely in time."

T = TypeVar("T")


class Call:
    """One piece of blocking work and the coroutines that it waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = Lock()
        self._ended = False
        self._waiting: set[Future[Any]] = set()

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for it here, in the thread."""
        with self._lock:
            if self._ended:
                work.close()
                raise Unavailable(TOO_LATE)
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._waiting.add(future)
        try:
            return future.result()
        except (asyncio.CancelledError, TimeoutError) as error:
            raise Unavailable(TOO_LATE) from error
        finally:
            with self._lock:
                self._waiting.discard(future)

    def see_through(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a short coroutine to its end, even where nobody waits for this call any more."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def end(self) -> None:
        """Let what the thread waits for fail, now and from now on."""
        with self._lock:
            self._ended = True
            waiting = list(self._waiting)
        for future in waiting:
            future.cancel()


CURRENT: contextvars.ContextVar[Call] = contextvars.ContextVar("the call this thread works for")


class Threads:
    """A pool of its own, so that slow servers never take the threads that everybody needs."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._gates: dict[str, asyncio.Semaphore] = {}

    async def run(self, server: str, work: Callable[[], T], *, seconds: float) -> T:
        """Do blocking work for a server in a thread; raise Unavailable when the time is over."""
        loop = asyncio.get_running_loop()
        call = Call(loop)
        gate = self._gates.setdefault(server, asyncio.Semaphore(AT_A_SERVER))
        context = contextvars.copy_context()
        context.run(CURRENT.set, call)
        try:
            async with asyncio.timeout(seconds):
                await gate.acquire()
                future = loop.run_in_executor(self._opened(), context.run, work)
                # The slot is free when the thread is, not when somebody stops waiting for it.
                future.add_done_callback(lambda done: _free(gate, done))
                return await asyncio.shield(future)
        except TimeoutError as error:
            raise Unavailable(TOO_LATE) from error
        finally:
            call.end()

    def close(self) -> None:
        """Take no more work; threads end with their calls."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _opened(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="source")
        return self._pool


def _free(gate: asyncio.Semaphore, done: "asyncio.Future[Any]") -> None:
    gate.release()
    if not done.cancelled():
        done.exception()  # somebody who stopped waiting does not want to hear of it
