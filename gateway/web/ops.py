"""/healthz, /readyz and /metrics: answered on any Host, without a sign-in, naming nobody."""

import ipaddress

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway import __version__
from gateway.errors import CalgateError
from gateway.services.registry import Services
from gateway.telemetry import Metrics

FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
"""Headers by which proxies say that they pass a request on; names are compared without case."""


def routes(services: Services, metrics: Metrics, metrics_for: str) -> list[web.RouteDef]:
    """Return the routes; `metrics_for` is `loopback`, `all` or `none`."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "version": __version__})

    async def readyz(_request: web.Request) -> web.Response:
        try:
            await services.store.ping()
        except CalgateError:
            return web.json_response({"status": "database unavailable"}, status=503)
        return web.json_response({"status": "ready"})

    async def show_metrics(request: web.Request) -> web.Response:
        if metrics_for == "none" or (metrics_for == "loopback" and not _is_loopback(request)):
            raise web.HTTPNotFound
        async with services.store.read() as tx:
            metrics.outbox.set(await tx.outbox.waiting())
        return web.Response(
            body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", show_metrics),
    ]


def _is_loopback(request: web.Request) -> bool:
    """Tell whether the socket's peer is this machine; behind a proxy on it, every visitor would be.

    A request that was forwarded is therefore never taken for a local one.
    """
    if any(name in request.headers for name in FORWARDED):
        return False
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return peer is not None and ipaddress.ip_address(peer[0].split("%")[0]).is_loopback
