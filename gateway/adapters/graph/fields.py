"""Fields of Graph's JSON, none of which is taken for granted, and its times (pure)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.model.local_time import WallTime, wall_of
from gateway.model.spot import zone_called
from gateway.model.timerange import Instant, to_instant
from gateway.model.zone import Zone

Item = Mapping[str, Any]
"""One of Graph's JSON objects."""

CUSTOM = frozenset({"tzone://microsoft/custom", "customized time zone"})
"""Names that say only that the zone is somebody's own; Graph does not tell which."""


def text_of(item: object, *path: str) -> str:
    """Return a text inside an object, or an empty string where there is none."""
    for name in path:
        item = item.get(name) if isinstance(item, Mapping) else None
    return item if isinstance(item, str) else ""


def objects_of(item: object, name: str) -> list[Item]:
    """Return the objects of a list inside an object."""
    found = item.get(name) if isinstance(item, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def is_true(item: Item, name: str) -> bool:
    """Tell whether a flag is set."""
    return item.get(name) is True


def zone_named(name: str) -> Zone | None:
    """Return the zone of a name, None for what is custom or unknown."""
    return None if name.strip().lower() in CUSTOM else zone_called(name)


def read_wall(text: str) -> WallTime:
    """Read a dateTime without its offset, seven digits of a fraction included."""
    return wall_of(_moment(text))


def read_time(told: object) -> Instant:
    """Read a dateTimeTimeZone; a zone that nobody knows is ValueError."""
    moment = _moment(text_of(told, "dateTime"))
    if moment.tzinfo is not None:
        return to_instant(moment)
    where = zone_named(text_of(told, "timeZone") or "UTC")
    if where is None:
        raise ValueError("a time in a zone that nobody knows")
    return where.to_instant(moment)


def read_stamp(text: str) -> Instant:
    """Read a DateTimeOffset; without an offset it is UTC."""
    moment = _moment(text)
    return wall_of(moment) if moment.tzinfo is None else to_instant(moment)


def _moment(text: str) -> datetime:
    # Python 3.11 takes no more than six digits of a fraction, and Graph sends seven.
    head, dot, rest = text.strip().partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        head += rest[digits:]
    return datetime.fromisoformat(head)
