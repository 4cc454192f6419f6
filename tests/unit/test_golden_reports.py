"""Golden pairs of REPORT bodies, as the RFCs and clients write them, and what is read from them.

A request without its expectation fails; `UPDATE_GOLDEN=1` writes expectations, to be looked at.
"""

import os
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

from gateway.dav.wire import report_requests, xml
from gateway.dav.wire.requests import PropRequest
from gateway.model.filter import ALL_TIME
from gateway.model.timerange import TimeRange, format_utc

GOLDEN = Path(__file__).parents[1] / "golden" / "reports"
READERS = {
    report_requests.CALENDAR_QUERY: report_requests.read_calendar_query,
    report_requests.CALENDAR_MULTIGET: report_requests.read_calendar_multiget,
    report_requests.FREE_BUSY_QUERY: report_requests.read_free_busy_query,
    report_requests.SYNC_COLLECTION: report_requests.read_sync_collection,
}


def told(value: object, name: str = "", indent: str = "") -> list[str]:
    """Return a value as lines, a field each; what is empty or as by default is left out."""
    if isinstance(value, PropRequest):
        value = replace(value, elements=())
    if isinstance(value, TimeRange):
        edges = (
            "…" if at in (ALL_TIME.start, ALL_TIME.end) else format_utc(at)
            for at in (value.start, value.end)
        )
        return [f"{indent}{name}: {' to '.join(edges)}"]
    if is_dataclass(value):
        lines = [f"{indent}{name}{': ' if name else ''}{type(value).__name__}"]
        for one in fields(value):
            inner = getattr(value, one.name)
            if inner not in (None, False, ()) and one.name != "key":
                lines += told(inner, one.name, indent + "  ")
        return lines
    if isinstance(value, dict):
        value = tuple(value.items()) if value else "{}"
    if isinstance(value, tuple) and not isinstance(value, str):
        return [line for item in value for line in told(item, name, indent)]
    return [f"{indent}{name}: {value}"]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.xml")), ids=lambda path: path.stem)
def test_a_request_is_read_as_expected(path: Path) -> None:
    """Each body gives the value beside it."""
    root = xml.parse(path.read_bytes())
    text = "\n".join(told(READERS[xml.name_of(root)](root))) + "\n"
    expected = path.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN") == "1":
        expected.write_text(text, encoding="utf-8")

    assert expected.exists(), "no expectation: look at one written by UPDATE_GOLDEN=1"
    assert text == expected.read_text(encoding="utf-8")


def test_no_expectation_is_left_alone() -> None:
    """Every expectation belongs to a request."""
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {
        path.stem for path in GOLDEN.glob("*.xml")
    }
