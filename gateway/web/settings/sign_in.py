"""`/login` and `/logout`: one answer for whatever was wrong, and a new session each time."""

from aiohttp import web

from gateway.services.registry import Services
from gateway.web.auth import (
    HOME,
    LOGIN,
    Visit,
    end_session,
    is_secure,
    local_path,
    see,
    session_of,
    start_session,
)
from gateway.web.csrf import check, keep_token, token_before_sign_in
from gateway.web.forms import read_form
from gateway.web.keys import REMOTE
from gateway.web.settings.wording import note
from gateway.web.templating import page

TEMPLATE = "settings/sign_in.html"


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes that are there for whoever is not signed in."""

    async def show(request: web.Request) -> web.StreamResponse:
        if await session_of(request, services):
            raise see(local_path(request.query.get("next", HOME)))
        return _form(request, services, wanted=request.query.get("next", HOME))

    async def sign_in(request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        check(request, form)
        email, wanted = form.text("email"), local_path(form.text("next"))
        signed_in = await services.owners.sign_in(email, form.get("password", ""), request[REMOTE])
        if signed_in is None:
            return _form(request, services, wanted=wanted, email=email, failed=True)
        before = await session_of(request, services)
        if before is not None:
            await services.owners.sign_out(before)
        answer = see(wanted)
        start_session(answer, services, signed_in)
        raise answer

    return [web.get(LOGIN, show), web.post(LOGIN, sign_in)]


async def sign_out(visit: Visit) -> web.StreamResponse:
    """End the session here and in the store."""
    await visit.services.owners.sign_out(visit.session)
    answer = see(LOGIN, done="signed-out")
    end_session(answer, visit.services)
    raise answer


def _form(
    request: web.Request,
    services: Services,
    *,
    wanted: str,
    email: str = "",
    failed: bool = False,
) -> web.Response:
    token = token_before_sign_in(request)
    answer = page(
        request,
        TEMPLATE,
        {
            "token": token,
            "next": local_path(wanted),
            "email": email,
            "failed": failed,
            "note": note(request),
        },
        status=422 if failed else 200,
    )
    keep_token(answer, token, secure=is_secure(services))
    return answer
