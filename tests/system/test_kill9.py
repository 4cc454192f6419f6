"""kill -9 three times in the middle of a storm (`make campaigns` does it fifty times)."""

import random
from pathlib import Path

import pytest

from tests.killing import kill_once
from tests.storm import site


@pytest.mark.timeout(300)  # most of it is starting processes, which a busy machine does slowly
def test_killed_in_a_storm(tmp_path: Path) -> None:
    """The file is whole, every booking answered 201 is there with its one event, none overlap."""
    dice = random.Random(7)
    with site(tmp_path, "sqlite") as opened:
        for number in range(3):
            death = kill_once(opened, dice, visitors=40, round_=number)

            assert death.faults == {}, death.storm.answers
