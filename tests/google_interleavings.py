"""Seeded interleavings of faults, crashes and retries around the writing of one booking.

A run plays the service's part: it creates, moves and removes a booking, tries again until the
adapter says that it is done, gives up half-way like a process that is killed, and lets a second
node do the same thing at the same time. After each step Google must hold exactly what is wanted.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.adapters.google import client
from gateway.errors import UpstreamError
from gateway.sandbox.google import Fault
from gateway.sandbox.google.call import Json
from tests.builders import an_event, an_hour
from tests.google_account import ANA

ROUTES = ("events.insert", "events.patch", "events.delete", "events.get", "events.*")
PATIENCE = 12
"""After so many tries of one step Google is well again, as it is sooner or later."""
SPOILT: tuple[dict[str, Any], ...] = (
    {"drop": "after"},
    {"drop": "before"},
    {"drop": "late", "late": 0.01},
    {"drop": "late", "late": 0.08},
    {"status": 500},
    {"status": 500, "effect": True},
    {"status": 503, "html": True},
    {"status": 403, "reason": "rateLimitExceeded"},
    {"status": 429},
    {"status": 412},
    {"status": 409},
    {"body": ""},
    {"body": "{}"},
    {"truncate": 30},
    {"cut": 20},
    {"html": True},
    {"status": 401},
)


@dataclass
class Tally:
    """What a number of runs came to; everything but `runs` and the counters of faults is zero."""

    runs: int = 0
    steps: int = 0
    tries: int = 0
    crashes: int = 0
    owner_moves: int = 0
    duplicates: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)
    misplaced: list[int] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether every run kept the promise."""
        return not (self.duplicates or self.lost or self.orphans or self.misplaced)

    def line(self) -> str:
        """Return the closing line of a report."""
        return (
            f"seeds {self.runs}, steps {self.steps}, tries {self.tries}, crashes {self.crashes}, "
            f"moved by their owner meanwhile {self.owner_moves}: "
            f"lost {len(self.lost)}, duplicates {len(self.duplicates)}, "
            f"orphans {len(self.orphans)}, misplaced {len(self.misplaced)}"
        )


async def run(source: Any, seed: int, tally: Tally, kind: "type[Run] | None" = None) -> None:
    """Play one seed; the same seed breaks the same calls."""
    kind = kind or Run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind.clock_of, "FIRST_WAIT", 0.001)
        await kind(source, seed, tally).play()


class Run:
    """One booking's life; what differs between providers is said by its methods."""

    routes = ROUTES
    clock_of: Any = client

    def __init__(self, source: Any, seed: int, tally: Tally) -> None:
        self.source = source
        self.seed = seed
        self.tally = tally
        self.rng = random.Random(seed)
        self.uid = f"seed-{seed}@gateway.example"
        self.hour = self.before = 9
        self.owners_hour: int | None = None

    async def play(self) -> None:
        """Live through some steps, then be removed for good."""
        self.tally.runs += 1
        there = False
        for _ in range(self.rng.randint(2, 5)):
            there = await self.step(
                "remove" if there and self.rng.random() < 0.4 else "write", there
            )
        await self.step("remove", there)
        self.source.server.world.calendars[self.calendar].events.clear()

    async def step(self, what: str, there: bool) -> bool:
        """Do one thing until it is done; return whether the booking should stand now."""
        self.tally.steps += 1
        verb = "remove" if what == "remove" else ("move" if there else "create")
        owner = None
        if verb == "move":
            self.before, self.hour = self.hour, self.rng.randint(0, 22)
            if self.rng.random() < 0.15:
                self.taken_away()
            elif self.rng.random() < 0.3:
                # Back to where it was is no move: nobody can tell it from one that was not made.
                elsewhere = [hour for hour in range(23) if hour != self.before]
                owner = self.owner_moves(self.rng.choice(elsewhere))
        self.source.server.break_with(*self.faults())
        there = await self.until_done(verb)
        if owner is not None:
            self.source.server.listeners.remove(owner)
            if self.owners_hour is not None:
                self.hour = self.owners_hour
        self.source.mend()
        await self.source.server.settle()
        self.judge(there)
        return there

    def faults(self) -> list[Fault]:
        """Return what goes wrong during a step."""
        return [
            Fault(
                route=self.rng.choice(self.routes),
                skip=self.rng.randint(0, 2),
                times=self.rng.randint(1, 4),
                **self.rng.choice(SPOILT),
            )
            for _ in range(self.rng.randint(0, 3))
        ]

    async def until_done(self, verb: str) -> bool:
        """Try like a worker whose lease runs out now and then; return whether it stands."""
        for attempt in range(10 * PATIENCE):
            self.tally.tries += 1
            if attempt == PATIENCE:
                self.source.mend()
            nodes = 2 if self.rng.random() < 0.15 else 1
            results = await asyncio.gather(*(self.once(verb) for _ in range(nodes)))
            if "gone" in results:
                # Its owner took it away: the service cancels the booking.
                return await self.until_done("remove")
            if "done" in results:
                return verb != "remove"
        raise AssertionError(f"seed {self.seed}: {verb} never ends")

    async def once(self, verb: str) -> str:
        """Try once on a node of its own, which may be killed meanwhile."""
        adapter = self.source.adapter()
        task = asyncio.create_task(self.work(adapter, verb))
        kill = self.killer(task) if self.rng.random() < 0.25 else None
        try:
            with contextlib.suppress(asyncio.CancelledError, UpstreamError):
                return await task
            return "failed"
        finally:
            if kill is not None:
                self.source.server.listeners.remove(kill)
            await adapter.close()
            self.source.opened.remove(adapter)

    def killer(self, task: "asyncio.Task[str]") -> Callable[[str, str], None]:
        """Kill a node at a chosen call, before its effect or after it."""
        wanted, left = self.rng.choice(("before", "after")), [self.rng.randint(1, 5)]
        self.tally.crashes += 1

        def kill(moment: str, _route: str) -> None:
            left[0] -= moment == wanted
            if left[0] == 0:
                task.cancel()

        self.source.server.listeners.append(kill)
        return kill

    async def work(self, adapter: Any, verb: str) -> str:
        """Call the verb; an event that is gone is an answer, and so is its owner's time."""
        if verb == "remove":
            await adapter.remove(self.calendar, self.uid)
        elif verb == "create":
            await adapter.create(self.calendar, self.uid, self.data())
        else:
            before, after = an_hour(self.before), an_hour(self.hour)
            if await adapter.move(self.calendar, self.uid, before=before, after=after) is None:
                return "gone"
        return "done"

    def data(self) -> bytes:
        """Return the booking as it should be."""
        start, end = f"20261201T{self.hour:02}0000Z", f"20261201T{self.hour + 1:02}0000Z"
        return an_event(self.uid, start=start, end=end, summary="Intro")

    def taken_away(self) -> None:
        """Let the owner delete the event at Google."""
        for item in self.live():
            self.source.server.world.remove(self.calendar, item["id"])

    def owner_moves(self, hour: int) -> Callable[[str, str], None]:
        """Let the owner move the event at a chosen call; from then on that is its time."""
        wanted, left = self.rng.choice(("before", "after")), [self.rng.randint(1, 6)]

        def move(moment: str, _route: str) -> None:
            left[0] -= moment == wanted
            found = self.live()
            if left[0] == 0 and found:
                self.tally.owner_moves += 1
                for item in found:
                    self.source.server.world.put(self.calendar, item | self.at(hour))
                self.owners_hour = hour

        self.owners_hour = None
        self.source.server.listeners.append(move)
        return move

    def at(self, hour: int) -> Json:
        """Return the times of an event at the provider."""
        return {
            "start": {"dateTime": f"2026-12-01T{hour:02}:00:00Z", "timeZone": "UTC"},
            "end": {"dateTime": f"2026-12-01T{hour + 1:02}:00:00Z", "timeZone": "UTC"},
        }

    @property
    def calendar(self) -> str:
        """Return the calendar that is booked into."""
        return ANA

    def live(self) -> list[Json]:
        """Return the booking's events that stand."""
        items = self.source.server.world.live(self.calendar)
        return [item for item in items if self.marked(item) == self.uid]

    def marked(self, item: Json) -> object:
        """Return the booking that an event is marked with."""
        return item.get("extendedProperties", {}).get("private", {}).get("calgateBooking")

    def judge(self, there: bool) -> None:
        """Compare what Google holds with what is wanted."""
        found = self.live()
        if len(found) > 1:
            self.tally.duplicates.append(self.seed)
        if there and not found:
            self.tally.lost.append(self.seed)
        if not there and found:
            self.tally.orphans.append(self.seed)
        wanted = f"2026-12-01T{self.hour:02}:00:00"
        if there and any(str(item["start"].get("dateTime"))[:19] != wanted for item in found):
            self.tally.misplaced.append(self.seed)
