"""What an Exchange mailbox promises beyond the contract of all adapters: booking and reading."""

import json
from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import pytest

from gateway.errors import Unavailable
from gateway.freebusy.busytime import BusyType
from gateway.model.component import parse_many
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.sandbox.exchange.soap import T
from tests.builders import an_event, an_hour
from tests.contract.test_adapters import NOON, read, read_pages
from tests.exchange_account import ExchangeSource, an_item, exchange_source
from tests.exchange_desk import BOOKING, WINDOW, events, opened


@pytest.fixture
async def source() -> AsyncIterator[ExchangeSource]:
    """Run a server with Jane's mailbox, which is empty."""
    async with exchange_source() as made:
        yield made


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
