"""Google's events as calendar objects: one UID, a master and what differs from it (pure).

What CalDAV and free/busy readers look at says what Google means: a declined invitation is
TRANSPARENT, a cancelled instance an EXDATE, RECURRENCE-IDs are in the master's zone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.adapters.google.people import (
    Item,
    alarms,
    answer_of,
    attachments,
    meeting_links,
    people,
    text_of,
)
from gateway.adapters.google.recurrence import Recurrence, read_recurrence
from gateway.adapters.google.times import Spot, date_spot, read_spot, time_spot
from gateway.freebusy.busytime import BusyType
from gateway.model.booking_mark import mark
from gateway.model.component import Component, serialize
from gateway.model.content_line import Property, raw_property, text_property
from gateway.model.itip import PRODID
from gateway.model.participants import ANSWER
from gateway.model.timerange import HOUR, format_utc, to_instant
from gateway.model.zone import UTC_ZONE, Zone
from gateway.model.zone_definition import zone_definition

MARKER = "calgateBooking"
"""The private extended property that says which booking an event is."""
MAX_TEXT = 64 * 1024
CLASSES = {"public": "PUBLIC", "private": "PRIVATE", "confidential": "CONFIDENTIAL"}
NEVER_BUSY = frozenset({"workingLocation", "birthday"})
DETAILS_HIDDEN = frozenset({"freeBusyReader", "reader", "writerWithoutPrivateAccess"})
NO_STAMP = "19700101T000000Z"
HEAD = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n".encode()
TAIL = b"END:VCALENDAR\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarFacts:
    """What a calendar's events depend on: its zone, what we may see, its usual reminders."""

    zone: Zone = UTC_ZONE
    role: str = "owner"
    reminders: Sequence[Item] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A calendar object as iCalendar, and one sentence for each thing in it that is broken."""

    uid: str
    updated: str
    data: bytes
    notes: tuple[str, ...] = ()


def is_cancelled(item: Item) -> bool:
    """Tell whether an item is a tombstone; of such only its ids can be relied on."""
    return item.get("status") == "cancelled"


def key_of(item: Item) -> str:
    """Return the key of the object that an item belongs to: its master's id, or its own."""
    return text_of(item, "recurringEventId") or text_of(item, "id")


def uid_of(item: Item) -> str:
    """Return the UID, verbatim; only what has none gets the one Google would give."""
    return text_of(item, "iCalUID") or f"{key_of(item)}@google.com"


def render(master: Item | None, exceptions: Sequence[Item], facts: CalendarFacts) -> Rendered:
    """Return one object; a master whose time makes no sense raises ValueError.

    Without a master the exceptions stand alone: somebody was invited to one instance only.
    """
    notes: list[str] = []
    members: list[Component] = []
    zones: dict[str, Zone] = {}
    live = [item for item in exceptions if not is_cancelled(item)]
    if master is not None:
        members = _series(master, exceptions, facts, zones, notes)
    else:
        for item in live:
            start = read_spot(item.get("start"), facts.zone)
            slot = _original(item, facts) or start
            members.append(_event(item, facts, zones, uid=uid_of(live[0]), replaces=slot))
    if not members:
        raise ValueError("nothing that has a time")
    first = master if master is not None else live[0]
    definitions = [zone_definition(zone) for zone in zones.values()]
    body = b"".join([HEAD, *definitions, *map(serialize, members), TAIL])
    updated = max(text_of(item, "updated") for item in (first, *exceptions))
    return Rendered(uid=uid_of(first), updated=updated, data=body, notes=tuple(notes))


def _series(
    master: Item,
    exceptions: Sequence[Item],
    facts: CalendarFacts,
    zones: dict[str, Zone],
    notes: list[str],
) -> list[Component]:
    start = read_spot(master.get("start"), facts.zone)
    recurrence = read_recurrence(master.get("recurrence"), start)
    if recurrence.broken:
        notes.append(f"“{_title(master)}” repeats in a way that cannot be read in full.")
    overrides: dict[int, Item] = {}
    slots: dict[int, Spot] = {}
    for item in sorted(exceptions, key=lambda one: text_of(one, "updated")):
        original = _original(item, facts)
        if original is None:
            notes.append(f"A changed date of “{_title(master)}” cannot be read.")
            continue
        slot = original.on(start)
        slots[slot.instant] = slot
        if is_cancelled(item):
            recurrence.excluded.append(slot)
            overrides.pop(slot.instant, None)
        else:
            overrides[slot.instant] = item
    recurrence.excluded = [one for one in recurrence.excluded if one.instant not in overrides]
    uid = uid_of(master)
    members = [_event(master, facts, zones, uid=uid, recurrence=recurrence)]
    for instant, item in overrides.items():
        try:
            members.append(_event(item, facts, zones, uid=uid, replaces=slots[instant]))
        except (ValueError, OverflowError):
            # The instance stays busy where the series has it.
            notes.append(f"A changed date of “{_title(master)}” cannot be read.")
    return members


def _original(item: Item, facts: CalendarFacts) -> Spot | None:
    try:
        return read_spot(item.get("originalStartTime"), facts.zone)
    except (ValueError, OverflowError):
        return None


def _event(
    item: Item,
    facts: CalendarFacts,
    zones: dict[str, Zone],
    *,
    uid: str,
    recurrence: Recurrence | None = None,
    replaces: Spot | None = None,
) -> Component:
    start = read_spot(item.get("start"), facts.zone)
    end = _end(item, start, facts)
    repeats = recurrence is not None and recurrence.repeats
    # A time that a TZID cannot tell from its twin is told in UTC (RFC 5545 section 3.3.5), and so
    # is a zone that is no more than an offset, but where a rule needs its wall.
    twin = not repeats and (start.is_second or end.is_second)
    times = [
        start.property("DTSTART", utc=twin or (start.zone.is_fixed and not repeats)),
        end.property("DTEND", utc=twin or (end.zone.is_fixed and not repeats)),
    ]
    if replaces is not None:
        fixed = replaces.zone.is_fixed and replaces.zone.name not in zones
        times.insert(0, replaces.property("RECURRENCE-ID", utc=fixed))
    if repeats and recurrence is not None:
        times += _recurring(recurrence, start)
    for spot in (start, end, *([replaces] if replaces is not None else [])):
        _define(spot, times, zones)
    summary = _summary(item, facts)
    return Component(
        "VEVENT",
        [
            text_property("UID", uid),
            raw_property("DTSTAMP", _stamp(text_of(item, "updated")) or NO_STAMP),
            *times,
            *_told(item, summary),
            *_kept(item),
            *people(item),
            *meeting_links(item),
            *attachments(item),
        ],
        list(alarms(item, facts.reminders, summary)),
    )


def _define(spot: Spot, times: Sequence[Property], zones: dict[str, Zone]) -> None:
    if any(item.param("TZID") == spot.zone.name for item in times):
        zones.setdefault(spot.zone.name, spot.zone)


def _end(item: Item, start: Spot, facts: CalendarFacts) -> Spot:
    """Return the end; one that is missing or before the start is an hour, for it is not free."""
    try:
        end = read_spot(item.get("end"), facts.zone)
    except (ValueError, OverflowError):
        end = None
    if start.is_date:
        day = start.day + 1 if end is None else max(end.day, start.day + 1)
        return date_spot(day, start.zone)
    if end is None or end.instant < start.instant:
        return time_spot(start.instant + HOUR, start.zone)
    return time_spot(end.instant, start.zone) if end.is_date else end


def _recurring(recurrence: Recurrence, start: Spot) -> Iterator[Property]:
    for rule in recurrence.rules:
        yield raw_property("RRULE", rule)
    for name, spots in (("RDATE", recurrence.dates), ("EXDATE", recurrence.excluded)):
        for spot in sorted({spot.on(start) for spot in spots}, key=lambda one: one.instant):
            yield spot.property(name)


def _told(item: Item, summary: str) -> Iterator[Property]:
    """Yield what busy time depends on, and what people read."""
    if summary:
        yield text_property("SUMMARY", summary)
    status = text_of(item, "status")
    yield raw_property("STATUS", "TENTATIVE" if status == "tentative" else "CONFIRMED")
    kind, answer = busy_type(item), answer_of(item)
    yield raw_property("TRANSP", "TRANSPARENT" if kind is BusyType.FREE else "OPAQUE")
    if kind is BusyType.UNAVAILABLE:
        yield raw_property("X-MICROSOFT-CDO-BUSYSTATUS", "OOF")
    if answer:
        yield raw_property(ANSWER, answer)
    seen_as = CLASSES.get(text_of(item, "visibility"))
    if seen_as:
        yield raw_property("CLASS", seen_as)
    for name, field in (("LOCATION", "location"), ("DESCRIPTION", "description")):
        text = text_of(item, field)[:MAX_TEXT]
        if text:
            yield text_property(name, text)


def busy_type(item: Item) -> BusyType:
    """Return what an event does to its calendar's time (docs/policies.md, "Busy time")."""
    kind, answer = text_of(item, "eventType"), answer_of(item)
    if item.get("transparency") == "transparent" or kind in NEVER_BUSY or answer == "DECLINED":
        return BusyType.FREE
    if kind == "outOfOffice":
        return BusyType.UNAVAILABLE
    if text_of(item, "status") == "tentative" or answer in {"TENTATIVE", "NEEDS-ACTION"}:
        return BusyType.TENTATIVE
    return BusyType.BUSY


def _kept(item: Item) -> Iterator[Property]:
    sequence = item.get("sequence")
    if isinstance(sequence, int) and sequence > 0:
        yield raw_property("SEQUENCE", str(sequence))
    for name, field in (("CREATED", "created"), ("LAST-MODIFIED", "updated")):
        stamp = _stamp(text_of(item, field))
        if stamp:
            yield raw_property(name, stamp)
    if text_of(item, "htmlLink"):
        yield raw_property("URL", text_of(item, "htmlLink")[:2000])
    booking = private_property(item, MARKER)
    if booking:
        yield mark(booking)


def private_property(item: Mapping[str, Any], name: str) -> str:
    """Return one of an event's private extended properties."""
    extended = item.get("extendedProperties")
    private = extended.get("private") if isinstance(extended, Mapping) else None
    return text_of(private, name)


def _summary(item: Item, facts: CalendarFacts) -> str:
    summary = text_of(item, "summary")[:1000]
    if summary:
        return summary
    if text_of(item, "eventType") == "workingLocation":
        return _place(item.get("workingLocationProperties"))
    return "Busy" if facts.role in DETAILS_HIDDEN else ""


def _place(told: object) -> str:
    if not isinstance(told, Mapping):
        return "Working location"
    for name in ("officeLocation", "customLocation"):
        if text_of(told.get(name), "label"):
            return text_of(told.get(name), "label")
    return "Home" if "homeOffice" in told else "Working location"


def _title(item: Item) -> str:
    return text_of(item, "summary")[:80] or "An event"


def _stamp(text: str) -> str:
    if not text:
        return ""
    try:
        return format_utc(to_instant(datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        return ""
