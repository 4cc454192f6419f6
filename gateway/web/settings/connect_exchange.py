"""Connecting a mailbox on premises: expectations, Continue, account, Connect inbox (S13 to S18).

Law: the form comes after the expectations, whose acknowledgement is logged; a password is never
shown again, not even after a refusal.
"""

from aiohttp import web

from gateway.errors import Conflict, Invalid
from gateway.services.exchange_account import (
    EXPECTATIONS,
    VERSIONS,
    ExchangeAccount,
    acknowledge,
    has_acknowledged,
)
from gateway.services.registry import Services
from gateway.web.auth import HOME, Visit, acts, reads, see
from gateway.web.forms import Form
from gateway.web.keys import LOCALE
from gateway.web.settings.connect import CHOOSE
from gateway.web.settings.wording import _
from gateway.web.templating import page

PATH = f"{CHOOSE}/exchange"
ACCOUNT = f"{PATH}/account"
TEXT = (
    _("Your mailbox is on an Exchange server of your organisation, 2010 SP2 or later."),
    _(
        "You need your e-mail address and your password; with two-factor authentication, an app "
        "password that your administrator or your account page gives you."
    ),
    _(
        "The gateway reads your calendars every minute, and writes bookings into your default "
        "calendar only. It does not read your mail."
    ),
    _(
        "Your password is kept encrypted on this gateway and is not shown again. When it changes "
        "at your organisation, you enter the new one here; a refused one is tried twice at most."
    ),
)
NAMES = {
    "": _("I do not know"),
    "2010": "Exchange 2010 SP2",
    "2013": "Exchange 2013",
    "2016": "Exchange 2016",
    "2019": "Exchange 2019",
    "SE": "Exchange SE",
}


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of connecting a mailbox; none where the administrator wants none."""
    if not services.edge.exchange:
        return []
    return [
        reads(services, PATH, expect),
        acts(services, PATH, go_on),
        reads(services, ACCOUNT, ask),
        acts(services, ACCOUNT, connect),
    ]


async def expect(visit: Visit) -> web.StreamResponse:
    """Say what will come."""
    facts = {"text": TEXT, "version": EXPECTATIONS}
    return page(visit.request, "settings/connect_exchange.html", facts)


async def go_on(visit: Visit) -> web.StreamResponse:
    """Log that the expectations were read, and go on to the form (S17)."""
    if visit.form.text("version") != EXPECTATIONS:
        raise see(PATH)  # another text was read than stands there now
    services = visit.services
    await acknowledge(services.store, services.clock, visit.owner, visit.request[LOCALE])
    raise see(ACCOUNT)


async def ask(visit: Visit) -> web.StreamResponse:
    """Ask for the account, once the expectations were read."""
    await _check_read(visit)
    known = Form([("address", visit.owner.email)])
    return _form(visit, known, {})


async def connect(visit: Visit) -> web.StreamResponse:
    """Find the mailbox and sign in; keep it if that works, and go on to the dashboard (S18)."""
    await _check_read(visit)
    form = visit.form
    given = ExchangeAccount(
        address=form.text("address"),
        password=form.get("password", ""),
        username=form.text("username"),
        url=form.text("url"),
        version=form.text("version"),
        ca=form.text("ca"),
    )
    try:
        await visit.services.connections.connect_exchange(visit.owner, given)
    except Invalid as error:
        return _form(visit, form, error.fields)
    except Conflict as error:
        return _form(visit, form, {"address": error.detail})
    raise see(HOME, done="connected")


async def _check_read(visit: Visit) -> None:
    if not await has_acknowledged(visit.services.store, visit.owner):
        raise see(PATH)


def _form(visit: Visit, form: Form, errors: dict[str, str]) -> web.Response:
    versions = [(one, visit.say(NAMES[one])) for one in VERSIONS]
    facts = {"form": form, "errors": errors, "versions": versions}
    status = 422 if errors else 200
    return page(visit.request, "settings/connect_exchange_account.html", facts, status=status)
