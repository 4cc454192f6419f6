"""Invitations and cancellations as iTIP messages (RFC 5546), and the event that a calendar keeps.

Times are UTC, so no VTIMEZONE is needed and no client can read one wrongly.
"""

from dataclasses import dataclass

from gateway.model.booking_mark import mark
from gateway.model.component import Component, serialize
from gateway.model.content_line import Property, raw_property, text_property
from gateway.model.timerange import Instant, format_utc

PRODID = "-//calgate//calgate//EN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """An organizer or attendee; an empty name is left out."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What an invitation says. `sequence` grows with every change (RFC 5546 section 2.1.4).

    `asks` says that the attendees have yet to answer; who booked has accepted by that.
    """

    uid: str
    sequence: int
    stamp: Instant
    start: Instant
    end: Instant
    summary: str
    description: str = ""
    location: str = ""
    organizer: Participant
    attendees: tuple[Participant, ...] = ()
    asks: bool = False


def request(meeting: Meeting) -> bytes:
    """Return the REQUEST that puts the meeting into an attendee's calendar (section 3.2.2)."""
    return _message(meeting, "REQUEST", "CONFIRMED")


def cancel(meeting: Meeting) -> bytes:
    """Return the CANCEL that takes it out again (section 3.2.5)."""
    return _message(meeting, "CANCEL", "CANCELLED")


def published(meeting: Meeting) -> bytes:
    """Return the meeting for somebody to add by hand (PUBLISH, section 3.2.1)."""
    return _message(meeting, "PUBLISH", "CONFIRMED")


def event(meeting: Meeting, *, agent: str = "NONE") -> bytes:
    """Return the calendar object resource that the owner's calendar keeps: no METHOD.

    SCHEDULE-AGENT=NONE (RFC 6638 section 7.1) where the invitations are ours to send: neither a
    client nor another server shall send them a second time. SERVER has the provider send them.
    """
    return _message(meeting, "", "CONFIRMED", agent)


def _message(meeting: Meeting, method: str, status: str, agent: str = "") -> bytes:
    calendar = Component("VCALENDAR")
    calendar.properties = [
        raw_property("VERSION", "2.0"),
        raw_property("PRODID", PRODID),
        *([raw_property("METHOD", method)] if method else []),
    ]
    entry = Component("VEVENT")
    entry.properties = [
        text_property("UID", meeting.uid),
        raw_property("DTSTAMP", format_utc(meeting.stamp)),
        raw_property("SEQUENCE", str(meeting.sequence)),
        raw_property("DTSTART", format_utc(meeting.start)),
        raw_property("DTEND", format_utc(meeting.end)),
        text_property("SUMMARY", meeting.summary),
        *([text_property("DESCRIPTION", meeting.description)] if meeting.description else []),
        *([text_property("LOCATION", meeting.location)] if meeting.location else []),
        raw_property("STATUS", status),
        raw_property("TRANSP", "OPAQUE"),
        # Said to nobody but the owner's calendar: by it the event is known whatever becomes of it.
        *([] if method else [mark(meeting.uid)]),
        *_participants(meeting, method, agent),
    ]
    calendar.components = [entry]
    return serialize(calendar)


def _participants(meeting: Meeting, method: str, agent: str) -> list[Property]:
    organizer = _participant("ORGANIZER", meeting.organizer)
    if method == "PUBLISH":
        return [organizer]  # RFC 5546 section 3.2.1: a published event has no attendees
    state = {"PARTSTAT": ("ACCEPTED",), "ROLE": ("REQ-PARTICIPANT",)}
    if meeting.asks:
        state |= {"PARTSTAT": ("NEEDS-ACTION",), "RSVP": ("TRUE",)}
    sender = {"SCHEDULE-AGENT": (agent,)} if agent else {}
    organizer = organizer._replace(params={**organizer.params, **sender})
    attendees = [_participant("ATTENDEE", one) for one in meeting.attendees]
    return [organizer] + [
        one._replace(params={**one.params, **state, **sender}) for one in attendees
    ]


def _participant(name: str, one: Participant) -> Property:
    params = {"CN": (one.name,)} if one.name else {}
    return Property(name, params, f"mailto:{one.email}")
