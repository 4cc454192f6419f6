"""kill -9 fifty times, each in the middle of two hundred bookings, on SQLite.

`python -m tests.campaigns.kill9 [--seed N] [--kills N]`
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.killing import kill_once, settled
from tests.storm import site

ROW = "{:>5}{:>9}{:>6}{:>6}{:>11}{:>7}  {}"
COLUMNS = ("kill", "after", "201", "409", "no answer", "back s", "faults")


def main() -> int:
    """Kill and restart one gateway over and over; print a line each; fail at any fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.kill9")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--visitors", type=int, default=200)
    options = parser.parse_args()
    print(f"seed {options.seed}; again: python -m tests.campaigns.kill9 --seed {options.seed}")
    print(ROW.format(*COLUMNS))
    dice = random.Random(options.seed)
    faults, storms = 0, []
    with tempfile.TemporaryDirectory() as folder, site(Path(folder), "sqlite") as opened:
        for number in range(options.kills):
            death = kill_once(opened, dice, visitors=options.visitors, round_=number)
            storms.append(death.storm)
            statuses = Counter(one.status for one in death.storm.attempts)
            counts = (statuses[201], statuses[409], statuses[0])
            told = death.faults or "none"
            row = (number, death.after, *counts, f"{death.back_after:.1f}", told)
            print(ROW.format(*row), flush=True)
            faults += bool(death.faults)
        whole = settled(opened, storms)
    answered = sum(len(storm.won) for storm in storms)
    print(
        f"{options.kills} kills, {answered} bookings answered 201, {whole.confirmed} confirmed in "
        f"the end, {whole.unfinished} unfinished; faults in the end: {whole.faults or 'none'}"
    )
    return 1 if faults or whole.faults or whole.unfinished else 0


if __name__ == "__main__":
    sys.exit(main())
