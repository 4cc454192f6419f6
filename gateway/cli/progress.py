"""Progress of long work: a bar on a terminal, nothing into a file or a pipe."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click

BAR = 20
"""Columns of the bar; what is being done stands beside it."""


class Report(Protocol):
    """Tells how much is done, of how much, and what is being done now."""

    def __call__(self, done: int, total: int, beside: str = "", /) -> None:
        """Tell it."""


@contextmanager
def progress_bar(label: str) -> Iterator[Report]:
    """Give a function to report with; standard output stays free for the result."""
    if not sys.stderr.isatty():
        yield lambda _done, _total, _beside="": None
        return
    with click.progressbar(
        length=1, label=label, file=sys.stderr, width=BAR, item_show_func=lambda one: one
    ) as bar:

        def report(done: int, total: int, beside: str = "") -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos, beside)

        yield report
