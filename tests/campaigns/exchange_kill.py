"""kill -9 around the write at Exchange: afterwards there is one event for the booking.

`python -m tests.campaigns.exchange_kill [--rounds 20] [--seed N]`: killed between the write at the
server and its commit here, or just after the answer. A booking that was refused before anything
was written, as a slow machine does when it cannot look at the calendar in time, is no fault: it is
counted, and the round is played again.
"""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

from gateway.sandbox.exchange.soap import T
from tests.booking_visitor import OPEN, Visitor
from tests.exchange_account import ExchangeSource, exchange_source
from tests.served import Served

HELD = 60.0
STEP, WRITE_STEPS, END_STEPS = 0.05, 2400, 6000
LOG_TOLD = 4000
MOST_REFUSALS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When a round kills: while the answer is held or after it, so many seconds later."""

    held: bool
    after: float


def plan_of(dice: random.Random) -> Plan:
    """Choose one."""
    return Plan(held=dice.random() < 0.7, after=dice.uniform(0, 0.3))


async def play(folder: Path, plan: Plan) -> str | None:
    """Book, kill, start again; return what is wrong, nothing, or None where nothing was booked."""
    async with exchange_source() as source:
        served = Served(folder, extra=OPEN).prepare()
        visitor = Visitor(served)
        try:
            await asyncio.to_thread(visitor.connect, source.server.url)
            if plan.held:
                source.fail(only="CreateItem", holds_after=HELD)
            asking = asyncio.create_task(asyncio.to_thread(visitor.book))
            written = await _written(source, asking)
            await asyncio.sleep(plan.after)
            served.kill()
            (answer,) = await asyncio.gather(asking, return_exceptions=True)
            if not written:
                return _nothing_written(source, answer)
            source.mend()
            await asyncio.to_thread(served.start)
            wrong = await _judged(source, visitor)
            return f"{wrong}\n{served.log.read_text()[-LOG_TOLD:]}" if wrong else ""
        finally:
            served.stop()


async def _written(source: ExchangeSource, asking: "asyncio.Task[object]") -> bool:
    """Wait until the event is at the server, or the booking was refused."""
    for _ in range(WRITE_STEPS):
        if source.mailbox.calendar.items:
            return True
        if asking.done() and asking.exception() is not None:
            return False
        await asyncio.sleep(STEP)
    return False


def _nothing_written(source: ExchangeSource, answer: object) -> str | None:
    """Tell a clean refusal from a booking that got lost."""
    if source.mailbox.calendar.items or source.server.asked("CreateItem"):
        return "refused, and written all the same"
    return None if isinstance(answer, HTTPError) else f"no event came of {answer!r}"


async def _judged(source: ExchangeSource, visitor: Visitor) -> str:
    booking = {"state": "", "start": ""}
    for _ in range(END_STEPS):
        (booking,) = await asyncio.to_thread(visitor.bookings)
        if booking["state"] == "confirmed":
            break
        await asyncio.sleep(STEP)
    items = list(source.mailbox.calendar.items.values())
    facts = (booking["state"], len(items), source.server.asked("CreateItem"))
    if facts != ("confirmed", 1, 1):
        return f"state, items, writes: {facts}"
    told = items[0].findtext(f"{T}Start", "")
    return "" if told[:16] == booking["start"][:16] else f"{told} instead of {booking['start']}"


def main() -> int:
    """Play the rounds; fail when one left no event or two, or none could be played."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    given = parser.parse_args()
    print(f"python -m tests.campaigns.exchange_kill --rounds {given.rounds} --seed {given.seed}")
    dice = random.Random(given.seed)
    wrong = refused = number = 0
    while number < given.rounds and refused <= MOST_REFUSALS:
        plan, started = plan_of(dice), time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(play(Path(folder), plan))
        if found is None:
            refused += 1
            continue
        number += 1
        took = time.monotonic() - started
        print(f"round {number}: {'wrong' if found else 'right'}, {took:.0f} s", flush=True)
        if found:
            wrong += 1
            print(f"round {number}, {plan}: {found}", flush=True)
    print(
        f"exchange_kill: {number} rounds, {wrong} wrong,"
        f" {refused} bookings refused before any write"
    )
    return 1 if wrong or number < given.rounds else 0


if __name__ == "__main__":
    sys.exit(main())
