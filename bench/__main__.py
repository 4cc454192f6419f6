"""`python -m bench`: measure the gateway beside its peers, check the answers, draw the curves.

A whole run (about ten minutes) writes docs/benchmarks.md; one that leaves something out writes
into build/bench. It ends with 1 where a target is missed or an answer of ours is wrong.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.corpus import Days, Event, days, events
from bench.gateway import Gateway
from bench.measure import measure
from bench.peers import Radicale, Server, Xandikos
from bench.report import print_series, print_verdicts, write_report
from bench.results import OPERATIONS, Page, Series
from bench.slots import measure_pages
from bench.targets import verdicts

SIZES = (1_000, 10_000, 50_000)
SERVERS: tuple[tuple[Callable[[Path, Iterable[Event]], Server], int], ...] = (
    (Gateway, 50_000),
    (Radicale, 10_000),
    (Xandikos, 1_000),
)
"""Whom to measure, and up to how many events."""
PAGES = "pages"
SECONDS, QUICK_SECONDS = 3.0, 0.4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit code."""
    wanted = _parser().parse_args(arguments)
    today = days(date.today())  # noqa: DTZ011 - the weeks to come are the reader's
    sizes = wanted.sizes or ((1_000,) if wanted.quick else SIZES)
    operations = wanted.only or [*OPERATIONS, PAGES]
    with TemporaryDirectory(prefix="calgate-bench-") as folder:
        series = list(
            _measured(
                Path(folder),
                today,
                sizes=sizes,
                operations=[one for one in operations if one != PAGES],
                seconds=QUICK_SECONDS if wanted.quick else SECONDS,
                peers=not wanted.no_peers,
            )
        )
        pages: list[Page] = []
        if PAGES in operations:
            print("\nBooking pages …", flush=True)
            pages = measure_pages(Path(folder) / "pages", today)
    for page in pages:
        wrong = "" if page.right else " *"
        print(f"  {page.name:34}{page.server_ms:10.2f} ms in the server{wrong}")
    judged = verdicts(series, pages)
    print_verdicts(judged)
    whole = not (wanted.sizes or wanted.quick or wanted.only or wanted.no_peers)
    target = wanted.out or Path("docs" if whole else "build/bench")
    print(f"\nWritten to {write_report(target, series, pages, judged)}.")
    return 1 if any(one.met is False for one in judged) else 0


def _measured(
    folder: Path,
    today: Days,
    *,
    sizes: Sequence[int],
    operations: Sequence[str],
    seconds: float,
    peers: bool,
) -> Iterator[Series]:
    if not operations:
        return
    for size in sizes:
        for make, most in SERVERS:
            if size > most or (make is not Gateway and not peers):
                continue
            server = make(folder / f"{make.__name__}-{size}", events(size, today.epoch))
            print(f"\n{server.name}: writing {size:,} events …", flush=True)
            with server:
                found = measure(server, size, today, operations=operations, seconds=seconds)
            print_series(found)
            yield found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--sizes", type=_numbers, help="numbers of events, 1000,10000")
    parser.add_argument("--quick", action="store_true", help="1,000 events, a moment for each")
    parser.add_argument(
        "--only", type=_operations, help=f"some of {', '.join(OPERATIONS)}, {PAGES}"
    )
    parser.add_argument("--no-peers", action="store_true", help="the gateway alone")
    parser.add_argument("--out", type=Path, help="the folder to write into")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _operations(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := sorted(set(chosen) - {*OPERATIONS, PAGES}):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
