"""A gateway as its users run it: a process of its own, a loopback port, a folder of its own."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from click.testing import CliRunner

from gateway.cli import main

START_SECONDS = 90


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    # Below the range that outgoing connections take theirs from: one of those may be quicker.
    for port in random.sample(range(15_000, 32_000), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no loopback port is free")


class Running(Protocol):
    """A process as `subprocess.Popen` shows it."""

    pid: int

    def poll(self) -> int | None:
        """Return how it ended, or None."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, unless it is dead already."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""


class Served:
    """`calgate init`, then `calgate serve`; `cli` runs further commands beside it."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        extra: str = "",
        node: str = "calgate",
        level: str = "INFO",
    ) -> None:
        self.folder, self.port, self.extra = folder, port or free_port(), extra
        self.words = ["--config", str(folder / f"{node}.toml"), "serve", "--log-level", level]
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / f"{node}.toml"
        self.log = folder / f"{node}.log"
        self.process: Running | None = None

    def prepare(self) -> Self:
        """Write the configuration and the key."""
        if not (self.folder / "var" / "key").exists():
            self._run(["init", str(self.folder)], None)
        self.config.write_text(
            f'public_url = "{self.url}"\nlisten = "127.0.0.1:{self.port}"\n'
            f'data_dir = "var"\nkey = {{file = "var/key"}}\n{self.extra}\n',
            encoding="utf-8",
        )
        return self

    def cli(self, *words: str, stdin: str | None = None) -> str:
        """Run a command of the same gateway; return what it printed on standard output."""
        return self._run(["--config", str(self.config), *words], stdin)

    def _run(self, words: list[str], stdin: str | None) -> str:
        # In a thread, since a command has a loop of its own; a process would start for seconds.
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(CliRunner().invoke, main, words, input=stdin).result()
        if done.exit_code:
            raise RuntimeError(
                f"calgate {' '.join(words)} ended with {done.exit_code}: {done.output[-2000:]}"
            ) from done.exception
        return done.stdout.strip()

    def owner(self, email: str, password: str = "correct horse battery", **options: str) -> str:
        """Make an owner with a local calendar; return an app password."""
        flags = [word for key, value in options.items() for word in (f"--{key}", value)]
        self.cli(
            "user",
            "add",
            email,
            "--local-calendar",
            *flags,
            "--password-stdin",
            stdin=password + "\n",
        )
        return self.cli("app-password", "add", email, "test")

    def start(self) -> Self:
        """Start serving and wait until it is ready."""
        self.process = self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=1) as answer:
                    if json.load(answer)["status"] == "ready":
                        return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the gateway did not start: {self.log.read_text()[-3000:]}")

    def spawn(self) -> Running:
        """Start a process."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "gateway", *self.words],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> Self:
        return self.prepare().start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
