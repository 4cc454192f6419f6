"""kill -9 between the write at Exchange and its commit here: afterwards there is one event.

`python -m tests.campaigns.exchange_kill [--rounds 3]`
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.booking_visitor import OPEN, Visitor
from tests.exchange_account import exchange_source
from tests.served import Served


async def play(folder: Path) -> str:
    """Book, kill, start again; return what is wrong, or nothing."""
    async with exchange_source() as source:
        served = Served(folder, extra=OPEN).prepare()
        visitor = Visitor(served)
        await asyncio.to_thread(visitor.connect, source.server.url)
        source.fail(only="CreateItem", holds_after=60.0)
        asking = asyncio.create_task(asyncio.to_thread(visitor.book))
        for _ in range(600):
            if source.mailbox.calendar.items:
                break
            await asyncio.sleep(0.1)
        served.kill()
        await asyncio.gather(asking, return_exceptions=True)
        source.mend()
        await asyncio.to_thread(served.start)
        booking = {"state": ""}
        for _ in range(1200):
            (booking,) = await asyncio.to_thread(visitor.bookings)
            if booking["state"] == "confirmed":
                break
            await asyncio.sleep(0.1)
        served.stop()
        facts = (
            booking["state"],
            len(source.mailbox.calendar.items),
            source.server.asked("CreateItem"),
        )
        return "" if facts == ("confirmed", 1, 1) else f"state, items, writes: {facts}"


def main() -> int:
    """Play the rounds; fail when one left no event or two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    wrong = 0
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(play(Path(folder)))
        if found:
            wrong += 1
            print(f"round {number}: {found}")
    print(f"exchange_kill: {rounds} rounds, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
