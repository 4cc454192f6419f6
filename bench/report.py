"""Tells a run: a table for the terminal, and docs/benchmarks.md with its curves."""

import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from bench.chart import Curve, growth_chart, growth_charts
from bench.results import OPERATIONS, Page, Series, Timing, find
from bench.targets import OURS, Verdict

INTRODUCTION = """# Benchmarks

`make bench` wrote this page. It fills the gateway and two other CalDAV servers with the same
calendar, asks all of them the same questions on the loopback interface, and holds the answers
against the corpus's own arithmetic, which uses no server's code. An asterisk marks a wrong answer,
an exclamation mark one that was an error at sixteen connections.

Times are medians of requests one after the other, in milliseconds; after the slash stand the
requests a second that sixteen connections got together. They hold the client's own share, about
0.3 ms. Milliseconds do not carry from one machine to another: compare within this run.
"""
CURVES = """\
Both axes are logarithmic. Where ten times the events take ten times as long, every event is read
for every answer; a flat line does not care how full the calendar is.
"""
NOTHING = "-"
PEERS = """## How the peers were run

Their storage was written directly, in the form in which they write it, because they take tens of
events a second by PUT. Each read everything once before it was measured. Radicale signs in with a
plain password file and its cache of sign-ins, and its limit of occurrences in a free/busy answer is
lifted, since its default cuts the answer short. Xandikos has no sign-in of its own, so it spends
nothing on one. calgate checks an app password and stores every change durably before it answers.
Radicale is measured up to 10,000 events and Xandikos up to 1,000.
"""


def print_series(series: Series) -> None:
    """Print what one server did."""
    print(f"\n{series.server} {series.version}, {series.events:,} events, load {series.load:.1f}")
    for key, timing in series.timings.items():
        rate = f"{timing.per_second:9,.0f}/s" if timing.per_second else " " * 11
        star = " *" if timing.right is False else ""
        print(f"  {OPERATIONS[key]:34}{timing.median_ms:10.2f} ms{rate}{star}")
    for key, why in series.failures.items():
        print(f"  {OPERATIONS[key]:34} failed: {why}")


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print the targets."""
    print()
    for one in verdicts:
        print(f"{_word(one):>12}  {one.target}: {one.found}")


def write_report(
    folder: Path, series: Sequence[Series], pages: Sequence[Page], verdicts: Sequence[Verdict]
) -> Path:
    """Write benchmarks.md and its drawings into a folder."""
    drawings = folder / "bench"
    drawings.mkdir(parents=True, exist_ok=True)
    measured = [key for key in OPERATIONS if any(key in one.timings for one in series)]
    if "fb8" in measured:
        chart = growth_chart(
            "Free/busy over 8 weeks, by events in the calendar", _curves(series, "fb8")
        )
        (drawings / "free-busy.svg").write_text(chart, encoding="utf-8")
    charts = [(OPERATIONS[key], _curves(series, key)) for key in measured]
    (drawings / "all.svg").write_text(growth_charts("Every operation", charts), encoding="utf-8")
    parts = [INTRODUCTION, _circumstances(), _targets(verdicts), _pictures(measured)]
    parts += [_table(series, events) for events in sorted({one.events for one in series})]
    parts += [_growth(series, measured), _pages(pages), _load(series), PEERS]
    path = folder / "benchmarks.md"
    path.write_text("\n".join(part for part in parts if part), encoding="utf-8")
    return path


def _word(one: Verdict) -> str:
    return {True: "met", False: "MISSED", None: "not measured"}[one.met]


def _circumstances() -> str:
    return (
        f"Measured on {date.today().isoformat()}: {os.cpu_count()} cores, "  # noqa: DTZ011 - the reader's calendar
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}.\n"
    )


def _targets(verdicts: Sequence[Verdict]) -> str:
    lines = ["## Targets\n", "| Target | Found | |", "|---|---|---|"]
    lines += [f"| {one.target} | {one.found} | {_word(one)} |" for one in verdicts]
    return "\n".join([*lines, ""])


def _pictures(measured: Sequence[str]) -> str:
    shown = ["## Growth\n", CURVES]
    if "fb8" in measured:
        shown.append("![Free/busy over 8 weeks by number of events](bench/free-busy.svg)\n")
    shown.append("![Every operation by number of events](bench/all.svg)\n")
    return "\n".join(shown)


def _table(series: Sequence[Series], events: int) -> str:
    """Return the servers beside one another for one number of events."""
    here = [one for one in series if one.events == events]
    heads = [f"{one.server} {one.version}" for one in here]
    lines = [f"## {events:,} events\n", _row(["", *heads]), _row(["---"] * (len(heads) + 1))]
    for key, name in OPERATIONS.items():
        if any(key in one.timings or key in one.failures for one in here):
            lines.append(_row([name, *(_cell(one, key) for one in here)]))
    return "\n".join([*lines, ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(series: Series, key: str) -> str:
    timing = series.timings.get(key)
    if timing is None:
        return "failed" if key in series.failures else NOTHING
    marks = ("\\*" if timing.right is False else "") + ("!" if key in series.failures else "")
    rate = f" / {_number(timing.per_second)}" if timing.per_second else ""
    return f"{_number(timing.median_ms)}{rate}{marks}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _growth(series: Sequence[Series], measured: Sequence[str]) -> str:
    """Return how much longer each operation takes at a server's largest size."""
    spans = {
        server: (min(sizes), max(sizes))
        for server in dict.fromkeys(one.server for one in series)
        if len(sizes := [one.events for one in series if one.server == server]) > 1
    }
    if not spans:
        return ""
    heads = [f"{server}, {low:,} → {high:,}" for server, (low, high) in spans.items()]
    lines = ["## Times as long\n", _row(["", *heads]), _row(["---"] * (len(heads) + 1))]
    for key in measured:
        cells = [
            _ratio(find(series, server, low, key), find(series, server, high, key))
            for server, (low, high) in spans.items()
        ]
        lines.append(_row([OPERATIONS[key], *cells]))
    return "\n".join([*lines, ""])


def _ratio(small: Timing | None, large: Timing | None) -> str:
    return f"{large.median_ms / small.median_ms:.1f}" if small and large else NOTHING


def _pages(pages: Sequence[Page]) -> str:
    if not pages:
        return ""
    lines = [
        "## Booking pages\n",
        "One owner, five calendars of 1,000 events each, open every day. Server time is the mean",
        "of what the gateway counts itself in `calgate_request_seconds`.\n",
        "| | server, ms | client, ms |",
        "|---|---|---|",
    ]
    for one in pages:
        mark = "" if one.right else "\\*"
        lines.append(_row([one.name, f"{one.server_ms:.2f}{mark}", f"{one.client_ms:.2f}"]))
    return "\n".join([*lines, ""])


def _load(series: Sequence[Series]) -> str:
    told = ", ".join(f"{one.server} at {one.events:,}: {one.load:.1f}" for one in series)
    return f"The machine's load average when each began: {told}.\n" if told else ""


def _curves(series: Sequence[Series], key: str) -> list[Curve]:
    """Return the lines of one operation; ours is the first, which the chart draws boldest."""
    names = sorted({one.server for one in series}, key=lambda name: (name != OURS, name))
    return [
        Curve(
            name=name,
            points=sorted(
                (one.events, one.timings[key].median_ms)
                for one in series
                if one.server == name and key in one.timings
            ),
        )
        for name in names
    ]
