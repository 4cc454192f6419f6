"""`/contacts/meetings/{id}/move`: the form that gives a meeting on a record another time."""

from aiohttp import web

from gateway.errors import CalendarUnavailable, Conflict, Invalid
from gateway.model.engagement import Engagement
from gateway.model.timerange import MINUTE
from gateway.services.meetings import can_be_moved
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.contacts.meeting import LABELS, UNREADABLE, chosen_span
from gateway.web.contacts.record import PATH
from gateway.web.forms import Form
from gateway.web.settings.wording import _
from gateway.web.templating import local, page

ONE = f"{PATH}/meetings/{{id}}/move"
STAYS = _("This meeting cannot be moved here any more.")


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of a meeting that gets another time."""
    return [reads(services, ONE, show), acts(services, ONE, move)]


async def show(visit: Visit) -> web.StreamResponse:
    """Show the form with the time that the meeting has."""
    found = await visit.services.contacts.engagement(visit.owner.id, visit.id)
    start = local(found.start, visit.owner.time_zone)
    known = [
        ("date", start.date().isoformat()),
        ("time", f"{start:%H:%M}"),
        ("duration", str((found.end - found.start) // MINUTE)),
    ]
    return await _shown(visit, found, Form(known), {})


async def move(visit: Visit) -> web.StreamResponse:
    """Move the meeting; where the owner is busy, ask whether it is meant."""
    found = await visit.services.contacts.engagement(visit.owner.id, visit.id)
    start, minutes, errors = chosen_span(visit)
    if start is None or errors:
        return await _shown(visit, found, visit.form, errors)
    changes = {
        "start": start,
        "duration": minutes,
        "despite_busy": "despite_busy" in visit.form,
    }
    try:
        moved = await visit.services.meetings.change(visit.owner, found.id, changes)
    except Invalid as error:
        wrong = {"date" if name == "start" else name: text for name, text in error.fields.items()}
        return await _shown(visit, found, visit.form, wrong)
    except Conflict as error:
        doubt, told = error.code == "busy", {"date": error.detail}
        return await _shown(visit, found, visit.form, told, doubt=doubt, status=409)
    except CalendarUnavailable:
        told = {"date": UNREADABLE}
        return await _shown(visit, found, visit.form, told, doubt=True, status=409)
    # What its calendar has not answered to yet still shows the time that it has there.
    done = "moved" if (moved.start, moved.end) == (start, start + minutes * MINUTE) else "moving"
    raise see(f"{PATH}/{found.contact_id}", done=done)


async def _shown(
    visit: Visit,
    found: Engagement,
    form: Form,
    errors: dict[str, str],
    *,
    doubt: bool = False,
    status: int = 422,
) -> web.Response:
    if not errors and not can_be_moved(found, visit.services.clock.now()):
        errors, status = {"date": STAYS}, 409
    facts = {
        "contact": await visit.services.contacts.get(visit.owner.id, found.contact_id),
        "meeting": found,
        "form": form,
        "errors": errors,
        "doubt": doubt or "despite_busy" in form,
        "labels": {name: visit.say(LABELS[name]) for name in ("date", "time", "duration")},
    }
    return page(visit.request, "contacts/move.html", facts, status=status if errors else 200)
