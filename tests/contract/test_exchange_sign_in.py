"""How an Exchange account signs in: by which method, how often, and to which servers."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import AccessLost, RefusedOnce, SignInNeeded, Unavailable, UpstreamError
from gateway.model.timerange import HOUR, MINUTE
from tests.builders import an_event
from tests.contract.test_adapters import read
from tests.exchange_account import PASSWORD, ExchangeSource, an_item, exchange_source
from tests.exchange_desk import BOOKING, events, opened, read_one_page
from tests.own_authority import certificate


@pytest.fixture
async def source() -> AsyncIterator[ExchangeSource]:
    """Run a server with Jane's mailbox, which is empty."""
    async with exchange_source() as made:
        yield made


@pytest.mark.parametrize("methods", [("NTLM",), ("Basic",), ("Negotiate",), ("NTLM", "Basic")])
async def test_every_method_signs_in(source: ExchangeSource, methods: tuple[str, ...]) -> None:
    """NTLM, NTLM under Negotiate, and Basic work; a password with any character too."""
    source.server.methods = methods
    source.rename(password="pässwörd-€")
    calendars = await source.open(password="pässwörd-€").calendars()

    assert [one.name for one in calendars] == ["Work"]
    assert source.server.refused == []


@pytest.mark.parametrize("methods", [("NTLM",), ("Basic",)])
async def test_extended_protection_is_met(tmp_path: Path, methods: tuple[str, ...]) -> None:
    """Over TLS NTLM is bound to the server's certificate, as Exchange wants it since 2019."""
    file, der = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    async with exchange_source(tls=context, certificate=der, methods=methods) as source:
        source.ca_file = str(file)
        calendars = await source.open().calendars()

        assert [one.name for one in calendars] == ["Work"]
        assert source.server.refused == []


async def test_modern_authentication_alone_is_named(source: ExchangeSource) -> None:
    """A server that takes tokens only says so, and gets no password."""
    source.server.methods = ("Bearer",)
    with pytest.raises(SignInNeeded, match="Bearer"):
        await source.open().calendars()

    assert source.server.refused == []


async def test_a_wrong_password_is_tried_twice_and_no_more(source: ExchangeSource) -> None:
    """One refusal is borne for five minutes, two are believed, and then nothing is sent."""
    adapter, calendar = await opened(source)
    kept = json.loads(adapter.settled())
    source.rename(password="changed")
    kinds: list[type[UpstreamError]] = []
    for _ in range(40):
        tick = source.open(**kept)
        for _ in range(3):
            with pytest.raises(UpstreamError) as raised:
                await read_one_page(tick, calendar)
        kinds.append(type(raised.value))
        source.clock.advance(30 * MINUTE)

    assert len(source.server.refused) == 2
    assert kinds[:2] == [RefusedOnce, SignInNeeded]
    assert set(kinds[1:]) == {SignInNeeded}


async def test_a_lone_refusal_is_forgotten(source: ExchangeSource) -> None:
    """A refusal under load, followed by an answer, counts for nothing."""
    adapter, calendar = await opened(source)
    kept = json.loads(adapter.settled())
    source.rename(password="changed")
    with pytest.raises(Unavailable, match="five minutes"):
        await read_one_page(source.open(**kept), calendar)
    source.rename(password=PASSWORD)
    source.clock.advance(5 * MINUTE)
    await read_one_page(source.open(**kept), calendar)
    source.rename(password="changed")

    with pytest.raises(Unavailable, match="five minutes"):
        await read_one_page(source.open(**kept), calendar)


async def test_a_typed_password_is_capped_too(source: ExchangeSource) -> None:
    """Somebody who presses the button again and again reaches the server twice an hour."""
    for _ in range(5):
        with pytest.raises(SignInNeeded):
            await source.open(username="jane", password="wrong").calendars()

    assert len(source.server.refused) == 2
    source.clock.advance(HOUR)
    with pytest.raises(SignInNeeded):
        await source.open(username="jane", password="wrong").calendars()
    assert len(source.server.refused) == 3


async def test_two_accounts_share_no_connection(source: ExchangeSource) -> None:
    """NTLM signs a connection in: each account reads its own mailbox, however they interleave."""
    john = source.server.add("john@corp.example", "another long one")
    await source.put("of-jane", an_event("of-jane"))
    john.put(an_item("of-john", "Johns", "20261125T120000Z", "20261125T130000Z"))

    async def uids(**given: str) -> set[str]:
        return {item.uid for item in (await read(source.open(**given)))[0]}

    other = {"address": "john@corp.example", "password": "another long one"}
    found = await asyncio.gather(*(uids(**given) for given in [{}, other] * 4))

    assert found == [{"of-jane"}, {"of-john"}] * 4


@pytest.mark.parametrize(
    ("version", "name"), [("Exchange2010", "Exchange 2010;"), ("Exchange2010_SP1", "2010 SP1;")]
)
async def test_an_older_server_is_refused(source: ExchangeSource, version: str, name: str) -> None:
    """What is older than 2010 SP2 is named, with the minimum (S13)."""
    source.server.version = version
    with pytest.raises(AccessLost, match="2010 SP2 or later is needed") as raised:
        await source.open().calendars()

    assert name in str(raised.value)


@pytest.mark.parametrize(
    "version",
    ["Exchange2010_SP2", "Exchange2013", "Exchange2016", "Exchange2019", "ExchangeSE"],
)
async def test_every_later_server_is_read(source: ExchangeSource, version: str) -> None:
    """From 2010 SP2 to SE everything is read and written in the schema of the server."""
    source.server.version = version
    adapter, calendar = await opened(source)
    await adapter.create(calendar, BOOKING, an_event(BOOKING, start="20261125T120000Z"))

    assert [item.uid for item in await events(source)] == [BOOKING]
