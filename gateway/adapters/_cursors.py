"""What is kept between two reads of a calendar: as text with a version, and never in a loop."""

import json
from dataclasses import asdict
from typing import Any, TypeVar

import msgspec

from gateway.model.timerange import HOUR, Instant

MAX_FORCED = 3
"""How often in an hour a provider may have us start over."""
Kept = TypeVar("Kept")


def encode(cursor: Any, version: int) -> str:
    """Return the text that is stored of a cursor, which is a dataclass."""
    return json.dumps({"version": version, **asdict(cursor)})


def decode(kind: type[Kept], text: str, version: int) -> Kept:
    """Read the stored text; one that another version wrote is a start from the beginning."""
    try:
        facts = json.loads(text or "{}")
        if facts.pop("version", None) != version:
            return kind()
        return msgspec.convert(facts, kind)
    except (ValueError, AttributeError, TypeError, msgspec.ValidationError):
        return kind()


def forced_again(forced: tuple[Instant, ...], now: Instant) -> tuple[Instant, ...] | None:
    """Return the new starts of the last hour with this one; None where that happens too often."""
    recent = tuple(one for one in forced if one > now - HOUR)
    return None if len(recent) >= MAX_FORCED else (*recent, now)
