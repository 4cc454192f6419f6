"""Who is asking and under which name: how far headers are believed."""

from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.web.peer import client_address, host_name, is_cross_site, networks, own_hosts


@dataclass
class Line:
    """A connection from an address."""

    address: str

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell the peer."""
        return (self.address, 1234) if name == "peername" else default


def asked(*forwarded: str, peer: str = "10.0.0.1", **headers: str) -> Any:
    """Return a request from a peer with these headers."""
    pairs = [("X-Forwarded-For", value) for value in forwarded]
    pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
    made: Any = make_mocked_request("GET", "/", CIMultiDict(pairs))
    made._transport_peername = None
    protocol = made._protocol
    protocol.transport = Line(peer)
    return made


PROXIES = networks(["10.0.0.0/24", "::1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.9", ("1.2.3.4",), "192.0.2.9"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("192.0.2.1",), "192.0.2.1"),
        ("10.0.0.1", ("1.2.3.4, 192.0.2.1",), "192.0.2.1"),
        ("10.0.0.1", ("1.2.3.4, 192.0.2.1, 10.0.0.2",), "192.0.2.1"),
        ("10.0.0.1", ("1.2.3.4", "192.0.2.1"), "192.0.2.1"),
        ("10.0.0.1", ("1.2.3.4, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("1.2.3.4, nonsense, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("10.0.0.7",), "10.0.0.7"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("[2001:db8::1]",), "2001:db8::1"),
        ("::1", ("192.0.2.1",), "192.0.2.1"),
        ("fe80::1%eth0", ("192.0.2.1",), "fe80::1"),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy(
    peer: str, forwarded: tuple[str, ...], client: str
) -> None:
    """Forwarded-for counts from the right and from trusted proxies only; a client adds nothing."""
    assert client_address(asked(*forwarded, peer=peer), PROXIES) == client


def test_without_proxies_the_socket_counts() -> None:
    """Where no proxy is trusted no header says where a request comes from."""
    assert client_address(asked("192.0.2.1"), ()) == "10.0.0.1"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8080", "localhost"),
        ("cal.example.org.", "cal.example.org"),
        ("[::1]:80", "::1"),
        ("a@b", None),
        ("a b", None),
        ("-a.example", None),
        ("a..b", None),
        ("[::1", None),
        ("a:99999999", None),
        ("", None),
        ("a" * 261, None),
    ],
)
def test_a_host_is_a_name_or_nothing(header: str, name: str | None) -> None:
    """A Host header is a plain name, folded, or malformed."""
    assert host_name(header) == name


def test_loopback_aliases_belong_to_loopback() -> None:
    """A gateway that is public under a name does not answer as localhost."""
    assert "localhost" not in own_hosts("https://cal.example.org", ["meet.example.org"])
    assert {"localhost", "127.0.0.1", "::1"} <= own_hosts("http://127.0.0.1:8080", [])


@pytest.mark.parametrize(
    ("headers", "crosses"),
    [
        ({}, False),
        ({"Sec_Fetch_Site": "same-origin"}, False),
        ({"Sec_Fetch_Site": "none"}, False),
        ({"Sec_Fetch_Site": "same-site"}, True),
        ({"Sec_Fetch_Site": "cross-site"}, True),
        ({"Origin": "http://cal.example.org", "Host": "cal.example.org"}, False),
        ({"Origin": "https://CAL.example.org", "Host": "cal.example.org"}, False),
        ({"Origin": "null", "Host": "cal.example.org"}, True),
        ({"Origin": "http://evil.cal.example.org", "Host": "cal.example.org"}, True),
        ({"Origin": "http://cal.example.org:81", "Host": "cal.example.org"}, True),
        ({"Origin": "http://cal.example.org@evil", "Host": "cal.example.org"}, True),
        ({"Origin": "", "Host": "cal.example.org"}, True),
        (
            {
                "Sec_Fetch_Site": "same-origin",
                "Origin": "http://evil.example",
                "Host": "cal.example.org",
            },
            True,
        ),
    ],
)
def test_another_sites_request_is_told(headers: dict[str, str], crosses: bool) -> None:
    """A form from a sub-domain, another port, an opaque origin or elsewhere is not ours."""
    assert is_cross_site(asked(**headers)) is crosses
