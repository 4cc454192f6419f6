"""The peers: other CalDAV servers of this ecosystem, started on loopback.

They take tens of events a second by PUT, so their storage is written as they would write it
themselves, and read once before anything is measured: their caches are warm.
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from bench.corpus import Event
from tests.served import free_port

START_SECONDS = 60
WARM_SECONDS = 900
USER, PASSWORD = "bench", "correct-horse-battery-staple"
ETAGS = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
)


class Server(Protocol):
    """A calendar server under measurement, full and warm between enter and exit."""

    name: str
    version: str
    base: str
    user: str
    password: str

    def __enter__(self) -> Self: ...
    def __exit__(self, *reason: object) -> None: ...


class Peer:
    """A server that is a process of its own; subclasses write its storage and its command."""

    name = ""
    package = ""
    path = "/"
    user, password = USER, PASSWORD

    def __init__(self, folder: Path, events: Iterable[Event]) -> None:
        self.folder, self.events = folder, events
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}{self.path}"
        self.version = version(self.package)
        self.process: subprocess.Popen[bytes] | None = None

    def fill(self) -> None:
        """Write the storage of an account with one calendar."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the command that serves it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self.fill()
        self.start()
        self.warm()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.ask("OPTIONS", "/", timeout=2)
            except urllib.error.HTTPError:
                return  # an answer, whatever it says
            except OSError:
                time.sleep(0.1)
            else:
                return
        self.stop()
        told = (self.folder / "log").read_text()[-2000:]
        raise RuntimeError(f"{self.name} did not start: {told}")

    def stop(self) -> None:
        """End it."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def warm(self) -> None:
        """Let it read everything once."""
        self.ask("PROPFIND", self.path, ETAGS, timeout=WARM_SECONDS)

    def ask(self, method: str, path: str, body: bytes | None = None, *, timeout: float) -> bytes:
        """Send one request."""
        account = b64encode(f"{self.user}:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=body,
            method=method,
            headers={
                "Authorization": f"Basic {account}",
                "Content-Type": "application/xml; charset=utf-8",
                "Depth": "1",
            },
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return bytes(answer.read())


class Radicale(Peer):
    """Radicale: a folder of files, each with a cached parse beside it."""

    name, package, path = "Radicale", "radicale", "/bench/calendar/"

    def fill(self) -> None:
        """Write the folder and the configuration."""
        calendar = self.folder / "collections" / "collection-root" / "bench" / "calendar"
        calendar.mkdir(parents=True)
        (calendar / ".Radicale.props").write_text(json.dumps({"tag": "VCALENDAR"}))
        for event in self.events:
            (calendar / event.name).write_bytes(event.data)
        (self.folder / "users").write_text(f"{USER}:{PASSWORD}\n")
        (self.folder / "config").write_text(
            f"[server]\nhosts = 127.0.0.1:{self.port}\nmax_connections = 100\ntimeout = 600\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {self.folder}/users\n"
            "htpasswd_encryption = plain\ncache_logins = True\ndelay = 0\n"
            f"[storage]\nfilesystem_folder = {self.folder}/collections\n"
            # Its defaults would cut the answer short.
            "[reporting]\nmax_freebusy_occurrence = 1000000\n"
            "[logging]\nlevel = error\n"
        )

    def command(self) -> list[str]:
        """Return the command that serves it."""
        return [sys.executable, "-m", "radicale", "--config", str(self.folder / "config")]


class Xandikos(Peer):
    """Xandikos: a Git repository per calendar; it knows no passwords of its own."""

    name, package, path = "Xandikos", "xandikos", "/bench/calendars/calendar/"
    user = password = ""

    def command(self) -> list[str]:
        """Return the command that serves it."""
        return [
            *(sys.executable, "-m", "xandikos", "serve", "--directory", str(self.folder / "data")),
            *("--listen-address", "127.0.0.1", "--port", str(self.port), "--no-detect-systemd"),
            *("--current-user-principal", "/bench/", "--defaults"),
        ]

    def fill(self) -> None:
        """Let it make the calendar, then commit all events to it at once."""
        from dulwich.repo import Repo  # noqa: PLC0415 - comes with Xandikos, which may be left out

        self.start()
        self.stop()
        calendar = self.folder / "data" / self.path.strip("/")
        with Repo(str(calendar)) as repository:
            names = []
            for event in self.events:
                (calendar / event.name).write_bytes(event.data)
                names.append(event.name)
            tree = repository.get_worktree()
            tree.stage(names)
            tree.commit(
                message=b"Add events",
                committer=b"Bench <bench@localhost>",
                author=b"Bench <bench@localhost>",
            )
