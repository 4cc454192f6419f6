"""What the owner's side says about states: one table for each, total, marked for translation."""

from dataclasses import dataclass

from aiohttp import web

from gateway.model.booking import BookingState
from gateway.model.collection import Provider
from gateway.model.connection import HealthState
from gateway.model.engagement import EngagementState


def _(text: str) -> str:
    """Mark a string for translation; it is translated when a reader is known."""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A word for a state and the look of its badge: good, warn, bad or none."""

    word: str
    look: str = ""


HEALTH = {
    HealthState.WORKING: Said(word=_("Working"), look="good"),
    HealthState.STALE: Said(word=_("Not answering right now"), look="warn"),
    HealthState.NO_ACCESS: Said(word=_("No access"), look="bad"),
}
BOOKING = {
    BookingState.HELD: Said(word=_("Being booked"), look="warn"),
    BookingState.WRITING: Said(word=_("Being written to your calendar"), look="warn"),
    BookingState.PENDING: Said(word=_("Waiting for your calendar"), look="warn"),
    BookingState.CONFIRMED: Said(word=_("Confirmed"), look="good"),
    BookingState.REQUESTED: Said(word=_("Requested"), look="warn"),
    BookingState.DECLINED: Said(word=_("Declined")),
    BookingState.REJECTED: Said(word=_("Not booked")),
    BookingState.CANCELLED: Said(word=_("Cancelled")),
}
ENGAGEMENT = {
    EngagementState.PENDING: Said(word=_("Waiting for your calendar"), look="warn"),
    EngagementState.SCHEDULED: Said(word=_("Planned"), look="good"),
    EngagementState.CANCELLED: Said(word=_("Cancelled")),
}
CHANGED = {
    "visitor": Said(word=_("Cancelled by the visitor")),
    "owner": Said(word=_("Cancelled by you")),
    "calendar": Said(word=_("Cancelled by you, in your calendar")),
    "moved_by_visitor": Said(word=_("Moved by the visitor")),
    "moved_by_owner": Said(word=_("Moved by you")),
    "moved_by_calendar": Said(word=_("Moved by you, in your calendar")),
    "conflict": Said(word=_("Two meetings at one time"), look="bad"),
}
"""What happened to a booking after it was made, and who did it, by its reason."""
PROVIDER = {
    Provider.LOCAL: _("Calendar on this gateway"),
    Provider.ICS: _("Subscription (.ics)"),
    Provider.CALDAV: _("CalDAV server"),
    Provider.GOOGLE: _("Google / Gmail"),
    Provider.MICROSOFT: _("Office 365"),
    Provider.EXCHANGE: _("Exchange"),
}
NOTES = {
    "signed-out": _("You are signed out."),
    "saved": _("Your changes are saved."),
    "connected": _("The calendar is connected."),
    "renewed": _("The new password works, and the calendars were read."),
    "made": _("The calendar was made."),
    "disconnected": _("The calendar is disconnected and blocks nothing any more."),
    "removed": _("The calendar was removed."),
    "checked": _("The calendar was read just now."),
    "feed-removed": _("The feed is revoked: its address is dead."),
    "page-made": _("The page was made."),
    "page-removed": _("The page was removed."),
    "accepted": _("The request is accepted and booked."),
    "declined": _("The request is declined, and the visitor is told."),
    "moved": _("The meeting was moved."),
    "moving": _("The meeting moves once your calendar answers."),
    "cancelled": _("The meeting is cancelled, and the visitor is told."),
    "contact-made": _("The contact was made. Meetings with it are being looked for."),
    "contact-removed": _("The contact was removed, with its record."),
    "invited": _("The meeting is made, and the contact is invited."),
    "pending": _("The meeting is kept; the invitation goes out once your calendar answers."),
    "recorded": _("The meeting is on the record. Nobody was invited."),
    "called-off": _("The meeting is cancelled. Whoever was invited is told."),
    "password": _("Your password is changed. Every other browser is signed out."),
    "elsewhere": _("Every other browser is signed out."),
    "credential-removed": _("It is removed and does not work any more."),
}
"""What is said after a change, by the word that the redirect carries."""


def note(request: web.Request) -> str:
    """Return the sentence on the change that led here, in English; empty if none did."""
    return NOTES.get(request.query.get("done", ""), "")
