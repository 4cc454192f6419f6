"""EWS calendar items as calendar objects: a master with its exceptions, or a single one (pure).

Properties are read, never MimeContent, which is wrong about exceptions and zones on old servers.
Each override repeats every property.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.adapters.exchange.fields import (
    Element,
    T,
    child_of,
    children_of,
    is_true,
    item_id,
    read_instant,
    text_of,
)
from gateway.adapters.exchange.recurrence import deleted_starts, rule_of
from gateway.adapters.exchange.zone_of import zone_of
from gateway.model.booking_mark import mark
from gateway.model.component import Component, serialize
from gateway.model.content_line import Property, raw_property, text_property
from gateway.model.itip import PRODID
from gateway.model.participants import ANSWER
from gateway.model.spot import Spot, date_spot, time_spot
from gateway.model.timerange import DAY, HOUR, Instant, format_utc
from gateway.model.zone import Zone
from gateway.model.zone_definition import zone_definition
from gateway.ports import UpstreamObject

VERSION = 1
"""Changes with every change of what is rendered, so that everything is written anew."""
FREE = frozenset({"Free", "WorkingElsewhere"})
CANCELED = 4
"""The bit of AppointmentState that says so (MS-OXOCAL section 2.2.1.10)."""
ANSWERS = {
    "Tentative": "TENTATIVE",
    "Accept": "ACCEPTED",
    "Decline": "DECLINED",
    "NoResponseReceived": "NEEDS-ACTION",
}
CLASSES = {"Personal": "PRIVATE", "Private": "PRIVATE", "Confidential": "CONFIDENTIAL"}
MAX_TEXT = 64 * 1024
MAX_ATTENDEES = 1_000
NO_STAMP = "19700101T000000Z"
HEAD = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n".encode()
TAIL = b"END:VCALENDAR\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """What the members of one object share."""

    uid: str
    home: Zone
    zones: dict[str, Zone]


def render(item: Element, exceptions: Iterable[Element], home: Zone) -> UpstreamObject:
    """Return one object; a master whose time or rule makes no sense raises ValueError."""
    uid = text_of(item, "UID") or f"{item_id(item)}@exchange"
    series = _Series(uid=uid, home=home, zones={})
    where = zone_of(item, home)
    start, _ = _extent(item, where, home)
    recurrence = child_of(item, "Recurrence")
    dates: list[Property] = []
    members: list[Component] = []
    if recurrence is not None:
        dates.append(raw_property("RRULE", rule_of(recurrence, start)))
        slots = {_slot(text, start).instant: _slot(text, start) for text in deleted_starts(item)}
        for one in exceptions:
            try:
                slot = _slot(_original_start(item, one), start)
                members.append(_event(one, series, replaces=slot))
            except (ValueError, OverflowError):
                continue  # the instance stays busy where the series has it
            slots.pop(slot.instant, None)
        dates += [slot.property("EXDATE") for _, slot in sorted(slots.items())]
    members.insert(0, _event(item, series, dates=dates))
    definitions = [zone_definition(one) for one in series.zones.values()]
    data = b"".join([HEAD, *definitions, *map(serialize, members), TAIL])
    etag = hashlib.sha256(b"%d:" % VERSION + data).hexdigest()[:32]
    return UpstreamObject(key=item_id(item), uid=uid, etag=etag, data=data)


def modified_ids(item: Element) -> list[str]:
    """Return the ids of the exceptions of a master, which it lists without their properties."""
    return [item_id(one) for one in children_of(item, "ModifiedOccurrences")]


def _original_start(master: Element, exception: Element) -> str:
    """Return which instance an exception replaces: by its own word, else by the master's list."""
    told = text_of(exception, "RecurrenceId") or text_of(exception, "OriginalStart")
    for one in children_of(master, "ModifiedOccurrences"):
        if item_id(one) == item_id(exception):
            told = text_of(one, "OriginalStart") or told
    return told


def _slot(text: str, start: Spot) -> Spot:
    """Return the instance of a series that an instant names; of whole days the nearest midnight."""
    instant = read_instant(text)
    if start.is_date:
        return date_spot((start.zone.wall_of(instant) + DAY // 2) // DAY, start.zone)
    return time_spot(instant, start.zone)


def _extent(item: Element, where: Zone, home: Zone) -> tuple[Spot, Spot]:
    begin, end = read_instant(text_of(item, "Start")), read_instant(text_of(item, "End"))
    if is_true(item, "IsAllDayEvent"):
        return _days(begin, end, where, home)
    if end < begin:
        end = begin + HOUR  # it is not free, whatever it says
    return time_spot(begin, where), time_spot(end, where)


def _days(begin: Instant, end: Instant, where: Zone, home: Zone) -> tuple[Spot, Spot]:
    """Return the days of an all-day item: those of the zone in which it begins at midnight."""
    told = next((zone for zone in (where, home) if zone.wall_of(begin) % DAY == 0), where)
    first = (told.wall_of(begin) + DAY // 2) // DAY
    last = max((told.wall_of(end) + DAY // 2) // DAY, first + 1)
    # Dates float: their busy time is the mailbox's day.
    return date_spot(first, told), date_spot(last, told)


def _event(
    item: Element,
    series: _Series,
    *,
    dates: Sequence[Property] = (),
    replaces: Spot | None = None,
) -> Component:
    where = zone_of(item, series.home)
    start, end = _extent(item, where, series.home)
    # A time that a TZID cannot tell from its twin is told in UTC, but where a rule needs its wall.
    twin = not dates and (start.is_second or end.is_second)
    times = [start.property("DTSTART", utc=twin), end.property("DTEND", utc=twin), *dates]
    if replaces is not None:
        times.insert(0, replaces.property("RECURRENCE-ID"))
    for spot in (start, end, *([replaces] if replaces is not None else [])):
        if any(one.param("TZID") == spot.zone.name for one in times):
            series.zones.setdefault(spot.zone.name, spot.zone)
    return Component(
        "VEVENT",
        [
            text_property("UID", series.uid),
            raw_property("DTSTAMP", _stamp(item, "LastModifiedTime") or NO_STAMP),
            *times,
            *_told(item),
            *_kept(item),
            *_people(item),
        ],
        list(_alarms(item)),
    )


def _told(item: Element) -> Iterator[Property]:
    """Yield what busy time depends on, and what people read."""
    if text_of(item, "Subject"):
        yield text_property("SUMMARY", text_of(item, "Subject")[:1000])
    shown, answer = text_of(item, "LegacyFreeBusyStatus"), answer_of(item)
    if is_cancelled(item):
        yield raw_property("STATUS", "CANCELLED")
    else:
        yield raw_property("STATUS", "TENTATIVE" if shown == "Tentative" else "CONFIRMED")
    free = shown in FREE or is_cancelled(item) or answer == "DECLINED"
    yield raw_property("TRANSP", "TRANSPARENT" if free else "OPAQUE")
    if shown == "OOF" and not free:
        yield raw_property("X-MICROSOFT-CDO-BUSYSTATUS", "OOF")
    if answer:
        yield raw_property(ANSWER, answer)
    yield raw_property("CLASS", CLASSES.get(text_of(item, "Sensitivity"), "PUBLIC"))
    for name, field in (("LOCATION", "Location"), ("DESCRIPTION", "Body")):
        text = text_of(item, field)[:MAX_TEXT]
        if text:
            yield text_property(name, text)


def is_cancelled(item: Element) -> bool:
    """Tell whether a meeting was called off; it stays in the calendar until somebody removes it."""
    state = text_of(item, "AppointmentState")
    return is_true(item, "IsCancelled") or (state.isdigit() and bool(int(state) & CANCELED))


def answer_of(item: Element) -> str:
    """Return the mailbox's own answer to an invitation as a PARTSTAT; its organizer gave none."""
    return ANSWERS.get(text_of(item, "MyResponseType"), "")


def _kept(item: Element) -> Iterator[Property]:
    sequence = text_of(item, "AppointmentSequenceNumber")
    if sequence.isdigit() and int(sequence) > 0:
        yield raw_property("SEQUENCE", sequence)
    for name, field in (("CREATED", "DateTimeCreated"), ("LAST-MODIFIED", "LastModifiedTime")):
        stamp = _stamp(item, field)
        if stamp:
            yield raw_property(name, stamp)
    for one in item.findall(f"{T}ExtendedProperty"):
        if child_of(one, "ExtendedFieldURI") is not None and text_of(one, "Value"):
            yield mark(text_of(one, "Value"))  # the only one that is asked for
    categories = [one.text for one in children_of(item, "Categories") if one.text]
    for category in categories[:20]:
        yield text_property("CATEGORIES", category)


def _people(item: Element) -> Iterator[Property]:
    lists = (("RequiredAttendees", "REQ-PARTICIPANT"), ("OptionalAttendees", "OPT-PARTICIPANT"))
    attendees = [(one, role) for name, role in lists for one in children_of(item, name)]
    found = [one for one in (_attendee(*pair) for pair in attendees[:MAX_ATTENDEES]) if one]
    if not found:
        return
    organizer = child_of(child_of(item, "Organizer"), "Mailbox")
    if "@" in text_of(organizer, "EmailAddress"):
        yield Property(
            "ORGANIZER", _name(organizer), f"mailto:{text_of(organizer, 'EmailAddress')}"
        )
    yield from found


def _attendee(one: Element, role: str) -> Property | None:
    mailbox = child_of(one, "Mailbox")
    address = text_of(mailbox, "EmailAddress")
    if "@" not in address:
        return None  # an X.500 name, which nobody outside can use
    state = ANSWERS.get(text_of(one, "ResponseType"), "NEEDS-ACTION")
    params = {**_name(mailbox), "ROLE": (role,), "PARTSTAT": (state,)}
    return Property("ATTENDEE", params, f"mailto:{address}")


def _name(mailbox: Element) -> dict[str, tuple[str, ...]]:
    name = text_of(mailbox, "Name")
    return {"CN": (name,)} if name else {}


def _alarms(item: Element) -> Iterator[Component]:
    minutes = text_of(item, "ReminderMinutesBeforeStart")
    if is_true(item, "ReminderIsSet") and minutes.isdigit():
        yield Component(
            "VALARM",
            [
                raw_property("ACTION", "DISPLAY"),
                text_property("DESCRIPTION", text_of(item, "Subject")[:1000] or "Reminder"),
                raw_property("TRIGGER", f"-PT{int(minutes)}M"),
            ],
        )


def _stamp(item: Element, field: str) -> str:
    try:
        return format_utc(read_instant(text_of(item, field)))
    except (ValueError, OverflowError):
        return ""
