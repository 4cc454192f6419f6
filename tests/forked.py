"""A gateway process that is forked from an interpreter which has everything imported already.

It is `calgate serve` in a process of its own and dies like one; only the seconds of importing are
spared: three of processor time for each, of which a test of restarts would mostly consist.
"""

import multiprocessing
import os
import subprocess
from pathlib import Path

from gateway.bootstrap import load_libraries
from gateway.cli import main
from tests.served import Running, Served

if os.getenv("CALGATE_TEST_TEMPLATE"):
    load_libraries()  # in the template alone, which preloads this module


class Forked:
    """A forked process with the face that `subprocess.Popen` has."""

    def __init__(self, words: list[str], log: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        os.environ["CALGATE_TEST_TEMPLATE"] = "1"
        self._process = context.Process(target=_serve, args=(words, str(log)), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return how it ended, or None."""
        return self._process.exitcode

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it is dead already."""
        if self._process.exitcode is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it."""
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("calgate serve", timeout or 0.0)
        return self._process.exitcode


class ForkedServed(Served):
    """A served gateway whose processes are forked."""

    def spawn(self) -> Running:
        """Start a process."""
        return Forked(self.words, self.log)


def _serve(words: list[str], log: str) -> None:
    with Path(log).open("ab", buffering=0) as told:
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
    main(words)
