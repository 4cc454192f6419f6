"""How often a provider may have us start over: no list is read in a loop."""

from gateway.model.timerange import HOUR, Instant

MAX_FORCED = 3
"""How often in an hour."""


def forced_again(forced: tuple[Instant, ...], now: Instant) -> tuple[Instant, ...] | None:
    """Return the new starts of the last hour with this one; None where that happens too often."""
    recent = tuple(one for one in forced if one > now - HOUR)
    return None if len(recent) >= MAX_FORCED else (*recent, now)
