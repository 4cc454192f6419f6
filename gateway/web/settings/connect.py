"""`/settings/calendar/connect`: choose a kind of calendar, connect it; check and disconnect one."""

from aiohttp import web

from gateway.errors import Conflict, Invalid, Refused
from gateway.model.zones import iana_zone, zone_names
from gateway.services.registry import Services
from gateway.web.auth import HOME, Visit, acts, reads, see
from gateway.web.forms import Form
from gateway.web.settings.calendar_tab import PATH
from gateway.web.settings.wording import _
from gateway.web.templating import page

CHOOSE = f"{PATH}/connect"
SUBSCRIBE, MAKE = f"{CHOOSE}/ics", f"{CHOOSE}/local"
MAX_NAME = 200
BAD_ZONE = _("This time zone is unknown; use a name such as Europe/Amsterdam.")


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of connecting."""
    return [
        reads(services, CHOOSE, choose),
        reads(services, SUBSCRIBE, ask_address),
        acts(services, SUBSCRIBE, subscribe),
        reads(services, MAKE, ask_name),
        acts(services, MAKE, make),
        acts(services, "/settings/connections/{id}/check", check),
        acts(services, "/settings/connections/{id}/disconnect", disconnect),
    ]


async def choose(visit: Visit) -> web.StreamResponse:
    """Show the kinds of calendar that can be connected."""
    exchange = {"exchange"} if visit.services.edge.exchange else set()
    facts = {"offered": {*visit.services.consent.offered, *exchange}}
    return page(visit.request, "settings/connect.html", facts)


async def ask_address(visit: Visit) -> web.StreamResponse:
    """Ask for the address of a subscription."""
    return _address_form(visit, {})


async def subscribe(visit: Visit) -> web.StreamResponse:
    """Read the address once; keep it if it gives a calendar, and go on to the dashboard (S08)."""
    form = visit.form
    try:
        await visit.services.connections.connect_ics(
            visit.owner, form.text("url"), name=form.text("name")
        )
    except Invalid as error:
        return _address_form(visit, error.fields)
    except Conflict as error:
        return _address_form(visit, {"url": error.detail})
    raise see(HOME, done="connected")


async def ask_name(visit: Visit) -> web.StreamResponse:
    """Ask for the name of a new calendar here."""
    return _name_form(visit, Form([("time_zone", visit.owner.time_zone)]), {})


async def make(visit: Visit) -> web.StreamResponse:
    """Make a calendar on this gateway; the first one becomes the default."""
    name, errors = visit.form.text("name"), {}
    zone = iana_zone(visit.form.text("time_zone"))
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        errors["name"] = _("A name is one line of 1 to 200 characters.")
    if zone is None:
        errors["time_zone"] = BAD_ZONE
    if errors or zone is None:
        return _name_form(visit, visit.form, errors)
    try:
        await visit.services.objects.create_collection(
            visit.owner, display_name=name, time_zone=zone.name
        )
    except (Conflict, Refused) as error:
        return _name_form(visit, visit.form, {"name": error.detail})
    raise see(PATH, done="made")


async def check(visit: Visit) -> web.StreamResponse:
    """Read a connection now; what came of it stands beside its calendars."""
    await visit.services.connections.check(visit.owner.id, visit.id)
    raise see(PATH, done="checked")


async def disconnect(visit: Visit) -> web.StreamResponse:
    """Remove a connection with its calendars."""
    await visit.services.connections.remove(visit.owner.id, visit.id)
    raise see(PATH, done="disconnected")


def _address_form(visit: Visit, errors: dict[str, str]) -> web.Response:
    facts = {"form": visit.form, "errors": errors}
    return page(visit.request, "settings/connect_ics.html", facts, status=422 if errors else 200)


def _name_form(visit: Visit, form: Form, errors: dict[str, str]) -> web.Response:
    facts = {"form": form, "errors": errors, "zones": zone_names()}
    return page(visit.request, "settings/connect_local.html", facts, status=422 if errors else 200)
