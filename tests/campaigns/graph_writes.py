"""10,000 seeded interleavings of faults, crashes and retries around a booking in Office 365.

`python -m tests.campaigns.graph_writes`, with the options of google_writes.
"""

import asyncio

from tests.campaigns.google_writes import FRESH_EVERY, main
from tests.google_interleavings import Tally, run
from tests.graph_account import graph_source
from tests.graph_interleavings import GraphRun


async def _play(seeds: range) -> Tally:
    tally = Tally()
    for first in range(seeds.start, seeds.stop, FRESH_EVERY):
        async with graph_source(seconds=1.0) as source:
            for seed in range(first, min(first + FRESH_EVERY, seeds.stop)):
                await run(source, seed, tally, GraphRun)
    return tally


def _worker(seeds: range) -> Tally:
    return asyncio.run(_play(seeds))


if __name__ == "__main__":
    raise SystemExit(main("graph_writes", _worker))
