"""What a column cannot hold is refused alike on both engines."""

import pytest

from gateway import errors
from tests.builders import NOON, a_booking, a_collection, an_object, an_owner

BAD_TEXTS = ["a\0b", "a\ud800b"]


@pytest.mark.parametrize("text", BAD_TEXTS)
async def test_unstorable_text_is_invalid(store, owner, text):
    """NUL and half a surrogate pair are refused before the database sees them."""
    with pytest.raises(errors.Invalid):
        async with store.write() as transaction:
            await transaction.collections.add(a_collection(owner.id, display_name=text))


@pytest.mark.parametrize("text", BAD_TEXTS)
async def test_a_look_up_by_unstorable_text_finds_nothing(store, owner, text):
    """What cannot be stored is not there."""
    with pytest.raises(errors.NotFound):
        async with store.read() as transaction:
            await transaction.collections.by_name(owner.id, text)


async def test_half_a_surrogate_pair_inside_an_answer_is_invalid(store, owner):
    """Structured columns refuse it too; NUL they keep, escaped."""
    async with store.write() as transaction:
        with pytest.raises(errors.Invalid):
            await transaction.bookings.add(a_booking(owner.id, start=NOON, answers={"a": "\udfff"}))
        booking = a_booking(owner.id, start=NOON, answers={"a": "\0"})
        await transaction.bookings.add(booking)

        assert await transaction.bookings.get(booking.id) == booking


async def test_text_longer_than_its_column_is_invalid(store, owner):
    """The length of a column holds on SQLite as well."""
    with pytest.raises(errors.Invalid):
        async with store.write() as transaction:
            await transaction.owners.add(an_owner(email="j" * 321), "hash")


async def test_a_long_name_is_looked_up_without_an_error(store, owner):
    """A path longer than any name finds nothing."""
    async with store.read() as transaction:
        assert await transaction.collections.by_name(owner.id, "x" * 5000) is None


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**200])
async def test_a_number_beyond_64_bits_is_invalid(store, owner, number):
    """No integer of a client overflows into a driver's error."""
    with pytest.raises(errors.Invalid):
        async with store.write() as transaction:
            await transaction.collections.add(a_collection(owner.id, order=number))


async def test_any_unicode_text_comes_back(store, owner):
    """Astral characters, bidi marks and combining marks are kept as they are."""
    text = "naïve 👩‍👩‍👧 \u202e\u0301\u2028 \x7f"
    async with store.write() as transaction:
        collection = await transaction.collections.add(
            a_collection(owner.id, name=text, description=text)
        )
        await transaction.objects.put(an_object(collection.id, text))
        found = await transaction.collections.by_name(owner.id, text)
        record = await transaction.objects.get(collection.id, text)

    assert (found.description, record.name) == (text, text)
