"""A booking as an event in Graph's JSON, and how it is found again (pure).

Graph lets nobody choose an event's id, so the booking's UID is on it twice: hashed as the
transactionId, by which Graph itself drops a repeated request, and as an extended property, by which
the event is searched for.
"""

from typing import Any

from gateway.adapters.graph.fields import Item
from gateway.errors import Refused, Unavailable
from gateway.model.booking_mark import transaction_of
from gateway.model.component import Component
from gateway.model.content_line import Property
from gateway.model.local_time import datetime_of
from gateway.model.moment import Moments
from gateway.model.objects import read_one
from gateway.model.timerange import TimeRange
from gateway.model.zone import UTC_ZONE

MARKER = "String {6f1c6d1e-8d0a-4c49-9b3f-2c5d0e7a41b8} Name calgate-booking"
"""The named property that holds a booking's UID; the id is ours and never changes."""
SENSITIVITIES = {"PRIVATE": "private", "CONFIDENTIAL": "confidential"}


def event_body(data: bytes, uid: str) -> dict[str, Any]:
    """Return the event of a booking's iCalendar."""
    event = _event(data)
    body: dict[str, Any] = {
        "subject": event.text("SUMMARY"),
        "body": {"contentType": "text", "content": event.text("DESCRIPTION")},
        "location": {"displayName": event.text("LOCATION")},
        "start": _time(data, event, "DTSTART"),
        "end": _time(data, event, "DTEND"),
        "transactionId": transaction_of(uid),
        "showAs": _shown(event),
        "sensitivity": SENSITIVITIES.get(event.value("CLASS"), "normal"),
        "allowNewTimeProposals": False,
        "singleValueExtendedProperties": [{"id": MARKER, "value": uid}],
    }
    invited = [one for one in event.all("ATTENDEE") if _is_theirs(one)]
    if invited:
        body["attendees"] = [_attendee(one) for one in invited]
    return body


def times_of(span: TimeRange) -> dict[str, Any]:
    """Return a change of an event's time, and of nothing else."""
    start, end = (datetime_of(moment).isoformat() for moment in (span.start, span.end))
    return {
        "start": {"dateTime": start, "timeZone": "UTC"},
        "end": {"dateTime": end, "timeZone": "UTC"},
    }


def found_by(uid: str) -> str:
    """Return the filter that finds a booking's events."""
    name, value = (text.replace("'", "''") for text in (MARKER, uid))
    return f"singleValueExtendedProperties/Any(ep: ep/id eq '{name}' and ep/value eq '{value}')"


def is_meeting(item: Item) -> bool:
    """Tell whether others must hear that an event is called off."""
    return bool(item.get("attendees")) and item.get("isOrganizer") is not False


def _event(data: bytes) -> Component:
    try:
        return read_one(data).members[0]
    except Refused as error:
        raise Unavailable("The booking's event cannot be read.") from error


def _shown(event: Component) -> str:
    if event.value("TRANSP") == "TRANSPARENT":
        return "free"
    return "tentative" if event.value("STATUS") == "TENTATIVE" else "busy"


def _time(data: bytes, event: Component, name: str) -> dict[str, str]:
    item = event.first(name)
    if item is None:
        raise Unavailable("The booking's event has no end.")
    moment = Moments(read_one(data).calendar, UTC_ZONE, lenient=True).read(item)
    local = datetime_of(moment.zone.wall_of(moment.instant))
    return {"dateTime": local.isoformat(), "timeZone": moment.zone.name}


def _is_theirs(one: Property) -> bool:
    """Tell whether Exchange shall invite an attendee: not where that is ours (RFC 6638 7.1)."""
    return one.param("SCHEDULE-AGENT").upper() not in {"NONE", "CLIENT"}


def _attendee(one: Property) -> dict[str, Any]:
    address = one.value.strip()
    if address.lower().startswith("mailto:"):
        address = address[len("mailto:") :]
    kind = "optional" if one.param("ROLE").upper() == "OPT-PARTICIPANT" else "required"
    return {"type": kind, "emailAddress": {"address": address, "name": one.param("CN") or address}}
