"""Idempotency keys: sent twice means booked once, on both engines."""

import asyncio

import pytest

from gateway import errors
from gateway.model.booking import BookingState
from gateway.model.timerange import DAY, HOUR
from gateway.services.claim import RateLimits
from tests.booking_desk import TEN, a_desk, busy, closing


async def test_the_same_key_and_body_get_the_same_answer(store, clock, owner):
    """A repeat gives the booking that was made, with its own link, and mails nobody again."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        first = await desk.book(key="k1")
        mails = len(await desk.mails())
        again = await desk.book(key="k1")

        assert again == first
        assert desk.bookings.manage_url(again) == desk.bookings.manage_url(first)
        assert len(await desk.stored()) == 1
        assert len(await desk.mails()) == mails


@pytest.mark.parametrize(
    "changed",
    [
        {"start": TEN + HOUR},
        {"name": "Otto"},
        {"email": "otto@example.net"},
        {"time_zone": "UTC"},
        {"guests": ("ida@example.net",)},
    ],
    ids=lambda values: next(iter(values)),
)
async def test_the_same_key_with_another_body_is_a_mismatch(store, clock, owner, changed):
    """A key that comes back with other words books nothing."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        await desk.book(key="k1")
        with pytest.raises(errors.IdempotencyMismatch):
            await desk.book(key="k1", **changed)

        assert len(await desk.stored()) == 1


async def test_what_only_looks_different_is_the_same(store, clock, owner):
    """Spaces around a name are no other body; neither is the address the repeat came from."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        first = await desk.book(key="k1", name="Vera", address="192.0.2.1")
        again = await desk.book(key="k1", name="  Vera ", address="192.0.2.2")

        assert again.id == first.id


async def test_two_at_once_are_one_booking(store, clock, owner):
    """Twenty requests with one key, all at once: one booking, one event, one answer for all."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        answers = await asyncio.gather(*(desk.book(key="k1") for _ in range(20)))

        assert {(one.id, one.state) for one in answers} == {(answers[0].id, BookingState.CONFIRMED)}
        assert len(await desk.stored()) == 1
        assert len(await desk.names("home")) == 1


async def test_two_bodies_under_one_key_at_once(store, clock, owner):
    """Of two bodies one is booked, the other is told so, whichever came first."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        bodies = [{"start": TEN}, {"start": TEN + HOUR}] * 6
        outcomes = await asyncio.gather(
            *(desk.book(key="k1", **body) for body in bodies), return_exceptions=True
        )
        booked = {one.id for one in outcomes if not isinstance(one, Exception)}
        refused = {type(one) for one in outcomes if isinstance(one, Exception)}

        assert len(booked) == 1
        assert refused == {errors.IdempotencyMismatch}
        assert len(await desk.stored()) == 1


async def test_a_key_belongs_to_its_page(store, clock, owner):
    """Visitors of two pages may choose the same key."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        await desk.book(key="k1")
        other = await a_desk(
            store, clock, owner, local=["two"], default="two", page={"slug": "jane/two"}
        )
        async with closing(other):
            await other.book(TEN + HOUR, key="k1")

        assert len(await desk.stored()) == 2


async def test_a_repeat_of_a_refusal_by_the_last_look_is_refused_again(store, clock, owner):
    """The answer to a key is kept whatever it was."""
    async with closing(await a_desk(store, clock, owner, connected=["work"])) as desk:
        desk.sources.answers["work"] = [busy(TEN)]
        for _ in range(2):
            with pytest.raises(errors.SlotTaken):
                await desk.book(key="k1")

        assert len(await desk.stored()) == 1
        assert await desk.names("home") == []


async def test_a_refusal_by_the_claim_leaves_the_key_free(store, clock, owner):
    """Nothing was stored, so the same request may be sent again when the time is free again."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        first = await desk.book()
        with pytest.raises(errors.SlotTaken):
            await desk.book(key="k1", email="otto@example.net")
        await desk.bookings.cancel_as_owner(owner.id, first.id)
        booked = await desk.book(key="k1", email="otto@example.net")

        assert booked.state is BookingState.CONFIRMED


async def test_a_repeat_counts_for_no_limit(store, clock, owner):
    """Retries after a timeout do not use up what a visitor may book."""
    limits = RateLimits(per_address_per_hour=1, per_email_per_day=1)
    async with closing(await a_desk(store, clock, owner, limits=limits)) as desk:
        first = await desk.book(key="k1", address="192.0.2.1")
        for _ in range(3):
            assert (await desk.book(key="k1", address="192.0.2.1")).id == first.id


async def test_a_repeat_after_the_cancellation_says_cancelled(store, clock, owner):
    """A late repeat does not book again; it tells what became of the first."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        first = await desk.book(key="k1")
        await desk.bookings.cancel_as_owner(owner.id, first.id)
        again = await desk.book(key="k1")

        assert (again.id, again.state) == (first.id, BookingState.CANCELLED)


async def test_a_key_is_kept_for_a_day_and_then_forgotten(store, clock, owner):
    """What the clean-up purges is older than two days."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        first = await desk.book(key="k1")
        clock.advance(DAY)
        async with store.write() as tx:
            await tx.keys.purge(clock.now() - 2 * DAY)

        assert (await desk.book(key="k1")).id == first.id


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "k" * 256, "a\nb", "\x00"])
async def test_a_key_is_visible_ascii(store, clock, owner, key):
    """Anything else is a wrong field, and books nothing."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        with pytest.raises(errors.Invalid) as caught:
            await desk.book(key=key)

        assert set(caught.value.fields) == {"Idempotency-Key"}
        assert await desk.stored() == []
