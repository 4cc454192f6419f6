"""Bookings and the overlap guard, on both engines."""

import asyncio
from dataclasses import replace

import pytest

from gateway import errors
from gateway.model.booking import BookingState, Move
from gateway.model.timerange import HOUR, TimeRange
from tests.builders import NOON, a_booking, an_owner


async def test_a_booking_comes_back_as_it_was_added(store, owner):
    """Every field of a booking is kept."""
    booking = a_booking(
        owner.id,
        start=NOON,
        answers={"topic": "naïve café"},
        guests=("a@example.org",),
        manage_sealed=b"\x00\xff",
        collection_id=7,
    )
    async with store.write(owner_id=owner.id) as transaction:
        await transaction.bookings.add(booking)
        found = await transaction.bookings.get(booking.id)

    assert found == booking


async def test_overlap_is_refused_by_the_database(store, owner):
    """A booking that shares a second with a blocking one is refused, whatever the code did."""
    async with store.write(owner_id=owner.id) as transaction:
        await transaction.bookings.add(a_booking(owner.id, start=NOON))
        with pytest.raises(errors.SlotTaken):
            await transaction.bookings.add(a_booking(owner.id, start=NOON + 29 * 60))
        # The transaction can go on: the refusal was the statement's.
        await transaction.bookings.add(a_booking(owner.id, start=NOON + 30 * 60))

        assert len(await transaction.bookings.of_owner(owner.id)) == 2


async def test_other_owners_do_not_collide(store, owner):
    """The guard is per owner."""
    async with store.write() as transaction:
        other = await transaction.owners.add(an_owner(email="joe@example.org"), "hash")
        for identifier in (owner.id, other.id):
            await transaction.bookings.add(a_booking(identifier, start=NOON))


@pytest.mark.parametrize("state", ["cancelled", "rejected", "declined", "requested"])
async def test_states_that_do_not_block_leave_the_time_free(store, owner, state):
    """Only held, writing, pending and confirmed bookings keep others away."""
    async with store.write(owner_id=owner.id) as transaction:
        await transaction.bookings.add(a_booking(owner.id, start=NOON, state=BookingState(state)))
        await transaction.bookings.add(a_booking(owner.id, start=NOON))


async def test_a_request_cannot_be_accepted_over_another_booking(store, owner):
    """Moving into a blocking state passes the guard too."""
    request = a_booking(owner.id, start=NOON, state=BookingState.REQUESTED)
    async with store.write(owner_id=owner.id) as transaction:
        await transaction.bookings.add(request)
        await transaction.bookings.add(a_booking(owner.id, start=NOON))
        with pytest.raises(errors.SlotTaken):
            await transaction.bookings.move(request, BookingState.HELD, NOON)


async def test_a_booking_moves_only_from_the_state_it_was_read_in(store, owner):
    """Of two that move the same booking, the second is told that it has changed."""
    booking = a_booking(owner.id, start=NOON)
    async with store.write(owner_id=owner.id) as transaction:
        await transaction.bookings.add(booking)
        await transaction.bookings.move(booking, BookingState.WRITING, NOON)
        with pytest.raises(errors.Conflict) as caught:
            await transaction.bookings.move(booking, BookingState.CANCELLED, NOON)

    assert caught.value.code == "booking_changed"


async def test_a_final_booking_stays_final(store, owner):
    """A move that the table of states does not know is refused."""
    booking = a_booking(owner.id, start=NOON, state=BookingState.CANCELLED)
    async with store.write(owner_id=owner.id) as transaction:
        await transaction.bookings.add(booking)
        with pytest.raises(errors.Conflict):
            await transaction.bookings.move(booking, BookingState.CONFIRMED, NOON)


async def test_blocking_and_unfinished_are_told_apart(store, owner):
    """Confirmed bookings block and are finished; held ones block and are not."""
    held = a_booking(owner.id, start=NOON)
    confirmed = a_booking(owner.id, start=NOON + HOUR, state=BookingState.CONFIRMED)
    window = TimeRange(NOON, NOON + 2 * HOUR)
    async with store.write(owner_id=owner.id) as transaction:
        for booking in (held, confirmed):
            await transaction.bookings.add(booking)
        blocking = await transaction.bookings.blocking(owner.id, window)
        unfinished = await transaction.bookings.unfinished(owner.id)
        counted = await transaction.bookings.count_live("pg_1", window)

    assert ([*blocking], [*unfinished], counted) == ([held, confirmed], [held], 2)


async def test_a_visitor_can_be_erased(store, owner):
    """Nothing of a visitor is left in bookings, neither as the booker nor as a guest."""
    own = a_booking(owner.id, start=NOON, email="Vera@example.net", answers={"phone": "1"})
    guest = a_booking(
        owner.id, start=NOON + HOUR, email="x@example.net", guests=("vera@example.net", "y@z")
    )
    async with store.write(owner_id=owner.id) as transaction:
        for booking in (own, guest):
            await transaction.bookings.add(booking)
        erased = await transaction.bookings.erase_visitor("vera@example.net")
        after = await transaction.bookings.of_owner(owner.id)

    assert erased == 2
    assert list(after) == [
        replace(own, name="", email="", answers={}, guests=()),
        replace(guest, guests=("y@z",)),
    ]


@pytest.mark.parametrize("locked", [True, False])
async def test_of_many_claims_at_once_one_wins(store, owner, locked):
    """64 simultaneous claims of one time: one booking, and SlotTaken for everybody else.

    Without the owner's lock the guard alone decides; PostgreSQL may then also answer some claims
    with a deadlock, which is Overloaded: try again.
    """

    async def claim(number: int) -> object:
        booking = a_booking(owner.id, start=NOON + number % 3 * 60)
        try:
            async with store.write(owner_id=owner.id if locked else None) as transaction:
                await transaction.bookings.add(booking)
        except errors.CalgateError as error:
            return type(error)
        return booking.id

    outcomes = await asyncio.gather(*(claim(number) for number in range(64)))
    async with store.read() as transaction:
        stored = await transaction.bookings.of_owner(owner.id)

    refused = {errors.SlotTaken} if locked else {errors.SlotTaken, errors.Overloaded}
    assert {outcome for outcome in outcomes if not isinstance(outcome, str)} <= refused
    assert [booking.id for booking in stored] == [
        outcome for outcome in outcomes if isinstance(outcome, str)
    ]
    assert len(stored) == 1


@pytest.mark.parametrize("which", ["its own time", "its next time"])
async def test_a_booking_on_the_move_keeps_both_times(store, owner, which):
    """Until it is sure which time it has, the database lets nobody have either; nor does a look."""
    moving = Move(start=NOON + 15 * 60, end=NOON + 45 * 60, by="visitor", since=NOON)
    booking = a_booking(owner.id, start=NOON, moving=moving)
    at = NOON if which == "its own time" else NOON + 40 * 60
    async with store.write(owner_id=owner.id) as transaction:
        await transaction.bookings.add(booking)
        other = a_booking(owner.id, start=NOON + 5 * HOUR)
        await transaction.bookings.add(other)
        with pytest.raises(errors.SlotTaken):
            await transaction.bookings.add(a_booking(owner.id, start=at))
        clash = Move(start=at, end=at + 60, by="owner", since=NOON)
        with pytest.raises(errors.SlotTaken):
            await transaction.bookings.move(replace(other, moving=clash), other.state, NOON)
        found = await transaction.bookings.blocking(owner.id, TimeRange(at, at + 60))

        assert found == [booking]
