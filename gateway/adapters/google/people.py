"""The people and the reminders of a Google event as properties (RFC 5545 sections 3.8.4, 3.6.6)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.model.component import Component
from gateway.model.content_line import Property, escape_text, raw_property, text_property
from gateway.model.timerange import DAY, HOUR, MINUTE

Item = Mapping[str, Any]
"""One of Google's JSON objects; nothing in it is taken for granted."""

PARTSTATS = {
    "declined": "DECLINED",
    "tentative": "TENTATIVE",
    "accepted": "ACCEPTED",
    "needsAction": "NEEDS-ACTION",
}
MAX_ATTENDEES = 1_000
MAX_REMINDERS = 5
MAX_REMINDER = 40_320
"""Four weeks in minutes, the most that Google takes."""
PLACEHOLDER = "unknownorganizer@calendar.google.com"


def text_of(item: object, name: str) -> str:
    """Return a text of an object, or an empty string where there is none."""
    value = item.get(name) if isinstance(item, Mapping) else None
    return value if isinstance(value, str) else ""


def attendees_of(item: Item) -> list[Item]:
    """Return the attendees that are objects."""
    found = item.get("attendees")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def answer_of(item: Item) -> str:
    """Return the PARTSTAT of the calendar's own user; a team's calendar has none."""
    for one in attendees_of(item):
        if one.get("self") is True:
            return PARTSTATS.get(text_of(one, "responseStatus"), "NEEDS-ACTION")
    return ""


def people(item: Item) -> Iterator[Property]:
    """Yield ORGANIZER and ATTENDEEs; without attendees there is no organizer either."""
    attendees = [one for one in attendees_of(item) if text_of(one, "email")]
    if not attendees:
        return
    organizer = item.get("organizer")
    email = text_of(organizer, "email")
    if email and email != PLACEHOLDER:
        yield Property("ORGANIZER", _name(organizer), f"mailto:{email}")
    for one in attendees[:MAX_ATTENDEES]:
        yield _attendee(one)
    if item.get("attendeesOmitted") is True or len(attendees) > MAX_ATTENDEES:
        yield raw_property("X-CALGATE-ATTENDEES-OMITTED", "TRUE")


def _attendee(one: Item) -> Property:
    params = _name(one)
    if one.get("resource") is True:
        params["CUTYPE"] = ("ROOM",)
    params["ROLE"] = ("OPT-PARTICIPANT" if one.get("optional") is True else "REQ-PARTICIPANT",)
    params["PARTSTAT"] = (PARTSTATS.get(text_of(one, "responseStatus"), "NEEDS-ACTION"),)
    if text_of(one, "comment"):
        params["X-RESPONSE-COMMENT"] = (text_of(one, "comment")[:500],)
    guests = one.get("additionalGuests")
    if isinstance(guests, int) and guests > 0:
        params["X-NUM-GUESTS"] = (str(guests),)
    return Property("ATTENDEE", params, f"mailto:{text_of(one, 'email')}")


def _name(one: object) -> dict[str, tuple[str, ...]]:
    name = text_of(one, "displayName")
    return {"CN": (name,)} if name else {}


def alarms(item: Item, defaults: Sequence[Item], summary: str) -> Iterator[Component]:
    """Yield a VALARM for each reminder; a mail is shown, for we do not send Google's mails."""
    reminders = item.get("reminders")
    if not isinstance(reminders, Mapping):
        return
    chosen = defaults if reminders.get("useDefault") is True else reminders.get("overrides")
    if not isinstance(chosen, Sequence):
        return
    for one in chosen[:MAX_REMINDERS]:
        minutes = one.get("minutes") if isinstance(one, Mapping) else None
        if isinstance(minutes, int) and 0 <= minutes <= MAX_REMINDER:
            yield Component(
                "VALARM",
                [
                    raw_property("ACTION", "DISPLAY"),
                    text_property("DESCRIPTION", summary or "Reminder"),
                    raw_property("TRIGGER", f"-{_duration(minutes)}"),
                ],
            )


def _duration(minutes: int) -> str:
    days, rest = divmod(minutes * MINUTE, DAY)
    hours, seconds = divmod(rest, HOUR)
    if not rest and days:
        return f"P{days}D"
    time = (f"{hours}H" if hours else "") + (f"{seconds // MINUTE}M" if seconds or not rest else "")
    return f"P{f'{days}D' if days else ''}T{time}"


def meeting_links(item: Item) -> Iterator[Property]:
    """Yield the way into a video call (RFC 7986 section 5.11)."""
    data = item.get("conferenceData")
    points = data.get("entryPoints") if isinstance(data, Mapping) else None
    links = {
        text_of(point, "entryPointType"): text_of(point, "uri")
        for point in (points if isinstance(points, list) else [])
    }
    video = links.get("video") or text_of(item, "hangoutLink")
    if video:
        yield Property("CONFERENCE", {"VALUE": ("URI",), "FEATURE": ("VIDEO",)}, _uri(video))
    if links.get("phone"):
        yield Property(
            "CONFERENCE", {"VALUE": ("URI",), "FEATURE": ("PHONE",)}, _uri(links["phone"])
        )


def attachments(item: Item) -> Iterator[Property]:
    """Yield ATTACH for files; they open with the reader's own sign-in."""
    found = item.get("attachments")
    for one in found[:25] if isinstance(found, list) else []:
        url = text_of(one, "fileUrl")
        if url:
            kind = {"FMTTYPE": (text_of(one, "mimeType"),)} if text_of(one, "mimeType") else {}
            name = {"FILENAME": (text_of(one, "title"),)} if text_of(one, "title") else {}
            yield Property("ATTACH", {**kind, **name}, _uri(url))


def _uri(text: str) -> str:
    return escape_text(text).replace("\\n", "").replace("\\", "")[:2000]
