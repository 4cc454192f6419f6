"""Background loops: they outlive errors, tell them once, wake early and stop."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.errors import Overloaded
from gateway.worker import Loop, Worker


class Work:
    """Work that goes through prepared outcomes: an error, or whether there is more."""

    def __init__(self, *outcomes: Exception | bool) -> None:
        self.outcomes = list(outcomes)
        self.runs = 0
        self.done = asyncio.Event()

    async def __call__(self) -> bool:
        """Take the next outcome; the last one tells that all have been."""
        self.runs += 1
        outcome = self.outcomes.pop(0) if self.outcomes else False
        if not self.outcomes:
            self.done.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def run(work: Work, seconds: float = 0.001) -> Worker:
    """Run a loop until all its outcomes have been."""
    worker = Worker([Loop(name="test", seconds=seconds, work=work)])
    await worker.start()
    await asyncio.wait_for(work.done.wait(), 5)
    return worker


async def test_a_loop_survives_its_errors_and_tells_them_once() -> None:
    """Three failures in a row are one warning, and the recovery is told too."""
    with capture_logs() as logs:
        work = Work(Overloaded("busy"), Overloaded("busy"), ValueError("x"), False, False)
        worker = await run(work)
        await worker.stop()

    assert [entry["event"] for entry in logs] == ["worker.failing", "worker.recovered"]


@pytest.mark.parametrize(("error", "traced"), [(Overloaded("x"), False), (ValueError("x"), True)])
async def test_only_a_bug_leaves_a_trace(error: Exception, *, traced: bool) -> None:
    """A domain error is one line; anything else comes with its traceback."""
    with capture_logs() as logs:
        worker = await run(Work(error))
        await worker.stop()

    assert (logs[0]["exc_info"] is not None) is traced


async def test_more_work_is_done_at_once() -> None:
    """A loop that has more to do does not wait for its time."""
    work = Work(True, True, False)
    worker = await run(work, seconds=3600)
    await worker.stop()

    assert work.runs == 3


async def test_a_loop_can_be_woken() -> None:
    """Waking a loop runs it before its time."""
    work = Work(False, False)
    worker = Worker([Loop(name="test", seconds=3600, work=work)])
    await worker.start()
    await asyncio.sleep(0.01)
    worker.wake("test")
    await asyncio.wait_for(work.done.wait(), 5)
    await worker.stop()

    assert work.runs == 2


async def test_stopping_lets_work_finish() -> None:
    """What a loop is doing when the gateway stops is brought to its end."""
    begun, finished = asyncio.Event(), asyncio.Event()

    async def slow() -> bool:
        begun.set()
        await asyncio.sleep(0.05)
        finished.set()
        return False

    worker = Worker([Loop(name="slow", seconds=3600, work=slow)])
    await worker.start()
    await begun.wait()
    await worker.stop()

    assert finished.is_set()
