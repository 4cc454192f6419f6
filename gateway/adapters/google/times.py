"""Google's `start`, `end` and `originalStartTime` as moments in a zone.

The offset of a `dateTime` is the calendar's or the answer's, `timeZone` is the event's own: a rule
repeats on the wall of `timeZone`, so that zone is the one that is written.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.model.local_time import parse_day
from gateway.model.spot import Spot, date_spot, fixed_zone, time_spot, zone_called
from gateway.model.timerange import to_instant
from gateway.model.zone import Zone

__all__ = ["Spot", "date_spot", "read_spot", "time_spot", "zone_called"]


def read_spot(value: object, home: Zone) -> Spot:
    """Read an EventDateTime; `home` is the calendar's zone. What makes no sense is ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError("no time")  # noqa: TRY004 - one kind of failure, whatever is wrong
    if value.get("date"):
        return date_spot(parse_day(str(value["date"]).replace("-", "")), home)
    local = datetime.fromisoformat(str(value.get("dateTime") or ""))
    named = zone_called(value.get("timeZone"))
    if local.tzinfo is None:
        where = named or home
        return time_spot(where.to_instant(local), where)
    instant = to_instant(local)
    if named is None and value.get("timeZone"):
        named = fixed_zone(to_instant(local.replace(tzinfo=UTC)) - instant)
    return time_spot(instant, named or home)
