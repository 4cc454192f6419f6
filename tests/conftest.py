"""Fixtures shared by all: a clock that is set by hand, stores on both engines, builders."""

import asyncio
import gc
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import structlog
from aiohttp import web_app
from hypothesis import HealthCheck, settings

from gateway import ports
from gateway.model.principal import Owner
from gateway.model.timerange import Instant
from gateway.storage import schema
from gateway.storage.engine import SqlStore, open_store
from tests import dialects, postgresql
from tests.builders import an_owner

if TYPE_CHECKING:
    from tests.upstreams import Peers

# Machines are noisy: nothing here is judged by time. Where CI is set the examples are the same
# each run, so that what lands was not luck; elsewhere every run looks for new ones.
settings.register_profile(
    "here",
    deadline=None,
    derandomize=os.environ.get("CI") is not None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("here")

# Left alone, structlog draws every trace as a picture: half of what a test of failures would cost.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(),
    ]
)

dialects.install()
START: Instant = 1795521600
"""2026-11-24T12:00:00Z, a Tuesday."""
SQLITE_URL = "sqlite:///calgate.db"


@pytest.fixture(autouse=True)
def forgotten_applications() -> Iterator[None]:
    """Let go of the gateway that a test served: aiohttp remembers the last 1024 handlers' apps."""
    yield
    web_app._cached_build_middleware.cache_clear()


class FakeClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: Instant = START) -> None:
        self._now = now

    def now(self) -> Instant:
        """Return the instant it stands at."""
        return self._now

    def set(self, now: Instant) -> None:
        """Put it to an instant."""
        self._now = now

    def advance(self, seconds: int) -> None:
        """Move it on."""
        self._now += seconds


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of every later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock at 2026-11-24T12:00:00Z."""
    return FakeClock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a migrated, empty SQLite database; tests open copies of it."""
    folder = tmp_path_factory.mktemp("sqlite-template")

    async def make() -> None:
        await (await open_store(SQLITE_URL, folder)).close()

    asyncio.run(make())
    return folder


@pytest.fixture
def data_dir(tmp_path: Path, sqlite_template: Path) -> Path:
    """Make a data folder with an empty SQLite database, reached by the default URL."""
    folder = tmp_path / "var"
    shutil.copytree(sqlite_template, folder)
    return folder


@pytest.fixture
async def sqlite_store(data_dir: Path) -> AsyncIterator[SqlStore]:
    """Open a store on SQLite."""
    store = await open_store(SQLITE_URL, data_dir)
    yield store
    await store.close()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Run a server for the whole session; give the URL of a migrated database."""
    if postgresql.binaries() is None:
        sentence = "PostgreSQL's initdb and postgres are not on this system"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"{sentence}, and REQUIRE_ALL=1 allows no skipping")
        pytest.skip(sentence)
    with postgresql.server() as url:

        async def make() -> None:
            await (await open_store(url, Path(os.devnull))).close()

        asyncio.run(make())
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store_url(request: pytest.FixtureRequest) -> str:
    """Name an empty database on each engine in turn."""
    if request.param == "sqlite":
        return SQLITE_URL
    url: str = request.getfixturevalue("postgresql_server")
    asyncio.run(empty(url))
    return url


@pytest.fixture
async def store(store_url: str, data_dir: Path) -> AsyncIterator[SqlStore]:
    """Open a store on each engine in turn."""
    opened = await open_store(store_url, data_dir)
    yield opened
    await opened.close()


# Truncating makes every table's files anew; most tests fill few tables with few rows.
EMPTIED = "".join(f'DELETE FROM "{table.name}";' for table in schema.metadata.sorted_tables)
RESTARTED = """
SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false)
FROM pg_sequences WHERE last_value IS NOT NULL
"""


async def empty(url: str) -> None:
    """Remove every row of a PostgreSQL database; ids begin at 1 again."""
    connection = await asyncpg.connect(url)
    try:
        # Without the triggers that follow references: all of it goes.
        await connection.execute(f"SET session_replication_role = replica; {EMPTIED} {RESTARTED}")
    finally:
        await connection.close()


@pytest.fixture
async def owner(store: ports.Store) -> Owner:
    """Add an owner, Jane, to `store`."""
    async with store.write() as transaction:
        return await transaction.owners.add(an_owner(), "hash")


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Peers"]:
    """Run the calendar servers of others that are asked for, until the session ends."""
    from tests.upstreams import Peers  # needs what stands above

    running = Peers(tmp_path_factory.mktemp("peers"))
    yield running
    running.stop()
