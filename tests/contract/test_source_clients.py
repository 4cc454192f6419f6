"""Outgoing connections of the clients for servers that users name: caldav and exchangelib."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError
from tests.contract.test_adapters import read
from tests.exchange_account import ExchangeSource
from tests.upstreams import CaldavSource, Peers, open_source

REFUSALS = (AccessLost, SignInNeeded, Unavailable)


@dataclass
class Elsewhere:
    """Another server on loopback that remembers what it was sent."""

    url: str = ""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    """Run a server that no source has anything to do with."""
    made = Elsewhere()

    async def serve(request: web.Request) -> web.Response:
        made.seen.append((request.method, dict(request.headers)))
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="catch"'})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture(params=["radicale", "exchange"])
async def source(
    request: pytest.FixtureRequest, peers: Peers
) -> AsyncIterator[CaldavSource | ExchangeSource]:
    """Run a source of each library in turn."""
    async with open_source(request.param, peers) as made:
        assert isinstance(made, CaldavSource | ExchangeSource)
        yield made


async def test_a_redirect_takes_no_password_along(
    source: CaldavSource | ExchangeSource, elsewhere: Elsewhere
) -> None:
    """A server that sends us to another one sends no sign-in there (check 89)."""
    adapter = source.open()
    calendar = (await adapter.calendars())[0].upstream_id
    source.fail(redirect=f"{elsewhere.url}/dav/")
    with pytest.raises(UpstreamError):
        [page async for page in adapter.changes(calendar, "")]

    assert all("Authorization" not in headers for _, headers in elsewhere.seen)
    assert all("Cookie" not in headers for _, headers in elsewhere.seen)


async def test_a_first_redirect_takes_no_password_along(
    source: CaldavSource | ExchangeSource, elsewhere: Elsewhere
) -> None:
    """Nor while an account is connected, whatever the other server asks for."""
    source.fail(redirect=f"{elsewhere.url}/dav/")
    with pytest.raises(REFUSALS):
        await source.open().calendars()

    assert all("Authorization" not in headers for _, headers in elsewhere.seen)


async def test_the_environment_changes_no_way(
    source: CaldavSource | ExchangeSource,
    elsewhere: Elsewhere,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Proxy variables, .netrc and bundles of the environment are not obeyed (check 97)."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, elsewhere.url)
    calendars = await source.open().calendars()

    assert [one.name for one in calendars] == ["Work"]
    assert elsewhere.seen == []
    if isinstance(source, ExchangeSource):
        assert source.server.refused == []


async def test_nothing_of_an_answer_is_logged(
    source: CaldavSource | ExchangeSource, caplog: pytest.LogCaptureFixture
) -> None:
    """At every level, neither library writes bodies or sign-ins into the log (checks 95, 173)."""
    caplog.set_level(0)
    await read(source.open())
    source.fail(status=500)
    with pytest.raises(Unavailable):
        await read(source.open())

    told = caplog.text
    assert "canary-internal" not in told
    assert "Authorization" not in told
    assert "correct-horse" not in told
    assert "correct horse" not in told


def test_a_request_outside_of_a_call_goes_nowhere() -> None:
    """The transport of both libraries refuses where no call of ours stands behind it (ADR 13)."""
    import requests

    from gateway.adapters._addresses import GuardOptions
    from gateway.adapters._http import GuardedClient
    from gateway.adapters._requests import GuardedTransport, guarded_session
    from gateway.adapters.exchange.wire import NoWayOut

    transport = GuardedTransport(GuardedClient(GuardOptions(allow_private=True)), follow=True)
    with pytest.raises(Unavailable, match="outside of a call"):
        guarded_session(transport).get("http://127.0.0.1:1/")
    session = requests.Session()
    session.mount("http://", NoWayOut())
    with pytest.raises(Unavailable, match="outside of a call"):
        session.get("http://127.0.0.1:1/")
