"""One tick while it lasts: what a calendar's read came to, and what is stored at the end of all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model.collection import Collection
from gateway.model.connection import HealthState
from gateway.model.timerange import Instant
from gateway.ports import Lease
from gateway.services.bulk import Batch
from gateway.services.sync_outcome import How
from gateway.services.sync_plan import Bookmark, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a read comes to: the plan, its objects ready to write, the bookmarks around it."""

    made: Plan
    batch: Batch | None
    before: Bookmark
    after: Bookmark
    is_replaced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A calendar that works and of which the source had nothing new."""

    collection: Collection
    step: Step
    read_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One tick: its lease, how it reads, and what waits for its end to be stored."""

    lease: Lease
    how: How
    cursors: Mapping[int, str]
    standing: list[Standing] = field(default_factory=list)

    def leaves_standing(self, collection: Collection, step: Step, now: Instant) -> bool:
        """Tell whether a calendar stays as it is: that it does is stored once, with the others.

        What comes back from a failure is stored at once, whatever the calendars beside it do.
        """
        if step.batch is not None or collection.health.state(now) is not HealthState.WORKING:
            return False
        self.standing.append(Standing(collection=collection, step=step, read_at=now))
        return True
