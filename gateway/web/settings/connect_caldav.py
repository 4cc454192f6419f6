"""`/settings/calendar/connect/caldav`: an account at a CalDAV server, proved before it is kept."""

from aiohttp import web

from gateway.errors import Conflict, Invalid
from gateway.services.registry import Services
from gateway.web.auth import HOME, Visit, acts, reads, see
from gateway.web.settings.connect import CHOOSE
from gateway.web.templating import page

PATH = f"{CHOOSE}/caldav"


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of connecting a CalDAV account."""
    return [reads(services, PATH, ask), acts(services, PATH, connect)]


async def ask(visit: Visit) -> web.StreamResponse:
    """Ask for the server, the user name and a password."""
    return _form(visit, {})


async def connect(visit: Visit) -> web.StreamResponse:
    """Find the account's calendars; keep it if there are any, and go on to the dashboard."""
    form = visit.form
    try:
        await visit.services.connections.connect_caldav(
            visit.owner,
            form.text("url"),
            username=form.text("username"),
            password=form.get("password", ""),
        )
    except Invalid as error:
        return _form(visit, error.fields)
    except Conflict as error:
        return _form(visit, {"url": error.detail})
    raise see(HOME, done="connected")


def _form(visit: Visit, errors: dict[str, str]) -> web.Response:
    facts = {"form": visit.form, "errors": errors}
    return page(visit.request, "settings/connect_caldav.html", facts, status=422 if errors else 200)
