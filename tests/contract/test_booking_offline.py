"""Offline mode: without a writable default calendar a page takes requests (S03 to S05)."""

from dataclasses import replace

import pytest

from gateway import errors
from gateway.model.booking import BookingState
from gateway.model.collection import Role
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.services.pages import PageService
from tests.booking_desk import TEN, Desk, a_desk, busy, closing

DAY_OF_TEN = TimeRange(TEN - 10 * HOUR, TEN + 14 * HOUR)


async def offline(store, clock, owner, **values) -> Desk:
    """Return a desk without any calendar."""
    return await a_desk(store, clock, owner, local=(), default=None, **values)


async def connected_later(desk: Desk) -> None:
    """Give the owner a local calendar, which becomes the default (S04)."""
    desk.calendars["home"] = await desk.objects.create_collection(
        desk.owner, name="home", display_name="Home", time_zone="UTC"
    )


async def test_pages_are_made_changed_and_shown_offline(store, clock, owner):
    """No calendar is needed to view, edit or create pages (S03)."""
    pages = PageService(store, clock)
    made = await pages.create(owner, pages.draft(owner, "Intro"))
    changed = await pages.update(owner, made.page)
    shown = await pages.by_slug(made.page.slug)

    assert (made.is_offline, changed.is_offline, shown.is_offline) == (True, True, True)


async def test_a_booking_is_a_request_offline(store, clock, owner):
    """It is requested, never confirmed; nothing is written anywhere (S04, S05)."""
    async with closing(await offline(store, clock, owner, connected=["work"])) as desk:
        booking = await desk.book(key="k1")
        await desk.outbox.settle()
        again = await desk.book(key="k1")

        assert booking.state is BookingState.REQUESTED
        assert again == booking
        assert [one.state for one in await desk.stored()] == [BookingState.REQUESTED]
        assert [call for call in desk.sources.calls if call[0] != "look"] == []


async def test_both_sides_are_mailed_about_a_request(store, clock, owner):
    """The visitor reads "requested, not confirmed"; the owner hears who wants to meet when."""
    async with closing(await offline(store, clock, owner)) as desk:
        await desk.book()
        (to_visitor,) = await desk.mails("vera@example.net")
        (to_owner,) = await desk.mails("jane@example.org")

        assert "requested, not confirmed" in to_visitor.get_content()
        assert to_visitor.get_content_type() == "text/plain"
        assert "Vera <vera@example.net>" in to_owner.get_content()
        assert to_owner["Subject"].startswith("New request: Intro")


async def test_a_request_keeps_nobody_from_the_time(store, clock, owner):
    """Two visitors may ask for the same time; the owner decides."""
    async with closing(await offline(store, clock, owner)) as desk:
        await desk.book()
        await desk.book(email="otto@example.net")

        assert TEN in await desk.starts()
        assert len(await desk.stored()) == 2


@pytest.mark.parametrize("start", [TEN - 2 * HOUR, TEN + 7, TEN - 30 * DAY, TEN + 90 * DAY])
async def test_a_request_follows_the_pages_rules(store, clock, owner, start):
    """What is not offered cannot be asked for either."""
    async with closing(await offline(store, clock, owner)) as desk:
        with pytest.raises(errors.SlotTaken):
            await desk.book(start)

        assert await desk.stored() == []


async def test_a_request_cannot_be_accepted_offline(store, clock, owner):
    """Without a calendar there is nothing to write to: it stays a request."""
    async with closing(await offline(store, clock, owner)) as desk:
        booking = await desk.book()
        with pytest.raises(errors.Conflict) as caught:
            await desk.bookings.accept(owner.id, booking.id)

        assert caught.value.code == "offline"
        assert [one.state for one in await desk.stored()] == [BookingState.REQUESTED]


async def test_a_request_is_accepted_later(store, clock, owner):
    """With a calendar it becomes a booking like any other: event, invitation, slot gone (S05)."""
    async with closing(await offline(store, clock, owner)) as desk:
        booking = await desk.book()
        clock.advance(60)
        await connected_later(desk)
        accepted = await desk.bookings.accept(owner.id, booking.id)
        mails = await desk.mails("vera@example.net")

        assert accepted.state is BookingState.CONFIRMED
        assert await desk.names("home") == [f"{booking.id}.ics"]
        assert [mail["Subject"].partition(":")[0] for mail in mails] == ["Requested", "Confirmed"]
        assert TEN not in await desk.starts()


async def test_accepting_looks_at_availability_again(store, clock, owner):
    """What came into the calendar since speaks against it, and the request stays."""
    async with closing(await offline(store, clock, owner)) as desk:
        booking = await desk.book()
        await connected_later(desk)
        await desk.put("home", "dentist", "20261201T101500Z", "20261201T110000Z")
        with pytest.raises(errors.SlotTaken):
            await desk.bookings.accept(owner.id, booking.id)

        assert [one.state for one in await desk.stored()] == [BookingState.REQUESTED]
        assert await desk.names("home") == ["dentist.ics"]

        await desk.objects.remove(owner, desk.calendars["home"], "dentist.ics")
        accepted = await desk.bookings.accept(owner.id, booking.id)
        assert accepted.state is BookingState.CONFIRMED


async def test_accepting_takes_a_last_look(store, clock, owner):
    """A source that is busy then is believed; the request is one again and can be accepted."""
    async with closing(await offline(store, clock, owner, connected=["work"])) as desk:
        booking = await desk.book()
        await connected_later(desk)
        desk.sources.answers["work"] = [busy(TEN)]
        with pytest.raises(errors.SlotTaken):
            await desk.bookings.accept(owner.id, booking.id)
        assert [one.state for one in await desk.stored()] == [BookingState.REQUESTED]

        desk.sources.answers["work"] = ()
        accepted = await desk.bookings.accept(owner.id, booking.id)
        assert accepted.state is BookingState.CONFIRMED


async def test_of_two_requests_for_one_time_one_is_accepted(store, clock, owner):
    """The second acceptance is refused, at once or later (I 135)."""
    async with closing(await offline(store, clock, owner)) as desk:
        first = await desk.book()
        second = await desk.book(email="otto@example.net")
        await connected_later(desk)
        await desk.bookings.accept(owner.id, first.id)
        with pytest.raises(errors.SlotTaken):
            await desk.bookings.accept(owner.id, second.id)

        states = {one.id: one.state for one in await desk.stored()}
        assert states == {first.id: BookingState.CONFIRMED, second.id: BookingState.REQUESTED}


async def test_a_request_is_declined(store, clock, owner):
    """The visitor is told, once; it cannot be accepted any more."""
    async with closing(await offline(store, clock, owner)) as desk:
        booking = await desk.book()
        for _ in range(2):
            clock.advance(60)
            declined = await desk.bookings.decline(owner.id, booking.id)
            assert declined.state is BookingState.DECLINED
        await connected_later(desk)
        with pytest.raises(errors.Conflict) as caught:
            await desk.bookings.accept(owner.id, booking.id)

        assert caught.value.code == "not_requested"
        subjects = [mail["Subject"] for mail in await desk.mails("vera@example.net")]
        assert subjects == ["Requested: Intro with Jane", "Declined: Intro with Jane"]


async def test_a_visitor_withdraws_a_request(store, clock, owner):
    """Withdrawn, it is cancelled; no CANCEL goes out, as nobody was invited."""
    async with closing(await offline(store, clock, owner)) as desk:
        booking = await desk.book()
        token = desk.bookings.manage_url(booking).rpartition("/")[2]
        clock.advance(60)
        cancelled = await desk.bookings.cancel(token)
        mails = await desk.mails("vera@example.net")

        assert cancelled.state is BookingState.CANCELLED
        assert mails[-1]["Subject"] == "Cancelled: Intro with Jane"
        assert mails[-1].get_content_type() == "text/plain"


async def test_another_owner_cannot_touch_a_request(store, clock, owner):
    """Another's request looks like none."""
    async with closing(await offline(store, clock, owner)) as desk:
        booking = await desk.book()
        for use in (desk.bookings.accept, desk.bookings.decline, desk.bookings.cancel_as_owner):
            with pytest.raises(errors.NotFound):
                await use(owner.id + 1, booking.id)


async def test_a_request_of_the_past_cannot_be_accepted(store, clock, owner):
    """A meeting that should have begun is not made."""
    async with closing(await offline(store, clock, owner)) as desk:
        booking = await desk.book()
        await connected_later(desk)
        clock.set(TEN + 60)
        with pytest.raises(errors.SlotTaken):
            await desk.bookings.accept(owner.id, booking.id)


async def test_a_read_only_default_is_offline(store, clock, owner):
    """A default calendar that lost its write access takes requests, not bookings."""
    async with closing(
        await a_desk(store, clock, owner, local=(), connected=["work"], default="work")
    ) as desk:
        assert not (await desk.bookings.slots(desk.page, DAY_OF_TEN, clock.now(), 30)).is_offline
        async with store.write() as tx:
            await tx.collections.update(replace(desk.calendars["work"], role=Role.READER))
        offer = await desk.bookings.slots(desk.page, DAY_OF_TEN, clock.now(), 30)
        booking = await desk.book()

        assert offer.is_offline
        assert booking.state is BookingState.REQUESTED
