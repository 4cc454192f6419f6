"""Fixtures shared by all: a clock that is set by hand, stores on both engines, builders."""

import asyncio
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from aiohttp import web_app
from hypothesis import HealthCheck, settings

from gateway import ports
from gateway.model.principal import Owner
from gateway.model.timerange import Instant
from gateway.sandbox.served import Served
from gateway.storage.engine import SqlStore, open_store
from tests import dialects, postgresql
from tests.builders import an_owner
from tests.emptying import Emptier

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
MEMORY = Path("/dev/shm")
FOLDER = pytest.StashKey[str]()


@pytest.fixture(autouse=True)
def forgotten_applications() -> Iterator[None]:
    """Let go of the gateway that a test served: aiohttp remembers the last 1024 handlers' apps."""
    yield
    web_app._cached_build_middleware.cache_clear()


@pytest.fixture(autouse=True)
def sandboxes_keep_the_rules() -> Iterator[None]:
    """Hold the simulated providers that a test starts to the rules of the real ones."""
    yield
    # Who started none has nothing to tell, and need not learn the rules.
    if watch := sys.modules.get("tests.sandbox_watch"):
        watch.WATCH.end()


def watched(server: Served) -> None:
    """Watch a server that begins to serve."""
    from tests.sandbox_watch import WATCH  # needs what only its tests need

    WATCH.begin(server)


Served.begun.append(watched)


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


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep what tests write in memory, where there is room and nothing else is said."""
    # Thousands of databases would wait for a disk at every commit; no test can pull its plug.
    if config.option.basetemp is None and is_roomy(MEMORY):
        config.option.basetemp = config.stash[FOLDER] = tempfile.mkdtemp("", "calgate-", MEMORY)


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: tests wait for browsers, servers and disks."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the memory back."""
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


def is_roomy(folder: Path) -> bool:
    """Tell whether everything that the tests write fits into a folder."""
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 4 * 1024**3


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
        Emptier.of(url).close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store_url(request: pytest.FixtureRequest) -> str:
    """Name an empty database on each engine in turn."""
    if request.param == "sqlite":
        return SQLITE_URL
    url: str = request.getfixturevalue("postgresql_server")
    Emptier.of(url).empty()
    return url


@pytest.fixture
async def store(store_url: str, data_dir: Path) -> AsyncIterator[SqlStore]:
    """Open a store on each engine in turn."""
    opened = await open_store(store_url, data_dir)
    yield opened
    await opened.close()


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
