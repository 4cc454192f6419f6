"""The events every server is given, and the days it is asked about.

The corpus is the harness's own (bench/harness/icsgen.py), which also knows the right answers
without any server's code. It begins with this year, and the questions are about the weeks to come:
what a calendar is asked for, on whatever day this runs.
"""

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

HARNESS = Path(__file__).parent / "harness"
sys.path.insert(0, str(HARNESS))
import icsgen  # noqa: E402 - found in the folder named above


class Days(NamedTuple):
    """The first day of the corpus, and the first day of the windows."""

    epoch: date
    window: date


class Event(NamedTuple):
    """One calendar object resource."""

    name: str
    data: bytes


def days(today: date) -> Days:
    """Return a corpus of two years around today, and the Monday after it."""
    return Days(epoch=date(today.year, 1, 1), window=today + timedelta(days=7 - today.weekday()))


def events(count: int, epoch: date) -> Iterator[Event]:
    """Make the events; the same ones for the same first day."""
    icsgen.START = epoch
    for number in range(count):
        made = icsgen.make(number)
        yield Event(made.name, made.body)
