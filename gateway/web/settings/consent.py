"""Connecting an account by consent: what to expect, the disclosure, and Accept (S06 to S09).

Law: before Accept nothing goes to the provider, and Accept is logged with the text it stands under.
"""

from urllib.parse import urlsplit

from aiohttp import web

from gateway.model.collection import Provider
from gateway.model.connection import Connection
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads
from gateway.web.keys import LOCALE
from gateway.web.middleware import POLICY
from gateway.web.settings.connect import CHOOSE
from gateway.web.settings.disclosure import TEXT, VERSION
from gateway.web.settings.wording import PROVIDER
from gateway.web.templating import page

BY_CONSENT = (Provider.GOOGLE, Provider.MICROSOFT)
LINK = f"{CHOOSE}/link/{{token:[A-Za-z0-9_-]{{20,64}}}}"
RENEW = "/settings/connections/{id}/reconnect"


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of every provider that gives access by consent."""
    found = [reads(services, LINK, by_link), reads(services, RENEW, renew)]
    for provider in BY_CONSENT:
        found += _routes_of(services, provider)
    return found


def _routes_of(services: Services, provider: Provider) -> list[web.RouteDef]:
    async def expect(visit: Visit) -> web.StreamResponse:
        """Say what will come."""
        consent = visit.services.consent.consent(provider.value)
        facts = {"title": PROVIDER[provider], "provider": provider.value, "name": consent.title}
        return page(visit.request, "settings/connect_account.html", facts)

    async def review(visit: Visit) -> web.StreamResponse:
        """Show the disclosure."""
        return _review(visit, provider.value)

    async def accept(visit: Visit) -> web.StreamResponse:
        """Log the acceptance and send the browser to the provider."""
        form = visit.form
        if form.text("version") != VERSION:
            return _review(visit, provider.value)  # another text was read than stands there now
        raise web.HTTPSeeOther(
            await visit.services.consent.begin(
                visit.owner,
                visit.session,
                provider.value,
                acceptance=f"text {VERSION}, {visit.request[LOCALE]}",
                renews=form.text("renews"),
                link=form.text("link"),
            )
        )

    path = f"{CHOOSE}/{provider.value}"
    return [
        reads(services, path, expect),
        reads(services, f"{path}/review", review),
        acts(services, f"{path}/review", accept),
    ]


async def by_link(visit: Visit) -> web.StreamResponse:
    """Show the disclosure to the owner for whom the command line made this address."""
    token = visit.request.match_info["token"]
    provider = await visit.services.consent.linked(visit.owner, token)
    return _review(visit, provider, link=token)


async def renew(visit: Visit) -> web.StreamResponse:
    """Show the disclosure before a new sign-in of a connected account."""
    known = await visit.services.consent.to_renew(visit.owner, visit.id)
    return _review(visit, known.provider, renews=known)


def _review(
    visit: Visit, provider: str, *, renews: Connection | None = None, link: str = ""
) -> web.Response:
    consent = visit.services.consent.consent(provider)
    # A form's target may send the browser on, and providers do so between hosts of theirs.
    origin = consent.origin if urlsplit(consent.origin).scheme == "http" else "https:"
    policy = POLICY.replace("form-action 'self'", f"form-action 'self' {origin}")
    facts = {
        "provider": provider,
        "name": consent.title,
        "text": TEXT,
        "version": VERSION,
        "renews": renews,
        "link": link,
    }
    headers = {"Content-Security-Policy": policy}
    return page(visit.request, "settings/connect_review.html", facts, headers=headers)
