"""`/contacts/{id}/meeting`: the form that makes a meeting, and the button that calls one off."""

from aiohttp import web

from gateway.errors import CalendarUnavailable, Conflict, Invalid
from gateway.model.contact import Contact
from gateway.model.engagement import EngagementState
from gateway.model.timerange import DAY, Instant
from gateway.services.circumstances import calendars_of
from gateway.services.meetings import MeetingWish
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.contacts.record import ONE, PATH
from gateway.web.forms import Form
from gateway.web.settings.wall_time import chosen_time
from gateway.web.settings.wording import _
from gateway.web.templating import local, page, zone_or_utc

LABELS = {
    "title": _("Title"),
    "date": _("Date"),
    "time": _("Time"),
    "duration": _("Minutes"),
    "location": _("Place"),
    "guests": _("Guests"),
}
UNREADABLE = _("A calendar cannot be read right now, so it is not sure that you are free.")
DONE = {EngagementState.SCHEDULED: "invited", EngagementState.PENDING: "pending"}


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of a record's meetings."""
    return [
        reads(services, f"{ONE}/meeting", show),
        acts(services, f"{ONE}/meeting", make),
        acts(services, f"{PATH}/meetings/{{id}}/cancel", cancel),
    ]


async def show(visit: Visit) -> web.StreamResponse:
    """Show the form, for the same time tomorrow."""
    contact = await visit.services.contacts.get(visit.owner.id, visit.id)
    tomorrow = local(visit.services.clock.now() + DAY, visit.owner.time_zone)
    known = [("date", tomorrow.date().isoformat()), ("time", "10:00"), ("duration", "30")]
    return await _shown(visit, contact, Form(known), {})


async def make(visit: Visit) -> web.StreamResponse:
    """Make the meeting; where the owner is busy, ask whether it is meant."""
    contact = await visit.services.contacts.get(visit.owner.id, visit.id)
    wish, errors = _wish(visit, contact)
    if wish is None:
        return await _shown(visit, contact, visit.form, errors)
    try:
        made = await visit.services.meetings.make(visit.owner, wish)
    except Invalid as error:
        return await _shown(visit, contact, visit.form, error.fields)
    except Conflict as error:
        doubt = error.code == "busy"
        return await _shown(
            visit, contact, visit.form, {"date": error.detail}, doubt=doubt, status=409
        )
    except CalendarUnavailable:
        return await _shown(
            visit, contact, visit.form, {"date": UNREADABLE}, doubt=True, status=409
        )
    raise see(f"{PATH}/{contact.id}", done=DONE[made.state] if made.booking_id else "recorded")


async def cancel(visit: Visit) -> web.StreamResponse:
    """Cancel a meeting and go back to the record."""
    done = await visit.services.meetings.cancel(visit.owner, visit.id)
    raise see(f"{PATH}/{done.contact_id}", done="called-off")


def _wish(visit: Visit, contact: Contact) -> tuple[MeetingWish | None, dict[str, str]]:
    form, (start, minutes, errors) = visit.form, chosen_span(visit)
    if start is None or errors:
        return None, errors
    guests = form.text("guests").replace(",", " ").split()
    return (
        MeetingWish(
            contact_id=contact.id,
            title=form.text("title"),
            start=start,
            duration=minutes,
            place=form.text("location"),
            guests=tuple(guests),
            despite_busy="despite_busy" in form,
        ),
        {},
    )


def chosen_span(visit: Visit) -> tuple[Instant | None, int, dict[str, str]]:
    """Return the start and the minutes that a form asks for, or what is wrong with them."""
    form, place = visit.form, zone_or_utc(visit.owner.time_zone)
    start, errors = chosen_time(place, form.text("date"), form.text("time"))
    minutes = form.text("duration")
    if not (minutes.isascii() and minutes.isdigit() and len(minutes) <= len("1440")):
        errors["duration"] = _("Give a number of minutes.")
        return start, 0, errors
    return start, int(minutes), errors


async def _shown(
    visit: Visit,
    contact: Contact,
    form: Form,
    errors: dict[str, str],
    *,
    doubt: bool = False,
    status: int = 422,
) -> web.Response:
    async with visit.services.store.read() as tx:
        calendars = await calendars_of(tx, visit.owner, visit.services.clock.now())
    default = calendars.default
    facts = {
        "contact": contact,
        "form": form,
        "errors": errors,
        "doubt": doubt or "despite_busy" in form,
        "labels": {name: visit.say(words) for name, words in LABELS.items()},
        "calendar": (default.display_name or default.name) if default else "",
    }
    return page(visit.request, "contacts/meeting.html", facts, status=status if errors else 200)
