"""Bearer tokens (RFC 6750): who asks."""

import re

from aiohttp import web

from gateway.model.principal import Owner
from gateway.services.registry import Services
from gateway.web.api.problems import Problem, ProblemError
from gateway.web.keys import REMOTE

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]{8,512})")


async def signed_in(services: Services, request: web.Request) -> Owner:
    """Return the owner whose token the request carries; every other request gets the same 401."""
    given = request.headers.getall("Authorization", [])
    found = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    owner = (
        await services.owners.authenticate_api_token(found[1], request[REMOTE]) if found else None
    )
    if owner is None or owner.disabled:
        raise ProblemError(
            Problem(
                status=401,
                code="not_signed_in",
                detail="Send an API token: Authorization: Bearer …",
                headers={"WWW-Authenticate": 'Bearer realm="calgate"'},
            )
        )
    return owner
