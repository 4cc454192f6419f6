"""kill -9 around a provider's write: a served gateway, its visitors, the moment of its death."""

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from gateway.model.timerange import DAY, MINUTE, Instant, format_rfc3339, to_instant
from gateway.sandbox.call_faults import Fault
from gateway.services.outbox import LEASE_SECONDS
from tests.booking_visitor import HOURS, OPEN
from tests.forked import ForkedServed
from tests.provider_accounts import ProviderAccount
from tests.provider_promises import OPEN as UNDECIDED
from tests.provider_promises import OVER, STANDS, Findings, Promise, judge
from tests.served import Served
from tests.storm import LIMITS_OFF

JANE, PASSWORD = "jane@example.org", "correct horse battery"
LENGTH = 30
LOST, SENT, DONE, ANSWERED, ANY = (
    "call lost on its way",
    "call sent, effect follows",
    "effect, no answer",
    "answer just sent",
    "any moment",
)
POINTS = (LOST, SENT, DONE, DONE, ANSWERED, ANSWERED, ANY)
SPOILT: tuple[dict[str, Any], ...] = (
    {"drop": "after"},
    {"drop": "before"},
    {"status": 500, "effect": True},
    {"status": 500},
    {"status": 503},
)
SPOILT_SHARE = 0.4
"""Of so many kills a call goes wrong as well."""
CALM = 3
"""Bookings that are made before each kill, so that there is something to move and to cancel."""
NOT_REACHED = "never came to it"
DUE_WITHIN = 20.0
"""Seconds after which a gateway is killed that did not come to the chosen call."""
MENDED_WITHIN = 400.0
"""Leases of the dead run out, pauses between tries end, events are looked at two minutes after."""


@dataclass
class Death:
    """One kill: where it hit, what visitors had under way, and when the gateway was back."""

    verb: str
    point: str
    faults: int
    back_after: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one kill is to be: drawn from its seed alone, so that it is the same whenever it comes.

    `beside` says which other visitors come meanwhile.
    """

    verb: str
    nth: int
    point: str
    faults: tuple[tuple[str, int, dict[str, Any]], ...]
    beside: dict[str, int]
    just_after: float
    some_time: float


def chosen(seed: str) -> Choice:
    """Draw a kill, always everything in the same order."""
    dice = random.Random(seed)
    verbs = ("book", "move", "cancel")
    fault = (dice.choice(verbs), dice.randint(1, 2), dice.choice(SPOILT))
    return Choice(
        verb=dice.choice(verbs),
        nth=dice.choice((1, 1, 2)),
        point=dice.choice(POINTS),
        faults=(fault,) if dice.random() < SPOILT_SHARE else (),
        beside={verb: dice.randint(0, 1) for verb in verbs},
        just_after=dice.uniform(0, 0.12),
        some_time=dice.uniform(0.0, 1.2),
    )


@dataclass
class Killing:
    """A gateway over a simulated account, and its visitors' memory."""

    account: ProviderAccount
    served: Served
    page: str = ""
    token: str = ""
    promises: list[Promise] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    unanswered: list[tuple[float, Instant]] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    number: int = 0
    _used: int = 0

    async def set_up(self) -> None:
        """Make Jane, connect her account through its consent, make a page that is always open."""
        cli = self.served.prepare().cli
        flags = ("user", "add", JANE, "--password-stdin")
        await asyncio.to_thread(cli, *flags, stdin=f"{PASSWORD}\n")
        printed = await asyncio.to_thread(cli, "api-token", "add", JANE, "test")
        self.token = printed.split()[-1]
        await asyncio.to_thread(self.served.start)
        await self.account.connect(self.served.url, JANE, PASSWORD)
        wanted: dict[str, Any] = {"title": "Intro", "durations": [LENGTH], "weekly_hours": HOURS}
        wanted |= {"min_notice": 0, "horizon_days": 365, "time_zone": "UTC"}
        status, made = await self.call("POST", "pages", wanted)
        assert status == 201, made
        self.page = made["id"]

    # --- one kill

    async def kill_once(self, number: int, choice: Choice) -> Death:
        """Let visitors come, kill the gateway at the chosen point, start it again."""
        self.number = number
        await self.ask_again(older_than=LEASE_SECONDS + 5)
        await asyncio.gather(*(self.book(self.fresh()) for _ in range(CALM)))
        certain = [promise for promise in self.promises if promise.is_certain]
        verb, nth = choice.verb if len(certain) >= CALM else "book", choice.nth
        death = Death(verb, choice.point, faults=len(choice.faults))
        faults = [
            Fault(route=self.account.routes[name], times=times, **facts)
            for name, times, facts in choice.faults
        ]
        if death.point == LOST:
            lost = Fault(route=self.account.routes[verb], skip=nth - 1, delay=DUE_WITHIN)
            faults.insert(0, lost)
        self.account.server.break_with(*faults)
        dead = asyncio.Event()
        listener = self._killer(death, choice, dead)
        self.account.server.listeners.append(listener)
        books, moves, cancels = (
            nth if verb == name else choice.beside[name] for name in ("book", "move", "cancel")
        )
        visits: list[Awaitable[None]] = [self.book(self.fresh()) for _ in range(books)]
        visits += [self.move(certain.pop()) for _ in range(min(moves, len(certain)))]
        visits += [self.cancel(certain.pop()) for _ in range(min(cancels, len(certain)))]
        under_way = [asyncio.ensure_future(visit) for visit in visits]
        try:
            await asyncio.wait_for(dead.wait(), DUE_WITHIN)
        except TimeoutError:
            death.point = NOT_REACHED
        self.account.server.listeners.remove(listener)
        await asyncio.to_thread(self.served.kill)
        await asyncio.gather(*under_way)
        self.account.server.break_with()
        started = time.monotonic()
        await asyncio.to_thread(self.served.start)
        death.back_after = time.monotonic() - started
        self.deaths.append(death)
        return death

    def _killer(
        self, death: Death, choice: Choice, dead: asyncio.Event
    ) -> Callable[[str, str], None]:
        loop, left = asyncio.get_running_loop(), [choice.nth]
        wait = choice.just_after if death.point == ANSWERED else 0.0
        assert self.served.process is not None
        pid = self.served.process.pid

        def strike() -> None:
            if not dead.is_set():
                dead.set()
                os.kill(pid, signal.SIGKILL)

        def listen(moment: str, route: str) -> None:
            if moment != ("before" if death.point in {LOST, SENT} else "after"):
                return
            left[0] -= route == self.account.routes[death.verb]
            if left[0] == 0 and route == self.account.routes[death.verb]:
                if wait:
                    loop.call_later(wait, strike)
                else:
                    strike()

        if death.point == ANY:
            loop.call_later(choice.some_time, strike)
            return lambda _moment, _route: None
        return listen

    # --- visitors

    def fresh(self) -> Instant:
        """Return a start that nobody asked for before."""
        day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._used += 1
        return to_instant(day) + 2 * DAY + self._used * LENGTH * MINUTE

    async def book(self, start: Instant) -> None:
        """Book under a key that belongs to this start."""
        visitor = {"time_zone": "UTC", "name": "Vera", "email": "vera@example.net", "answers": {}}
        body = {"start": format_rfc3339(start), "duration": LENGTH, "guests": [], **visitor}
        key = {"Idempotency-Key": f"book-{start}"}
        status, told = await self.call("POST", f"pages/{self.page}/bookings", body, key)
        self._count("book", status, told)
        if status == 0:
            self.unanswered.append((time.monotonic(), start))
        elif status == 201 and all(one.booking != told["id"] for one in self.promises):
            fate = STANDS if told["state"] == "confirmed" else UNDECIDED
            self.promises.append(Promise(told["id"], {start}, fate, {self.number}))

    async def ask_again(self, *, older_than: float = 0.0) -> None:
        """Book once more, under the same key, what got no answer so long ago."""
        due = [one for one in self.unanswered if time.monotonic() - one[0] >= older_than]
        self.unanswered = [one for one in self.unanswered if one not in due]
        await asyncio.gather(*(self.book(start) for _, start in due))

    async def move(self, promise: Promise) -> None:
        """Move a booking; without an answer it may be at either time."""
        start = self.fresh()
        promise.kills.add(self.number)
        path = f"bookings/{promise.booking}/reschedule"
        before, promise.starts = promise.starts, promise.starts | {start}
        status, told = await self.call("POST", path, {"start": format_rfc3339(start)})
        self._count("move", status, told)
        if status == 200 and told["moving_to"] is None:
            promise.starts = {to_instant(datetime.fromisoformat(told["start"]))}
        elif status == 409:
            promise.starts = before

    async def cancel(self, promise: Promise) -> None:
        """Call a booking off."""
        promise.fate = UNDECIDED
        promise.kills.add(self.number)
        status, told = await self.call("POST", f"bookings/{promise.booking}/cancel")
        self._count("cancel", status, told)
        if status == 200:
            promise.fate = OVER
        elif status == 409:
            promise.fate = STANDS

    def _count(self, verb: str, status: int, told: dict[str, Any]) -> None:
        what = told.get("code") or told.get("state") or "" if status else "no answer"
        if verb == "move" and status == 200 and told["moving_to"] is not None:
            what = "on its way"
        self.answers[f"{verb} {status or ''} {what}".replace("  ", " ").strip()] += 1

    async def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Call the API; (0, {}) where no answer came."""
        known = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        url = f"{self.served.url}/api/v1/{path}"
        # A connection each: one that is kept would be the dead gateway's.
        async with ClientSession(timeout=ClientTimeout(total=30)) as session:
            try:
                async with session.request(method, url, json=body, headers=known) as answer:
                    return answer.status, await answer.json()
            except (TimeoutError, ClientError, OSError, ValueError):
                return 0, {}

    # --- what is there afterwards

    async def settled(self) -> tuple[Findings, int]:
        """Wait until the gateway has nothing left to do; judge; also say what it never did."""
        await self.account.server.settle()
        await self.ask_again()
        deadline = time.monotonic() + MENDED_WITHIN
        while (left := self.unfinished()) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
        findings = judge(self.promises, await self.bookings(), self.account.written())
        if not self.account.is_left_alone():
            findings.misplaced.append("something was changed that is not ours")
        return findings, left

    def unfinished(self) -> int:
        """Count the jobs of bookings that are still to be done, and those that were given up."""
        file = self.served.folder / "var" / "calgate.db"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            asked = "SELECT count(*) FROM outbox WHERE kind LIKE 'booking.%'"
            return int(database.execute(asked).fetchone()[0])

    async def bookings(self) -> list[dict[str, Any]]:
        """Return all bookings, a week at a time, since one answer holds a thousand."""
        found: list[dict[str, Any]] = []
        first = to_instant(datetime.now(UTC) - timedelta(days=1))
        last = self.fresh()
        while first < last:
            window = f"from={format_rfc3339(first)}&to={format_rfc3339(first + 7 * DAY)}"
            status, told = await self.call("GET", f"bookings?{window}")
            assert status == 200, told
            found += told
            first += 7 * DAY
        return list({one["id"]: one for one in found}.values())


@asynccontextmanager
async def killing(
    account: ProviderAccount, folder: Path, *, cold: bool = False
) -> AsyncIterator[Killing]:
    """Run the provider in this process and the gateway in one of its own."""
    async with account.server:
        extra = f"{OPEN.replace('3600', '15')}\n{LIMITS_OFF}{account.registration()}"
        kind = Served if cold else ForkedServed
        made = Killing(account, kind(folder, extra=extra))
        try:
            await made.set_up()
            yield made
        finally:
            await asyncio.to_thread(made.served.stop)
