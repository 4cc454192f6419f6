"""Graph's events as calendar objects: a master with its exceptions, or a single one (pure).

An exception carries another iCalUId than its master, so the object has the master's. Skeletons of
occurrences say nothing that their master does not say better, and are never rendered.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from gateway.adapters.graph.fields import (
    Item,
    is_true,
    objects_of,
    read_stamp,
    read_time,
    read_wall,
    text_of,
    zone_named,
)
from gateway.adapters.graph.people import alarms, answer_of, links, people
from gateway.adapters.graph.plain_text import plain_text
from gateway.adapters.graph.recurrence import instance_on, left_out, rule_of
from gateway.model.booking_mark import mark
from gateway.model.component import Component, serialize
from gateway.model.content_line import Property, raw_property, text_property
from gateway.model.itip import PRODID
from gateway.model.participants import ANSWER
from gateway.model.spot import Spot, date_spot, time_spot
from gateway.model.timerange import DAY, HOUR, MIN_INSTANT, format_utc
from gateway.model.zone import Zone
from gateway.model.zone_definition import zone_definition
from gateway.ports import UpstreamObject

VERSION = 1
"""Changes with every change of what is rendered, so that everything is written anew."""
FREE = frozenset({"free", "workingelsewhere"})
SHOWN = {"free": "FREE", "workingelsewhere": "WORKINGELSEWHERE", "oof": "OOF"}
CLASSES = {"personal": "PRIVATE", "private": "PRIVATE", "confidential": "CONFIDENTIAL"}
PRIORITIES = {"low": "9", "high": "1"}
MAX_TEXT = 64 * 1024
NO_STAMP = "19700101T000000Z"
HEAD = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n".encode()
TAIL = b"END:VCALENDAR\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What the members of one object share; `where` is the series' zone."""

    uid: str
    home: Zone
    zones: dict[str, Zone]
    where: Zone | None = None


def is_master(item: Item) -> bool:
    """Tell whether an event repeats."""
    return isinstance(item.get("recurrence"), dict)


def render(item: Item, exceptions: Iterable[Item], home: Zone) -> UpstreamObject:
    """Return one object; one whose time or rule makes no sense raises ValueError."""
    where = series_zone(item, home) if is_master(item) else None
    shared = _Shared(uid=_uid(item), home=home, zones={}, where=where)
    members: list[Component] = []
    dates: list[Property] = []
    if is_master(item):
        start, _ = _extent(item, shared)
        dates.append(raw_property("RRULE", rule_of(item.get("recurrence"), start)))
        # In one order, however they came: the etag is made of all of it.
        overrides = dict(sorted(_overrides(exceptions, start, shared), key=itemgetter(0)))
        members = [_event(one, shared, replaces=slot) for slot, one in overrides.values()]
        gone = {slot.instant: slot for slot in left_out(item, start)}
        dates += [gone[key].property("EXDATE") for key in sorted(gone.keys() - overrides.keys())]
    members.insert(0, _event(item, shared, dates=dates))
    definitions = [zone_definition(zone) for zone in shared.zones.values()]
    data = b"".join([HEAD, *definitions, *map(serialize, members), TAIL])
    # A master's own etag stays when only an exception moves, so the whole object is hashed.
    etag = hashlib.sha256(b"%d:" % VERSION + data).hexdigest()[:32]
    return UpstreamObject(key=text_of(item, "id"), uid=shared.uid, etag=etag, data=data)


def _uid(item: Item) -> str:
    return text_of(item, "uid") or text_of(item, "iCalUId") or f"{text_of(item, 'id')}@graph"


def series_zone(item: Item, home: Zone) -> Zone:
    """Return the zone in which a series repeats; the mailbox's where it is somebody's own."""
    told = text_of(item, "recurrence", "range", "recurrenceTimeZone")
    return zone_named(told) or zone_named(text_of(item, "originalStartTimeZone")) or home


def _overrides(
    exceptions: Iterable[Item], start: Spot, shared: _Shared
) -> Iterator[tuple[int, tuple[Spot, Item]]]:
    for one in exceptions:
        try:
            slot = _slot(one, start) or _extent(one, shared)[0].on(start)
            _extent(one, shared)
        except (ValueError, OverflowError):
            continue  # the instance stays busy where the series has it
        yield slot.instant, (slot, one)


def _slot(exception: Item, start: Spot) -> Spot | None:
    """Return which instance an exception replaces; None leaves it beside the series."""
    told = text_of(exception, "originalStart")
    try:
        if told and not start.is_date:
            return time_spot(read_stamp(told), start.zone)
        if told:
            return _day_slot(told, start)
        return instance_on(text_of(exception, "occurrenceId").rpartition(".")[2], start)
    except (ValueError, OverflowError):
        return None


def _day_slot(told: str, start: Spot) -> Spot:
    """Return the day of an all-day series: as written, or of the nearest midnight there."""
    wall = read_wall(told)
    if wall % DAY:
        wall = start.zone.wall_of(read_stamp(told)) + DAY // 2
    return date_spot(wall // DAY, start.zone)


def _extent(item: Item, shared: _Shared) -> tuple[Spot, Spot]:
    if is_true(item, "isAllDay"):
        # The clock shows 00:00 whatever zone stands beside it: the date counts, as it is.
        first = read_wall(text_of(item, "start", "dateTime")) // DAY
        last = read_wall(text_of(item, "end", "dateTime")) // DAY
        where = shared.home
        return date_spot(first, where), date_spot(max(last, first + 1), where)
    begin, end = read_time(item.get("start")), _end_time(item)
    told = zone_named(text_of(item, "originalStartTimeZone"))
    where = shared.where or told or shared.home
    if end < begin:
        end = begin + HOUR  # it is not free, whatever it says
    return time_spot(begin, where), time_spot(end, where)


def _end_time(item: Item) -> int:
    try:
        return read_time(item.get("end"))
    except (ValueError, OverflowError):
        return MIN_INSTANT


def _event(
    item: Item,
    shared: _Shared,
    *,
    dates: Sequence[Property] = (),
    replaces: Spot | None = None,
) -> Component:
    start, end = _extent(item, shared)
    # A time that a TZID cannot tell from its twin is told in UTC, but where a rule needs its wall.
    twin = not dates and (start.is_second or end.is_second)
    times = [start.property("DTSTART", utc=twin), end.property("DTEND", utc=twin), *dates]
    if replaces is not None:
        times.insert(0, replaces.property("RECURRENCE-ID", utc=replaces.is_second))
    for spot in (start, end, *([replaces] if replaces is not None else [])):
        if any(one.param("TZID") == spot.zone.name for one in times):
            shared.zones.setdefault(spot.zone.name, spot.zone)
    return Component(
        "VEVENT",
        [
            text_property("UID", shared.uid),
            raw_property("DTSTAMP", _stamp(item, "lastModifiedDateTime") or NO_STAMP),
            *times,
            *_told(item),
            *_kept(item),
            *people(item),
            *links(item),
        ],
        list(alarms(item)),
    )


def _told(item: Item) -> Iterator[Property]:
    """Yield what busy time depends on, and what people read."""
    if text_of(item, "subject"):
        yield text_property("SUMMARY", text_of(item, "subject")[:1000])
    shown, answer = text_of(item, "showAs").lower(), answer_of(item)
    cancelled = is_true(item, "isCancelled")
    status = "TENTATIVE" if shown == "tentative" else "CONFIRMED"
    yield raw_property("STATUS", "CANCELLED" if cancelled else status)
    free = shown in FREE or cancelled or answer == "DECLINED"
    yield raw_property("TRANSP", "TRANSPARENT" if free else "OPAQUE")
    if shown in SHOWN and (shown != "oof" or not free):
        yield raw_property("X-MICROSOFT-CDO-BUSYSTATUS", SHOWN[shown])
    if answer:
        yield raw_property(ANSWER, answer)
    yield raw_property("CLASS", CLASSES.get(text_of(item, "sensitivity").lower(), "PUBLIC"))
    place = text_of(item, "location", "displayName") or next(
        (text_of(one, "displayName") for one in objects_of(item, "locations")), ""
    )
    if place:
        yield text_property("LOCATION", place[:MAX_TEXT])
    body = text_of(item, "body", "content")
    if text_of(item, "body", "contentType").lower() == "html":
        body = plain_text(body)
    if body.strip():
        yield text_property("DESCRIPTION", body[:MAX_TEXT])


def _kept(item: Item) -> Iterator[Property]:
    for name, field in (("CREATED", "createdDateTime"), ("LAST-MODIFIED", "lastModifiedDateTime")):
        stamp = _stamp(item, field)
        if stamp:
            yield raw_property(name, stamp)
    priority = PRIORITIES.get(text_of(item, "importance").lower())
    if priority:
        yield raw_property("PRIORITY", priority)
    categories = item.get("categories")
    for category in categories[:20] if isinstance(categories, list) else []:
        if isinstance(category, str) and category:
            yield text_property("CATEGORIES", category[:200])
    # A delta tells no extended properties, but the key under which its creator made an event.
    if text_of(item, "transactionId"):
        yield mark(text_of(item, "transactionId")[:200])


def _stamp(item: Item, field: str) -> str:
    try:
        moment = read_stamp(text_of(item, field))
    except (ValueError, OverflowError):
        return ""
    # The year 1 means that nobody set it.
    return format_utc(moment) if moment > MIN_INSTANT else ""
