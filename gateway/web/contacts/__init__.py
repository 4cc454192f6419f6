"""The owner's contacts: the list, a record, and the forms that make and move a meeting."""

from aiohttp import web

from gateway.services.registry import Services
from gateway.web.contacts import another_time, meeting, record


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of contacts."""
    return [
        *record.routes(services),
        *meeting.routes(services),
        *another_time.routes(services),
    ]
