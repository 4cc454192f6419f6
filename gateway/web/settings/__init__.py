"""The owner's side: signing in, the dashboard and the settings."""

from aiohttp import web

from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.settings import (
    calendar_page,
    calendar_tab,
    connect,
    connect_caldav,
    connect_exchange,
    consent,
    dashboard,
    feeds,
    new_password,
    page_explained,
    pages,
    profile,
    security,
    sign_in,
)


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of the owner's side."""
    calendars = (
        calendar_tab,
        connect,
        connect_caldav,
        connect_exchange,
        new_password,
        consent,
        calendar_page,
    )
    parts = (*calendars, dashboard, pages, page_explained, feeds, profile, security, sign_in)
    return [
        reads(services, "/settings", _first_tab),
        acts(services, "/logout", sign_in.sign_out),
        *(route for part in parts for route in part.routes(services)),
    ]


async def _first_tab(_visit: Visit) -> web.StreamResponse:
    raise see(calendar_tab.PATH)
