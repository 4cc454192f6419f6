"""`/contacts`: the list of contacts, and one contact's record with its meetings."""

from dataclasses import replace
from typing import Any

from aiohttp import web

from gateway.errors import Conflict, Invalid
from gateway.model.contact import Contact
from gateway.model.engagement import Engagement, EngagementOrigin
from gateway.services.meetings import can_be_cancelled, can_be_moved
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.forms import Form
from gateway.web.settings.wording import ENGAGEMENT, _, note
from gateway.web.templating import page

PATH = "/contacts"
ONE = f"{PATH}/{{id}}"
FIELDS = ("email", "name", "phone", "notes")
LABELS = {
    "email": _("E-mail address"),
    "name": _("Name"),
    "phone": _("Telephone"),
    "notes": _("Notes"),
}
ON_PAGE = 100
"""How many contacts a page of the list holds."""


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of the list and of records."""
    return [
        reads(services, PATH, show_all),
        acts(services, PATH, make),
        reads(services, ONE, show),
        acts(services, ONE, save),
        acts(services, f"{ONE}/remove", remove),
    ]


async def show_all(visit: Visit) -> web.StreamResponse:
    """List the contacts."""
    return await _listed(visit, {})


async def make(visit: Visit) -> web.StreamResponse:
    """Make a contact."""
    draft = _sent(visit.form, Contact(id="", owner_id=visit.owner.id, email=""))
    try:
        made = await visit.services.contacts.add(visit.owner, draft)
    except Invalid as error:
        return await _listed(visit, error.fields)
    except Conflict as error:
        return await _listed(visit, {"email": error.detail}, status=409)
    raise see(f"{PATH}/{made.id}", done="contact-made")


async def show(visit: Visit) -> web.StreamResponse:
    """Show a contact's record."""
    contact = await visit.services.contacts.get(visit.owner.id, visit.id)
    return await _record(visit, contact, {})


async def save(visit: Visit) -> web.StreamResponse:
    """Save what is known of a contact."""
    current = await visit.services.contacts.get(visit.owner.id, visit.id)
    changed = _sent(visit.form, current)
    try:
        await visit.services.contacts.update(visit.owner, changed)
    except Invalid as error:
        return await _record(visit, changed, error.fields)
    except Conflict as error:
        return await _record(visit, changed, {"email": error.detail}, status=409)
    raise see(f"{PATH}/{current.id}", done="saved")


async def remove(visit: Visit) -> web.StreamResponse:
    """Remove a contact with its record."""
    await visit.services.contacts.remove(visit.owner, visit.id)
    raise see(PATH, done="contact-removed")


def _sent(form: Form, contact: Contact) -> Contact:
    given: dict[str, Any] = {name: form.text(name) for name in FIELDS if name in form}
    return replace(contact, **given)


async def _listed(visit: Visit, errors: dict[str, str], *, status: int = 422) -> web.Response:
    after = visit.request.query.get("after", "")
    found = await visit.services.contacts.list(visit.owner.id, after=after, limit=ON_PAGE + 1)
    shown = found[:ON_PAGE]
    facts = {
        "note": note(visit.request),
        "contacts": shown,
        "following": shown[-1].id if len(found) > ON_PAGE else "",
        "is_first": not after,
        "syncs": visit.owner.settings.calendar_sync,
        "form": visit.form,
        "errors": errors,
        "labels": {name: visit.say(words) for name, words in LABELS.items()},
    }
    return page(visit.request, "contacts/list.html", facts, status=status if errors else 200)


async def _record(
    visit: Visit, contact: Contact, errors: dict[str, str], *, status: int = 422
) -> web.Response:
    found = await visit.services.contacts.engagements(visit.owner.id, contact_id=contact.id)
    now = visit.services.clock.now()
    async with visit.services.store.read() as tx:
        calendars = {
            one.id: one.display_name or one.name
            for one in await tx.collections.of_owner(visit.owner.id)
        }

    def shown(meetings: list[Engagement]) -> list[tuple[Engagement, str, bool, bool]]:
        return [
            (
                one,
                calendars.get(one.collection_id or 0, ""),
                can_be_moved(one, now),
                can_be_cancelled(one, now),
            )
            for one in meetings
        ]

    facts = {
        "note": note(visit.request),
        "contact": contact,
        "coming": shown([one for one in found if one.end > now]),
        "past": shown([one for one in reversed(found) if one.end <= now]),
        "states": ENGAGEMENT,
        "from_calendar": EngagementOrigin.CALENDAR,
        "syncs": visit.owner.settings.calendar_sync,
        "errors": errors,
        "labels": {name: visit.say(words) for name, words in LABELS.items()},
    }
    return page(visit.request, "contacts/record.html", facts, status=status if errors else 200)
