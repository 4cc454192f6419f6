"""Calendar object resources (RFC 4791 section 4.1): the strict rules for PUT, lenient splitting.

Here stands what an object is made of. What its times may be is `compile_object`'s to say, strict
or lenient as the reading was.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.errors import Condition, Refused
from gateway.model.component import (
    TYPES,
    CalendarObject,
    Component,
    parse,
    parse_many,
    serialize,
)
from gateway.model.content_line import Property, raw_property
from gateway.model.extent import read_extent
from gateway.model.moment import Moments
from gateway.model.zone import UTC_ZONE

__all__ = ["TYPES", "CalendarObject", "Limits", "RefusedItem", "check_object", "read_one", "split"]

MAX_UID = 1_024
# What section 3.6 lets stand once at most, as far as anybody acts on it.
_ONCE = frozenset(
    [
        "CLASS",
        "COMPLETED",
        "CREATED",
        "DTEND",
        "DTSTAMP",
        "DTSTART",
        "DUE",
        "DURATION",
        "ORGANIZER",
        "RECURRENCE-ID",
        "SEQUENCE",
        "STATUS",
        "TRANSP",
        "UID",
    ]
)
# A header that belongs to a feed or a message, not to one of its objects.
_NOT_OF_AN_OBJECT = ("METHOD", "NAME", "REFRESH-INTERVAL", "SOURCE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits that RFC 4791 section 5.2 lets a server advertise, for one object."""

    resource_size: int = 1 << 20
    attendees: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedItem:
    """An item of a stream that makes no sense, by what its owner knows it by."""

    uid: str
    summary: str
    error: Refused


DEFAULT = Limits()


# --- strict ------------------------------------------------------------------------------------


def check_object(data: bytes, *, limits: Limits = DEFAULT) -> CalendarObject:
    """Return the object a client PUTs; Refused names the precondition of section 5.3.2.1.

    The ones about dates and instances are `compile_object`'s, those about the collection (its
    component set, UIDs in use) are the service's.
    """
    if len(data) > limits.resource_size:
        what = f"more than {limits.resource_size:,} octets"
        raise Refused(Condition.MAX_RESOURCE_SIZE, what)
    calendar = parse(data)
    _check_header(calendar)
    members = _members(calendar)
    for member in members:
        _check_member(member, limits)
    _check_instances(members)
    return CalendarObject(
        uid=members[0].value("UID"), component=members[0].name, calendar=calendar, members=members
    )


def _check_header(calendar: Component) -> None:
    versions = [item.value.strip() for item in calendar.all("VERSION")]
    if len(versions) != 1 or len(calendar.all("PRODID")) != 1:
        raise _invalid("a VCALENDAR has one VERSION and one PRODID")
    if versions != ["2.0"]:
        raise Refused(Condition.SUPPORTED_CALENDAR_DATA, "only iCalendar 2.0 is supported")
    if calendar.value("CALSCALE").strip().upper() not in ("", "GREGORIAN"):
        raise Refused(Condition.SUPPORTED_CALENDAR_DATA, "only CALSCALE:GREGORIAN is supported")
    if calendar.first("METHOD"):
        raise _no_object("a stored object has no METHOD")


def _members(calendar: Component) -> list[Component]:
    """Return the components that make up the object: all of one type, all of one UID."""
    found = [
        item
        for item in calendar.components
        if item.name != "VTIMEZONE" and not item.name.startswith("X-")
    ]
    if not found:
        raise _no_object("no component but time zones")
    names = sorted({item.name for item in found})
    if len(names) > 1:
        raise _no_object(f"components of several types: {', '.join(names)[:80]}")
    if names[0] not in TYPES:
        raise Refused(Condition.SUPPORTED_CALENDAR_COMPONENT, f"{names[0][:40]} is not supported")
    uids = {item.value("UID") for item in found}
    if "" in uids:
        raise _no_object(f"a {names[0]} without UID")
    if len(uids) > 1:
        raise _no_object("components with several UIDs")
    if len(found[0].value("UID")) > MAX_UID:
        raise _no_object(f"a UID of more than {MAX_UID:,} characters")
    return found


def _check_member(member: Component, limits: Limits) -> None:
    counts = Counter(item.name for item in member.properties)
    if not counts["DTSTAMP"]:
        raise _invalid(f"a {member.name} without DTSTAMP")
    repeated = sorted(name for name in _ONCE if counts[name] > 1)
    if repeated:
        raise _invalid(f"a {member.name} with more than one {repeated[0]}")
    if counts["RRULE"] and not counts["DTSTART"]:
        raise _invalid("an RRULE without DTSTART")
    if counts["ATTENDEE"] > limits.attendees:
        raise Refused(Condition.MAX_ATTENDEES, f"more than {limits.attendees:,} attendees")
    for alarm in member.inside("VALARM"):
        if not alarm.first("ACTION") or not alarm.first("TRIGGER"):
            raise _invalid("a VALARM without ACTION or TRIGGER")


def _check_instances(members: Sequence[Component]) -> None:
    """Refuse two masters, or two overrides of one instance."""
    instances = Counter(_instance(item) for item in members)
    (_, tzid, value), most = instances.most_common(1)[0]
    if most > 1:
        what = f"RECURRENCE-ID {tzid} {value}"[:80] if value else "no RECURRENCE-ID"
        raise _no_object(f"two components with {what}")
    if any(item.first("RECURRENCE-ID") and item.first("RRULE") for item in members):
        raise _invalid("an override with an RRULE")


def _instance(member: Component) -> tuple[str, str, str]:
    item = member.first("RECURRENCE-ID")
    if item is None:
        return "", "", ""
    return item.param("RANGE").upper(), item.param("TZID"), item.value.strip().upper()


def _invalid(detail: str) -> Refused:
    return Refused(Condition.VALID_CALENDAR_DATA, detail)


def _no_object(detail: str) -> Refused:
    return Refused(Condition.VALID_CALENDAR_OBJECT_RESOURCE, detail)


# --- lenient -----------------------------------------------------------------------------------


def read_one(data: bytes) -> CalendarObject:
    """Return the one object of some stored or upstream data, read leniently."""
    objects: list[CalendarObject] = []
    for calendar in parse_many(data):
        found, refused = split(calendar)
        if refused:
            raise refused[0].error
        objects += found
    if len(objects) != 1:
        raise _no_object(f"{len(objects)} objects where one is expected")
    return objects[0]


def split(calendar: Component) -> tuple[list[CalendarObject], list[RefusedItem]]:
    """Split a calendar into one object for each UID, each with the zones that it names.

    An item whose time nobody can tell is refused by itself, with everything of its UID.
    """
    zones = {item.value("TZID").strip(): item for item in reversed(calendar.inside("VTIMEZONE"))}
    moments = Moments(calendar, UTC_ZONE, lenient=True)
    members: dict[str, list[Component]] = {}
    for item in calendar.components:
        if item.name in TYPES:
            named = _with_uid(item)
            members.setdefault(named.value("UID"), []).append(named)
    objects: list[CalendarObject] = []
    refused: list[RefusedItem] = []
    for uid, found in members.items():
        try:
            _check_times(found, moments)
        except (ValueError, OverflowError) as error:
            summary = found[0].text("SUMMARY")
            refused.append(RefusedItem(uid=uid, summary=summary, error=_invalid(str(error))))
        else:
            objects.append(_object(calendar, uid, found, zones))
    return objects, refused


def _with_uid(item: Component) -> Component:
    """Return a component that has a UID; a missing one is made of what the component says."""
    if item.value("UID").strip():
        return item
    # A download's own DTSTAMP would make another event of it every time.
    kept = [found for found in item.properties if found.name not in ("UID", "DTSTAMP")]
    digest = hashlib.sha256(serialize(Component(item.name, kept))).hexdigest()[:32]
    return Component(item.name, [raw_property("UID", digest), *item.properties], item.components)


def _check_times(members: Sequence[Component], moments: Moments) -> None:
    if any(item.name != members[0].name for item in members):
        raise ValueError("components of several types share a UID")
    for item in members:
        replaced = item.first("RECURRENCE-ID")
        read_extent(moments, item, moments.read(replaced) if replaced else None)


def _object(
    calendar: Component, uid: str, members: list[Component], zones: dict[str, Component]
) -> CalendarObject:
    named = dict.fromkeys(tzid.strip() for item in members for tzid in _tzids(item))
    header = [item for item in calendar.properties if _is_of_an_object(item)]
    used = [zones[tzid] for tzid in named if tzid in zones]
    return CalendarObject(
        uid=uid,
        component=members[0].name,
        calendar=Component("VCALENDAR", header, [*used, *members]),
        members=members,
    )


def _is_of_an_object(item: Property) -> bool:
    return item.name not in _NOT_OF_AN_OBJECT and not item.name.startswith("X-")


def _tzids(component: Component) -> Iterator[str]:
    for item in component.properties:
        if "TZID" in item.params:
            yield item.param("TZID")
    for inner in component.components:
        yield from _tzids(inner)
