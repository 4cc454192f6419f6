"""Sixty visitors at once against running gateways (`make campaigns` has the long form)."""

import asyncio
import random
from pathlib import Path

import pytest

from tests import postgresql
from tests.storm import blow, judge, plan, site

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.mark.timeout(300)  # most of it is starting processes, which a busy machine does slowly
@pytest.mark.parametrize("engine", ENGINES)
def test_sixty_at_once(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """One gateway on SQLite, two on PostgreSQL: nothing overlaps, only 201 and 409 are answered."""
    if engine == "postgresql" and postgresql.binaries() is None:
        request.getfixturevalue("postgresql_server")  # says why it is skipped
    dice = random.Random(7)
    with site(tmp_path, engine) as opened:
        for number, puts in enumerate((0, 8)):
            storm = plan(opened, dice, visitors=60, puts=puts, round_=number)
            asyncio.run(blow(opened, storm, dice, spread=0.5 if puts else 0.0))
            verdict = asyncio.run(judge(opened, storm, node=len(opened.nodes) - 1))

            assert verdict.faults == {}, storm.answers
            assert verdict.unfinished == 0
            assert verdict.confirmed == len(storm.won)
            assert storm.won or puts, "without events somebody gets each time"
            assert {put.status for put in storm.puts} <= {201, 204}
