"""`python -m bench.sync`: how much a large Google calendar costs, from the first read on.

The simulated Google runs in a process of its own, so what is counted here is the gateway: CPU
seconds of all its threads, on the loop that `calgate serve` uses, and the most memory it ever
held. Ends with 1 where a target is missed.
"""

import argparse
import asyncio
import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import uvloop

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Endpoint, Shared
from gateway.adapters.registry import Registry
from gateway.bootstrap import SystemClock
from gateway.model.collection import Collection, Provider
from gateway.model.connection import Connection
from gateway.model.principal import Owner
from gateway.sandbox.google import GoogleServer
from gateway.services.sync import SyncService, secret_of
from gateway.storage.cipher import KeyRing, new_key
from gateway.storage.engine import open_store

ANA = "ana@example.com"
ROUNDS, TICKS = 5, 100
"""The least of the rounds counts: what is above it is what else the machine did."""
CHANGES = 100
FIRST_CPU, FIRST_RSS, TICK_MS = 60.0, 300.0, 5.0
"""Targets: CPU seconds and MiB of the first read of 50,000 events, CPU ms of an idle tick."""


@dataclass
class Token:
    """A TokenSource with one token."""

    token: str

    async def access_token(self, *, rejected: str = "") -> str:
        """Return it; the simulated Google takes it as long as this runs."""
        assert not rejected
        return self.token


def an_item(number: int, first: datetime) -> dict[str, Any]:
    """Return one event: three in four single ones, the rest series, whole days and invitations."""
    start = first + timedelta(minutes=15 * (number % 40_000))
    item = {
        "id": f"event{number:08d}",
        "summary": f"Meeting {number}, weekly review",
        "description": "Agenda: figures, open points, next steps.\nBring your notes.",
        "location": "Room 4.12",
        "start": {"dateTime": start.isoformat(), "timeZone": "Europe/Amsterdam"},
        "end": {
            "dateTime": (start + timedelta(minutes=30)).isoformat(),
            "timeZone": "Europe/Amsterdam",
        },
        "organizer": {"email": "boss@example.org", "displayName": "The Boss"},
        "attendees": [
            {"email": ANA, "self": True, "responseStatus": "accepted"},
            {"email": "boss@example.org", "responseStatus": "accepted"},
            {"email": f"guest{number % 97}@example.org", "responseStatus": "needsAction"},
        ],
        "reminders": {"useDefault": True},
        "eventType": "default",
        "htmlLink": "https://www.google.com/calendar/event?eid=x",
    }
    if number % 20 == 0:
        item["recurrence"] = ["RRULE:FREQ=WEEKLY;COUNT=10"]
    elif number % 20 == 1:
        item["start"] = {"date": str(start.date())}
        item["end"] = {"date": str(start.date() + timedelta(days=1))}
    return item


async def _serve(pipe: Pipe, events: int) -> None:
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=200)
    async with GoogleServer() as server:
        world = server.world
        world.add_account(ANA, time_zone="Europe/Amsterdam")
        for number in range(events):
            world.put(ANA, an_item(number, first))
        pipe.send((server.url, world.access_token(world.grant(ANA))))
        while not pipe.poll():
            await asyncio.sleep(0.05)


def _google(pipe: Pipe, events: int) -> None:
    asyncio.run(_serve(pipe, events))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _change(url: str, number: int) -> None:
    first = datetime.now(UTC) + timedelta(days=number % 30)
    async with aiohttp.ClientSession() as session:
        for one in range(number * CHANGES, (number + 1) * CHANGES):
            item = an_item(one, first) | {"summary": f"Changed {one}"}
            item.pop("recurrence", None)
            async with session.post(f"{url}/_control/calendars/{ANA}/events", json=item) as answer:
                answer.raise_for_status()


async def _idle(sync: SyncService) -> float:
    """Return the CPU milliseconds of a tick that finds nothing new."""
    started = _cpu()
    for _ in range(TICKS):
        (outcome,) = await sync.tick("cn_1") or ()
        assert not outcome.error, outcome
        assert not outcome.changed
    return (_cpu() - started) / TICKS * 1000


async def _measure(folder: Path, url: str, token: str, events: int) -> list[tuple[str, float, str]]:
    store, clock = await open_store("sqlite:///calgate.db", folder), SystemClock()
    cipher = KeyRing.from_text(new_key())
    client = GuardedClient(GuardOptions())
    shared = Shared(
        client=client, clock=clock, tokens=lambda _: Token(token), google=Endpoint(url=url)
    )
    sync = SyncService(store, clock, Registry(shared), cipher)
    connection = Connection(id="cn_1", owner_id=1, provider="google", account=ANA)
    async with store.write() as tx:
        owner = await tx.owners.add(Owner(id=0, email=ANA, name="Ana"), "hash")
        await tx.connections.add(connection)
        await tx.connections.set_secret("cn_1", cipher.seal(b"-", bound_to=secret_of("cn_1")))
        await tx.collections.add(
            Collection(
                id=0,
                public_id="cal_1",
                owner_id=owner.id,
                connection_id="cn_1",
                provider=Provider.GOOGLE,
                upstream_id=ANA,
                name="work",
                time_zone="Europe/Amsterdam",
            )
        )
    idle, wall, started = _peak(), time.monotonic(), _cpu()
    (outcome,) = await sync.tick("cn_1") or ()
    assert outcome.changed == events, outcome
    found = [
        ("first read, CPU s", _cpu() - started, f"{FIRST_CPU:.0f}"),
        ("first read, wall s", time.monotonic() - wall, ""),
        ("first read, peak MiB", _peak(), f"{FIRST_RSS:.0f}"),
        ("before it, MiB", idle, ""),
    ]
    rounds = [await _idle(sync) for _ in range(ROUNDS)]
    found.append((f"no-change tick, CPU ms, least of {ROUNDS}", min(rounds), f"{TICK_MS:.0f}"))
    found.append((f"no-change tick, CPU ms, most of {ROUNDS}", max(rounds), ""))
    await _change(url, 1)
    started = _cpu()
    (outcome,) = await sync.tick("cn_1") or ()
    assert outcome.changed == CHANGES, outcome
    found.append((f"{CHANGES}-change tick, CPU ms", (_cpu() - started) * 1000, ""))
    found.append(("in the end, peak MiB", _peak(), ""))
    await client.close()
    client.threads.close()
    await store.close()
    return found


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    events = parser.parse_args().events
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    google = context.Process(target=_google, args=(theirs, events))
    google.start()
    try:
        url, token = ours.recv()
        with TemporaryDirectory(prefix="calgate-bench-") as folder:
            found = uvloop.run(_measure(Path(folder), url, token, events))
    finally:
        ours.send("stop")
        google.join(10)
    print(f"\nGoogle, {events:,} events\n\n| what | measured | target |\n|---|---:|---:|")
    missed = False
    for name, value, target in found:
        over = bool(target) and value > float(target)
        missed |= over
        print(f"| {name} | {value:,.1f}{' *' if over else ''} | {target} |")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
