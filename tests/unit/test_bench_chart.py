"""The pure parts of `make bench`: curves, targets, and what is read from the harness."""

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

from bench.chart import Curve, decades, growth_chart, growth_charts
from bench.results import Page, Series, Timing, read_series
from bench.targets import verdicts

SVG = "{http://www.w3.org/2000/svg}"


def a_series(server: str, events: int, median_ms: float, *, right: bool = True) -> Series:
    """Return a series with one timing."""
    timing = Timing(median_ms=median_ms, p95_ms=median_ms, right=right)
    return Series(server=server, version="1", events=events, load=0.0, timings={"fb8": timing})


def a_run(**values: float) -> list[Series]:
    """Return a run that meets the targets but for what is given."""
    times = {"small": 1.0, "middle": 1.1, "large": 1.5, "radicale": 2000.0} | values
    return [
        a_series("calgate", 1_000, times["small"]),
        a_series("calgate", 10_000, times["middle"]),
        a_series("calgate", 50_000, times["large"]),
        a_series("Radicale", 10_000, times["radicale"]),
    ]


def test_every_point_stands_where_its_logarithm_is() -> None:
    """Ten times the events stand one decade further, whatever the numbers."""
    drawing = growth_chart(
        "free/busy", [Curve(name="ours", points=[(1e3, 1), (1e4, 10), (1e5, 100)])]
    )

    line = ET.fromstring(drawing).find(f".//{SVG}polyline")
    assert line is not None
    (x1, y1), (x2, y2), (x3, y3) = (
        tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()
    )
    assert (x2 - x1, y2 - y1) == (x3 - x2, y3 - y2)


def test_a_name_cannot_become_markup() -> None:
    """Names of servers are text."""
    drawing = growth_charts("a & b", [("c < d", [Curve(name="<e>", points=[(1, 1), (2, 3)])])])

    texts = [one.text for one in ET.fromstring(drawing).iter(f"{SVG}text")]
    assert "<e>" in texts


def test_lines_that_end_together_keep_their_names_apart() -> None:
    """Labels never stand on one another."""
    curves = [Curve(name=name, points=[(1, 5), (10, 5)]) for name in ("a", "b", "c")]

    texts = ET.fromstring(growth_chart("t", curves)).iter(f"{SVG}text")
    heights = sorted(float(one.attrib["y"]) for one in texts if one.text in ("a", "b", "c"))
    assert min(high - low for low, high in pairwise(heights)) >= 15


def test_an_axis_spans_whole_decades() -> None:
    """One value still has a decade to stand in."""
    assert decades([0.3, 42]) == (0.1, 100)
    assert decades([1]) == (1, 10)


def test_a_run_meets_its_targets() -> None:
    """A run that is fast, flat and right has no miss."""
    page = Page(name="a page", server_ms=4, client_ms=5, right=True)

    assert [one.met for one in verdicts(a_run(), [page])] == [True, True, True, True]


def test_a_miss_is_told() -> None:
    """Each target is missed by its own number."""
    page = Page(name="a page", server_ms=11, client_ms=12, right=False)

    found = verdicts(a_run(middle=10, large=4), [page])
    assert [one.met for one in found] == [False, False, False, False]


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    """A partial run has no verdict on what it left out."""
    assert [one.met for one in verdicts([], [])] == [None, None, None]


def test_a_wrong_answer_of_a_peer_is_no_miss_of_ours() -> None:
    """Only our own answers fail a run."""
    wrong = a_series("Radicale", 1_000, 5, right=False)

    assert verdicts([*a_run(), wrong], [])[-1].met is True


def test_the_harness_result_is_read_with_its_checks() -> None:
    """A wrong split by type is wrong; an operation that failed has no timing."""
    raw: dict[str, Any] = {
        "name": "x",
        "version": "1",
        "n": 10,
        "loadavg": 0.5,
        "ops": {
            "fb1": {"median_ms": 1.0, "p95_ms": 2.0, "rps16": 9.0},
            "fb8": {"median_ms": 1.0, "p95_ms": 2.0, "rps16": 9.0, "errors16": 3},
            "get": {"error": "RuntimeError()"},
        },
        "verify": {"fb1": {"ok": True, "typed_ok": False}, "fb8": {"ok": True, "typed_ok": True}},
    }

    series = read_series(raw)
    assert (series.timings["fb1"].right, series.timings["fb8"].right) == (False, True)
    assert series.timings["fb8"].per_second is None
    assert set(series.wrong) == {"fb1", "fb8", "get"}
