"""The public booking pages: choosing a time, booking it, managing the booking."""

from aiohttp import web

from gateway.services.registry import Services
from gateway.web.booking.manage import manage_routes
from gateway.web.booking.visit import visit_routes


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes below /meetings/."""
    return [*manage_routes(services), *visit_routes(services)]
