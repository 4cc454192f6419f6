"""What visitors were promised, held against the bookings and the provider's calendar (pure)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.model.timerange import Instant, to_instant
from tests.provider_accounts import Written

STANDS, OPEN, OVER = "stands", "open", "over"
"""Answered with "booked"; a cancel without an answer, or "you get a mail"; answered "cancelled"."""


@dataclass(slots=True)
class Promise:
    """A booking that was answered: when it may be, and whether it must be."""

    booking: str
    starts: set[Instant]
    fate: str = STANDS
    kills: set[int] = field(default_factory=set)
    """The kills during which it was made, moved or called off."""

    @property
    def is_certain(self) -> bool:
        """Whether it must stand, at one time."""
        return self.fate == STANDS and len(self.starts) == 1


@dataclass(slots=True)
class Findings:
    """What should not be, each with the booking it is about."""

    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not self._all()

    def kills(self, promises: Iterable[Promise]) -> list[int]:
        """Return the kills that had to do with what should not be."""
        found = {one.partition(" ")[0] for one in self._all()}
        return sorted({kill for one in promises if one.booking in found for kill in one.kills})

    def _all(self) -> list[str]:
        return [*self.lost, *self.duplicates, *self.orphans, *self.misplaced]

    def line(self) -> str:
        """Return the closing line of a report."""
        return (
            f"lost {len(self.lost)}, duplicates {len(self.duplicates)}, "
            f"orphans {len(self.orphans)}, misplaced {len(self.misplaced)}"
        )


def judge(
    promises: Iterable[Promise],
    listed: Iterable[Mapping[str, Any]],
    written: Iterable[Written],
) -> Findings:
    """Compare: a confirmed booking is one event at its time, and nothing else is an event."""
    findings = Findings()
    standing = {str(one["id"]): _span(one) for one in listed if one["state"] == "confirmed"}
    events = list(written)
    count = Counter(event.booking for event in events)
    for booking in standing:
        if count[booking] == 0:
            findings.lost.append(f"{booking} has no event")
        elif count[booking] > 1:
            findings.duplicates.append(f"{booking} has {count[booking]} events")
    for event in events:
        if event.booking not in standing:
            findings.orphans.append(f"{event.booking} is not booked and has an event")
        elif standing[event.booking] != (event.start, event.end):
            findings.misplaced.append(f"{event.booking} is at another time than its event")
    _keep(promises, standing, findings)
    return findings


def _keep(
    promises: Iterable[Promise], standing: Mapping[str, tuple[Instant, Instant]], findings: Findings
) -> None:
    for promise in promises:
        there = standing.get(promise.booking)
        if there is None and promise.fate == STANDS:
            findings.lost.append(f"{promise.booking} was promised and does not stand")
        elif there is not None and promise.fate == OVER:
            findings.orphans.append(f"{promise.booking} was called off and stands")
        elif there is not None and there[0] not in promise.starts:
            findings.misplaced.append(f"{promise.booking} is not at the time that was promised")


def _span(booking: Mapping[str, Any]) -> tuple[Instant, Instant]:
    start, end = (to_instant(datetime.fromisoformat(booking[name])) for name in ("start", "end"))
    return start, end
