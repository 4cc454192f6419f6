"""The whole web application over a booking desk, with a clock that is set by hand."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway import ports
from gateway.adapters._addresses import GuardOptions
from gateway.adapters.reach import ServerReach
from gateway.services.connections import ConnectionService
from gateway.services.consent import ConsentService
from gateway.services.contacts import ContactService
from gateway.services.doctor import Doctor
from gateway.services.engagement_look import Looking
from gateway.services.feeds import FeedService
from gateway.services.freebusy import FreeBusyService
from gateway.services.grants import GrantService
from gateway.services.hooks import HookService
from gateway.services.owners import OwnerService
from gateway.services.pages import PageService
from gateway.services.passwords import Passwords
from gateway.services.registry import EdgeSettings, Services
from gateway.services.scheduling import SchedulingService
from gateway.services.settings import SettingsService
from gateway.services.sync import SyncService
from gateway.telemetry import Metrics
from gateway.web.app import build_app
from tests.booking_desk import URL, Desk
from tests.builders import CHEAP


def services_of(
    desk: Desk,
    edge: EdgeSettings | None = None,
    *,
    consents: Mapping[str, ports.Consent] | None = None,
    grants: GrantService | None = None,
) -> Services:
    """Return every service, joined as bootstrap joins them."""
    edge = edge or EdgeSettings()
    store, clock = desk.store, desk.clock
    freebusy = FreeBusyService(store, clock)
    sync = SyncService(
        store, clock, desk.sources, desk.cipher, node="node", poll_seconds=60, notices=desk.notices
    )
    known = consents or {}
    grants = grants or GrantService(store, clock, desk.cipher, known, desk.notices)
    return Services(
        store=store,
        clock=clock,
        cipher=desk.cipher,
        owners=OwnerService(store, clock, Passwords(CHEAP), failures_per_hour=30),
        objects=desk.objects,
        freebusy=freebusy,
        bookings=desk.bookings,
        moving=desk.moving,
        pages=PageService(store, clock),
        settings=SettingsService(store, hosts=edge.hosts, custom_domains=edge.custom_domains),
        feeds=FeedService(store, clock, freebusy, desk.cipher),
        connections=ConnectionService(store, clock, desk.sources, desk.cipher, sync, grants=grants),
        consent=ConsentService(
            store,
            clock,
            desk.cipher,
            desk.sources,
            known,
            grants=grants,
            sync=sync,
            notices=desk.notices,
            public_url=URL,
        ),
        contacts=ContactService(store, clock, Looking(store, clock)),
        meetings=desk.meetings,
        doctor=Doctor(
            store,
            clock,
            desk.cipher,
            desk.sources,
            ServerReach(GuardOptions(allow_private=True), {}),
            grants=grants,
            consents=known,
            public_url=URL,
        ),
        hooks=HookService(store, clock),
        sync=sync,
        scheduling=SchedulingService(store, clock, freebusy),
        edge=edge,
    )


def app_of(desk: Desk, edge: EdgeSettings | None = None) -> web.Application:
    """Return the application."""
    return build_app(services_of(desk, edge), Metrics(), metrics_for="loopback")


@asynccontextmanager
async def visited(desk: Desk, edge: EdgeSettings | None = None) -> AsyncIterator[TestClient]:
    """Serve the application on loopback; give a client that follows no redirect by itself."""
    async with TestClient(TestServer(app_of(desk, edge))) as client:
        yield client
