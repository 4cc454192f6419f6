"""Connecting a mailbox on premises (S13 to S18): the screens in order, the form, the command."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.model.principal import Owner
from gateway.services.exchange_account import EXPECTATIONS
from tests.exchange_account import ADDRESS, PASSWORD, ExchangeSource, exchange_source
from tests.own_authority import certificate
from tests.owner_desk import OwnerDesk
from tests.plain_browser import PlainBrowser, ShownPage
from tests.served import Served

START = "/settings/calendar/connect/exchange"
FORM = f"{START}/account"


@pytest.fixture
async def source() -> AsyncIterator[ExchangeSource]:
    """Run a server with Jane's mailbox."""
    async with exchange_source() as made:
        yield made


async def connect(browser: PlainBrowser, source: ExchangeSource, **values: str) -> ShownPage:
    """Go the whole way: expectations, Continue, the form, Connect inbox."""
    shown = await browser.send((await browser.open(START)).form(START))
    known = {"address": ADDRESS, "password": PASSWORD, "url": source.server.url}
    return await browser.send(shown.form(FORM), **(known | values))


async def test_the_way_leads_to_the_dashboard(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, source: ExchangeSource
) -> None:
    """Expectations, Continue, form, Connect inbox, dashboard; the calendar is the default."""
    chosen = await browser.open("/settings/calendar/connect")
    assert START in chosen.text
    page = await connect(browser, source)

    assert page.url.path == "/dashboard"
    work = (await desk.calendars(jane))["Work"]
    assert work.selected
    assert (await desk.fresh(jane)).default_collection_id == work.id


async def test_the_form_comes_after_the_expectations(browser: PlainBrowser) -> None:
    """Without Continue there is no form, whatever address is typed (S17)."""
    page = await browser.open(FORM)

    assert page.url.path == START
    assert "what to expect" in page.text


async def test_the_acknowledgement_is_logged(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Continue leaves who, when, and which text in the trail (S17)."""
    await browser.send((await browser.open(START)).form(START))

    async with desk.services.store.read() as tx:
        trail = await tx.notices.trail(jane.id)
    assert ("exchange.acknowledged", f"text {EXPECTATIONS}, en") in [one[1:] for one in trail]


async def test_the_placeholders_show_what_is_meant(browser: PlainBrowser) -> None:
    """User name and URL have the examples of the product's rules (S15)."""
    page = await browser.send((await browser.open(START)).form(START))

    assert 'placeholder="https://email.example.com/ews/exchange.asmx"' in page.text
    assert "before @" in page.text
    assert "Connect inbox" in page.text


@pytest.mark.parametrize("username", ["", "jane", "CORP\\jane", "jane@corp.example"])
async def test_every_kind_of_user_name_works(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, source: ExchangeSource, username: str
) -> None:
    """The part before @, DOMAIN with a backslash, a UPN, or nothing at all (S15)."""
    page = await connect(browser, source, username=username)

    assert page.url.path == "/dashboard"
    assert "Work" in await desk.calendars(jane)


async def test_a_refused_sign_in_says_what_the_server_offers(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, source: ExchangeSource
) -> None:
    """The app-password hint and the sign-in methods stand at the password (S16)."""
    page = await connect(browser, source, username="jane", password="canary-wrong")

    assert page.status == 422
    assert 'id="e-password"' in page.text
    assert "app password" in page.text
    assert "NTLM, Basic" in page.text
    assert "canary" not in page.text
    assert await desk.calendars(jane) == {}


async def test_a_server_that_is_not_found_asks_for_its_address(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, source: ExchangeSource
) -> None:
    """Address and password alone try autodiscover; where that fails the form asks for the URL."""
    page = await connect(browser, source, url="", address="jane@nowhere.invalid")

    assert page.status == 422
    assert 'id="e-url"' in page.text
    assert await desk.calendars(jane) == {}


@pytest.mark.parametrize(
    ("version", "page_status"), [("Exchange2010_SP1", 422), ("Exchange2010_SP2", 200)]
)
async def test_the_oldest_server_is_2010_sp2(
    browser: PlainBrowser, source: ExchangeSource, version: str, page_status: int
) -> None:
    """14.1 is refused with a sentence that names the minimum; 14.2 passes (S13)."""
    source.server.version = version
    page = await connect(browser, source)

    assert page.status == page_status
    assert ("Exchange 2010 SP2 or later is needed" in page.text) is (page_status == 422)


async def test_exchange_online_is_sent_to_its_own_way(
    browser: PlainBrowser, source: ExchangeSource
) -> None:
    """An address of Office 365 is refused with a sentence that points to the right button."""
    page = await connect(browser, source, url="https://outlook.office365.com/EWS/Exchange.asmx")

    assert page.status == 422
    assert "Connect Office 365" in page.text


async def test_the_password_is_kept_nowhere_in_the_clear(
    browser: PlainBrowser, source: ExchangeSource, data_dir: Path
) -> None:
    """No page shows the password, and no file of the database holds it (S18)."""
    await connect(browser, source)

    for path in ("/dashboard", "/settings/calendar"):
        assert PASSWORD not in (await browser.open(path)).text
    for file in data_dir.iterdir():
        assert PASSWORD.encode() not in file.read_bytes()


async def test_a_new_password_mends_the_account(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, source: ExchangeSource
) -> None:
    """After a change at the server, the new password is entered once and everything works (S31)."""
    await connect(browser, source)
    source.rename(password="another long one")
    (state,) = await desk.services.connections.list(jane.id)
    address = f"/settings/connections/{state.connection.id}/password"
    wrong = await browser.send((await browser.open(address)).form(address), password="nonsense")
    right = await browser.send(
        (await browser.open(address)).form(address), password="another long one"
    )

    assert wrong.status == 422
    assert "The new password works" in right.text


async def test_anothers_account_is_not_renewed(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, source: ExchangeSource
) -> None:
    """The form of an account that is not one's own does not exist."""
    await connect(browser, source)
    await desk.owner("john@example.org")
    (state,) = await desk.services.connections.list(jane.id)
    async with desk.signed_in("john@example.org") as john:
        page = await john.open(f"/settings/connections/{state.connection.id}/password")

    assert page.status == 404


async def test_the_command_connects(tmp_path: Path, source: ExchangeSource) -> None:
    """`connect exchange` prints the connection's id last, and completes the address."""
    served = Served(tmp_path, extra="[security]\nallow_private_networks = true").prepare()
    url = source.server.url.removesuffix("/EWS/Exchange.asmx")

    def work() -> str:
        served.cli("user", "add", "jane@example.org", "--password-stdin", stdin="long enough pw\n")
        words = ("connect", "exchange", "jane@example.org", "--address", ADDRESS, "--url", url)
        printed = served.cli(*words, "--password-stdin", stdin=f"{PASSWORD}\n")
        return printed.split()[-1] + " " + served.cli("sync", "jane@example.org")

    told = await asyncio.to_thread(work)
    assert told.startswith("cn_")
    assert "Work" in told


async def test_autodiscover_finds_the_server(tmp_path: Path, source: ExchangeSource) -> None:
    """With the administrator's autodiscover address, address and password are enough (S14)."""
    extra = (
        "[security]\nallow_private_networks = true\n[providers.exchange]\n"
        f'autodiscover_url = "http://127.0.0.1:{source.server.port}/autodiscover/autodiscover.xml"\n'
    )
    served = Served(tmp_path, extra=extra).prepare()

    def work() -> str:
        served.cli("user", "add", "jane@example.org", "--password-stdin", stdin="long enough pw\n")
        words = ("connect", "exchange", "jane@example.org", "--address", ADDRESS)
        return served.cli(*words, "--password-stdin", stdin=f"{PASSWORD}\n")

    assert (await asyncio.to_thread(work)).startswith("cn_")


# --- certificates


@asynccontextmanager
async def secured(folder: Path, **values: Any) -> AsyncIterator[tuple[ExchangeSource, str]]:
    """Run a server over TLS with a certificate of its own; give the certificate too."""
    file, der = certificate(folder, **values)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    async with exchange_source(tls=context, certificate=der) as made:
        yield made, ssl.DER_cert_to_PEM_cert(der)


async def test_an_own_authority_is_trusted_for_its_connection(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, tmp_path: Path
) -> None:
    """Pasted into the form it is stored with the connection, and the next one is not helped."""
    async with secured(tmp_path) as (source, pem):
        refused = await connect(browser, source)
        page = await connect(browser, source, ca=f"My authority:\r\n{pem}")
        (state,) = await desk.services.connections.list(jane.id)
        diagnosis = await desk.services.doctor.examine(state.connection)
        john = source.server.add("john@corp.example", PASSWORD)
        again = await connect(browser, source, address=john.person.address)

    assert refused.status == again.status == 422
    assert "is signed by itself; nobody vouches for it" in refused.text
    assert page.url.path == "/dashboard"
    assert diagnosis.is_well


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"days": -1}, "of 127.0.0.1 has expired"),
        ({"host": "127.0.0.2"}, "of 127.0.0.1 is for another address"),
    ],
)
async def test_a_bad_certificate_is_named_whoever_vouches(
    browser: PlainBrowser, tmp_path: Path, values: dict[str, Any], sentence: str
) -> None:
    """An authority of one's own helps neither an expired certificate nor one for another name."""
    async with secured(tmp_path, **values) as (source, pem):
        page = await connect(browser, source, ca=pem)

    assert page.status == 422
    assert sentence in page.text
    assert source.server.log == []


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----",
        "x" * 19_999,
    ],
)
async def test_what_is_no_certificate_is_refused_at_its_field(
    browser: PlainBrowser, source: ExchangeSource, text: str
) -> None:
    """Nothing is sent before the certificates make sense."""
    page = await connect(browser, source, ca=text)

    assert page.status == 422
    assert 'id="e-ca"' in page.text
    assert source.server.log == []


async def test_the_command_takes_a_file_of_certificates(tmp_path: Path) -> None:
    """`--ca-file` does what the field of the form does; without it the fault is named."""
    served = Served(tmp_path, extra="[security]\nallow_private_networks = true").prepare()
    async with secured(tmp_path) as (source, pem):
        (tmp_path / "ca.pem").write_text(pem)

        def work() -> tuple[str, str]:
            served.cli("user", "add", "j@example.org", "--password-stdin", stdin="long enough pw\n")
            words = ("connect", "exchange", "j@example.org", "--address", ADDRESS)
            more = ("--url", source.server.url, "--password-stdin")
            with pytest.raises(RuntimeError) as raised:
                served.cli(*words, *more, stdin=f"{PASSWORD}\n")
            ca = ("--ca-file", str(tmp_path / "ca.pem"))
            return str(raised.value), served.cli(*words, *ca, *more, stdin=f"{PASSWORD}\n")

        refused, printed = await asyncio.to_thread(work)

    assert "nobody vouches for it" in refused
    assert printed.startswith("cn_")
