"""10,000 seeded interleavings of faults, crashes and retries around the writing of a booking.

`python -m tests.campaigns.google_writes [--seeds 10000] [--first 0] [--seed N] [--workers 2]`; a
seed that breaks a promise is printed with the command that repeats it.
"""

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Callable

from tests.google_account import google_source
from tests.google_interleavings import Tally, run

FRESH_EVERY = 200
"""Seeds after which the simulated Google starts anew, so that its log stays small."""


async def _play(seeds: range) -> Tally:
    tally = Tally()
    for first in range(seeds.start, seeds.stop, FRESH_EVERY):
        async with google_source(seconds=1.0) as source:
            for seed in range(first, min(first + FRESH_EVERY, seeds.stop)):
                await run(source, seed, tally)
    return tally


def _worker(seeds: range) -> Tally:
    return asyncio.run(_play(seeds))


def main(name: str = "google_writes", worker: Callable[[range], Tally] = _worker) -> int:
    """Run the seeds; fail when one of them lost, doubled or left anything."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.campaigns.{name}")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=2)
    told = parser.parse_args()
    first, count = (told.seed, 1) if told.seed is not None else (told.first, told.seeds)
    share = max(1, min(500, -(-count // told.workers)))
    shares = [
        range(start, min(start + share, first + count))
        for start in range(first, first + count, share)
    ]
    started, total = time.monotonic(), Tally()
    with multiprocessing.get_context("spawn").Pool(min(told.workers, len(shares))) as pool:
        for tally in pool.imap_unordered(worker, shares):
            for count_name in ("runs", "steps", "tries", "crashes", "owner_moves"):
                setattr(total, count_name, getattr(total, count_name) + getattr(tally, count_name))
            for list_name in ("duplicates", "lost", "orphans", "misplaced"):
                getattr(total, list_name).extend(getattr(tally, list_name))
            print(f"{total.line()}  ({time.monotonic() - started:.0f} s)", flush=True)
    broken = {*total.duplicates, *total.lost, *total.orphans, *total.misplaced}
    for seed in sorted(broken):
        print(f"repeat: python -m tests.campaigns.{name} --seed {seed}")
    print(total.line())
    return 0 if total.is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
