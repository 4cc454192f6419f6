"""Meetings that an owner makes on a contact's record: S11 with a calendar, S12 without one."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway import errors
from gateway.model.booking import BookingState
from gateway.model.component import parse
from gateway.model.connection import Failure, Health
from gateway.model.contact import Contact
from gateway.model.engagement import Engagement, EngagementState
from gateway.model.timerange import DAY, HOUR, MINUTE
from gateway.services.contacts import ContactService
from gateway.services.engagement_look import Looking
from gateway.services.meetings import MeetingWish
from tests.booking_desk import TEN, Desk, a_desk, busy, closing
from tests.builders import an_owner

COR = "cor@example.net"


class Maker:
    """Jane, who makes meetings with Cor."""

    def __init__(self, desk: Desk, cor: Contact, contacts: ContactService) -> None:
        self.desk, self.cor, self.contacts = desk, cor, contacts

    def wish(self, **values: object) -> MeetingWish:
        """Return a wish for half an hour at ten."""
        known = {"contact_id": self.cor.id, "title": "Tea", "start": TEN, "duration": 30}
        return MeetingWish(**(known | values))

    async def make(self, key: str | None = None, **values: object) -> Engagement:
        """Make a meeting."""
        return await self.desk.meetings.make(self.desk.owner, self.wish(**values), key)

    async def record(self) -> list[Engagement]:
        """Return Cor's engagements."""
        return list(await self.contacts.engagements(self.desk.owner.id, contact_id=self.cor.id))

    async def subjects(self, recipient: str = COR) -> list[str]:
        """Return what the mails to somebody are about, in the alphabet's order."""
        mails = await self.desk.mails(recipient)
        return sorted(mail["Subject"].partition(":")[0] for mail in mails)


async def maker_of(desk: Desk) -> Maker:
    """Return Jane with a contact, Cor."""
    contacts = ContactService(desk.store, desk.clock, Looking(desk.store, desk.clock))
    draft = Contact(id="", owner_id=desk.owner.id, email=COR, name="Cor")
    return Maker(desk, await contacts.add(desk.owner, draft), contacts)


@pytest.fixture
async def local(store, clock, owner) -> AsyncIterator[Maker]:
    """Open a desk whose default is a local calendar."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        yield await maker_of(desk)


@pytest.fixture
async def google(sqlite_store, clock) -> AsyncIterator[Maker]:
    """Open a desk whose default is a Google calendar, which invites by itself."""
    async with sqlite_store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
    async with closing(
        await a_desk(sqlite_store, clock, owner, local=(), connected=["work"], default="work")
    ) as desk:
        yield await maker_of(desk)


async def test_a_meeting_is_in_the_default_calendar_and_the_contact_is_invited(local):
    """S11 where the mails are ours: one event, one REQUEST to the contact, none to the owner."""
    made = await local.make(place="Kitchen", guests=("ann@example.net",))

    assert (made.state, made.title, made.place) == (EngagementState.SCHEDULED, "Tea", "Kitchen")
    (name,) = await local.desk.names("home")
    async with local.desk.store.read() as tx:
        record = await tx.objects.get(local.desk.calendars["home"].id, name)
    (event,) = parse(record.data).inside("VEVENT")
    people = [one.value for one in event.all("ATTENDEE")]
    assert people == ["mailto:cor@example.net", "mailto:ann@example.net"]
    assert event.first("ATTENDEE").param("PARTSTAT") == "NEEDS-ACTION"
    assert (event.text("SUMMARY"), event.text("DESCRIPTION")) == ("Tea", "")
    (mail,) = await local.desk.mails(COR)
    (part,) = (one for one in mail.walk() if one.get_content_type() == "text/calendar")
    assert part.get_param("method") == "REQUEST"
    assert await local.subjects("ann@example.net") == ["Invitation"]
    assert await local.subjects("jane@example.org") == []


async def test_where_the_provider_invites_we_do_not(google):
    """S11 at a provider that invites: the contact is an attendee there, and no mail is ours."""
    made = await google.make()

    assert made.state is EngagementState.SCHEDULED
    ((_, data),) = google.desk.sources.events.items()
    (attendee,) = parse(data).inside("VEVENT")[0].all("ATTENDEE")
    assert (attendee.value, attendee.param("SCHEDULE-AGENT")) == (f"mailto:{COR}", "SERVER")
    await google.desk.meetings.cancel(google.desk.owner, made.id)
    await google.desk.outbox.settle()
    assert google.desk.sources.events == {}
    assert await google.desk.mails() == []


async def test_without_a_calendar_it_is_only_on_the_record(local):
    """S12: offline the engagement is there; nothing is written and nobody is mailed."""
    await local.desk.objects.set_default(local.desk.owner, None)
    made = await local.make()
    changed = await local.desk.meetings.change(
        local.desk.owner, made.id, {"title": "Coffee", "start": TEN + HOUR}
    )
    cancelled = await local.desk.meetings.cancel(local.desk.owner, made.id)

    assert (made.state, made.booking_id) == (EngagementState.SCHEDULED, "")
    assert (changed.title, changed.start, changed.end) == (
        "Coffee",
        TEN + HOUR,
        TEN + 90 * MINUTE,
    )
    assert cancelled.state is EngagementState.CANCELLED
    assert (await local.desk.stored(), await local.desk.mails()) == ([], [])
    assert await local.desk.names("home") == []


async def test_what_was_is_only_recorded(local):
    """A meeting of the past is kept on the record: nobody is invited to it."""
    made = await local.make(start=local.desk.clock.now() - DAY)

    assert made.booking_id == ""
    assert await local.desk.mails() == []


async def test_a_cancelled_meeting_is_told_once(local):
    """Cancelled twice, the contact gets one CANCEL, the event goes, the engagement stays."""
    made = await local.make()
    for _ in range(2):
        await local.desk.meetings.cancel(local.desk.owner, made.id)

    assert await local.subjects() == ["Cancelled", "Invitation"]
    assert await local.subjects("jane@example.org") == []
    assert await local.desk.names("home") == []
    assert [one.state for one in await local.record()] == [EngagementState.CANCELLED]


async def test_a_contact_who_cannot_come_says_so(local):
    """By the link of the invitation the contact cancels; the owner hears of it."""
    await local.make()
    (booking,) = await local.desk.stored()
    link = local.desk.bookings.manage_url(booking)
    assert link in (await local.desk.mails(COR))[0].get_body(("plain",)).get_content()
    await local.desk.bookings.cancel(link.rpartition("/")[2])

    assert await local.subjects("jane@example.org") == ["Cancelled"]
    assert [one.state for one in await local.record()] == [EngagementState.CANCELLED]


async def test_a_removed_meeting_is_cancelled_first(local):
    """Taken off the record, a meeting to come is called off; a past one only forgotten."""
    made = await local.make()
    await local.desk.meetings.remove(local.desk.owner, made.id)

    assert await local.record() == []
    assert await local.subjects() == ["Cancelled", "Invitation"]


async def test_the_owner_is_told_when_busy_and_may_go_on(local):
    """Busy time is named and nothing is made; said to be meant, the meeting is made."""
    await local.desk.put("home", "dentist", "20261201T093000Z", "20261201T110000Z")
    with pytest.raises(errors.Conflict, match="busy"):
        await local.make()
    assert await local.record() == []

    made = await local.make(despite_busy=True)
    assert made.state is EngagementState.SCHEDULED


async def test_a_booking_is_never_booked_over(local):
    """Two bookings never overlap, whatever the owner says (P2); a meeting keeps visitors off."""
    await local.desk.book()
    for despite in (False, True):
        with pytest.raises(errors.Conflict) as refusal:
            await local.make(despite_busy=despite)
        assert refusal.value.code == "slot_taken"

    await local.make(start=TEN + 2 * HOUR)
    assert TEN + 2 * HOUR not in await local.desk.starts()


async def test_busy_at_the_last_moment_leaves_nothing(google):
    """What the last look finds at the provider refuses the meeting, and the record stays clean."""
    google.desk.sources.answers["work"] = [busy(TEN)]
    with pytest.raises(errors.Conflict, match="busy"):
        await google.make()

    assert (await google.record(), google.desk.sources.events) == ([], {})
    assert await google.desk.mails() == []


async def test_an_unreadable_calendar_stops_it_unless_meant(google):
    """Unknown is not free: refused, but the owner may know better."""
    lost = Health(failing_since=TEN - 9 * DAY, failure=Failure.ACCESS_LOST, strikes=2)
    await google.desk.set_health("work", lost)
    with pytest.raises(errors.CalendarUnavailable):
        await google.make()

    made = await google.make(despite_busy=True)
    assert made.state is EngagementState.SCHEDULED


async def test_the_same_key_is_the_same_meeting(local):
    """A repeated Idempotency-Key makes no second meeting, and with another body none at all."""
    first = await local.make("once")
    again = await local.make("once")
    with pytest.raises(errors.IdempotencyMismatch):
        await local.make("once", title="Coffee")

    assert (again.id, len(await local.record())) == (first.id, 1)
    assert await local.subjects() == ["Invitation"]


@pytest.mark.parametrize("lost", [False, True], ids=["before", "after"])
async def test_a_lost_answer_makes_one_event(google, lost, clock):
    """Whether the provider broke before or after the write: one event, and the record says so."""
    broken = [errors.Unavailable("503")]
    if lost:
        google.desk.sources.after_effect = broken
    else:
        google.desk.sources.refusals = broken
    made = await google.make()
    assert made.state is EngagementState.PENDING
    for _ in range(4):
        clock.advance(15 * MINUTE)
        await google.desk.outbox.settle()

    assert len(google.desk.sources.events) == 1
    assert [one.state for one in await google.record()] == [EngagementState.SCHEDULED]


async def test_the_event_of_a_meeting_makes_no_second_engagement(local):
    """With calendar sync on, the event that was written is the engagement that is there."""
    settings = replace(local.desk.owner.settings, calendar_sync=True)
    async with local.desk.store.write() as tx:
        await tx.owners.save_settings(local.desk.owner.id, settings)
    made = await local.make()
    await local.contacts.looking.settle()

    assert [one.id for one in await local.record()] == [made.id]


async def test_what_is_only_the_owners_to_change(local):
    """A title cannot be changed once somebody was invited."""
    made = await local.make()
    with pytest.raises(errors.Conflict, match="invitation"):
        await local.desk.meetings.change(local.desk.owner, made.id, {"title": "Coffee"})
    (booking,) = await local.desk.stored()
    assert booking.state is BookingState.CONFIRMED


NIGHT = TEN + 17 * HOUR
"""Three in the morning, when no page is open."""


async def test_a_meeting_is_moved_and_the_contact_is_told_once(local):
    """The event and the record move, at any hour of the owner's; one mail, none to the owner."""
    made = await local.make(guests=("ann@example.net",))
    changes = {"start": NIGHT, "duration": 45}
    for _ in range(2):
        moved = await local.desk.meetings.change(local.desk.owner, made.id, changes)
        local.desk.clock.advance(MINUTE)
    (booking,) = await local.desk.stored()

    assert (moved.start, moved.end) == (NIGHT, NIGHT + 45 * MINUTE)
    assert (booking.start, booking.end, booking.sequence) == (moved.start, moved.end, 1)
    assert await local.desk.names("home") == [f"{booking.id}.ics"]
    assert await local.subjects() == ["Invitation", "Moved"]
    assert await local.subjects("ann@example.net") == ["Invitation", "Moved"]
    assert await local.subjects("jane@example.org") == []
    (mail,) = [one for one in await local.desk.mails(COR) if "Moved" in one["Subject"]]
    text = mail.get_body(("plain",)).get_content()
    assert ("If you cannot come" in text, "To move" in text) == (True, False)


async def test_where_the_provider_invited_it_tells_the_move(google):
    """At a provider that invites, its one event moves, and no mail is ours."""
    made = await google.make()
    moved = await google.desk.meetings.change(google.desk.owner, made.id, {"start": NIGHT})

    assert moved.start == NIGHT
    ((_, data),) = google.desk.sources.events.items()
    assert parse(data).inside("VEVENT")[0].value("DTSTART") == "20261202T030000Z"
    assert await google.desk.mails() == []


async def test_a_move_onto_busy_time_changes_nothing(local):
    """Busy time, another booking and the past are named; the meeting stands where it stood."""
    made = await local.make()
    other = await local.desk.book(TEN + 2 * HOUR)
    await local.desk.put("home", "dentist", "20261201T150000Z", "20261201T160000Z")
    for start, code in ((TEN + 5 * HOUR, "busy"), (other.start, "slot_taken")):
        with pytest.raises(errors.Conflict) as refusal:
            await local.desk.meetings.change(local.desk.owner, made.id, {"start": start})
        assert refusal.value.code == code
    with pytest.raises(errors.Invalid):
        await local.desk.meetings.change(
            local.desk.owner, made.id, {"start": local.desk.clock.now() - HOUR}
        )

    assert [one.start for one in await local.record()] == [TEN]
    assert await local.subjects() == ["Invitation"]


async def test_a_move_takes_a_last_look(google):
    """What the provider says now refuses a move, and the event stays."""
    made = await google.make()
    google.desk.sources.answers["work"] = [busy(NIGHT)]
    with pytest.raises(errors.Conflict, match="busy"):
        await google.desk.meetings.change(google.desk.owner, made.id, {"start": NIGHT})

    assert [one.start for one in await google.record()] == [TEN]
    assert await google.desk.mails() == []


async def test_a_move_that_is_meant_goes_onto_busy_time(local):
    """Who knows that they are busy moves it all the same; another booking is never moved onto."""
    made = await local.make()
    other = await local.desk.book(TEN + 2 * HOUR)
    await local.desk.put("home", "dentist", "20261201T150000Z", "20261201T160000Z")
    owner, change = local.desk.owner, local.desk.meetings.change
    moved = await change(owner, made.id, {"start": TEN + 5 * HOUR, "despite_busy": True})
    with pytest.raises(errors.Conflict) as refusal:
        await change(owner, made.id, {"start": other.start, "despite_busy": True})

    assert moved.start == TEN + 5 * HOUR
    assert refusal.value.code == "slot_taken"
    assert await local.subjects() == ["Invitation", "Moved"]


async def test_a_move_that_is_meant_takes_no_last_look(google):
    """What the provider calls busy does not keep it from moving there, once."""
    made = await google.make()
    google.desk.sources.answers["work"] = [busy(NIGHT)]
    changes = {"start": NIGHT, "despite_busy": True}
    moved = await google.desk.meetings.change(google.desk.owner, made.id, changes)

    assert moved.start == NIGHT
    ((_, data),) = google.desk.sources.events.items()
    assert parse(data).inside("VEVENT")[0].value("DTSTART") == "20261202T030000Z"
