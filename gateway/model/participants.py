"""Who takes part in an event, and what its calendar's own user has answered (RFC 5545 3.8.4)."""

from gateway.model.address import address_key
from gateway.model.component import Component

ANSWER = "X-CALGATE-ANSWER"
"""The PARTSTAT of a connected calendar's own user, whatever address they go by at the source."""


def answer_of(component: Component, *addresses: str) -> str:
    """Return the PARTSTAT of the calendar's own user, who goes by these addresses."""
    return component.value(ANSWER).strip().upper() or participation(component, *addresses)


def participation(component: Component, *addresses: str) -> str:
    """Return the PARTSTAT of the attendee with one of these addresses, or an empty string.

    An organizer who is also listed as an attendee (RFC 5545 section 3.2.12) has accepted by
    calling the meeting.
    """
    mine = {address for address in addresses if address}
    if not mine or _calendar_user(component.value("ORGANIZER")) in mine:
        return ""
    for attendee in component.all("ATTENDEE"):
        if _calendar_user(attendee.value) in mine:
            return attendee.params.get("PARTSTAT", ("NEEDS-ACTION",))[0].upper()
    return ""


def _calendar_user(value: str) -> str:
    lowered = value.strip().lower()
    return lowered.removeprefix("mailto:")


def participants(component: Component) -> frozenset[str]:
    """Return the addresses of the organizer and the attendees, as addresses are compared."""
    people = [*component.all("ORGANIZER"), *component.all("ATTENDEE")]
    return frozenset(key for one in people if (key := address_key(one.value)))
