"""Colleagues' calendars at Exchange: opened ones are listed, busy time alone is asked for."""

from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import pytest

from gateway.adapters.exchange.availability import NOT_KNOWN
from gateway.errors import AccessLost, Unavailable, UpstreamError
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.component import Component, parse_many
from gateway.model.timerange import DAY, HOUR, MINUTE, Instant, TimeRange, format_utc
from gateway.ports import Adapter, UpstreamCalendar, UpstreamObject, UpstreamPage
from gateway.sandbox.exchange import Mailbox
from gateway.sandbox.exchange.mailbox import EVERYTHING
from tests.builders import an_event, an_hour
from tests.contract.test_adapters import NOON
from tests.exchange_account import ADDRESS, ExchangeSource, an_item, exchange_source

BOB = "bob@corp.example"
READER = frozenset({"Read"})


@pytest.fixture
async def source() -> AsyncIterator[ExchangeSource]:
    """Run a server with Jane's mailbox, which is empty."""
    async with exchange_source() as made:
        yield made


def bob(source: ExchangeSource, rights: frozenset[str] = frozenset()) -> Mailbox:
    """Make Bob's mailbox, which Jane has opened in Outlook and may do something in."""
    made = source.server.add(BOB, "secret")
    source.mailbox.add_shortcut(made)
    if rights:
        made.calendar.shared[ADDRESS] = rights
    return made


def put(mailbox: Mailbox, uid: str, start: Instant = NOON, kind: str = "Busy") -> ET.Element:
    """Put an hour into a calendar."""
    times = (format_utc(start), format_utc(start + HOUR))
    item = an_item(uid, uid, *times, LegacyFreeBusyStatus=kind)
    mailbox.put(item)
    return item


async def kept(source: ExchangeSource) -> tuple[Adapter, dict[str, UpstreamCalendar]]:
    """Return an adapter that is signed in, and the calendars by name."""
    adapter = source.open()
    return adapter, {one.name: one for one in await adapter.calendars()}


async def read(
    adapter: Adapter, calendar: str, cursor: str = ""
) -> tuple[list[UpstreamObject], UpstreamPage]:
    """Return what stands in a calendar, and the last page."""
    pages = [page async for page in adapter.changes(calendar, cursor)]
    return [item for page in pages for item in page.objects], pages[-1]


def event_of(item: UpstreamObject) -> Component:
    """Return the event of an object."""
    return parse_many(item.data or b"")[0].inside("VEVENT")[0]


# --- listing


@pytest.mark.parametrize(
    ("rights", "role"), [(READER, "reader"), (EVERYTHING, "writer"), (frozenset(), "free_busy")]
)
async def test_an_opened_calendar_is_listed_with_what_may_be_done(
    source: ExchangeSource, rights: frozenset[str], role: str
) -> None:
    """A colleague's calendar comes by name, after Jane's own, with the rights that were given."""
    bob(source, rights)
    _, calendars = await kept(source)

    assert list(calendars) == ["Work", "bob"]
    assert calendars["bob"].role == role
    assert not calendars["bob"].is_primary


async def test_a_calendar_that_was_not_opened_is_not_listed(source: ExchangeSource) -> None:
    """Leave alone does not put it into the list: an organisation may give it to everybody."""
    source.server.add(BOB, "secret").calendar.shared[ADDRESS] = EVERYTHING
    _, calendars = await kept(source)

    assert list(calendars) == ["Work"]


@pytest.mark.parametrize("code", ["ErrorNoFreeBusyAccess", "ErrorProxyRequestProcessingFailed"])
async def test_a_calendar_that_shows_nothing_is_not_listed(
    source: ExchangeSource, code: str
) -> None:
    """A shortcut to a calendar that shows nothing at all leads nowhere, and costs no other."""
    bob(source).busy_error = code
    _, calendars = await kept(source)

    assert list(calendars) == ["Work"]


async def test_shortcuts_that_lead_nowhere_cost_nothing(source: ExchangeSource) -> None:
    """Somebody who left, oneself, and an entry that is none are passed by."""
    gone = source.server.add("gone@corp.example", "secret")
    source.mailbox.add_shortcut(gone)
    source.server.mailboxes.remove(gone)
    source.mailbox.add_shortcut(source.mailbox)
    broken = bob(source, READER)
    source.mailbox.add_shortcut(broken)
    _, calendars = await kept(source)

    assert list(calendars) == ["Work", "bob"]


@pytest.mark.parametrize("operation", ["FindItem", "ResolveNames"])
async def test_a_server_that_refuses_to_look_lists_ones_own(
    source: ExchangeSource, operation: str
) -> None:
    """Where shortcuts cannot be read or followed, the mailbox's own calendars are there."""
    bob(source, READER)
    source.fail(only=operation, code="ErrorAccessDenied")
    _, calendars = await kept(source)

    assert list(calendars) == ["Work"]


async def test_a_colleagues_calendar_is_read_and_written(source: ExchangeSource) -> None:
    """Where it may be written to, it is a calendar like one's own."""
    mailbox = bob(source, EVERYTHING)
    put(mailbox, "theirs")
    adapter, calendars = await kept(source)
    calendar = calendars["bob"].upstream_id
    objects, _ = await read(adapter, calendar)
    await adapter.create(calendar, "bk_1@gateway.example", an_event("bk_1@gateway.example"))

    assert {one.uid for one in objects} == {"theirs"}
    assert len(mailbox.calendar.items) == 2
    assert source.mailbox.calendar.items == {}


async def test_a_share_that_ends_is_lost_access(source: ExchangeSource) -> None:
    """The calendar is no longer read, and never free for that."""
    mailbox = bob(source, READER)
    adapter, calendars = await kept(source)
    mailbox.calendar.shared.clear()

    with pytest.raises(AccessLost):
        await read(adapter, calendars["bob"].upstream_id)


# --- busy time alone


async def test_busy_time_alone_is_read_by_availability(source: ExchangeSource) -> None:
    """A calendar that shares nothing else gives one event for each busy time, by its kind."""
    mailbox = bob(source)
    put(mailbox, "busy")
    put(mailbox, "maybe", NOON + 2 * HOUR, "Tentative")
    put(mailbox, "away", NOON + 100 * DAY, "OOF")
    put(mailbox, "elsewhere", NOON + 4 * HOUR, "WorkingElsewhere")
    put(mailbox, "unknown", NOON + 6 * HOUR, "NoData")
    adapter, calendars = await kept(source)
    calendar = calendars["bob"].upstream_id
    objects, last = await read(adapter, calendar)
    _, again = await read(adapter, calendar, last.cursor or "")
    look = await adapter.last_look(calendar, TimeRange(NOON - HOUR, NOON + 8 * HOUR))

    events = [event_of(item) for item in objects]
    assert all(one.text("SUMMARY") == "Busy" for one in events)
    assert sorted(one.value("STATUS") for one in events) == [*["CONFIRMED"] * 3, "TENTATIVE"]
    assert last.complete
    assert again.unchanged
    assert look == [
        BusyPeriod(NOON, NOON + HOUR, BusyType.BUSY),
        BusyPeriod(NOON + 2 * HOUR, NOON + 3 * HOUR, BusyType.TENTATIVE),
        BusyPeriod(NOON + 6 * HOUR, NOON + 7 * HOUR, BusyType.BUSY),
    ]


async def test_too_many_entries_are_asked_for_in_halves(source: ExchangeSource) -> None:
    """More than a thousand entries in sixty days are refused, and come in parts."""
    mailbox = bob(source)
    for number in range(1_050):
        put(mailbox, f"event-{number}", NOON + number * HOUR)
    adapter, _ = await kept(source)
    objects, last = await read(adapter, f"schedule:{BOB}")

    assert last.complete
    assert [event_of(item).value("DTEND") for item in objects] == [format_utc(NOON + 1_050 * HOUR)]


async def test_an_odd_window_is_asked_for_in_whole_pieces(source: ExchangeSource) -> None:
    """What is told of the pieces around the window does not come into it."""
    put(bob(source), "busy")
    adapter, calendars = await kept(source)
    window = TimeRange(NOON + 7 * MINUTE, NOON + 52 * MINUTE)

    assert await adapter.last_look(calendars["bob"].upstream_id, window) == [
        BusyPeriod(window.start, window.end, BusyType.BUSY)
    ]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ErrorMailRecipientNotFound", AccessLost),
        ("ErrorNoFreeBusyAccess", AccessLost),
        ("ErrorProxyRequestProcessingFailed", Unavailable),
        ("ErrorMailboxLogonFailed", Unavailable),
        ("ErrorFreeBusyGenerationFailed", Unavailable),
    ],
)
async def test_what_is_wrong_with_a_mailbox_is_never_free(
    source: ExchangeSource, code: str, kind: type[UpstreamError]
) -> None:
    """An error inside a good answer is a failure, for a read and for a last look."""
    mailbox = bob(source)
    put(mailbox, "busy")
    adapter, calendars = await kept(source)
    mailbox.busy_error = code

    with pytest.raises(kind):
        await read(adapter, calendars["bob"].upstream_id)
    with pytest.raises(kind):
        await adapter.last_look(calendars["bob"].upstream_id, an_hour(12))


VIEW = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
    '<t:ServerVersionInfo xmlns:t="{types}" MajorVersion="15" MinorVersion="1" '
    'MajorBuildNumber="225" MinorBuildNumber="5" Version="Exchange2016"/></s:Header><s:Body>'
    '<m:GetUserAvailabilityResponse xmlns:m="{messages}" xmlns:t="{types}">'
    "<m:FreeBusyResponseArray>{responses}</m:FreeBusyResponseArray>"
    "</m:GetUserAvailabilityResponse></s:Body></s:Envelope>"
)
GOOD = (
    '<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success">'
    "<m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage>{view}</m:FreeBusyResponse>"
)


def answer(view: str) -> str:
    """Return an answer with a view in it, or with no mailbox where there is none."""
    space = "http://schemas.microsoft.com/exchange/services/2006"
    responses = GOOD.format(view=view) if view else ""
    return VIEW.format(types=f"{space}/types", messages=f"{space}/messages", responses=responses)


def view_of(kind: str, rest: str = "") -> str:
    """Return a FreeBusyView."""
    told = f"<t:FreeBusyViewType>{kind}</t:FreeBusyViewType>"
    return f"<m:FreeBusyView>{told}{rest}</m:FreeBusyView>"


def digits(text: str) -> str:
    """Return merged busy time."""
    return f"<t:MergedFreeBusy>{text}</t:MergedFreeBusy>"


@pytest.mark.parametrize(
    "view",
    [
        "",
        "<m:Nothing/>",
        view_of("None"),
        view_of("MergedOnly"),
        view_of("MergedOnly", digits("0")),
        view_of("MergedOnly", digits("44")),
        view_of("FreeBusyMerged", digits("000")),
        view_of(
            "FreeBusy",
            "<t:CalendarEventArray><t:CalendarEvent><t:BusyType>Busy</t:BusyType>"
            "</t:CalendarEvent></t:CalendarEventArray>",
        ),
    ],
)
async def test_what_a_view_does_not_tell_is_not_free(source: ExchangeSource, view: str) -> None:
    """No view, an empty one, too few digits, no data at all, an event without a time."""
    bob(source)
    adapter, calendars = await kept(source)
    source.fail(only="GetUserAvailabilityRequest", body=answer(view))

    with pytest.raises(Unavailable, match=NOT_KNOWN):
        await adapter.last_look(calendars["bob"].upstream_id, an_hour(12))


@pytest.mark.parametrize(
    ("view", "wanted"),
    [
        (view_of("MergedOnly", digits("00")), []),
        (view_of("MergedOnly", digits("10")), [("BUSY-TENTATIVE", 0, 30)]),
        (view_of("MergedOnly", digits("23")), [("BUSY", 0, 30), ("BUSY-UNAVAILABLE", 30, 60)]),
        (view_of("MergedOnly", digits("04")), [("BUSY", 30, 60)]),
        (view_of("FreeBusyMerged", digits("04")), [("BUSY", 30, 60)]),
    ],
)
async def test_digits_tell_busy_time_where_there_are_no_events(
    source: ExchangeSource, view: str, wanted: list[tuple[str, int, int]]
) -> None:
    """Servers that know no more tell digits; a piece without data is busy."""
    bob(source)
    adapter, calendars = await kept(source)
    source.fail(only="GetUserAvailabilityRequest", body=answer(view))
    found = await adapter.last_look(calendars["bob"].upstream_id, an_hour(12))
    start = an_hour(12).start

    assert [
        (one.type.value, (one.start - start) // MINUTE, (one.end - start) // MINUTE)
        for one in found
    ] == wanted
