"""Two hundred overlapping bookings at once, with and without clashing PUTs, on both engines.

`python -m tests.campaigns.storm [--seed N] [--engine sqlite|postgresql] [--rounds N]`
"""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.storm import Site, blow, judge, plan, site

ROW = "{:<11}{:>5}{:>6}{:>9}{:>6}{:>6}{:>6}{:>7}  {}"
COLUMNS = ("engine", "round", "puts", "attempts", "201", "409", "other", "s", "faults")


def main() -> int:
    """Run the rounds on each engine; print a line each; fail at any fault."""
    options = _options()
    engines = [options.engine] if options.engine else ["sqlite", "postgresql"]
    print(f"seed {options.seed}; again: python -m tests.campaigns.storm --seed {options.seed}")
    print(ROW.format(*COLUMNS))
    faults = 0
    for engine in engines:
        with tempfile.TemporaryDirectory() as folder, site(Path(folder), engine) as opened:
            faults += sum(_round(opened, options, number) for number in range(2 * options.rounds))
    print(f"{faults} rounds with faults")
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.storm")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--engine", choices=["sqlite", "postgresql"])
    parser.add_argument("--rounds", type=int, default=5, help="with PUTs, and as many without")
    parser.add_argument("--visitors", type=int, default=200)
    parser.add_argument("--puts", type=int, default=20)
    return parser.parse_args()


def _round(opened: Site, options: argparse.Namespace, number: int) -> bool:
    """Run one round, without PUTs or with; tell whether anything was wrong."""
    dice = random.Random(options.seed * 1000 + number)
    puts = options.puts * (number % 2)
    # Events take away much of the room: where there are some, there is more of it.
    starts = 32 if puts else 9
    storm = plan(opened, dice, visitors=options.visitors, puts=puts, round_=number, starts=starts)
    asyncio.run(blow(opened, storm, dice, spread=2.0 if puts else 0.0))
    verdict = asyncio.run(judge(opened, storm, node=number % len(opened.nodes)))
    taken = sum(one.status == 409 for one in storm.attempts)
    other = len(storm.attempts) - len(storm.won) - taken
    counts = (puts, len(storm.attempts), len(storm.won), taken, other, f"{storm.seconds:.1f}")
    faults = verdict.faults | ({"unfinished": verdict.unfinished} if verdict.unfinished else {})
    print(ROW.format(opened.engine, number, *counts, faults or "none"), flush=True)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
