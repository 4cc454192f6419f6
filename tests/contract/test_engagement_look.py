"""Engagements through the store: whatever happens in a calendar, its contacts' records follow."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.model.contact import Contact
from gateway.model.engagement import Engagement, EngagementState
from gateway.model.timerange import DAY, HOUR
from gateway.services.contacts import ContactService
from gateway.services.engagement_look import Looking
from gateway.services.objects import ObjectService
from gateway.services.settings import SettingsService
from gateway.services.transfer import TransferService
from tests.booking_desk import TEN, Desk, a_desk, closing
from tests.builders import an_event

COR, ANN = "cor@example.net", "ann@example.net"
SCHEDULED, CANCELLED = EngagementState.SCHEDULED, EngagementState.CANCELLED


class Records:
    """Jane's local calendars and contacts, with calendar sync on."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.owner = desk, desk.owner
        self.looking = Looking(desk.store, desk.clock)
        self.contacts = ContactService(desk.store, desk.clock, self.looking)
        self.settings = SettingsService(desk.store)

    async def sync(self, *, on: bool) -> None:
        """Switch calendar sync."""
        async with self.desk.store.read() as tx:
            self.owner = await tx.owners.get(self.owner.id)
        await self.settings.save(self.owner, replace(self.owner.settings, calendar_sync=on))

    async def know(self, email: str = COR, name: str = "") -> Contact:
        """Make a contact."""
        draft = Contact(id="", owner_id=self.owner.id, email=email, name=name)
        return await self.contacts.add(self.owner, draft)

    async def put(
        self, uid: str = "fair", *people: str, calendar: str = "home", **lines: str
    ) -> None:
        """Put an event with people into a calendar, as a client does, and look."""
        told = {"end": "20261201T110000Z", "start": "20261201T100000Z", "summary": "Fair"}
        data = an_event(uid, **(told | lines)).decode()
        guests = "".join(f"ATTENDEE:mailto:{one}\r\n" for one in people or (COR,))
        data = data.replace("END:VEVENT", f"{guests}END:VEVENT")
        where = self.desk.calendars[calendar]
        await self.desk.objects.put(self.owner, where, f"{uid}.ics", data.encode())
        await self.looking.settle()

    async def delete(self, uid: str = "fair") -> None:
        """Delete an event, as a client does, and look."""
        await self.desk.objects.remove(self.owner, self.desk.calendars["home"], f"{uid}.ics")
        await self.looking.settle()

    async def all(self, contact: Contact | None = None) -> list[Engagement]:
        """Return the engagements of a contact, or of all."""
        found = await self.contacts.engagements(
            self.owner.id, contact_id=contact.id if contact else ""
        )
        return list(found)

    async def states(self, contact: Contact | None = None) -> list[tuple[int, EngagementState]]:
        """Return start and state of each."""
        return [(one.start, one.state) for one in await self.all(contact)]


@pytest.fixture
async def records(store, clock, owner) -> AsyncIterator[Records]:
    """Open a desk with two local calendars, sync on."""
    async with closing(await a_desk(store, clock, owner, local=("home", "club"))) as desk:
        opened = Records(desk)
        await opened.sync(on=True)
        yield opened


async def test_an_event_becomes_an_engagement_and_follows_it(records):
    """Made, looked at twice, moved, cancelled and made again: one engagement follows it all."""
    cor = await records.know()
    await records.put()
    (first,) = await records.all(cor)
    await records.looking.of_owner(records.owner.id)
    assert await records.all(cor) == [first]

    await records.put(start="20261202T100000Z", end="20261202T120000Z")
    (moved,) = await records.all(cor)
    assert (moved.id, moved.start, moved.end) == (first.id, TEN + DAY, TEN + DAY + 2 * HOUR)

    await records.delete()
    assert await records.states(cor) == [(TEN + DAY, CANCELLED)]

    await records.put()
    assert await records.states(cor) == [(TEN, SCHEDULED)]
    assert [one.id for one in await records.all(cor)] == [first.id]


async def test_a_contact_who_is_no_longer_invited_is_cancelled_alone(records):
    """Each contact of an event has an engagement; who is taken off the event loses only theirs."""
    cor, ann = await records.know(), await records.know(ANN)
    await records.put("fair", COR.upper(), ANN)
    assert [len(await records.all(one)) for one in (cor, ann)] == [1, 1]

    await records.put("fair", ANN)
    assert await records.states(cor) == [(TEN, CANCELLED)]
    assert await records.states(ann) == [(TEN, SCHEDULED)]


async def test_a_contact_made_later_finds_its_events(records):
    """Events of before the contact appear with it, without a new read, however many there are."""
    records.looking = Looking(records.desk.store, records.desk.clock, limit=2)
    records.contacts.looking = records.looking
    for number in range(5):
        await records.put(f"event-{number}", COR if number % 2 else ANN)
    cor = await records.know()
    await records.looking.settle()

    assert len(await records.all(cor)) == 2


async def test_under_another_address_a_contact_finds_other_events(records):
    """With a new address the events of the new one count, those to come of the old one not."""
    cor = await records.know()
    await records.put("old", COR)
    await records.put("new", ANN, start="20261205T100000Z", end="20261205T110000Z")
    await records.contacts.update(records.owner, replace(cor, email=ANN))
    await records.looking.settle()

    assert await records.states(cor) == [(TEN + 4 * DAY, SCHEDULED)]


async def test_without_sync_nothing_is_followed(records):
    """Off, all stays as it was; on again, what happened meanwhile is caught up with."""
    cor = await records.know()
    await records.put("kept")
    await records.put("lost", start="20261203T100000Z", end="20261203T110000Z")
    await records.sync(on=False)
    await records.put("late", start="20261204T100000Z", end="20261204T110000Z")
    await records.delete("lost")
    assert await records.states(cor) == [(TEN, SCHEDULED), (TEN + 2 * DAY, SCHEDULED)]

    await records.sync(on=True)
    await records.looking.settle()
    assert await records.states(cor) == [
        (TEN, SCHEDULED),
        (TEN + 2 * DAY, CANCELLED),
        (TEN + 3 * DAY, SCHEDULED),
    ]


async def test_a_calendar_that_is_not_selected_is_not_followed(records):
    """Only selected calendars count; one that is selected again is caught up with."""
    cor = await records.know()
    await records.desk.select("club", selected=False)
    await records.put("fair", COR, calendar="club")
    assert await records.all(cor) == []

    await records.desk.select("club", selected=True)
    await records.looking.settle()
    assert await records.states(cor) == [(TEN, SCHEDULED)]


async def test_a_removed_calendar_takes_what_came_from_it(records):
    """With the calendar go its engagements: nothing would ever follow them again."""
    cor = await records.know()
    await records.put()
    await records.desk.objects.remove_collection(records.owner, records.desk.calendars["home"])

    assert await records.all(cor) == []


async def test_a_series_tells_its_next_time(records, clock):
    """When one time of a series is over the engagement tells the next one."""
    cor = await records.know()
    await records.put(rrule="FREQ=WEEKLY")
    assert await records.states(cor) == [(TEN, SCHEDULED)]

    clock.set(TEN + HOUR)
    await records.looking.settle()
    (one,) = await records.all(cor)
    assert [start for start, _ in one.times] == [TEN + week * 7 * DAY for week in range(1, 6)]


async def test_another_zone_moves_what_is_told_in_the_calendars_own(records):
    """All-day events are told in the calendar's zone, also when that changes."""
    cor = await records.know()
    await records.put(start=";VALUE=DATE:20261201", end=";VALUE=DATE:20261202")
    home = records.desk.calendars["home"]
    moved = replace(home, time_zone="Asia/Tokyo")
    await records.desk.objects.update_collection(records.owner, moved)
    await records.looking.settle()

    assert await records.states(cor) == [(TEN - 19 * HOUR, SCHEDULED)]


async def test_a_visitor_who_is_a_contact_has_one_engagement(records):
    """A booking of a contact's is one engagement of its event; cancelled, it is cancelled."""
    vera = await records.know("vera@example.net")
    booking = await records.desk.book(guests=(COR,))
    await records.looking.settle()
    (one,) = await records.all()
    assert (one.contact_id, one.start, one.uid) == (vera.id, booking.start, booking.uid)

    await records.desk.bookings.cancel_as_owner(records.owner.id, booking.id)
    await records.looking.settle()
    assert await records.states(vera) == [(TEN, CANCELLED)]


async def test_a_visitor_does_not_become_a_contact(records):
    """Who books is a visitor: only the owner makes contacts."""
    await records.desk.book()
    await records.looking.settle()

    assert await records.contacts.list(records.owner.id) == []


async def test_whoever_is_erased_is_no_contact_any_more(records):
    """`erase` takes the contact and its record along."""
    await records.know()
    await records.know(ANN)
    await records.put("fair", COR, ANN)
    transfer = TransferService(records.desk.store, ObjectService(records.desk.store, None))
    done = await transfer.erase(COR.upper())

    assert (done.contacts, done.bookings) == (1, 0)
    assert [one.email for one in await records.contacts.list(records.owner.id)] == [ANN]
    assert len(await records.all()) == 1


async def test_the_owner_is_nobodys_contact(records):
    """One's own address stands in every event: it makes no contact."""
    with pytest.raises(Exception, match="your own address"):
        await records.know("Jane@example.org")
