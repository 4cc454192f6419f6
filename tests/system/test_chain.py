"""Two gateways in a chain agree after edits on both sides (the long form is a campaign)."""

import random
import shutil
from pathlib import Path

import pytest

from tests.chain.gateways import short_chain
from tests.chain.play import Play

EDITS, CHECK_EVERY = 24, 12


@pytest.mark.parametrize("seed", [7])
async def test_a_chain_agrees(data_dir: Path, sqlite_template: Path, seed: int) -> None:
    """Objects, free/busy over 400 days and bookings are the same at both, after every dozen."""
    below = data_dir.parent / "below"
    shutil.copytree(sqlite_template, below)
    async with short_chain(data_dir, below) as opened:
        run = Play(opened, dice=random.Random(seed), rough=False)
        await run.begin()
        for number in range(1, EDITS + 1):
            await run.edit()
            if number % CHECK_EVERY == 0:
                await run.converge()

    assert run.wrong == []
    assert all(run.done[way] for way in ("book", "cancel", "move", "rename"))
