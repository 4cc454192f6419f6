"""What was measured, as values; and the operations with the names people read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OPERATIONS = {
    "fb1": "free-busy-query, 1 week",
    "fb8": "free-busy-query, 8 weeks",
    "fb8_after_put": "free-busy-query, right after a PUT",
    "query1": "calendar-query, 1 week, with data",
    "multiget50": "calendar-multiget, 50 events",
    "propfind": "PROPFIND depth 1, entity tags",
    "sync_initial": "sync-collection, first",
    "sync_incr": "sync-collection, one change",
    "get": "GET one event",
    "get304": "GET, nothing new (304)",
    "put": "PUT one event",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One operation: milliseconds one after the other, requests a second by sixteen at once.

    `right` is None where there is no answer to check.
    """

    median_ms: float
    p95_ms: float
    per_second: float | None = None
    right: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What one server did with one number of events; `load` is the machine's, at the start."""

    server: str
    version: str
    events: int
    load: float
    timings: Mapping[str, Timing] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> Sequence[str]:
        """The operations that failed or answered wrongly."""
        return [*self.failures, *(key for key, one in self.timings.items() if one.right is False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A booking page's request: milliseconds inside the server (mean) and for the client."""

    name: str
    server_ms: float
    client_ms: float
    right: bool


def read_series(raw: Mapping[str, Any]) -> Series:
    """Return the values of one entry of the harness's result file."""
    timings, failures = {}, {}
    for key, one in raw["ops"].items():
        if "error" in one:
            failures[key] = one["error"]
            continue
        checked = raw["verify"].get(key)
        # A number of errors at 16 connections is no rate.
        rate = None if one.get("errors16") else one.get("rps16")
        timings[key] = Timing(
            median_ms=one["median_ms"],
            p95_ms=one.get("p95_ms") or one["median_ms"],
            per_second=rate,
            right=_right(checked),
        )
        if one.get("errors16"):
            failures[key] = f"{one['errors16']} of its answers at 16 connections were errors"
    return Series(
        server=raw["name"],
        version=raw["version"],
        events=raw["n"],
        load=raw["loadavg"],
        timings=timings,
        failures=failures,
    )


def _right(checked: object) -> bool | None:
    if checked is None:
        return None
    if not isinstance(checked, dict):
        return False  # the harness says in words why there is nothing to compare
    return bool(checked["ok"]) and checked.get("typed_ok") is not False


def find(all_series: Sequence[Series], server: str, events: int, key: str) -> Timing | None:
    """Return one timing, if it was measured."""
    for series in all_series:
        if series.server == server and series.events == events:
            return series.timings.get(key)
    return None
