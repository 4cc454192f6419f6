"""Who is at the browser: the session cookie, and handlers that only a signed-in owner reaches.

Law: a page of the owner's side is made by `reads`, a change by `acts`; so none can forget the
sign-in, and no change the form's token.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from aiohttp import hdrs, web
from yarl import URL

from gateway.model.principal import Owner, Session
from gateway.services.owners import SESSION_SECONDS, SignedIn
from gateway.services.registry import Services
from gateway.web.csrf import read_own_form
from gateway.web.forms import Form
from gateway.web.i18n import LOCALES, formats, translate
from gateway.web.keys import FORMATS, LOCALE, OWNER, SESSION
from gateway.web.middleware import is_plain_path

LOGIN = "/login"
HOME = "/dashboard"
MAX_NEXT = 500
_NEXT = re.compile(r"/[A-Za-z0-9/_.~%-]*(?:\?[A-Za-z0-9_.~%&=+-]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of a signed-in owner; `form` is empty but for changes."""

    request: web.Request
    services: Services
    owner: Owner
    session: Session
    form: Form = field(default_factory=lambda: Form([]))

    @property
    def id(self) -> str:
        """The id in the path."""
        return self.request.match_info["id"]

    def say(self, text: str) -> str:
        """Return a source string in the owner's language."""
        return translate(self.request[LOCALE], text)


Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


def reads(services: Services, path: str, handler: Handler) -> web.RouteDef:
    """Return the route of a page that a signed-in owner reads."""

    async def handle(request: web.Request) -> web.StreamResponse:
        visit = await visit_of(request, services)
        if visit is None:
            raise to_login(request.path_qs)
        return await handler(visit)

    return web.get(path, handle)


def acts(services: Services, path: str, handler: Handler) -> web.RouteDef:
    """Return the route of a change: a form that this site gave to this session, or 403."""

    async def handle(request: web.Request) -> web.StreamResponse:
        visit = await visit_of(request, services)
        if visit is None:
            raise to_login(HOME)
        form = await read_own_form(request)
        return await handler(
            Visit(
                request=request,
                services=services,
                owner=visit.owner,
                session=visit.session,
                form=form,
            )
        )

    return web.post(path, handle)


async def visit_of(request: web.Request, services: Services) -> Visit | None:
    """Return the visit, with what templates show of it; the owner's language is the page's."""
    found = await services.owners.by_session(_secret(request, services))
    if found is None:
        return None
    session, owner = found
    request[SESSION], request[OWNER] = session, owner
    if owner.locale in LOCALES:
        request[LOCALE] = owner.locale
        request[FORMATS] = formats(owner.locale, request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
    return Visit(request=request, services=services, owner=owner, session=session)


async def session_of(request: web.Request, services: Services) -> Session | None:
    """Return the session a request carries, if it is a living one."""
    found = await services.owners.by_session(_secret(request, services))
    return found[0] if found else None


# --- the cookie


def cookie_name(services: Services) -> str:
    """Return the cookie's name; with TLS its prefix makes the browser pin it to this very host."""
    return "__Host-calgate" if is_secure(services) else "calgate"


def is_secure(services: Services) -> bool:
    """Tell whether the gateway is reached over TLS."""
    return urlsplit(services.edge.public_url).scheme == "https"


def start_session(answer: web.StreamResponse, services: Services, signed_in: SignedIn) -> None:
    """Give the browser a session that was just made; never one it came with."""
    answer.set_cookie(
        cookie_name(services),
        signed_in.secret,
        max_age=SESSION_SECONDS,
        path="/",
        httponly=True,
        secure=is_secure(services),
        samesite="Lax",
    )


def end_session(answer: web.StreamResponse, services: Services) -> None:
    """Take the cookie away."""
    answer.del_cookie(
        cookie_name(services),
        path="/",
        httponly=True,
        secure=is_secure(services),
        samesite="Lax",
    )


def _secret(request: web.Request, services: Services) -> str:
    return request.cookies.get(cookie_name(services), "")


# --- where to go


def see(path: str, **query: str) -> web.HTTPSeeOther:
    """Return the answer that makes the browser read a page of ours."""
    return web.HTTPSeeOther(URL(f"{path}?{urlencode(query)}" if query else path, encoded=True))


def to_login(path: str) -> web.HTTPSeeOther:
    """Return the way to the sign-in and from there back to a page of ours."""
    return see(LOGIN) if path == HOME else see(LOGIN, next=local_path(path))


def local_path(text: str) -> str:
    """Return a path of this site to go on to; the dashboard for whatever could lead elsewhere."""
    path = text.partition("?")[0]
    is_ours = len(text) <= MAX_NEXT and _NEXT.fullmatch(text) and is_plain_path(path)
    return text if is_ours and path != LOGIN else HOME
