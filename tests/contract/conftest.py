"""What the contract suites share."""

from collections.abc import Iterator

import pytest

from tests.upstreams import Peers


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    """Run the servers of others that are asked for, until the session ends."""
    running = Peers(tmp_path_factory.mktemp("peers"))
    yield running
    running.stop()
