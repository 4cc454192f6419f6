"""Growth curves as SVG: both axes logarithmic, readable in light and dark, without a script.

A straight slope of 45° is linear growth; a flat line does not care how full the calendar is.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
svg{font:13px system-ui,sans-serif;--paper:#fff;--ink:#1b1f24;--faint:#59636e;--grid:#d8dee4;
--c0:#0a6b4f;--c1:#b4460f;--c2:#5b3fb5}
@media(prefers-color-scheme:dark){svg{--paper:#0d1117;--ink:#e6edf3;--faint:#9aa4af;--grid:#30363d;
--c0:#4fd1a5;--c1:#f0955a;--c2:#b9a5f5}}
.paper{fill:var(--paper)}text{fill:var(--ink)}.faint{fill:var(--faint);font-size:12px}
.title{font-size:15px;font-weight:600}.grid{stroke:var(--grid);stroke-width:1}
.line{fill:none;stroke-width:2}.own{stroke-width:3.5}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}
.f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}
""".replace("\n", "")

COLOURS = 3
LEFT, RIGHT, TOP, BOTTOM = 64, 96, 44, 46
LABEL_GAP = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One server's line: points of (events, milliseconds), by rising events."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic axis from one value to another, mapped to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return where a value stands."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + part * (self.end - self.start), 1)


def growth_chart(
    title: str, curves: Sequence[Curve], *, width: int = 640, height: int = 360
) -> str:
    """Return a document with one chart."""
    body = "".join(_chart(title, curves, width=width, height=height))
    return _document(title, curves, body, width=width, height=height)


def growth_charts(
    title: str, charts: Sequence[tuple[str, Sequence[Curve]]], *, columns: int = 2
) -> str:
    """Return a document with many small charts, left to right."""
    wide, high = 460, 280
    parts = []
    for number, (name, curves) in enumerate(charts):
        x, y = number % columns * wide, number // columns * high
        inside = "".join(_chart(name, curves, width=wide, height=high))
        parts.append(f'<g transform="translate({x} {y})">{inside}</g>')
    rows = -(-len(charts) // columns)
    everything = [curve for _, curves in charts for curve in curves]
    return _document(title, everything, "".join(parts), width=columns * wide, height=rows * high)


def _document(title: str, curves: Iterable[Curve], body: str, *, width: int, height: int) -> str:
    names = ", ".join(dict.fromkeys(curve.name for curve in curves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}"><title>{escape(title)}</title>'
        f"<desc>Milliseconds by number of events: {escape(names)}. "
        f"The tables have the numbers.</desc><style>{STYLE}</style>"
        f'<rect class="paper" width="{width}" height="{height}"/>{body}</svg>\n'
    )


def _chart(title: str, curves: Sequence[Curve], *, width: int, height: int) -> Iterable[str]:
    yield f'<text class="title" x="16" y="24">{escape(title)}</text>'
    points = [point for curve in curves for point in curve.points]
    if not points:
        return
    across = Scale(min(x for x, _ in points), max(x for x, _ in points), LEFT, width - RIGHT)
    low, high = decades(y for _, y in points)
    up = Scale(low, high, height - BOTTOM, TOP)
    yield from _grid(across, up, {x for x, _ in points}, height=height, width=width)
    labels = []
    for number, curve in enumerate(curves):
        places = [(across.at(x), up.at(y)) for x, y in curve.points]
        if places:
            yield from _line(places, number)
            labels.append((places[-1][1], places[-1][0], number, curve.name))
    yield from _labels(labels)


def _grid(
    across: Scale, up: Scale, sizes: Iterable[float], *, height: int, width: int
) -> Iterable[str]:
    value = up.low
    while value <= up.high * 1.0001:
        y = up.at(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{y}" y2="{y}"/>'
        named = f'<text class="faint" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">'
        yield f"{named}{value:,g} ms</text>"
        value *= 10
    for size in sorted(sizes):
        x, y = across.at(size), height - BOTTOM + 20
        yield f'<text class="faint" x="{x}" y="{y}" text-anchor="middle">{size:,.0f}</text>'
    middle = (LEFT + width - RIGHT) / 2
    yield f'<text class="faint" x="{middle}" y="{height - 8}" text-anchor="middle">events</text>'


def _line(places: Sequence[tuple[float, float]], number: int) -> Iterable[str]:
    colour, own = number % COLOURS, " own" if number == 0 else ""
    path = " ".join(f"{x},{y}" for x, y in places)
    yield f'<polyline class="line s{colour}{own}" points="{path}"/>'
    for x, y in places:
        yield _mark(x, y, colour)


def _mark(x: float, y: float, colour: int) -> str:
    """Return a mark whose shape tells the servers apart as its colour does."""
    if colour == 0:
        return f'<circle class="f0" cx="{x}" cy="{y}" r="5"/>'
    if colour == 1:
        return f'<rect class="f1" x="{x - 4.5:g}" y="{y - 4.5:g}" width="9" height="9"/>'
    return f'<path class="f2" d="M{x} {y - 6:g}l6 11h-12z"/>'


def _labels(labels: Iterable[tuple[float, float, int, str]]) -> Iterable[str]:
    """Name each line at its end, pushed apart where two end close together."""
    last = -LABEL_GAP
    for y, x, number, name in sorted(labels):
        placed = max(y + 4, last + LABEL_GAP)
        last = placed
        colour = number % COLOURS
        yield f'<text class="f{colour}" x="{x + 10:g}" y="{placed:g}">{escape(name)}</text>'


def decades(values: Iterable[float]) -> tuple[float, float]:
    """Return the powers of ten around the values, at least one decade apart."""
    known = list(values)
    low = 10 ** math.floor(math.log10(min(known)))
    high = 10 ** math.ceil(math.log10(max(known)))
    return float(low), float(high if high > low else low * 10)
