"""Who booked before in this browser and wished to be remembered (S36): a sealed cookie, no more.

Nothing is kept here: what fills in a form comes from the browser that shows it, so it can fill in
nobody else's.
"""

import base64
import json
from dataclasses import replace

from aiohttp import web

from gateway.errors import CalgateError
from gateway.services.registry import Services
from gateway.web.booking.details import Details

COOKIE = "calgate_visitor"
PATH = "/meetings"
LIVES = 180 * 86400
LONGEST = 2000
BOUND_TO = "cookie.visitor:1"


def remembered(request: web.Request, services: Services) -> Details:
    """Return the form filled in for a visitor who wished it; an empty one for anybody else."""
    details = Details.empty()
    sealed = request.cookies.get(COOKIE, "")
    if not 0 < len(sealed) <= LONGEST:
        return details
    try:
        plain = services.cipher.open(base64.urlsafe_b64decode(sealed), bound_to=BOUND_TO)
        name, email = json.loads(plain)
    except (CalgateError, ValueError):
        return details  # of another gateway, of a key that is gone, or no cookie of ours
    return replace(details, name=str(name), email=str(email), remember=True)


def remember(answer: web.StreamResponse, services: Services, details: Details) -> None:
    """Keep name and address in the visitor's browser, or take them out of it."""
    secure = services.edge.public_url.startswith("https://")
    if not details.remember:
        answer.del_cookie(COOKIE, path=PATH, secure=secure, httponly=True, samesite="Lax")
        return
    plain = json.dumps([details.name, details.email]).encode()
    sealed = base64.urlsafe_b64encode(services.cipher.seal(plain, bound_to=BOUND_TO)).decode()
    answer.set_cookie(
        COOKIE,
        sealed,
        max_age=LIVES,
        path=PATH,
        secure=secure,
        httponly=True,
        samesite="Lax",
    )
