"""Proof that a form comes from a page of ours.

Rule 1: `read_form` refuses what a browser says another site made it send.
Rule 2: a signed-in owner's form carries the token of the session.
Rule 3: a form of the time before signing in carries the token of a cookie set with the form, which
another site can neither read nor set.
A visitor's forms need rule 1 only: they act with nothing but what the form itself holds.
"""

import hmac

from aiohttp import web

from gateway.services.tokens import new_secret
from gateway.web.forms import Form, read_form
from gateway.web.keys import SESSION

FIELD = "csrf"
COOKIE = "calgate_form"
LIVES = 3600
LONGEST = 128


async def read_own_form(request: web.Request) -> Form:
    """Read a form of the owner's side; raise 403 unless it carries the right token."""
    form = await read_form(request)
    check(request, form)
    return form


def check(request: web.Request, form: Form) -> None:
    """Raise 403 unless the form carries its session's token or, before one, its cookie's."""
    wanted = request[SESSION].csrf if SESSION in request else request.cookies.get(COOKIE, "")
    given = form.text(FIELD)
    if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise web.HTTPForbidden


def token_before_sign_in(request: web.Request) -> str:
    """Return the token for a form before signing in: the one a browser has, or a new one."""
    known = request.cookies.get(COOKIE, "")
    return known if 0 < len(known) <= LONGEST else new_secret()


def keep_token(answer: web.StreamResponse, token: str, *, secure: bool) -> None:
    """Set the cookie that belongs to the token of a form before signing in."""
    answer.set_cookie(
        COOKIE, token, max_age=LIVES, path="/", secure=secure, httponly=True, samesite="Strict"
    )
