"""A booking moved to another offered time: the guarantees of a booking, and neither time lost."""

import asyncio
import random
from dataclasses import replace

import pytest

from gateway import errors
from gateway.model.booking import BLOCKING, BookingState
from gateway.model.collection import Role
from gateway.model.connection import Health
from gateway.model.page import BookingLimits
from gateway.model.timerange import HOUR, MINUTE
from gateway.services.booking import LINK_LIVES
from gateway.services.move_event import GONE
from gateway.services.outbox import LEASE_SECONDS
from tests.booking_desk import TEN, Desk, a_desk, busy, closing, overlaps
from tests.builders import an_owner

ROUNDS = 12
"""Rounds of a race in `make test`."""


def token_of(desk: Desk, booking) -> str:
    """Return the token of a booking's manage link."""
    return desk.bookings.manage_url(booking).rpartition("/")[2]


async def test_a_booking_moves_with_its_event_and_its_mails(store, clock, owner):
    """One event at the new time, one mail to each side with SEQUENCE 1; the old time is free."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book(guests=("ida@example.net",))
        clock.advance(MINUTE)
        moved = await desk.moving.by_visitor(token_of(desk, booking), TEN + HOUR, 30, key="k")
        again = await desk.moving.by_visitor(token_of(desk, booking), TEN + HOUR, 30, key="k")
        (stored,) = await desk.stored()
        told = [
            (str(mail["To"]), str(mail["Subject"]).partition(":")[0])
            for mail in await desk.mails()
            if str(mail["Subject"]).startswith("Moved")
        ]

        assert moved == again == stored
        assert (moved.start, moved.sequence, moved.reason) == (TEN + HOUR, 1, "moved_by_visitor")
        assert await desk.names("home") == [f"{booking.id}.ics"]
        assert sorted(told) == [
            ("ida@example.net", "Moved"),
            ("jane@example.org", "Moved"),
            ("vera@example.net", "Moved"),
        ]
        starts = await desk.starts()
        assert TEN in starts
        assert TEN + HOUR not in starts
        with pytest.raises(errors.IdempotencyMismatch):
            await desk.moving.by_visitor(token_of(desk, booking), TEN + 2 * HOUR, 30, key="k")


async def test_its_own_time_is_no_obstacle_and_all_others_are(store, clock, owner):
    """Onto half of itself it may go, and its limit does not count it; onto others it may not."""
    page = {
        "step": 15,
        "buffer_after": 15,
        "limits": BookingLimits(per_day=2),
        "durations": (30, 60),
    }
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:
        booking = await desk.book(TEN)
        other = await desk.book(TEN + 2 * HOUR)
        await desk.put("home", "mine", "20261201T130000Z", "20261201T140000Z")
        for start in (TEN + 90 * MINUTE, other.start, TEN + 3 * HOUR, TEN - 2 * HOUR, TEN + 1):
            with pytest.raises(errors.SlotTaken):
                await desk.moving.by_owner(owner.id, booking.id, start)
        moved = await desk.moving.by_owner(owner.id, booking.id, TEN + 15 * MINUTE)
        longer = await desk.moving.by_owner(owner.id, booking.id, TEN, 60)

        assert (moved.start, longer.end) == (TEN + 15 * MINUTE, TEN + HOUR)
        # An event over the booking's own time still keeps it from there.
        await desk.put("home", "over", "20261201T101500Z", "20261201T104500Z")
        with pytest.raises(errors.SlotTaken):
            await desk.moving.by_owner(owner.id, booking.id, TEN + 15 * MINUTE, 30)
        assert overlaps(await desk.stored()) == []


async def test_what_cannot_be_moved_says_why(store, clock, owner):
    """Another's, a cancelled one, one that is over, a length or a page that is not offered."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book()
        with pytest.raises(errors.NotFound):
            await desk.moving.by_owner(owner.id + 1, booking.id, TEN + HOUR)
        with pytest.raises(errors.Invalid):
            await desk.moving.by_owner(owner.id, booking.id, TEN + HOUR, 45)
        clock.advance(booking.end - clock.now())
        with pytest.raises(errors.Conflict, match="over"):
            await desk.moving.by_owner(owner.id, booking.id, booking.end + HOUR)
        ended = await desk.book(TEN + 6 * HOUR)
        await desk.bookings.cancel_as_owner(owner.id, ended.id)
        with pytest.raises(errors.Conflict, match="confirmed"):
            await desk.moving.by_owner(owner.id, ended.id, TEN + 5 * HOUR)


async def test_nothing_moves_in_a_calendar_that_is_gone(sqlite_store, clock):
    """Where a booking's calendar was removed, or only lets us read, it keeps the time it has."""
    async with sqlite_store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
    async with closing(await a_desk(sqlite_store, clock, owner, local=("home", "other"))) as desk:
        booking = await desk.book()
        home = desk.calendars["home"]
        async with sqlite_store.write() as tx:
            await tx.collections.update(replace(home, role=Role.READER))
        with pytest.raises(errors.CalendarUnavailable, match="gone"):
            await desk.moving.by_owner(owner.id, booking.id, TEN + HOUR)
        async with sqlite_store.write() as tx:
            await tx.owners.set_default(owner.id, desk.calendars["other"].id)
            await tx.collections.update(replace(home, role=Role.OWNER))
        await desk.objects.remove_collection(owner, home)
        with pytest.raises(errors.CalendarUnavailable, match="gone"):
            await desk.moving.by_owner(owner.id, booking.id, TEN + HOUR)
        (stands,) = await desk.stored()

        assert (stands.start, stands.moving) == (TEN, None)


async def test_a_manage_link_ends_a_month_after_its_meeting(sqlite_store, clock):
    """Thirty days after the end it opens nothing any more (check 139)."""
    async with sqlite_store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
    async with closing(await a_desk(sqlite_store, clock, owner)) as desk:
        booking = await desk.book()
        clock.advance(booking.end + LINK_LIVES - clock.now())
        last = await desk.bookings.by_token(token_of(desk, booking))
        clock.advance(1)
        with pytest.raises(errors.NotFound):
            await desk.bookings.by_token(token_of(desk, booking))

        assert last.booking.id == booking.id


async def test_until_it_is_sure_both_times_are_kept(store, clock, owner):
    """An answer that got lost keeps both; a cancel frees both; a recovery settles on one event."""
    async with closing(
        await a_desk(store, clock, owner, local=(), connected=["work"], default="work")
    ) as desk:
        booking = await desk.book()
        desk.sources.after_effect = [errors.Unavailable("the answer got lost")]
        moving = await desk.moving.by_owner(owner.id, booking.id, TEN + HOUR)
        assert moving.moving is not None
        assert not {TEN, TEN + HOUR} & set(await desk.starts())
        with pytest.raises(errors.Conflict, match="already"):
            await desk.moving.by_owner(owner.id, booking.id, TEN + 2 * HOUR)
        clock.advance(LEASE_SECONDS + 600)
        await desk.set_health("work", Health(last_success_at=clock.now()))
        await desk.outbox.settle()
        (moved,) = await desk.stored()

        assert (moved.start, moved.moving) == (TEN + HOUR, None)
        assert len(desk.sources.events) == 1
        desk.sources.refusals = [errors.Unavailable("503")]
        await desk.moving.by_owner(owner.id, booking.id, TEN + 3 * HOUR)
        await desk.bookings.cancel_as_owner(owner.id, booking.id)
        clock.advance(600)
        await desk.outbox.settle()
        assert desk.sources.events == {}
        await desk.set_health("work", Health(last_success_at=clock.now()))
        assert {TEN, TEN + HOUR, TEN + 3 * HOUR} <= set(await desk.starts())


async def test_the_last_look_decides_about_a_move_too(store, clock, owner):
    """Busy at the source, or silent: it stays where it was, and its own event does not count."""
    async with closing(
        await a_desk(store, clock, owner, local=(), connected=["work"], default="work")
    ) as desk:
        booking = await desk.book()
        desk.sources.answers["work"] = [busy(TEN), busy(TEN + HOUR)]
        with pytest.raises(errors.SlotTaken):
            await desk.moving.by_owner(owner.id, booking.id, TEN + HOUR)
        desk.sources.answers["work"] = errors.Unavailable("503")
        with pytest.raises(errors.CalendarUnavailable):
            await desk.moving.by_owner(owner.id, booking.id, TEN + 2 * HOUR)
        assert [kind for kind, *_ in desk.sources.calls].count("move") == 0
        desk.sources.answers["work"] = [busy(TEN)]
        moved = await desk.moving.by_owner(owner.id, booking.id, TEN + 30 * MINUTE)
        desk.sources.events.clear()
        clock.advance(HOUR)
        await desk.set_health("work", Health(last_success_at=clock.now()))
        desk.sources.answers["work"] = ()
        with pytest.raises(errors.SlotTaken):
            await desk.moving.by_owner(owner.id, booking.id, TEN + 4 * HOUR)
        (stays,) = await desk.stored()

        assert (stays.start, stays.reason, stays.moving) == (moved.start, GONE, None)


@pytest.mark.parametrize("seed", [141])
async def test_a_race_for_one_time(store, clock, owner, seed):
    """Security 141: moves, bookings and cancels on one time: no overlap, no orphan, freed once."""
    dice = random.Random(seed)
    async with closing(await a_desk(store, clock, owner)) as desk:
        for at in range(ROUNDS):
            base = TEN + at % 3 * 2 * HOUR
            booking = await desk.book(base)
            works = [
                desk.moving.by_owner(owner.id, booking.id, base + 30 * MINUTE),
                desk.book(base + 30 * MINUTE),
                desk.book(base),
                desk.bookings.cancel_as_owner(owner.id, booking.id),
                desk.moving.by_owner(owner.id, booking.id, base + HOUR),
            ]
            dice.shuffle(works)
            outcomes = await asyncio.gather(*works, return_exceptions=True)
            await desk.outbox.settle()
            stored = await desk.stored()
            live = [one for one in stored if one.state in BLOCKING]

            expected = (errors.SlotTaken, errors.Conflict)
            odd = [one for one in outcomes if isinstance(one, Exception)]
            assert all(isinstance(one, expected) for one in odd), odd
            assert overlaps(stored) == []
            assert all(one.moving is None for one in stored)
            assert await desk.names("home") == sorted(f"{one.id}.ics" for one in live)
            assert {one.state for one in live} <= {BookingState.CONFIRMED}
            kept = {one.start for one in live}
            assert not kept & set(await desk.starts())
            for one in live:
                await desk.bookings.cancel_as_owner(owner.id, one.id)
            assert {base, base + 30 * MINUTE, base + HOUR} <= set(await desk.starts())
