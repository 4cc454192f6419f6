"""Times of events in Graph's JSON: instants, zones of answers, spans of occurrences."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from gateway.model.timerange import DAY, Instant, TimeRange, to_datetime, to_instant
from gateway.model.zone import UTC_ZONE, Zone
from gateway.model.zones import zone
from gateway.sandbox.microsoft.call import GraphError, Json
from gateway.sandbox.microsoft.series import days_of
from gateway.sandbox.microsoft.world import GraphCalendar, World, occurrence_id


def home_of(world: World, calendar: GraphCalendar) -> Zone:
    """Return the zone of a calendar's mailbox."""
    mailbox = world.mailboxes.get(calendar.owner)
    return (zone(mailbox.time_zone) if mailbox else None) or UTC_ZONE


def read_moment(text: str, name: str) -> Instant:
    """Read startDateTime or endDateTime of a question; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise GraphError(400, "ErrorInvalidParameter", f"{name} is no time") from error
    return to_instant(moment if moment.tzinfo else moment.replace(tzinfo=to_datetime(0).tzinfo))


def local_of(told: Mapping[str, Any]) -> datetime:
    """Return the wall time of a dateTimeTimeZone, its seventh digit aside."""
    return datetime.fromisoformat(told["dateTime"][:26])


def instant_of(told: Mapping[str, Any]) -> Instant:
    """Return the instant of a dateTimeTimeZone."""
    local = local_of(told)
    if local.tzinfo is not None:
        return to_instant(local)
    where = zone(told.get("timeZone") or "UTC")
    if where is None:
        raise GraphError(400, "ErrorInvalidTimeZone", "The time zone is not known.")
    return where.to_instant(local)


def span_of(item: Json, home: Zone) -> TimeRange | None:
    """Return when an event or exception takes place; None where nobody can tell."""
    try:
        if item.get("isAllDay"):
            low = home.to_instant(local_of(item["start"]))
            return TimeRange(low, max(low, home.to_instant(local_of(item["end"]))))
        low = instant_of(item["start"])
        return TimeRange(low, max(low, instant_of(item["end"])))
    except (ValueError, KeyError, TypeError, GraphError):
        return None


def meets(item: Json, home: Zone, window: TimeRange) -> bool:
    """Tell whether an event is in a view; what has no time that can be read is in every one."""
    span = span_of(item, home)
    return span is None or (
        span.start < window.end and window.start < max(span.end, span.start + 1)
    )


def occurrences(
    master: Json, calendar: GraphCalendar, home: Zone, window: TimeRange
) -> Iterator[Json]:
    """Yield the occurrences of a series in a window, changed ones as the exceptions they are."""
    exceptions = {
        _day_of(one): one
        for one in calendar.events.values()
        if one.get("seriesMasterId") == master["id"]
    }
    cancelled = {str(one).rpartition(".")[2] for one in master.get("cancelledOccurrences", [])}
    reach = master["recurrence"]["range"]
    where = home if master.get("isAllDay") else zone(reach.get("recurrenceTimeZone", "")) or home
    for day in days_of(master["recurrence"], to_datetime(window.end + 2 * DAY).date()):
        name = day.isoformat()
        if name in cancelled or name in exceptions:
            continue
        made = _occurrence(master, day, where)
        if meets(made, home, window):
            yield made
    for one in exceptions.values():
        if meets(one, home, window):
            yield one


def _day_of(exception: Json) -> str:
    told = str(exception.get("occurrenceId", ""))
    return told.rpartition(".")[2]


def _occurrence(master: Json, day: date, where: Zone) -> Json:
    if master.get("isAllDay"):
        length = local_of(master["end"]) - local_of(master["start"])
        start = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a date, wherever
        times = (_written(start, "UTC"), _written(start + length, "UTC"))
    else:
        wall = where.to_local(instant_of(master["start"])).time()
        seconds = instant_of(master["end"]) - instant_of(master["start"])
        low = where.to_instant(datetime.combine(day, wall))
        times = (in_zone(low, "UTC"), in_zone(low + seconds, "UTC"))
    name = day.isoformat()
    kept = {
        key: value
        for key, value in master.items()
        if key not in {"recurrence", "cancelledOccurrences"}
    }
    return kept | {
        "id": occurrence_id(master["id"], name),
        "type": "occurrence",
        "seriesMasterId": master["id"],
        "occurrenceId": f"OID.{master['id']}.{name}",
        "start": times[0],
        "end": times[1],
    }


def in_zone(instant: Instant, name: str) -> Json:
    """Return an instant as Graph writes it in a zone."""
    where = zone(name) or UTC_ZONE
    return _written(where.to_local(instant), name)


def _written(local: datetime, name: str) -> Json:
    return {"dateTime": local.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0", "timeZone": name}


def shown_in(item: Json, name: str) -> Json:
    """Return an event with its times in a zone; whole days keep their clock."""
    made = dict(item)
    for field in ("start", "end"):
        told = item.get(field)
        if not isinstance(told, dict):
            continue
        try:
            if item.get("isAllDay"):
                made[field] = _written(local_of(told), name)
            else:
                made[field] = in_zone(instant_of(told), name)
        except (ValueError, KeyError, TypeError, GraphError):
            continue
    return made
