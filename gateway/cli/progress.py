"""Progress of long work: a bar on a terminal, nothing into a file or a pipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Report = Callable[[int, int], None]
"""How much is done, of how much."""


@contextmanager
def progress_bar(label: str) -> Iterator[Report]:
    """Give a function to report with; standard output stays free for the result."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr, width=0) as bar:

        def report(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield report
