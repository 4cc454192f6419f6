"""`python -m bench.hung`: what other owners notice of Exchange servers that hang.

Two gateways hold the same calendars and page. One of them also has owners whose Exchange servers
take every question and answer none, and reads them all the time. Each request goes to both in
turn, so that whatever else the machine does falls on both; the target is the ratio of the 99th
percentiles. Ends with 1 where it is missed.
"""

import argparse
import asyncio
import http.client
import json
import multiprocessing
import os
import random
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.corpus import Days, days
from bench.slots import BookingGateway
from gateway.sandbox.exchange import ExchangeServer

MOST = 1.10
PERCENT = 99
PASSWORD = "hung-server-password"
BUSY = """\
[security]
allow_private_networks = true
[sync]
poll_seconds = 1
"""


class Beside(BookingGateway):
    """A gateway that reads accounts at some Exchange servers besides."""

    def __init__(self, folder: Path, today: Days, servers: list[str], each: int) -> None:
        super().__init__(folder, today)
        self.servers, self.each = servers, each
        self.served.extra = BUSY

    async def fill(self) -> None:
        """Fill the owner's calendars, then connect the others' accounts."""
        await super().fill()
        for number, url in enumerate(self.servers):
            for account in range(self.each):
                await asyncio.to_thread(self._connect, url, f"p{number}x{account}@corp.example")

    def _connect(self, url: str, address: str) -> None:
        cli = self.served.cli
        cli("user", "add", address, "--password-stdin", stdin="long enough pw\n")
        words = ("connect", "exchange", address, "--address", address, "--url", url)
        cli(*words, "--password-stdin", stdin=f"{PASSWORD}\n")


async def _serve(pipe: Pipe, count: int, each: int) -> None:
    servers = [ExchangeServer() for _ in range(count)]
    for number, server in enumerate(servers):
        for account in range(each):
            server.add(f"p{number}x{account}@corp.example", PASSWORD)
        await server.start()
    pipe.send([server.url for server in servers])
    while not pipe.poll():
        await asyncio.sleep(0.05)
    for server in servers:
        await server.stop()


def _exchange(pipe: Pipe, count: int, each: int) -> None:
    asyncio.run(_serve(pipe, count, each))


@contextmanager
def exchange(count: int, each: int) -> Iterator[list[str]]:
    """Run servers in a process of their own; yield their addresses."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_exchange, args=(theirs, count, each))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("stop")
        process.join(10)


def hang(servers: list[str]) -> None:
    """Have every server take questions and answer none."""
    for url in servers:
        root = url.rpartition("/EWS/")[0]
        body = json.dumps({"delay": 3600.0}).encode()
        request = urllib.request.Request(f"{root}/control/trouble", data=body, method="PUT")
        urllib.request.urlopen(request, timeout=10).close()


def _until_held(servers: list[str]) -> int:
    """Wait until every server has a question that it does not answer; return how many there are."""
    ports = {int(url.split(":")[2].partition("/")[0]) for url in servers}
    for _ in range(600):
        held = [port for port in _remote_ports() if port in ports]
        if set(held) == ports:
            return len(held)
        time.sleep(0.1)
    raise SystemExit("the gateway does not ask the servers that hang")


def _remote_ports() -> Iterator[int]:
    """Yield the remote ports of established connections (proc(5), Linux)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "01":
            yield int(fields[2].partition(":")[2], 16)


@dataclass
class Asked:
    """A question, as it is put to one gateway, and how long its answers took."""

    gateway: BookingGateway
    make: Callable[[BookingGateway], tuple[str, str, bytes, dict[str, str]]]
    took: list[float] = field(default_factory=list)
    _line: http.client.HTTPConnection | None = None

    def ask(self) -> None:
        """Ask once."""
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self.gateway.served.port)
        method, path, body, headers = self.make(self.gateway)
        started = time.perf_counter()
        self._line.request(method, path, body=body, headers=headers)
        answer = self._line.getresponse()
        data = answer.read()
        self.took.append(time.perf_counter() - started)
        assert answer.status == http.client.OK, f"{path}: {answer.status} {data[:200]!r}"


def free_busy(gateway: BookingGateway) -> tuple[str, str, bytes, dict[str, str]]:
    """Return the question for eight weeks of busy time of all calendars."""
    low = gateway.days.window
    high = low + timedelta(weeks=8)
    body = (
        '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range '
        f'start="{low:%Y%m%d}T000000Z" end="{high:%Y%m%d}T000000Z"/></C:free-busy-query>'
    )
    word = b64encode(f"{gateway.user}:{gateway.password}".encode()).decode()
    headers = {"Authorization": f"Basic {word}", "Depth": "1", "Content-Type": "text/xml"}
    return "REPORT", f"/dav/calendars/{gateway.user}/", body.encode(), headers


def booking_page(gateway: BookingGateway) -> tuple[str, str, bytes, dict[str, str]]:
    """Return the question for the owner's page."""
    return "GET", f"/meetings/{gateway.slug}", b"", {}


QUESTIONS = {"free/busy of eight weeks": free_busy, "a booking page": booking_page}


def compare(quiet: BookingGateway, beside: BookingGateway, requests: int) -> bool:
    """Put the questions to both in turn, print what came of it; tell whether the target is met."""
    met = True
    head = "quiet p50, p99 ms | beside p50, p99 ms | p99 ratio | by chance"
    print(f"\n| question, {requests} times | {head} |")
    print("|---|---:|---:|---:|---:|")
    for name, make in QUESTIONS.items():
        pair = [Asked(quiet, make), Asked(beside, make)]
        for _ in range(20):
            for one in pair:
                one.ask()
        for one in pair:
            one.took.clear()
        for _ in range(requests):
            random.shuffle(pair)
            for one in pair:
                one.ask()
        pair.sort(key=lambda one: one.gateway is beside)
        # The two halves of one gateway's own answers tell how much of it is chance.
        halves = [percentile(pair[0].took[half::2], PERCENT) for half in (0, 1)]
        told = [[percentile(one.took, percent) * 1e3 for percent in (50, PERCENT)] for one in pair]
        ratio = told[1][1] / told[0][1]
        met = met and ratio <= MOST
        cells = " | ".join(f"{middle:.2f}, {high:.2f}" for middle, high in told)
        chance = max(halves) / min(halves)
        print(f"| {name} | {cells} | {ratio:.2f} | {chance:.2f} |", flush=True)
    return met


def cpu_of(gateway: BookingGateway) -> float:
    """Return the CPU seconds that a gateway's process has used (proc(5), Linux)."""
    process = gateway.served.process
    assert process is not None, "it runs"
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], percent: int) -> float:
    """Return the smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def main() -> int:
    """Measure; return 0 if both questions meet the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=8, help="Exchange servers that hang")
    parser.add_argument("--each", type=int, default=2, help="accounts at each of them")
    parser.add_argument("--requests", type=int, default=4000)
    given = parser.parse_args()
    today = days(date.today())  # noqa: DTZ011 - the weeks to come are the reader's
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="calgate-bench-")))
        servers = stack.enter_context(exchange(given.servers, given.each))
        quiet = stack.enter_context(Beside(folder / "quiet", today, [], 0))
        beside = stack.enter_context(Beside(folder / "beside", today, servers, given.each))
        hang(servers)
        told = f"{given.servers * given.each} accounts at {given.servers} servers that hang"
        print(f"{told}, {_until_held(servers)} questions in the air")
        before = [cpu_of(one) for one in (quiet, beside)]
        met = compare(quiet, beside, given.requests)
        used = [cpu_of(one) - then for one, then in zip((quiet, beside), before, strict=True)]
        print(f"\nCPU seconds meanwhile: quiet {used[0]:.1f}, beside {used[1]:.1f}")
    print(f"both ratios at most {MOST}: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
