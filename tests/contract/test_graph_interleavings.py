"""Interleavings of faults, crashes and retries around a write: the short form of the campaign."""

from tests.google_interleavings import Tally, run
from tests.graph_account import graph_source
from tests.graph_interleavings import GraphRun

SEEDS = range(25)


async def test_every_interleaving_ends_in_one_event_or_none() -> None:
    """Twenty-five seeds: nothing lost, doubled, left behind or at another time."""
    tally = Tally()
    async with graph_source(seconds=1.0) as source:
        for seed in SEEDS:
            await run(source, seed, tally, GraphRun)

    assert tally.is_clean, f"{tally.line()}; python -m tests.campaigns.graph_writes --seed N"
    assert tally.runs == len(SEEDS)
