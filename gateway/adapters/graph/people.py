"""The people, links and reminders of a Graph event as properties (RFC 5545 section 3.8.4)."""

from collections.abc import Iterator

from gateway.adapters.graph.fields import Item, is_true, objects_of, text_of
from gateway.model.component import Component
from gateway.model.content_line import Property, raw_property, text_property

ANSWERS = {
    "tentativelyaccepted": "TENTATIVE",
    "accepted": "ACCEPTED",
    "declined": "DECLINED",
    "notresponded": "NEEDS-ACTION",
}
MAX_ATTENDEES = 1_000
MAX_URL = 2_000
MAX_REMINDER = 40_320
"""Four weeks in minutes."""


def answer_of(item: Item) -> str:
    """Return the mailbox's own answer as a PARTSTAT; who calls a meeting gives none."""
    return ANSWERS.get(text_of(item, "responseStatus", "response").lower(), "")


def people(item: Item) -> Iterator[Property]:
    """Yield ORGANIZER and ATTENDEEs; without attendees there is no organizer either."""
    found = [one for one in map(_attendee, objects_of(item, "attendees")[:MAX_ATTENDEES]) if one]
    if not found:
        return
    address = text_of(item, "organizer", "emailAddress", "address")
    if "@" in address:
        told = item.get("organizer")
        yield Property("ORGANIZER", _name(told), f"mailto:{address}")
    yield from found


def _attendee(one: Item) -> Property | None:
    address = text_of(one, "emailAddress", "address")
    if "@" not in address:
        return None  # an X.500 name, which nobody outside can use
    kind = text_of(one, "type").lower()
    params = _name(one)
    if kind == "resource":
        params["CUTYPE"] = ("ROOM",)
    params["ROLE"] = ("OPT-PARTICIPANT" if kind == "optional" else "REQ-PARTICIPANT",)
    state = ANSWERS.get(text_of(one, "status", "response").lower(), "NEEDS-ACTION")
    params["PARTSTAT"] = (state,)
    return Property("ATTENDEE", params, f"mailto:{address}")


def _name(one: object) -> dict[str, tuple[str, ...]]:
    name = text_of(one, "emailAddress", "name")
    return {"CN": (name,)} if name else {}


def links(item: Item) -> Iterator[Property]:
    """Yield the way into an online meeting (RFC 7986 section 5.11), and to the event's page."""
    join = text_of(item, "onlineMeeting", "joinUrl") or text_of(item, "onlineMeetingUrl")
    if join:
        params = {"VALUE": ("URI",), "FEATURE": ("VIDEO",)}
        yield Property("CONFERENCE", params, _uri(join))
    page = text_of(item, "webLink")
    if page:
        yield raw_property("URL", _uri(page))


def alarms(item: Item) -> Iterator[Component]:
    """Yield the VALARM of the reminder."""
    minutes = item.get("reminderMinutesBeforeStart")
    if (
        not is_true(item, "isReminderOn")
        or not isinstance(minutes, int)
        or not 0 <= minutes <= MAX_REMINDER
    ):
        return
    yield Component(
        "VALARM",
        [
            raw_property("ACTION", "DISPLAY"),
            text_property("DESCRIPTION", text_of(item, "subject")[:1000] or "Reminder"),
            raw_property("TRIGGER", f"-PT{minutes}M"),
        ],
    )


def _uri(text: str) -> str:
    return "".join(text.split())[:MAX_URL]
