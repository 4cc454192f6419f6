"""What a sync tick does with what it read, as pure decisions (no loop, socket, database or clock).

Rule 1: nothing is applied before the last page, the one with the cursor, is in.
Rule 2: only a complete answer deletes by absence, and never what it names as unreadable.
Rule 3: when more than half of the objects or of the busy time would vanish, the source is read
again first; a grave loss must still be there five minutes later. Until then the old data stays.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.errors import Unavailable
from gateway.freebusy.busytime import BusyPeriod
from gateway.model.timerange import MINUTE, Instant, merge
from gateway.ports import UpstreamObject, UpstreamPage

MAX_PAGES = 2_000
MAX_OBJECTS = 200_000
RECHECK_AFTER = 5 * MINUTE
"""How long a grave loss must last before it is believed."""
GRAVE_OBJECTS = 5
"""From this many objects on a loss is grave; below, a second look at once is enough."""


def object_name(key: str) -> str:
    """Return the path segment of a source's object; it says nothing of the source's own id."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40] + ".ics"


@dataclass(slots=True)
class Staging:
    """The pages of one read, gathered until the last one is in."""

    objects: dict[str, UpstreamObject] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    last: UpstreamPage | None = None
    pages: int = 0

    def add(self, page: UpstreamPage) -> None:
        """Take the next page; a source that does not stop raises Unavailable."""
        if self.last is not None:
            raise Unavailable("The source sent more after its last page.")
        self.pages += 1
        for item in page.objects:
            self.objects[object_name(item.key)] = item
        self.unreadable.update(object_name(key) for key in page.unreadable)
        self.notes.extend(page.notes)
        if self.pages > MAX_PAGES or len(self.objects) > MAX_OBJECTS:
            raise Unavailable("The source sends more than the gateway takes.")
        if page.cursor is not None:
            self.last = page

    def finish(self) -> UpstreamPage:
        """Return the last page; without one the read was incomplete and counts for nothing."""
        if self.last is None:
            raise Unavailable("The source's answer was incomplete.")
        return self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be written, by object name: new and changed objects, and names to remove."""

    puts: Mapping[str, UpstreamObject]
    removes: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Identify what the plan takes away or replaces; additions do not count."""
        text = "\n".join([*sorted(self.removes), "", *sorted(self.changed)])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def plan(staging: Staging, stored: Mapping[str, str]) -> Plan:
    """Compare a finished read with the stored etags, by object name."""
    complete = staging.finish().complete
    puts = {
        name: item
        for name, item in staging.objects.items()
        if item.data is not None and stored.get(name) != item.etag
    }
    gone = {name for name, item in staging.objects.items() if item.data is None and name in stored}
    if complete:
        gone |= stored.keys() - staging.objects.keys()
    gone -= staging.unreadable
    return Plan(
        puts=puts,
        removes=tuple(sorted(gone)),
        changed=tuple(sorted(name for name in puts if name in stored)),
    )


def replacing_twins(made: Plan, stored: Mapping[str, str], put: Mapping[str, str]) -> Plan:
    """Return the plan with every stored object removed whose UID comes under another name.

    `stored` and `put` are UIDs by object name. One UID is one object (RFC 4791 section 4.1), and
    what a source has just sent is the newer one: an event that was imported twice, or moved.
    """
    names = {uid: name for name, uid in stored.items()}
    twins = {names[uid] for name, uid in put.items() if names.get(uid, name) != name}
    return replace(made, removes=tuple(sorted({*made.removes, *twins}))) if twins else made


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A loss that was seen and not believed yet."""

    fingerprint: str
    since: Instant


class Verdict(StrEnum):
    """What to do with a plan."""

    APPLY = "apply"
    LOOK_AGAIN = "look_again"
    HOLD = "hold"


def judge(  # the facts of one decision
    plan: Plan,
    *,
    stored: int,
    before: Iterable[BusyPeriod],
    after: Iterable[BusyPeriod],
    suspicion: Suspicion | None,
    now: Instant,
) -> Verdict:
    """Decide on a plan from the busy time to come without it (`before`) and with it (`after`)."""
    had, left = _spans(before), _spans(after)
    lost = _seconds(had) - _seconds_of_both(had, left)
    if 2 * len(plan.removes) <= stored and 2 * lost <= _seconds(had):
        return Verdict.APPLY
    if suspicion is not None and suspicion.fingerprint == plan.fingerprint:
        waited = now - suspicion.since
        return Verdict.APPLY if waited >= RECHECK_AFTER else Verdict.HOLD
    touched = len(plan.removes) + len(plan.changed)
    everything = touched > 1 and (touched == stored or (bool(had) and not left))
    return Verdict.HOLD if touched >= GRAVE_OBJECTS or everything else Verdict.LOOK_AGAIN


def _spans(periods: Iterable[BusyPeriod]) -> list[tuple[Instant, Instant]]:
    return merge((period.start, period.end) for period in periods)


def _seconds(spans: Sequence[tuple[Instant, Instant]]) -> int:
    return sum(end - start for start, end in spans)


def _seconds_of_both(
    first: Sequence[tuple[Instant, Instant]], second: Sequence[tuple[Instant, Instant]]
) -> int:
    # |A and B| = |A| + |B| - |A or B|
    return _seconds(first) + _seconds(second) - _seconds(merge([*first, *second]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """What is kept between ticks: the source's cursor, and a suspicion if there is one."""

    cursor: str = ""
    suspicion: Suspicion | None = None

    def encode(self) -> str:
        """Return the text that is stored."""
        facts: dict[str, object] = {"cursor": self.cursor}
        if self.suspicion is not None:
            facts["suspicion"] = [self.suspicion.fingerprint, self.suspicion.since]
        return json.dumps(facts)

    @classmethod
    def decode(cls, text: str) -> "Bookmark":
        """Read the stored text; nothing stored is a start from the beginning."""
        facts = json.loads(text) if text else {}
        suspicion = facts.get("suspicion")
        return cls(
            cursor=facts.get("cursor", ""),
            suspicion=suspicion and Suspicion(fingerprint=suspicion[0], since=suspicion[1]),
        )
