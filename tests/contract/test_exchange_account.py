"""What an Exchange mailbox promises beyond the contract of all adapters."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from exchangelib import errors as ews

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Endpoint, Shared
from gateway.adapters.exchange.adapter import ExchangeAdapter, build
from gateway.adapters.exchange.autodiscover import _candidates
from gateway.errors import AccessLost, RefusedOnce, SignInNeeded, Unavailable, UpstreamError
from gateway.freebusy.busytime import BusyType
from gateway.model.component import parse_many
from gateway.model.timerange import DAY, HOUR, MINUTE, TimeRange
from gateway.ports import UpstreamObject
from gateway.sandbox.exchange.soap import T
from tests.builders import a_connection, an_event, an_hour
from tests.conftest import FakeClock
from tests.contract.test_adapters import NOON, read, read_pages
from tests.counting import sign_ins_of
from tests.exchange_account import (
    ADDRESS,
    PASSWORD,
    ExchangeSource,
    an_item,
    exchange_source,
)
from tests.own_authority import certificate

BOOKING = "bk_0001@gateway.example.org"
WINDOW = TimeRange(NOON, NOON + HOUR)


@pytest.fixture
async def source() -> AsyncIterator[ExchangeSource]:
    """Run a server with Jane's mailbox, which is empty."""
    async with exchange_source() as made:
        yield made


async def opened(source: ExchangeSource, **given: str) -> tuple[ExchangeAdapter, str]:
    """Return an adapter of an account that is kept, and its calendar."""
    first = source.open(**given)
    assert isinstance(first, ExchangeAdapter)
    calendar = (await first.calendars())[0].upstream_id
    kept = source.open(**json.loads(first.settled()))
    assert isinstance(kept, ExchangeAdapter)
    return kept, calendar


async def events(source: ExchangeSource) -> list[UpstreamObject]:
    """Return what stands in the calendar."""
    return (await read(source.open()))[0]


# --- writing


async def test_a_booking_is_one_item(source: ExchangeSource) -> None:
    """Creating the same event twice makes one, under our UID, and the server invites nobody."""
    adapter, calendar = await opened(source)
    await adapter.create(calendar, BOOKING, an_event(BOOKING, start="20261201T090000Z"))
    await adapter.create(calendar, BOOKING, an_event(BOOKING, start="20261201T090000Z"))

    assert [item.uid for item in await events(source)] == [BOOKING]
    assert source.server.asked("CreateItem") == 1


async def test_a_lost_answer_makes_no_second_item(source: ExchangeSource) -> None:
    """Of a write whose answer never came the item is found again before anything is retried."""
    adapter, calendar = await opened(source)
    source.fail(drops_after=True, only="CreateItem")
    with pytest.raises(Unavailable):
        await adapter.create(calendar, BOOKING, an_event(BOOKING))
    source.mend()
    again, _ = await opened(source)
    await again.create(calendar, BOOKING, an_event(BOOKING))

    assert [item.uid for item in await events(source)] == [BOOKING]


async def test_a_booking_says_what_it_is(source: ExchangeSource) -> None:
    """Subject, text, place and people arrive, whatever characters are in them."""
    adapter, calendar = await opened(source)
    data = an_event(
        BOOKING,
        start="20261201T090000Z",
        end="20261201T093000Z",
        summary="A & B <Café> \u0007",
        description="One\\nTwo",
        location="Room 1",
        attendee="mailto:vera@example.net",
    )
    await adapter.create(calendar, BOOKING, data)

    (item,) = await events(source)
    (event,) = parse_many(item.data or b"")[0].inside("VEVENT")
    assert event.text("SUMMARY").strip() == "A & B <Café>"
    assert event.text("DESCRIPTION") == "One\nTwo"
    assert event.text("LOCATION") == "Room 1"
    assert event.value("ATTENDEE") == "mailto:vera@example.net"
    assert (event.value("DTSTART"), event.value("DTEND")) == (
        "20261201T090000Z",
        "20261201T093000Z",
    )


async def test_a_removed_booking_stays_removed(source: ExchangeSource) -> None:
    """Removing twice is success, and a move brings nothing back."""
    adapter, calendar = await opened(source)
    await source.put("other", an_event("other"))
    await adapter.create(calendar, BOOKING, an_event(BOOKING))
    await adapter.remove(calendar, BOOKING)
    await adapter.remove(calendar, BOOKING)
    assert await adapter.move(calendar, BOOKING, before=an_hour(9), after=an_hour(10)) is None

    left = [item.uid for item in await events(source) if item.data is not None]
    assert left == ["other"]


# --- reading


def a_series(source: ExchangeSource) -> None:
    """Put a daily series of four with one instance moved and one deleted."""
    master = an_item("series", "Series", "20261124T120000Z", "20261124T130000Z")
    master.find(f"{T}CalendarItemType").text = "RecurringMaster"
    moved = an_item("series", "Moved", "20261125T150000Z", "20261125T160000Z")
    moved.find(f"{T}CalendarItemType").text = "Exception"
    identifier = source.mailbox.put_exception(moved)
    text = (
        "<t:x xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types'><t:Recurrence>"
        "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence>"
        "<t:StartDate>2026-11-24Z</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences>"
        "</t:NumberedRecurrence></t:Recurrence><t:ModifiedOccurrences><t:Occurrence>"
        f"<t:ItemId Id='{identifier}' ChangeKey='x'/><t:Start>2026-11-25T15:00:00Z</t:Start>"
        "<t:End>2026-11-25T16:00:00Z</t:End><t:OriginalStart>2026-11-25T12:00:00.000Z"
        "</t:OriginalStart></t:Occurrence></t:ModifiedOccurrences><t:DeletedOccurrences>"
        "<t:DeletedOccurrence><t:Start>2026-11-26T12:00:00Z</t:Start></t:DeletedOccurrence>"
        "</t:DeletedOccurrences></t:x>"
    )
    master.extend(ET.fromstring(text))
    source.mailbox.put(master)


async def test_a_series_is_one_object(source: ExchangeSource) -> None:
    """Master, moved and deleted instance come together; a last look sees them where they are."""
    a_series(source)
    adapter, calendar = await opened(source)
    (item,) = await events(source)
    members = parse_many(item.data or b"")[0].inside("VEVENT")

    assert [one.text("SUMMARY") for one in members] == ["Series", "Moved"]
    assert members[0].value("EXDATE") == "20261126T120000Z"
    assert members[1].value("RECURRENCE-ID") == "20261125T120000Z"
    assert await adapter.last_look(calendar, WINDOW) == []
    moved = TimeRange(NOON + 3 * HOUR, NOON + 4 * HOUR)
    assert len(await adapter.last_look(calendar, moved)) == 1


async def test_a_corrupt_item_costs_no_other(source: ExchangeSource) -> None:
    """What the server itself calls corrupt is named, and everything else is read."""
    await source.put("good", an_event("good"))
    await source.put("bad", an_event("bad"))
    source.mailbox.broken.add(source.ids["bad"])
    objects, pages = await read_pages(source.open())

    assert [item.uid for item in objects] == ["good"]
    assert [key for page in pages for key in page.unreadable] == [source.ids["bad"]]


async def test_a_forgotten_state_reads_everything_again(source: ExchangeSource) -> None:
    """ErrorInvalidSyncStateData is no loss: everything is read and compared anew."""
    await source.put("first", an_event("first"))
    cursor = json.dumps({"version": 1, "state": "bm9uc2Vuc2U="})
    objects, page = await read(source.open(), cursor)

    assert [item.uid for item in objects] == ["first"]
    assert page.complete


async def test_a_large_calendar_comes_in_pages(source: ExchangeSource) -> None:
    """More changes than one answer holds are all read, and the last page has the cursor."""
    for number in range(600):
        await source.put(f"e{number}", an_event(f"e{number}"))
    objects, pages = await read_pages(source.open())

    assert len({item.uid for item in objects}) == 600
    assert len(pages) == 2


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, BusyType.BUSY),
        ({"LegacyFreeBusyStatus": "NoData"}, BusyType.BUSY),
        ({"LegacyFreeBusyStatus": "Tentative"}, BusyType.TENTATIVE),
        ({"LegacyFreeBusyStatus": "OOF"}, BusyType.UNAVAILABLE),
        ({"LegacyFreeBusyStatus": "Free"}, None),
        ({"LegacyFreeBusyStatus": "WorkingElsewhere"}, None),
        ({"MyResponseType": "NoResponseReceived"}, BusyType.TENTATIVE),
        ({"MyResponseType": "Decline"}, None),
        ({"IsCancelled": "true"}, None),
    ],
    ids=str,
)
async def test_a_last_look_goes_by_the_same_rules(
    source: ExchangeSource, values: dict[str, str], kind: BusyType | None
) -> None:
    """What an instance does to its owner's time is told as for stored events."""
    source.mailbox.put(an_item("one", "One", "20261125T120000Z", "20261125T130000Z", **values))
    adapter, calendar = await opened(source)

    found = [one.type for one in await adapter.last_look(calendar, WINDOW)]
    assert found == ([kind] if kind else [])


async def test_other_calendars_are_listed_by_right(source: ExchangeSource) -> None:
    """Every folder that may be read is listed, with what may be done in it."""
    source.mailbox.add_folder("Team", rights=frozenset({"Read"}))
    source.mailbox.add_folder("Project")
    source.mailbox.add_folder("Birthdays", kind="IPF.Appointment.Birthday")
    source.mailbox.add_folder("Closed", rights=frozenset())
    found = [(one.name, one.role, one.is_primary) for one in await source.open().calendars()]

    assert found == [
        ("Work", "owner", True),
        ("Team", "reader", False),
        ("Project", "writer", False),
    ]


# --- signing in


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


async def read_one_page(adapter: Any, calendar: str) -> None:
    """Begin to read a calendar."""
    async for _ in adapter.changes(calendar, ""):
        break


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


# --- faults


BUSY, GONE = "cannot answer at the moment", "no longer in this mailbox"
ERRORS: dict[str, tuple[type[UpstreamError], str]] = {
    # the account
    "ErrorNonExistentMailbox": (AccessLost, "no mailbox with this e-mail address"),
    "ErrorAccountDisabled": (AccessLost, "account is disabled"),
    "ErrorMailboxConfiguration": (AccessLost, "mailbox cannot be opened"),
    "ErrorImpersonateUserDenied": (AccessLost, "denies access"),
    "ErrorPasswordExpired": (SignInNeeded, "password has expired"),
    "ErrorPasswordChangeRequired": (SignInNeeded, "password must be changed"),
    # one calendar
    "ErrorAccessDenied": (AccessLost, "denies access to this calendar"),
    "ErrorFolderNotFound": (AccessLost, GONE),
    "ErrorSyncFolderNotFound": (AccessLost, GONE),
    "ErrorItemNotFound": (AccessLost, GONE),
    # how it is set up
    "ErrorInvalidServerVersion": (Unavailable, "does not speak the version"),
    "ErrorSchemaValidation": (Unavailable, "could not do it: ErrorSchemaValidation"),
    # for now
    "ErrorServerBusy": (Unavailable, "come back later"),
    "ErrorTooManyObjectsOpened": (Unavailable, "come back later"),
    "ErrorExceededConnectionCount": (Unavailable, BUSY),
    "ErrorTimeoutExpired": (Unavailable, BUSY),
    "ErrorInternalServerTransientError": (Unavailable, "come back later"),
    "ErrorInternalServerError": (Unavailable, BUSY),
    "ErrorMailboxStoreUnavailable": (Unavailable, BUSY),
    "ErrorMailboxMoveInProgress": (Unavailable, BUSY),
    "ErrorConnectionFailed": (Unavailable, BUSY),
    "ErrorADUnavailable": (Unavailable, BUSY),
    "ErrorADOperation": (Unavailable, BUSY),
    "ErrorQuotaExceeded": (Unavailable, "mailbox is full"),
    "ErrorNobodyKnowsThis": (Unavailable, "."),
}
"""What a response code means to an owner."""


@pytest.mark.parametrize("code", ERRORS)
async def test_a_fault_is_one_of_three_kinds(source: ExchangeSource, code: str) -> None:
    """Every response code comes to its kind, with a sentence of ours."""
    kind, sentence = ERRORS[code]
    adapter, calendar = await opened(source)
    source.fail(code=code)
    with pytest.raises(UpstreamError) as raised:
        await read_one_page(adapter, calendar)

    assert type(raised.value) is kind
    assert sentence in str(raised.value)
    assert str(raised.value).endswith(".")


async def test_a_locked_account_is_never_tried_again(source: ExchangeSource) -> None:
    """What the directory calls locked out is believed at the first word."""
    _, calendar = await opened(source)
    locked = ews.UnauthorizedError("The referenced account is currently locked out")
    account = source.open(auth="NTLM", username="jane")._account
    await account._client.threads.run("x", lambda: _refuse(account, locked), seconds=5)
    with pytest.raises(SignInNeeded, match="twice"):
        await read_one_page(source.open(auth="NTLM", username="jane"), calendar)


def _refuse(account: Any, error: Exception) -> None:
    account.begin()
    raised = account._refused(for_good="locked out" in str(error))
    assert isinstance(raised, SignInNeeded)


@pytest.mark.parametrize("where", ["https://login.corp.example/", "http://169.254.169.254/"])
async def test_a_redirect_is_told_and_not_followed(source: ExchangeSource, where: str) -> None:
    """A server that sends us elsewhere gets no password there, whoever it names."""
    adapter, calendar = await opened(source)
    source.fail(redirect=where)
    with pytest.raises(Unavailable, match="sends us to another address"):
        await read_one_page(adapter, calendar)
    with pytest.raises(Unavailable, match="sends us to another address"):
        await source.open().calendars()


async def test_a_busy_server_says_how_long(source: ExchangeSource) -> None:
    """BackOffMilliseconds is the wait that is handed on."""
    adapter, calendar = await opened(source)
    source.fail(code="ErrorServerBusy", back_off=45_000)
    with pytest.raises(Unavailable) as raised:
        await read_one_page(adapter, calendar)

    assert raised.value.retry_after == 45


async def test_services_that_are_switched_off_are_named(source: ExchangeSource) -> None:
    """X-CasErrorCode says that this mailbox has no web services."""
    adapter, calendar = await opened(source)
    source.fail(status=500, cas_error="CAS error: MapiExceptionLogonFailed")
    with pytest.raises(AccessLost, match="switched off"):
        await read_one_page(adapter, calendar)


@pytest.mark.parametrize("operation", ["SyncFolderItems", "GetItem", "FindItem"])
@pytest.mark.parametrize("fault", [{"truncate": 400}, {"cut": 500}, {"drip": 0.2}])
async def test_half_an_answer_is_a_failure(
    source: ExchangeSource, operation: str, fault: dict[str, Any]
) -> None:
    """What breaks off is never mended into something shorter."""
    await source.put("first", an_event("first"))
    adapter, calendar = await opened(source)
    source.fail(only=operation, **fault)
    asked = (
        adapter.last_look(calendar, WINDOW)
        if operation == "FindItem"
        else read_one_page(adapter, calendar)
    )
    with pytest.raises(Unavailable):
        await asked


async def test_a_list_that_breaks_off_is_no_shorter_list(source: ExchangeSource) -> None:
    """A list of changes that is cut in the middle is a failure, whatever a parser would mend."""
    for number in range(10):
        await source.put(f"e{number}", an_event(f"e{number}"))
    adapter, calendar = await opened(source)
    source.fail(only="SyncFolderItems", truncate=1500)
    with pytest.raises(Unavailable, match="incomplete"):
        await read_one_page(adapter, calendar)


async def test_a_look_that_is_given_up_frees_its_thread(source: ExchangeSource) -> None:
    """A hung server holds its own few threads, and only until its calls are given up."""
    adapter, calendar = await opened(source)
    source.fail(delay=30.0)
    looks = [asyncio.wait_for(adapter.last_look(calendar, WINDOW), 0.2) for _ in range(12)]
    ended = await asyncio.gather(*looks, return_exceptions=True)
    source.mend()
    fresh, _ = await opened(source)

    assert {type(one) for one in ended} == {TimeoutError}
    assert await fresh.last_look(calendar, WINDOW) == []


# --- addresses


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


async def test_a_last_look_at_whole_days_is_the_mailboxs_day(source: ExchangeSource) -> None:
    """An all-day item blocks the day of the mailbox's zone."""
    item = an_item("day", "Day", "20261124T230000Z", "20261125T230000Z")
    item.find(f"{T}IsAllDayEvent").text = "true"
    ET.SubElement(item, f"{T}TimeZone").text = "(UTC+01:00) Amsterdam, Berlin"
    source.mailbox.put(item)
    adapter, calendar = await opened(source, time_zone="Europe/Amsterdam")
    day = TimeRange(NOON - 13 * HOUR, NOON - 13 * HOUR + DAY)

    (found,) = await adapter.last_look(calendar, TimeRange(day.start - DAY, day.end + DAY))
    assert (found.start, found.end) == (day.start, day.end)
