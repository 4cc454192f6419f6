"""`/settings/connections/{id}/password`: go on with an account under a new password (S31)."""

from aiohttp import web

from gateway.errors import Invalid, NotFound
from gateway.model.collection import Provider
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.settings.calendar_tab import PATH
from gateway.web.templating import page

ADDRESS = "/settings/connections/{id}/password"
BY_PASSWORD = (Provider.CALDAV, Provider.EXCHANGE)


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of a new password."""
    return [reads(services, ADDRESS, ask), acts(services, ADDRESS, renew)]


async def ask(visit: Visit) -> web.StreamResponse:
    """Ask for the new password of an account."""
    return await _form(visit, {})


async def renew(visit: Visit) -> web.StreamResponse:
    """Try the new password once; keep it if it is accepted, and read the account at once."""
    try:
        await visit.services.connections.renew(
            visit.owner.id, visit.id, visit.form.get("password", "")
        )
    except Invalid as error:
        # Whatever went wrong, there is one field here.
        return await _form(visit, {"password": " ".join(error.fields.values())})
    raise see(PATH, done="renewed")


async def _form(visit: Visit, errors: dict[str, str]) -> web.Response:
    for one in await visit.services.connections.list(visit.owner.id):
        if one.connection.id == visit.id and one.connection.provider in BY_PASSWORD:
            facts = {"connection": one.connection, "errors": errors}
            status = 422 if errors else 200
            return page(visit.request, "settings/new_password.html", facts, status=status)
    raise NotFound("connection")
