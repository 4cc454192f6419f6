"""The web application: every part's routes behind one set of middlewares."""

from aiohttp import web

from gateway.dav import app as dav
from gateway.services.registry import Services
from gateway.telemetry import Metrics
from gateway.web import (
    api,
    booking,
    contacts,
    feeds,
    hooks,
    oauth,
    ops,
    robots,
    settings,
    static_files,
)
from gateway.web.keys import REMOTE, SERVICES
from gateway.web.middleware import setup

MAX_BODY = 11 * 1024 * 1024
"""Each part refuses sooner; this is where reading stops."""


def build_app(services: Services, metrics: Metrics, *, metrics_for: str) -> web.Application:
    """Return the application of one gateway."""
    app = web.Application(client_max_size=MAX_BODY)
    app[SERVICES] = services
    setup(app, metrics)
    app.add_routes(
        [
            *ops.routes(services, metrics, metrics_for),
            *robots.routes(services),
            *static_files.routes(),
            *booking.routes(services),
            *settings.routes(services),
            *contacts.routes(services),
            *oauth.routes(services),
            *hooks.routes(services),
            *api.routes(services),
            *feeds.routes(services),
            *dav.routes(services, lambda request: request[REMOTE]),
        ]
    )
    return app
