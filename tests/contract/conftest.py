"""The JSON API over each engine, and over SQLite alone where the engine makes no difference."""

from collections.abc import AsyncIterator

import pytest

from gateway.model.principal import Owner
from gateway.services.claim import RateLimits
from gateway.services.registry import EdgeSettings
from gateway.storage.engine import SqlStore
from tests.api_desk import ApiDesk, api_desk
from tests.builders import an_owner
from tests.conftest import FakeClock

EDGE = EdgeSettings(hosts=("meet.example.org",))
UNLIMITED = RateLimits(per_address_per_hour=0, per_email_per_day=0)


@pytest.fixture
async def api(sqlite_store: SqlStore, clock: FakeClock) -> AsyncIterator[ApiDesk]:
    """Serve the API over SQLite."""
    async with sqlite_store.write() as tx:
        jane = await tx.owners.add(an_owner(), "hash")
    async with api_desk(sqlite_store, clock, jane, limits=UNLIMITED, edge=EDGE) as desk:
        yield desk


@pytest.fixture
async def api_on(store: SqlStore, clock: FakeClock, owner: Owner) -> AsyncIterator[ApiDesk]:
    """Serve the API over each engine in turn."""
    async with api_desk(store, clock, owner, limits=UNLIMITED, edge=EDGE) as desk:
        yield desk
