"""The owner's contacts: the list, a record with its meetings, and the form that makes one."""

from aiohttp import web

from gateway.services.registry import Services
from gateway.web.contacts import meeting, record


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of contacts."""
    return [*record.routes(services), *meeting.routes(services)]
