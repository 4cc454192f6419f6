"""Where an Exchange account may lead: not inside, not unprotected, not out of its mail domain."""

import json
from collections.abc import AsyncIterator

import pytest

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Endpoint, Shared
from gateway.adapters.exchange.adapter import ExchangeAdapter, build
from gateway.adapters.exchange.autodiscover import _candidates
from gateway.errors import SignInNeeded, Unavailable
from tests.builders import a_connection
from tests.conftest import FakeClock
from tests.counting import sign_ins_of
from tests.exchange_account import ADDRESS, PASSWORD, ExchangeSource, exchange_source


@pytest.fixture
async def source() -> AsyncIterator[ExchangeSource]:
    """Run a server with Jane's mailbox, which is empty."""
    async with exchange_source() as made:
        yield made


def an_adapter(options: GuardOptions, fixed: str = "", **given: str) -> ExchangeAdapter:
    """Return an adapter under an administrator's options."""
    client = GuardedClient(options, max_seconds=2)
    secret = json.dumps({"address": ADDRESS, "password": PASSWORD} | given).encode()
    clock = FakeClock()
    shared = Shared(
        client=client, clock=clock, sign_ins=sign_ins_of(clock), exchange=Endpoint(url=fixed)
    )
    return build(a_connection(1, provider="exchange"), secret, shared)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://169.254.169.254/",
        "https://10.0.0.1/EWS/Exchange.asmx",
    ],
)
async def test_the_inside_is_closed_to_the_package_too(url: str) -> None:
    """Exchangelib reaches no address that the guard refuses."""
    adapter = an_adapter(GuardOptions(), url=url)
    with pytest.raises(Unavailable, match="network that the gateway does not read"):
        await adapter.calendars()
    await adapter.close()


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f000001/", "https://127.1/"])
async def test_other_spellings_of_the_inside_lead_nowhere(url: str) -> None:
    """A number that a resolver may read as an address is refused before or by the guard."""
    adapter = an_adapter(GuardOptions(), url=url)
    with pytest.raises(Unavailable):
        await adapter.calendars()
    await adapter.close()


async def test_a_password_needs_protection() -> None:
    """A plain http address is refused unless private networks are opened."""
    adapter = an_adapter(GuardOptions(), url="http://mail.corp.example/EWS/Exchange.asmx")
    with pytest.raises(Unavailable, match="https://"):
        await adapter.calendars()
    await adapter.close()


def test_autodiscover_stays_below_the_mail_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No candidate is above the mail domain or without https; a record elsewhere is ignored."""
    monkeypatch.setattr("gateway.adapters.exchange.autodiscover._srv", lambda _: "evil.example")

    assert list(_candidates("corp.example")) == [
        "https://autodiscover.corp.example/autodiscover/autodiscover.xml",
        "https://corp.example/autodiscover/autodiscover.xml",
    ]


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("http://169.254.169.254/EWS/Exchange.asmx", "network that the gateway does not read"),
        ("https://outlook.office365.com/EWS/Exchange.asmx", "Connect Office 365"),
        ("file:///etc/passwd", "must begin with https"),
        ("not a url", "not a web address"),
    ],
)
async def test_a_hostile_autodiscover_answer_is_refused(
    source: ExchangeSource, says: str, sentence: str
) -> None:
    """What autodiscover names is checked like what an owner types."""
    source.server.ews_url = says
    fixed = f"http://127.0.0.1:{source.server.port}/autodiscover/autodiscover.xml"
    adapter = an_adapter(GuardOptions(allow_private=True), fixed)
    with pytest.raises(Unavailable, match=sentence):
        await adapter.calendars()
    await adapter.close()


async def test_an_endless_redirect_ends(source: ExchangeSource) -> None:
    """An address that leads to others for ever is not found."""
    source.server.redirect_address = "other@elsewhere.example"
    fixed = f"http://127.0.0.1:{source.server.port}/autodiscover/autodiscover.xml"
    adapter = an_adapter(GuardOptions(allow_private=True), fixed)
    with pytest.raises(Unavailable, match="could not be found"):
        await adapter.calendars()
    await adapter.close()


async def test_autodiscover_refused_is_the_end(source: ExchangeSource) -> None:
    """A password that autodiscover refuses is tried nowhere else."""
    fixed = f"http://127.0.0.1:{source.server.port}/autodiscover/autodiscover.xml"
    adapter = an_adapter(GuardOptions(allow_private=True), fixed, password="wrong")
    with pytest.raises(SignInNeeded, match="app password"):
        await adapter.calendars()
    await adapter.close()

    assert len(source.server.refused) == 1
    assert source.server.asked("GetFolder") == 0
