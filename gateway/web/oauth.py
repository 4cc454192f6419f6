"""`/oauth/{provider}/callback`: where a provider sends the browser back to.

Law: a state that is missing, doubled, used, too old, another session's or another provider's is
400, and nobody is asked about it. Nothing that came in the address is shown.
"""

from http import HTTPStatus

from aiohttp import web

from gateway.services.consent import Callback, ConsentFailed, Stray
from gateway.services.registry import Services
from gateway.web.auth import HOME, see, visit_of
from gateway.web.templating import page

PROVIDERS = ("google", "microsoft")
LONGEST = 16_384
STATUS = {"another_account": HTTPStatus.CONFLICT}


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes that are registered with the providers."""
    return [_route(services, provider) for provider in PROVIDERS]


def _route(services: Services, provider: str) -> web.RouteDef:
    async def handle(request: web.Request) -> web.StreamResponse:
        visit = await visit_of(request, services)
        if visit is None:
            raise web.HTTPBadRequest
        told = Callback(
            state=_once(request, "state"),
            code=_once(request, "code"),
            error=_once(request, "error"),
        )
        try:
            connection = await services.consent.finish(visit.owner, visit.session, provider, told)
        except Stray:
            raise web.HTTPBadRequest from None
        except ConsentFailed as failed:
            return _failed(request, provider, failed)
        raise see(HOME, done="connected", account=connection.id)

    # A HEAD would use the state up without anybody seeing what came of it.
    return web.get(f"/oauth/{provider}/callback", handle, allow_head=False)


def _once(request: web.Request, name: str) -> str:
    values = request.query.getall(name, [])
    return values[0] if len(values) == 1 and len(values[0]) <= LONGEST else ""


def _failed(request: web.Request, provider: str, failed: ConsentFailed) -> web.Response:
    facts = {
        "provider": provider,
        "detail": failed.detail,
        "facts": failed.facts,
        "is_other": failed.code == "another_account",
    }
    status = STATUS.get(failed.code, HTTPStatus.UNPROCESSABLE_ENTITY)
    return page(request, "settings/connect_failed.html", facts, status=status)
