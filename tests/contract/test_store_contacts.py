"""Contacts and engagements in the store, on both engines."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from gateway import errors
from gateway.model.booking import BookingState
from gateway.model.contact import Contact
from gateway.model.engagement import Engagement, EngagementOrigin, EngagementState
from gateway.model.timerange import HOUR, TimeRange
from tests.builders import NOON, a_booking, a_collection, an_object, an_owner


def a_contact(owner_id: int, email: str = "cor@example.net", **values: object) -> Contact:
    """Return a contact to be added."""
    known = {"id": f"ct_{email}", "owner_id": owner_id, "email": email}
    return Contact(**(known | values))


def an_engagement(contact: Contact, **values: object) -> Engagement:
    """Return an engagement to be added."""
    known = {
        "id": "en_1",
        "owner_id": contact.owner_id,
        "contact_id": contact.id,
        "origin": EngagementOrigin.CALENDAR,
        "start": NOON,
        "end": NOON + HOUR,
        "times": ((NOON, NOON + HOUR),),
        "uid": "event@example.org",
        "object_name": "event.ics",
        "address": contact.key,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Engagement(**(known | values))


async def test_contacts_are_listed_by_name(store, owner):
    """Contacts come by name, nameless ones by address, page after page."""
    async with store.write() as tx:
        for email, name in (("b@example.net", ""), ("c@example.net", "Ann"), ("a@example.net", "")):
            await tx.contacts.add(a_contact(owner.id, email, name=name))
        first = await tx.contacts.of_owner(owner.id, limit=2)
        rest = await tx.contacts.of_owner(owner.id, limit=2, after=first[-1])

    assert [one.label for one in (*first, *rest)] == ["a@example.net", "Ann", "b@example.net"]


async def test_an_address_is_one_contact_of_an_owner(store, owner):
    """Of one owner no two contacts share an address, in whatever case; two owners may."""
    async with store.write() as tx:
        bob = await tx.owners.add(an_owner(email="bob@example.org"), "hash")
        await tx.contacts.add(a_contact(owner.id))
        await tx.contacts.add(a_contact(bob.id, id="ct_bobs"))
        with pytest.raises(errors.Conflict, match="contact"):
            await tx.contacts.add(a_contact(owner.id, "COR@example.net", id="ct_2"))
        assert await tx.contacts.addresses(owner.id) == {"cor@example.net": "ct_cor@example.net"}
        assert await tx.contacts.erase("cor@example.net") == 2


async def test_an_engagement_comes_back_as_it_was(store, owner):
    """Every field is kept, and changed by the id."""
    contact = a_contact(owner.id)
    async with store.write() as tx:
        calendar = await tx.collections.add(a_collection(owner.id))
        await tx.contacts.add(contact)
        made = an_engagement(
            contact,
            collection_id=calendar.id,
            title="Fair",
            place="Hall",
            recurring=True,
            due_at=NOON + HOUR,
            times=((NOON, NOON + HOUR), (NOON + 2 * HOUR, NOON + 3 * HOUR)),
        )
        await tx.engagements.add(made)
        assert await tx.engagements.get("en_1") == made
        moved = replace(made, start=NOON + HOUR, state=EngagementState.CANCELLED, is_private=True)
        await tx.engagements.update(moved)
        assert await tx.engagements.get("en_1") == moved


async def test_one_engagement_for_a_contact_and_an_event(store, owner):
    """The database keeps a second engagement of the same contact and event out."""
    contact = a_contact(owner.id)
    async with store.write() as tx:
        calendar = await tx.collections.add(a_collection(owner.id))
        await tx.contacts.add(contact)
        await tx.engagements.add(an_engagement(contact, collection_id=calendar.id))
    second = an_engagement(contact, id="en_2", collection_id=calendar.id)

    async def add() -> None:
        async with store.write() as tx:
            await tx.engagements.add(second)

    with pytest.raises(IntegrityError):
        await add()


@pytest.mark.parametrize("goes", ["contact", "calendar"])
async def test_engagements_go_with_contact_and_calendar(store, owner, goes):
    """What came from a calendar goes with it, and a record goes with its contact."""
    contact = a_contact(owner.id)
    async with store.write() as tx:
        calendar = await tx.collections.add(a_collection(owner.id))
        await tx.contacts.add(contact)
        await tx.engagements.add(an_engagement(contact, collection_id=calendar.id))
        if goes == "contact":
            await tx.contacts.remove(contact.id)
        else:
            await tx.collections.remove(calendar.id)
    async with store.read() as tx:
        assert await tx.engagements.get("en_1") is None


async def test_a_booked_meeting_is_told_by_its_booking(store, owner):
    """Time, title and state of a meeting that a booking carries out are the booking's own."""
    contact = a_contact(owner.id)
    async with store.write() as tx:
        await tx.contacts.add(contact)
        booking = a_booking(owner.id, start=NOON + HOUR, title="Tea", place="Kitchen")
        await tx.bookings.add(booking)
        record = EngagementOrigin.RECORD
        await tx.engagements.add(an_engagement(contact, origin=record, booking_id=booking.id))
        held = await tx.engagements.get("en_1")
        booking = await tx.bookings.move(booking, BookingState.WRITING, NOON)
        moved = replace(booking, start=NOON + 2 * HOUR, end=NOON + 3 * HOUR)
        booking = await tx.bookings.move(moved, BookingState.CONFIRMED, NOON)
        confirmed = await tx.engagements.get("en_1")
        await tx.bookings.move(booking, BookingState.CANCELLED, NOON)
        cancelled = await tx.engagements.get("en_1")
        window = TimeRange(NOON + 2 * HOUR, NOON + 3 * HOUR)
        found = await tx.engagements.of_owner(owner.id, window=window, limit=9)
        early = TimeRange(NOON - HOUR, NOON + HOUR)
        assert await tx.engagements.of_owner(owner.id, window=early, limit=9) == []

    assert (held.state, held.title, held.place) == (EngagementState.PENDING, "Tea", "Kitchen")
    assert (confirmed.state, confirmed.start) == (EngagementState.SCHEDULED, NOON + 2 * HOUR)
    assert [one.state for one in (cancelled, *found)] == [EngagementState.CANCELLED] * 2


async def test_calendars_behind_are_found(store, owner):
    """A selected calendar is behind while it changed since its mark, if there are contacts."""
    async with store.write() as tx:
        calendar = await tx.collections.add(a_collection(owner.id))
        assert await tx.engagements.behind(NOON) == []
        contact = a_contact(owner.id)
        await tx.contacts.add(contact)
        assert await tx.engagements.behind(NOON) == [calendar.id]
        await tx.engagements.set_mark(calendar.id, 0)
        assert await tx.engagements.behind(NOON) == []
        await tx.objects.put(an_object(calendar.id))
        assert await tx.engagements.behind(NOON) == [calendar.id]
        await tx.engagements.set_mark(calendar.id, 1)
        assert await tx.engagements.mark(calendar.id) == 1
        due = an_engagement(contact, collection_id=calendar.id, due_at=NOON)
        await tx.engagements.add(due)
        assert await tx.engagements.behind(NOON - 1) == []
        assert await tx.engagements.behind(NOON) == [calendar.id]
        assert await tx.engagements.due(calendar.id, NOON, 5) == [due]
        await tx.engagements.forget_marks(owner.id)
        assert await tx.engagements.mark(calendar.id) is None
        await tx.collections.update(replace(calendar, selected=False))
        assert await tx.engagements.behind(NOON) == []
