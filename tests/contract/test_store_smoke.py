"""The repositories of owners, calendars and objects, on both engines."""

from tests.builders import a_collection, an_object


async def test_an_object_takes_the_next_revision(store, owner):
    """Every change of a calendar takes its next revision."""
    async with store.write(owner_id=owner.id) as transaction:
        collection = await transaction.collections.add(a_collection(owner.id))
        first = await transaction.objects.put(an_object(collection.id, "a.ics"))
        second = await transaction.objects.put(an_object(collection.id, "b.ics"))

    assert [first.revision, second.revision] == [1, 2]
