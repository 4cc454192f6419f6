"""What has to hold, as ratios within one run; a miss makes the run fail."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.results import Page, Series, find

OURS = "calgate"
TIMES_FASTER = 300
MOST_GROWTH = 3.0
MOST_PAGE_MS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One target: what was found, and whether it is met; None where it was not measured."""

    target: str
    found: str
    met: bool | None


def verdicts(series: Sequence[Series], pages: Sequence[Page]) -> list[Verdict]:
    """Hold the run against every target."""
    return [
        _beside_radicale(series),
        _growth(series),
        *(_page(page) for page in pages),
        _answers(series, pages),
    ]


def _beside_radicale(series: Sequence[Series]) -> Verdict:
    target = f"free/busy over 8 weeks at 10,000 events takes at most 1/{TIMES_FASTER} of Radicale's"
    ours = find(series, OURS, 10_000, "fb8")
    theirs = find(series, "Radicale", 10_000, "fb8")
    if ours is None or theirs is None:
        return Verdict(target=target, found="not measured", met=None)
    ratio = theirs.median_ms / ours.median_ms
    found = f"1/{ratio:.0f} ({ours.median_ms:.2f} ms, {theirs.median_ms:.0f} ms)"
    return Verdict(target=target, found=found, met=ratio >= TIMES_FASTER)


def _growth(series: Sequence[Series]) -> Verdict:
    target = (
        f"from 1,000 to 50,000 events, that answer takes at most {MOST_GROWTH:.0f} times as long"
    )
    small, large = (find(series, OURS, events, "fb8") for events in (1_000, 50_000))
    if small is None or large is None:
        return Verdict(target=target, found="not measured", met=None)
    ratio = large.median_ms / small.median_ms
    found = f"{ratio:.2f} times ({small.median_ms:.2f} ms, {large.median_ms:.2f} ms)"
    return Verdict(target=target, found=found, met=ratio <= MOST_GROWTH)


def _page(page: Page) -> Verdict:
    return Verdict(
        target=f"{page.name} takes less than {MOST_PAGE_MS:.0f} ms of server time",
        found=f"{page.server_ms:.2f} ms",
        met=page.server_ms < MOST_PAGE_MS,
    )


def _answers(series: Sequence[Series], pages: Sequence[Page]) -> Verdict:
    wrong = [
        f"{key} at {one.events:,}" for one in series if one.server == OURS for key in one.wrong
    ]
    wrong += [page.name for page in pages if not page.right]
    checked = any(one.server == OURS for one in series) or bool(pages)
    return Verdict(
        target="every answer of ours is right",
        found=", ".join(wrong) or ("all right" if checked else "not measured"),
        met=not wrong if checked else None,
    )
