"""Two gateways in a chain agree after a thousand random edits on both sides.

`python -m tests.campaigns.chain [--edits 1000] [--seed N] [--check-every 50]`
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chain.gateways import chain
from tests.chain.play import Play


async def play(folder: Path, seed: int, edits: int, check_every: int) -> Play:
    """Edit, and let both come to an agreement every so often."""
    async with chain(folder) as opened:
        run = Play(opened, dice=random.Random(seed))
        await run.begin()
        for first in range(0, edits, check_every):
            for _ in range(min(check_every, edits - first)):
                await run.edit()
            waited = await run.converge()
            count = sum(len(objects) for objects in run.told.values())
            told = "agree" if not run.wrong else f"{len(run.wrong)} differences"
            print(
                f"{run.number:5} edits, {len(run.told)} calendars, {count} objects, "
                f"{len(run.bookings)} bookings: {told} after {waited:.1f} s",
                flush=True,
            )
            if run.wrong:
                break
        run.done["kill -9"] = opened.kills
        return run


def main() -> int:
    """Play; print each agreement; fail at the first difference that stays."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.chain")
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--check-every", type=int, default=50)
    given = parser.parse_args()
    print(f"seed {given.seed}; again: python -m tests.campaigns.chain --seed {given.seed}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = asyncio.run(play(Path(folder), given.seed, given.edits, given.check_every))
    for sentence in run.wrong[:20]:
        print(f"  {sentence}")
    print(", ".join(f"{name} {count}" for name, count in sorted(run.done.items())))
    states = {one.state for one in run.bookings}
    counts = {state: sum(one.state == state for one in run.bookings) for state in sorted(states)}
    print(
        f"{run.number} edits in {time.monotonic() - started:.0f} s; bookings {counts}; "
        f"{len(run.wrong)} differences"
    )
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
