"""Interleavings of faults, crashes and retries around a write: the short form of the campaign."""

from tests.google_account import google_source
from tests.google_interleavings import Tally, run

SEEDS = range(40)


async def test_every_interleaving_ends_in_one_event_or_none() -> None:
    """Forty seeds: nothing lost, doubled, left behind or at another time."""
    tally = Tally()
    async with google_source(seconds=1.0) as source:
        for seed in SEEDS:
            await run(source, seed, tally)

    assert tally.is_clean, f"{tally.line()}; python -m tests.campaigns.google_writes --seed N"
    assert tally.runs == len(SEEDS)
