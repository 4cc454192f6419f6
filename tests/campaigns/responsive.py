"""A gateway answers others while it reads bombs: `/healthz` within 250 ms, whatever comes in.

`python -m tests.campaigns.responsive [--bomb NAME …]`: every bomb of tests/cases/bombs.json goes to
a gateway in a process of its own, through every door: as a PUT, as a subscription that is read, and
as what queries find stored by either. Meanwhile another process asks for `/healthz` on a connection
of its own, every 20 ms. It prints the longest that one answer took for each bomb and door.
"""

import argparse
import asyncio
import http.client
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from aiohttp import ClientSession, ClientTimeout

from gateway.bootstrap import open_gateway
from gateway.config import load
from gateway.model.principal import CredentialKind
from gateway.sandbox.ics_server import EMPTY, IcsServer
from tests.bombs import BOMBS, bytes_of
from tests.chain.dav import Program
from tests.forked import ForkedServed
from tests.served import Served

LIMIT_MS = 250
EVERY = 0.02
PATIENCE = 120
JANE = "jane@example.org"
EXTRA = "[security]\nallow_private_networks = true\n[sync]\npoll_seconds = 3600\n"
MONTH = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]
DECLARED = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
QUERY = (
    f"<C:calendar-query {DECLARED}><D:prop><D:getetag/><C:calendar-data>{{data}}</C:calendar-data>"
    '</D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
    "{range}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
)
REPORTS = {
    "query": QUERY.replace("{data}", ""),
    "expand": QUERY.replace("{data}", "<C:expand {ends}/>"),
    "free/busy": f"<C:free-busy-query {DECLARED}>{{range}}</C:free-busy-query>",
}
DOORS = ("put", *(f"put {name}" for name in REPORTS), "feed", *(f"feed {name}" for name in REPORTS))
Asked = tuple[float, float]
"""When `/healthz` was asked for, and when its answer was in, by the monotonic clock."""


def main() -> int:
    """Send every bomb through every door; fail where others waited for long."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.responsive")
    parser.add_argument("--bomb", action="append", choices=[case["name"] for case in BOMBS])
    chosen = parser.parse_args().bomb
    cases = [case for case in BOMBS if not chosen or case["name"] in chosen]
    with tempfile.TemporaryDirectory() as folder:
        worst = asyncio.run(_run(Path(folder), cases))
    slow = sum(took > LIMIT_MS for took in worst)
    print(f"longest answer {max(worst):.0f} ms; {slow} of {len(worst)} over {LIMIT_MS} ms")
    return 1 if slow else 0


# --- the second connection ---------------------------------------------------------------------


def _ask_on(url: str, out: Connection) -> None:
    """Ask for `/healthz` until nobody listens any more."""
    address = urlsplit(url)
    line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)
    while True:
        asked = time.monotonic()
        line.request("GET", "/healthz")
        answer = line.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"/healthz answered {answer.status}")
        try:
            out.send((asked, time.monotonic()))
        except OSError:
            return
        time.sleep(EVERY)


@dataclass
class Probe:
    """Another process that asks; what it saw comes here."""

    url: str
    seen: Connection = field(init=False)
    process: Any = field(init=False)
    last: Asked = (0.0, 0.0)

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        self.seen, out = context.Pipe(duplex=False)
        self.process = context.Process(target=_ask_on, args=(self.url, out), daemon=True)
        self.process.start()
        out.close()
        return self

    def __exit__(self, *_: object) -> None:
        self.seen.close()
        self.process.join(PATIENCE)

    async def during(self, work: Coroutine[Any, Any, str]) -> tuple[str, float]:
        """Do something; return its outcome and the longest answer meanwhile, in milliseconds."""
        began = time.monotonic()
        outcome = await work
        ended = time.monotonic()
        return outcome, await asyncio.to_thread(self._longest, began, ended)

    def _longest(self, began: float, ended: float) -> float:
        longest = 0.0
        while self.last[0] < ended:
            if self.last[1] > began:
                longest = max(longest, self.last[1] - self.last[0])
            self.last = self.seen.recv()
        return longest * 1000


# --- the bombs ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A gateway with a subscription for each bomb: its id and its path by the bomb's name."""

    program: Program
    token: str
    server: IcsServer
    subscriptions: dict[str, tuple[str, str]]


async def _run(folder: Path, cases: list[dict[str, Any]]) -> list[float]:
    worst: list[float] = []
    served = ForkedServed(folder, extra=EXTRA)
    async with _opened(served, cases) as site:
        with Probe(served.url) as probe:
            _, alone = await probe.during(_nothing())
            print(f"nothing at all: {alone:.0f} ms")
            print(f"{'':34}" + "".join(f"{door:>15}" for door in DOORS))
            for case in cases:
                told = await _send(site, probe, case)
                cells = "".join(f"{told.get(door, '-'):>15}" for door in DOORS)
                print(f"{case['name']:34}{cells}", flush=True)
                worst += [float(text.split()[0]) for text in told.values()]
    return worst


@asynccontextmanager
async def _opened(served: Served, cases: list[dict[str, Any]]) -> AsyncIterator[Site]:
    await asyncio.to_thread(served.prepare)
    async with IcsServer() as server, ClientSession(timeout=ClientTimeout(PATIENCE)) as session:
        subscriptions = {}
        async with open_gateway(load(served.config)) as gateway:
            owners = gateway.services.owners
            jane = await owners.add(JANE, "correct horse battery", time_zone="UTC")
            await gateway.services.objects.create_collection(jane, name="calendar")
            _, password = await owners.add_credential(jane.id, CredentialKind.APP_PASSWORD, "x")
            _, token = await owners.add_credential(jane.id, CredentialKind.API_TOKEN, "x")
            for case in cases:
                server.calendars[case["name"]] = EMPTY
                state = await gateway.services.connections.connect_ics(
                    jane, server.url(case["name"])
                )
                name = state.calendars[0].collection.name
                subscriptions[case["name"]] = state.connection.id, name
        program = Program(url=served.url, email=JANE, password=password, session=session)
        try:
            await asyncio.to_thread(served.start)
            yield Site(program=program, token=token, server=server, subscriptions=subscriptions)
        finally:
            await asyncio.to_thread(served.stop)


async def _nothing() -> str:
    await asyncio.sleep(2)
    return ""


async def _send(site: Site, probe: Probe, case: dict[str, Any]) -> dict[str, str]:
    """Send a bomb through every door; return by door the longest wait and the outcome."""
    told: dict[str, str] = {}
    program, (connection, name) = site.program, site.subscriptions[case["name"]]
    local, data = f"{program.home}calendar/", bytes_of(case)

    async def through(door: str, work: Callable[[], Coroutine[Any, Any, str]]) -> str:
        outcome, longest = await probe.during(work())
        told[door] = f"{longest:.0f} {outcome}"
        return outcome

    async def put() -> str:
        return str((await program.ask("PUT", f"{local}bomb.ics", data))[0])

    async def check() -> str:
        address = f"{program.url}/api/v1/connections/{connection}/check"
        headers = {"Authorization": f"Bearer {site.token}"}
        async with program.session.post(address, headers=headers) as answer:
            (calendar,) = (await answer.json())["calendars"]
            return str(calendar["state"])

    async def report(path: str, body: str) -> str:
        return str((await program.ask("REPORT", path, body.encode(), depth="1"))[0])

    if await through("put", put) == "201":
        for kind, body in _reports(case).items():
            await through(f"put {kind}", lambda body=body: report(local, body))
        await program.ask("DELETE", f"{local}bomb.ics")
    site.server.calendars[case["name"]] = data
    await through("feed", check)
    for kind, body in _reports(case).items():
        path = f"{program.home}{name}/"
        await through(f"feed {kind}", lambda path=path, body=body: report(path, body))
    return told


def _reports(case: dict[str, Any]) -> dict[str, str]:
    start, end = (
        text and f"{datetime.fromisoformat(text):%Y%m%dT%H%M%SZ}"
        for text in case.get("window", MONTH)
    )
    ends = f'start="{start}"' + (f' end="{end}"' if end else "")
    return {
        kind: body.replace("{range}", f"<C:time-range {ends}/>").replace("{ends}", ends)
        for kind, body in REPORTS.items()
        if end or kind == "query"  # the others need an end
    }


if __name__ == "__main__":
    raise SystemExit(main())
