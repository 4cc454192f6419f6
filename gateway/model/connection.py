"""A connection to a source and the health of a calendar.

The table of CONTRACT.md as a pure state machine.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.model.timerange import HOUR, MINUTE, Instant

STALE_LIMIT = 10 * MINUTE
"""How long transient failures are borne before a calendar counts as lost."""
FEED_STALE_LIMIT = 24 * HOUR
"""The same for `.ics` subscriptions, which many servers renew once a day."""
CONFIRMED = 2
"""How often a source must deny access before it is believed: once, and one second try."""


class HealthState(StrEnum):
    """What a selected calendar's state means to visitors."""

    WORKING = "working"
    STALE = "stale"
    NO_ACCESS = "no_access"


class Failure(StrEnum):
    """The three kinds of failure a source can have."""

    UNAVAILABLE = "unavailable"
    SIGN_IN_NEEDED = "sign_in_needed"
    ACCESS_LOST = "access_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of the last attempts to read a calendar; local ones never change."""

    last_success_at: Instant | None = None
    failing_since: Instant | None = None
    failure: Failure | None = None
    detail: str = ""
    strikes: int = 0

    def succeeded(self, now: Instant) -> "Health":
        """Return the health after a complete, plausible read."""
        return Health(last_success_at=now)

    def failed(self, failure: Failure, detail: str, now: Instant) -> "Health":
        """Return the health after a failed attempt.

        `strikes` counts failures of the same kind in a row. A confirmed loss stays one until a
        read succeeds: a timeout after "access denied" proves nothing.
        """
        if self.is_lost and failure is Failure.UNAVAILABLE:
            return self
        strikes = self.strikes + 1 if failure is self.failure else 1
        if self.is_lost:
            strikes = max(strikes, CONFIRMED)
        since = self.failing_since if self.failing_since is not None else now
        return replace(self, failure=failure, detail=detail, failing_since=since, strikes=strikes)

    @property
    def is_lost(self) -> bool:
        """Whether the source said no for good: a sign-in at once, anything else when said twice."""
        if self.failure is Failure.ACCESS_LOST:
            return self.strikes >= CONFIRMED
        return self.failure is Failure.SIGN_IN_NEEDED

    def state(self, now: Instant, *, limit: int = STALE_LIMIT) -> HealthState:
        """Return the state at `now`; `limit` is how long failures are borne.

        A calendar nobody tried to read counts as failing from ten minutes after its last success.
        """
        if self.last_success_at is None or self.is_lost:
            return HealthState.NO_ACCESS
        quiet_since = self.last_success_at + STALE_LIMIT
        if self.failure is None and now <= quiet_since:
            return HealthState.WORKING
        since = quiet_since if self.failing_since is None else min(self.failing_since, quiet_since)
        return HealthState.STALE if now - since < limit else HealthState.NO_ACCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An account at a source.

    `options` holds nothing secret; `secret` is sealed by the cipher of ports.py.
    """

    id: str
    owner_id: int
    provider: str
    account: str
    options: dict[str, str] = field(default_factory=dict)
    secret: bytes = b""
    created_at: Instant = 0
