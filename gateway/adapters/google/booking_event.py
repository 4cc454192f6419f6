"""A booking as an event in Google's JSON, and the ids it may have (pure).

The id follows from the booking's UID and a generation: whoever writes the same booking again, on
whatever node, after whatever crash, writes the same event.
"""

import base64
import hashlib
import hmac
from typing import Any

from gateway.adapters.google.normalise import MARKER, private_property
from gateway.adapters.google.people import Item
from gateway.errors import Refused, Unavailable
from gateway.model.component import Component
from gateway.model.content_line import Property
from gateway.model.local_time import format_day
from gateway.model.moment import Moment, Moments
from gateway.model.objects import read_one
from gateway.model.timerange import DAY, format_rfc3339
from gateway.model.zone import UTC_ZONE

ID_KEY = b"calgate.google.event"
"""Names what is hashed, and is no secret: an id need not be hard to guess, only always the same."""
FENCE = "calgateFence"
GENERATION = "calgateGeneration"
VISIBILITIES = {"PUBLIC": "public", "PRIVATE": "private", "CONFIDENTIAL": "confidential"}


def event_id(uid: str, generation: int) -> str:
    """Return the id of a booking's event: base32hex, as Google wants ids (a-v and 0-9)."""
    text = f"{generation}:{uid}".encode()
    digest = hmac.new(ID_KEY, text, hashlib.sha256).digest()
    return base64.b32hexencode(digest).rstrip(b"=").decode().lower()


def event_body(data: bytes, uid: str, generation: int) -> dict[str, Any]:
    """Return the event of a booking's iCalendar."""
    marks = {MARKER: uid, GENERATION: str(generation)}
    event = _event(data)
    body: dict[str, Any] = {
        "summary": event.text("SUMMARY"),
        "description": event.text("DESCRIPTION"),
        "location": event.text("LOCATION"),
        "start": _time(data, event, "DTSTART"),
        "end": _time(data, event, "DTEND"),
        "id": event_id(uid, generation),
        "status": "tentative" if event.value("STATUS") == "TENTATIVE" else "confirmed",
        "transparency": "transparent" if event.value("TRANSP") == "TRANSPARENT" else "opaque",
        "reminders": {"useDefault": True},
        "extendedProperties": {"private": marks},
    }
    if event.value("CLASS") in VISIBILITIES:
        body["visibility"] = VISIBILITIES[event.value("CLASS")]
    if invites(data):
        body["attendees"] = [_attendee(one) for one in event.all("ATTENDEE")]
    return body


def fence_body(uid: str) -> dict[str, Any]:
    """Return an event that only takes an id, so that nothing can come to life under it later."""
    moment = {"dateTime": "2000-01-01T00:00:00Z", "timeZone": "UTC"}
    return {
        "id": event_id(uid, 0),
        "start": moment,
        "end": moment,
        "transparency": "transparent",
        "reminders": {"useDefault": False},
        "extendedProperties": {"private": {MARKER: uid, FENCE: "1"}},
    }


def invites(data: bytes) -> bool:
    """Tell whether Google shall invite the attendees: not where that is ours (RFC 6638 7.1)."""
    attendees = _event(data).all("ATTENDEE")
    return any(one.param("SCHEDULE-AGENT").upper() not in {"NONE", "CLIENT"} for one in attendees)


def is_ours(item: Item, uid: str) -> bool:
    """Tell whether an event is the one of this booking."""
    return private_property(item, MARKER) == uid


def is_fence(item: Item) -> bool:
    """Tell whether an event only takes its id."""
    return bool(private_property(item, FENCE))


def _event(data: bytes) -> Component:
    try:
        return read_one(data).members[0]
    except Refused as error:
        raise Unavailable("The booking's event cannot be read.") from error


def _time(data: bytes, event: Component, name: str) -> dict[str, str]:
    item = event.first(name)
    if item is None:
        raise Unavailable("The booking's event has no end.")
    calendar = read_one(data).calendar
    moment: Moment = Moments(calendar, UTC_ZONE, lenient=True).read(item)
    if moment.is_date:
        day = format_day(moment.wall // DAY)
        return {"date": f"{day[:4]}-{day[4:6]}-{day[6:]}"}
    return {"dateTime": format_rfc3339(moment.instant), "timeZone": moment.zone.name}


def _attendee(one: Property) -> dict[str, Any]:
    email = one.value.strip()
    if email.lower().startswith("mailto:"):
        email = email[len("mailto:") :]
    return {"email": email} | ({"displayName": one.param("CN")} if one.param("CN") else {})
