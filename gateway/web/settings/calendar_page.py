"""`/settings/calendars/{id}`: one calendar's name, which of its events block, and its end."""

from dataclasses import fields, replace

from aiohttp import web

from gateway.errors import NotFound
from gateway.model.collection import BusyRules
from gateway.model.zones import iana_zone, zone_names
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.settings.calendar_tab import PATH as TAB
from gateway.web.settings.calendars_seen import CalendarSeen, calendars_seen
from gateway.web.settings.connect import BAD_ZONE, MAX_NAME
from gateway.web.settings.wording import _, note
from gateway.web.templating import page

PATH = "/settings/calendars/{id}"
RULES = (
    ("all_day_blocks", _("All-day events make me busy")),
    ("tentative_blocks", _("Tentative events make me busy")),
    ("unanswered_blocks", _("Invitations I have not answered make me busy")),
    ("out_of_office_blocks", _("Out-of-office events make me busy")),
)
"""Every member of BusyRules, with its words."""
assert {name for name, _words in RULES} == {field.name for field in fields(BusyRules)}


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of single calendars."""
    return [
        reads(services, PATH, show),
        acts(services, PATH, save),
        acts(services, f"{PATH}/remove", remove),
    ]


async def show(visit: Visit) -> web.StreamResponse:
    """Show the calendar as it is."""
    return _shown(visit, await _found(visit), {})


async def save(visit: Visit) -> web.StreamResponse:
    """Save name, zone and rules; only a local calendar has a name and zone of its own."""
    found, form = await _found(visit), visit.form
    rules = BusyRules(**{name: name in form for name, _words in RULES})
    changed = replace(found.collection, rules=rules)
    if changed.is_local:
        name, zone = form.text("name"), iana_zone(form.text("time_zone"))
        errors = {}
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            errors["name"] = _("A name is one line of 1 to 200 characters.")
        if zone is None:
            errors["time_zone"] = BAD_ZONE
        if errors or zone is None:
            shown = replace(changed, display_name=name, time_zone=form.text("time_zone"))
            return _shown(visit, replace(found, collection=shown), errors)
        changed = replace(changed, display_name=name, time_zone=zone.name, time_zone_ics="")
    await visit.services.objects.update_collection(visit.owner, changed)
    raise see(PATH.replace("{id}", found.id), done="saved")


async def remove(visit: Visit) -> web.StreamResponse:
    """Remove a local calendar with all that is in it; others are disconnected instead."""
    found = await _found(visit)
    if not found.collection.is_local:
        raise NotFound("calendar")
    await visit.services.objects.remove_collection(visit.owner, found.collection)
    raise see(TAB, done="removed")


async def _found(visit: Visit) -> CalendarSeen:
    async with visit.services.store.read() as tx:
        calendars = await calendars_seen(tx, visit.owner, visit.services.clock.now())
    for one in calendars.every:
        if one.id == visit.id:
            return one
    raise NotFound("calendar")


def _shown(visit: Visit, found: CalendarSeen, errors: dict[str, str]) -> web.Response:
    facts = {
        "note": note(visit.request),
        "calendar": found,
        "rules": [(key, words, getattr(found.collection.rules, key)) for key, words in RULES],
        "errors": errors,
        "zones": zone_names(),
    }
    return page(visit.request, "settings/calendar_page.html", facts, status=422 if errors else 200)
