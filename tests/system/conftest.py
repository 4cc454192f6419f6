"""What tests of the whole application share."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.model.page import SchedulingPage
from gateway.model.principal import Owner
from tests.connecting import Connecting, connecting_to_google
from tests.dav_desk import DavClient, dav_client
from tests.owner_desk import OwnerDesk, owner_desk
from tests.plain_browser import PlainBrowser
from tests.visitor_desk import a_page_of_jane


@pytest.fixture
async def desk(data_dir: Path) -> AsyncIterator[OwnerDesk]:
    """Serve a gateway over an empty database."""
    async with owner_desk(data_dir) as opened:
        yield opened


@pytest.fixture
def port(desk: OwnerDesk) -> int:
    """Return the port that the gateway listens on."""
    found = urlsplit(desk.url).port
    assert found
    return found


@pytest.fixture
async def jane(desk: OwnerDesk) -> Owner:
    """Make Jane, who has a seat and nothing else."""
    return await desk.owner()


@pytest.fixture
async def browser(desk: OwnerDesk, jane: Owner) -> AsyncIterator[PlainBrowser]:
    """Give a browser in which Jane is signed in."""
    async with desk.signed_in(jane.email) as opened:
        yield opened


@pytest.fixture
async def dav(desk: OwnerDesk, jane: Owner) -> AsyncIterator[DavClient]:
    """Give a WebDAV client that signs in as Jane."""
    async with dav_client(desk, jane) as opened:
        yield opened


@pytest.fixture
async def page(desk: OwnerDesk, jane: Owner) -> SchedulingPage:
    """Make Jane's calendar and her booking page."""
    return await a_page_of_jane(desk, jane)


@pytest.fixture
async def visitor(desk: OwnerDesk, page: SchedulingPage) -> AsyncIterator[PlainBrowser]:
    """Give a visitor's browser."""
    async with desk.browser() as opened:
        yield opened


@pytest.fixture
async def connecting(data_dir: Path) -> AsyncIterator[Connecting]:
    """Register a gateway with a simulated Google; sign Jane in."""
    async with connecting_to_google(data_dir) as opened:
        yield opened
