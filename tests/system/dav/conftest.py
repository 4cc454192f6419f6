"""One gateway for every test of WebDAV, each with owners of its own: Jane and Bob are always new.

Tests and fixtures here run on the loop of that gateway: `loop_scope="session"`.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import String, cast, delete, update

from gateway.model.principal import Owner
from gateway.storage import schema
from gateway.storage.schema_notices import counter
from tests.dav_desk import DavClient, dav_client
from tests.owner_desk import OwnerDesk, owner_desk


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def opened(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> AsyncIterator[OwnerDesk]:
    """Serve a gateway until the session ends."""
    folder = tmp_path_factory.mktemp("dav") / "var"
    shutil.copytree(sqlite_template, folder)
    async with owner_desk(folder) as desk:
        yield desk


@pytest_asyncio.fixture(loop_scope="session")
async def desk(opened: OwnerDesk) -> AsyncIterator[OwnerDesk]:
    """Give the gateway without an owner that could be met, and without a failed sign-in."""
    yield opened
    # Put away, not deleted: an id that came back could find what the gateway remembers of it.
    owner = schema.owner.c
    async with opened.services.store.connect() as connection:
        aside = cast(owner.id, String) + "@gone.example"
        await connection.execute(update(schema.owner).values(email=aside))
        await connection.execute(delete(counter))


@pytest_asyncio.fixture(loop_scope="session")
async def jane(desk: OwnerDesk) -> Owner:
    """Make Jane, who has a seat and nothing else."""
    return await desk.owner()


@pytest_asyncio.fixture(loop_scope="session")
async def dav(desk: OwnerDesk, jane: Owner) -> AsyncIterator[DavClient]:
    """Give a WebDAV client that signs in as Jane."""
    async with dav_client(desk, jane) as client:
        yield client
