"""The last look: live, bounded, failing closed; what stale calendars may still do."""

import pytest

from gateway import errors, ports
from gateway.freebusy.busytime import BusyType
from gateway.model.booking import BookingState
from gateway.model.connection import Failure, Health
from gateway.model.timerange import HOUR, MINUTE, TimeRange
from tests.booking_desk import TEN, Desk, ScriptedSources, a_desk, busy, closing
from tests.conftest import START

STALE = Health(
    last_success_at=START - 5 * MINUTE,
    failing_since=START - 4 * MINUTE,
    failure=Failure.UNAVAILABLE,
    detail="The host does not answer.",
    strikes=4,
)
DAY_OF_TEN = TimeRange(TEN - 10 * HOUR, TEN + 14 * HOUR)


async def desk_of(store, clock, owner, *names: str, **values) -> Desk:
    """Return a desk whose bookings go to a local calendar beside connected ones."""
    return await a_desk(store, clock, owner, connected=names or ("work",), **values)


async def test_every_selected_source_is_asked_about_the_wanted_time(store, clock, owner):
    """All are asked, once each, and nobody else."""
    async with closing(await desk_of(store, clock, owner, "work", "school", "old")) as desk:
        await desk.select("old", selected=False)
        await desk.book()

        assert sorted(desk.sources.calls) == [("look", "school", ""), ("look", "work", "")]


@pytest.mark.parametrize(
    ("start", "minutes", "taken"),
    [
        (TEN, 30, True),
        (TEN - 30 * MINUTE, 30, False),
        (TEN - 30 * MINUTE, 31, True),
        (TEN + 30 * MINUTE, 30, False),
        (TEN + 29 * MINUTE, 30, True),
        (TEN - HOUR, 180, True),
    ],
)
async def test_what_a_source_says_now_counts(store, clock, owner, start, minutes, taken):
    """An event that the last sync has not seen takes the slot, to the minute."""
    async with closing(await desk_of(store, clock, owner)) as desk:
        desk.sources.answers["work"] = [busy(start, minutes)]
        if taken:
            with pytest.raises(errors.SlotTaken) as caught:
                await desk.book()
            assert len(caught.value.nearest) == 3
            assert [one.state for one in await desk.stored()] == [BookingState.REJECTED]
            assert await desk.names("home") == []
        else:
            assert (await desk.book()).state is BookingState.CONFIRMED


async def test_buffers_are_kept_from_what_a_source_says(store, clock, owner):
    """The look is as wide as the page's buffers."""
    page = {"buffer_before": 10, "buffer_after": 20}
    async with closing(await desk_of(store, clock, owner, page=page)) as desk:
        for start, minutes in ((TEN - 30 * MINUTE, 21), (TEN + 49 * MINUTE, 30)):
            desk.sources.answers["work"] = [busy(start, minutes)]
            with pytest.raises(errors.SlotTaken):
                await desk.book()
        desk.sources.answers["work"] = [
            busy(TEN - 30 * MINUTE, 20),
            busy(TEN + 50 * MINUTE),
        ]
        assert (await desk.book()).state is BookingState.CONFIRMED


@pytest.mark.parametrize("kind", [BusyType.BUSY, BusyType.UNAVAILABLE, BusyType.TENTATIVE])
async def test_every_kind_of_busy_counts(store, clock, owner, kind):
    """Out of office and tentative time are not free."""
    async with closing(await desk_of(store, clock, owner)) as desk:
        desk.sources.answers["work"] = [busy(TEN, kind=kind)]
        with pytest.raises(errors.SlotTaken):
            await desk.book()


async def test_free_time_that_a_source_lists_is_free(store, clock, owner):
    """FBTYPE=FREE blocks nobody."""
    async with closing(await desk_of(store, clock, owner)) as desk:
        desk.sources.answers["work"] = [busy(TEN, kind=BusyType.FREE)]

        assert (await desk.book()).state is BookingState.CONFIRMED


async def test_a_source_that_is_too_slow_is_not_free(store, clock, owner):
    """After the deadline the booking is refused, and its time is free for others."""
    async with closing(await desk_of(store, clock, owner, deadline=0.05)) as desk:
        desk.sources.answers["work"] = 5.0
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()
        (mail,) = await desk.mails()

        assert [one.state for one in await desk.stored()] == [BookingState.REJECTED]
        assert "“Work”: It did not answer in time." in mail.get_content()


async def test_a_source_that_breaks_is_not_free(store, clock, owner):
    """A bug in an adapter fails closed, and says nothing of its inside."""
    async with closing(await desk_of(store, clock, owner)) as desk:
        desk.sources.answers["work"] = KeyError("secret detail")
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()
        (mail,) = await desk.mails()

        assert "secret detail" not in mail.get_content()
        assert await desk.names("home") == []


async def test_one_broken_source_of_three_is_enough(store, clock, owner):
    """The others' "free" does not outvote it."""
    async with closing(await desk_of(store, clock, owner, "work", "school", "club")) as desk:
        desk.sources.answers["school"] = errors.Unavailable("down")
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()

        assert await desk.names("home") == []


async def test_a_stale_calendar_still_offers_and_says_since_when(store, clock, owner):
    """Transient failures for under ten minutes: slots stay, with what they rest on."""
    async with closing(await desk_of(store, clock, owner)) as desk:
        await desk.set_health("work", STALE)
        offer = await desk.bookings.slots(desk.page, DAY_OF_TEN, clock.now(), 30)

        assert TEN in [slot.start for slot in offer.slots]
        assert (offer.unavailable, offer.stale) == ((), ("Work",))
        assert offer.fresh_as_of == START - 5 * MINUTE


async def test_a_stale_calendar_must_answer_the_last_look(store, clock, owner):
    """It answers: booked. It does not: refused as unavailable."""
    async with closing(await desk_of(store, clock, owner)) as desk:
        await desk.set_health("work", STALE)
        assert (await desk.book()).state is BookingState.CONFIRMED

        desk.sources.answers["work"] = errors.Unavailable("still down")
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book(TEN + HOUR)


async def test_a_stale_calendar_that_cannot_be_asked_takes_no_booking(store, clock, owner):
    """Without a last look nobody knows; while it works its copy is trusted."""
    sources = ScriptedSources()
    sources.capabilities = ports.Capability.READ
    async with closing(await desk_of(store, clock, owner, sources=sources)) as desk:
        assert (await desk.book()).state is BookingState.CONFIRMED

        await desk.set_health("work", STALE)
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book(TEN + HOUR)
        assert sources.calls == []


async def test_stale_turns_into_lost(store, clock, owner):
    """After ten minutes of failures the same calendar offers nothing any more."""
    async with closing(await desk_of(store, clock, owner)) as desk:
        await desk.set_health("work", STALE)
        clock.set(STALE.failing_since + 10 * MINUTE - 1)
        assert TEN in await desk.starts()
        clock.advance(1)
        assert await desk.starts() == []


async def test_nobody_is_asked_while_slots_are_shown(store, clock, owner):
    """Pages and slots are answered from the store alone."""
    async with closing(await desk_of(store, clock, owner)) as desk:
        await desk.starts()
        await desk.bookings.explain(desk.page, TEN, 30)

        assert desk.sources.calls == []


async def test_a_visitor_is_not_kept_waiting_for_a_look(store, clock, owner):
    """A slow look within its deadline ends in a booking, not in "pending" for an unheld time."""
    async with closing(await desk_of(store, clock, owner, deadline=1.0, wait_seconds=0.05)) as desk:
        desk.sources.answers["work"] = 0.2

        assert (await desk.book()).state is BookingState.CONFIRMED
