"""What the configuration says of the world outside."""

import pytest

from gateway.config import Config, Sync
from gateway.outside import push_address


@pytest.mark.parametrize(
    ("url", "pushes"),
    [
        ("https://meet.example.org", True),
        ("https://meet.example.org:8443/", True),
        ("https://8.8.8.8", True),
        ("http://meet.example.org", False),
        ("https://localhost", False),
        ("https://gateway.local", False),
        ("https://calgate", False),
        ("https://127.0.0.1", False),
        ("https://10.1.2.3", False),
        ("https://[::1]", False),
    ],
)
def test_push_needs_a_public_address(url: str, pushes: bool) -> None:
    """Only where public_url is https and can be reached from outside is push asked for."""
    assert bool(push_address(Config(public_url=url))) is pushes


def test_push_can_be_turned_off() -> None:
    """`sync.push = false` leaves polling."""
    assert push_address(Config(public_url="https://meet.example.org", sync=Sync(push=False))) == ""
