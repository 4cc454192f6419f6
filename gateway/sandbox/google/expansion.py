"""Times of events in Google's JSON: instants, instances of series, and what is busy."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gateway.model.component import CalendarObject, Component
from gateway.model.content_line import Property, parse_line
from gateway.model.local_time import format_day, format_wall, parse_day
from gateway.model.recurrence import compile_object
from gateway.model.timerange import (
    DAY,
    MAX_INSTANT,
    MIN_INSTANT,
    Instant,
    TimeRange,
    format_utc,
    to_datetime,
    to_instant,
)
from gateway.model.zone import UTC_ZONE, Zone
from gateway.model.zones import zone
from gateway.sandbox.google.call import Json
from gateway.sandbox.google.world import GoogleCalendar

NEVER_BUSY = ("workingLocation", "birthday")


def home_of(calendar: GoogleCalendar) -> Zone:
    """Return a calendar's zone."""
    return zone(calendar.time_zone) or UTC_ZONE


def is_date(value: Mapping[str, Any]) -> bool:
    """Tell whether a time of an event is a whole day."""
    return bool(value.get("date"))


def instant_of(value: Mapping[str, Any], home: Zone) -> Instant:
    """Return the instant of an event's start or end."""
    if is_date(value):
        return home.instant_of(parse_day(value["date"].replace("-", "")) * DAY)
    local = datetime.fromisoformat(value["dateTime"])
    if local.tzinfo is not None:
        return to_instant(local)
    return (zone(value.get("timeZone") or "") or home).to_instant(local)


def span_of(item: Json, home: Zone) -> TimeRange:
    """Return when a single event or an exception takes place; one without a time always does."""
    try:
        start = instant_of(item["start"], home)
        end = instant_of(item.get("end") or item["start"], home)
    except (KeyError, ValueError):
        return TimeRange(MIN_INSTANT, MAX_INSTANT)
    return TimeRange(start, max(start, end))


def instances(item: Json, calendar: GoogleCalendar, window: TimeRange) -> Iterator[Json]:
    """Yield the instances of a series in a window, the changed and cancelled ones as they are."""
    home = home_of(calendar)
    exceptions = {
        instant_of(one["originalStartTime"], home): one
        for name in calendar.exceptions.get(item["id"], ())
        if "originalStartTime" in (one := calendar.events.get(name, {}))
    }
    replaced = set()
    for start, end in _occurrences(item, home, window):
        if start in exceptions:
            replaced.add(start)
            yield exceptions[start]
        else:
            yield _instance(item, start, end, home)
    for start, one in exceptions.items():
        # Moved into the window from outside.
        if start not in replaced and one["status"] != "cancelled":
            span = span_of(one, home)
            if span.start < window.end and window.start < span.end:
                yield one


def busy_spans(calendar: GoogleCalendar, window: TimeRange) -> list[tuple[Instant, Instant]]:
    """Return what freebusy.query tells: opaque and not declined, tentative or not."""
    home = home_of(calendar)
    spans = []
    for item in calendar.events.values():
        if item["status"] == "cancelled" or item.get("recurringEventId"):
            continue
        found = instances(item, calendar, window) if item.get("recurrence") else [item]
        spans += [span_of(one, home) for one in found if _is_busy(one)]
    masters = {item["id"] for item in calendar.events.values() if not item.get("recurringEventId")}
    spans += [
        span_of(item, home)
        for item in calendar.events.values()
        if item.get("recurringEventId") and item["recurringEventId"] not in masters
        if _is_busy(item)
    ]
    return sorted(
        (max(span.start, window.start), min(span.end, window.end))
        for span in spans
        if span.start < window.end and window.start < span.end
    )


def _is_busy(item: Json) -> bool:
    if item["status"] == "cancelled" or item.get("transparency") == "transparent":
        return False
    if item.get("eventType") in NEVER_BUSY:
        return False
    own = [one for one in item.get("attendees", []) if one.get("self")]
    return not any(one.get("responseStatus") == "declined" for one in own)


def _occurrences(item: Json, home: Zone, window: TimeRange) -> Iterator[tuple[Instant, Instant]]:
    event = Component("VEVENT", [Property("UID", {}, item["id"])])
    for name, value in (("DTSTART", item["start"]), ("DTEND", item.get("end") or item["start"])):
        event.properties.append(_property(name, value, home))
    for line in item["recurrence"]:
        try:
            event.properties.append(parse_line(line))
        except ValueError:
            continue
    calendar = Component("VCALENDAR", [], [event])
    made = CalendarObject(uid=item["id"], component="VEVENT", calendar=calendar, members=[event])
    for one in compile_object(made, home).occurrences(window):
        yield one.start, one.end


def _property(name: str, value: Mapping[str, Any], home: Zone) -> Property:
    if is_date(value):
        return Property(name, {"VALUE": ("DATE",)}, value["date"].replace("-", ""))
    where = zone(value.get("timeZone") or "") or home
    instant = instant_of(value, home)
    if where.is_fixed:
        return Property(name, {}, format_utc(instant))
    return Property(name, {"TZID": (where.name,)}, format_wall(where.wall_of(instant)))


def _instance(item: Json, start: Instant, end: Instant, home: Zone) -> Json:
    made = {name: value for name, value in item.items() if name != "recurrence"}
    if is_date(item["start"]):
        first, last = home.wall_of(start) // DAY, home.wall_of(end) // DAY
        times = {"start": {"date": _day(first)}, "end": {"date": _day(last)}}
        suffix = format_day(first)
    else:
        name = item["start"].get("timeZone") or home.name
        times = {
            "start": {"dateTime": in_zone(start, home), "timeZone": name},
            "end": {"dateTime": in_zone(end, home), "timeZone": name},
        }
        suffix = format_utc(start)
    return (
        made
        | times
        | {
            "id": f"{item['id']}_{suffix}",
            "recurringEventId": item["id"],
            "originalStartTime": times["start"],
        }
    )


def in_zone(instant: Instant, home: Zone) -> str:
    """Return an instant with the offset of a zone, as answers have it."""
    offset = home.offset_at(instant)
    local = to_datetime(instant + offset).replace(tzinfo=None).isoformat()
    sign = "-" if offset < 0 else "+"
    return f"{local}{sign}{abs(offset) // 3600:02}:{abs(offset) % 3600 // 60:02}"


def _day(day: int) -> str:
    text = format_day(day)
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"
