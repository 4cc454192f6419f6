"""`/settings/profile`: what the owner is called, their time zone and their language."""

from aiohttp import web

from gateway.errors import Invalid
from gateway.model.zones import zone_names
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.forms import Form
from gateway.web.i18n import LOCALES
from gateway.web.settings.wording import note
from gateway.web.templating import page

PATH = "/settings/profile"


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of the profile."""
    return [reads(services, PATH, show), acts(services, PATH, save)]


async def show(visit: Visit) -> web.StreamResponse:
    """Show the profile as it is."""
    owner = visit.owner
    known = [("name", owner.name), ("time_zone", owner.time_zone), ("locale", owner.locale)]
    return _shown(visit, Form(known), {})


async def save(visit: Visit) -> web.StreamResponse:
    """Save the profile; the language of pages and of the owner's mails changes with it."""
    form = visit.form
    locale = form.text("locale")
    if locale not in LOCALES:
        raise web.HTTPBadRequest
    try:
        await visit.services.owners.change_profile(
            visit.owner, name=form.text("name"), time_zone=form.text("time_zone"), locale=locale
        )
    except Invalid as error:
        return _shown(visit, form, error.fields)
    raise see(PATH, done="saved")


def _shown(visit: Visit, form: Form, errors: dict[str, str]) -> web.Response:
    facts = {
        "note": note(visit.request),
        "form": form,
        "errors": errors,
        "zones": zone_names(),
        "languages": list(LOCALES.items()),
    }
    return page(visit.request, "settings/profile.html", facts, status=422 if errors else 200)
