"""Calendars and calendar object resources, on both engines."""

import pytest

from gateway import errors
from gateway.model.collection import BusyRules, Collection, ObjectChange
from gateway.model.connection import Failure, Health
from tests.builders import a_collection, a_connection, an_object


@pytest.fixture
async def collection(store, owner) -> Collection:
    """Add a local calendar of Jane's."""
    async with store.write() as transaction:
        return await transaction.collections.add(a_collection(owner.id))


async def test_a_calendar_comes_back_as_it_was_added(store, owner, collection):
    """Reading a calendar gives what adding it returned."""
    async with store.read() as transaction:
        by_id = await transaction.collections.get(collection.id)
        by_name = await transaction.collections.by_name(owner.id, "home")
        by_public_id = await transaction.collections.by_public_id(owner.id, collection.public_id)

    assert by_id == by_name == by_public_id == collection


async def test_two_calendars_of_an_owner_cannot_share_a_name(store, owner, collection):
    """The second calendar of a name is refused as a conflict."""
    with pytest.raises(errors.Conflict) as caught:
        async with store.write() as transaction:
            await transaction.collections.add(a_collection(owner.id))

    assert caught.value.code == "calendar_exists"


async def test_health_and_rules_are_kept_apart_from_the_rest(store, collection):
    """Health and rules have writers of their own, which `update` does not undo."""
    health = Health(failing_since=5, failure=Failure.UNAVAILABLE, detail="timeout", strikes=1)
    async with store.write() as transaction:
        await transaction.collections.set_health(collection.id, health)
        await transaction.collections.set_rules(collection.id, BusyRules(all_day_blocks=False))
        await transaction.collections.update(collection)
        found = await transaction.collections.get(collection.id)

    assert (found.health, found.rules) == (health, BusyRules(all_day_blocks=False))


async def test_removing_a_calendar_leaves_no_default(store, owner, collection):
    """An owner whose default calendar goes has none."""
    async with store.write() as transaction:
        await transaction.owners.set_default(owner.id, collection.id)
        await transaction.objects.put(an_object(collection.id))
        await transaction.collections.remove(collection.id)
        found = await transaction.owners.get(owner.id)

    assert found.default_collection_id is None


async def test_removing_a_connection_removes_its_calendars(store, owner):
    """The calendars of a connection go with it, and so does the default among them."""
    connection = a_connection(owner.id)
    async with store.write() as transaction:
        await transaction.connections.add(connection)
        calendar = await transaction.collections.add(
            a_collection(owner.id, connection_id=connection.id)
        )
        await transaction.owners.set_default(owner.id, calendar.id)
        await transaction.connections.remove(connection.id)
        left = await transaction.collections.of_owner(owner.id)
        found = await transaction.owners.get(owner.id)

    assert (list(left), found.default_collection_id) == ([], None)


async def test_dead_properties_are_set_replaced_and_removed(store, collection):
    """A dead property has one value per name; None removes it."""
    async with store.write() as transaction:
        for name, xml in (("{x}a", "<a/>"), ("{x}b", "<b/>"), ("{x}a", "<a>2</a>"), ("{x}b", None)):
            await transaction.collections.set_dead_property(collection.id, name, xml)
        found = await transaction.collections.dead_properties(collection.id)

    assert found == {"{x}a": "<a>2</a>"}


async def test_an_object_takes_the_next_revision(store, collection):
    """Every change of a calendar takes its next revision."""
    async with store.write() as transaction:
        first = await transaction.objects.put(an_object(collection.id, "a.ics"))
        second = await transaction.objects.put(an_object(collection.id, "b.ics"))
        await transaction.objects.remove(collection.id, "a.ics", 0)
        found = await transaction.collections.get(collection.id)

    assert (first.revision, second.revision, found.revision) == (1, 2, 3)


async def test_overwriting_keeps_the_identity_and_the_creation(store, collection):
    """A PUT over an object changes its content, not its id or the instant it was made."""
    async with store.write() as transaction:
        first = await transaction.objects.put(an_object(collection.id, created_at=1))
        second = await transaction.objects.put(
            an_object(collection.id, data=b"new", created_at=2, modified_at=2)
        )
        found = await transaction.objects.get(collection.id, "event.ics")

    assert found == second
    assert (second.id, second.created_at, second.data) == (first.id, 1, b"new")


async def test_a_uid_belongs_to_one_object_of_a_calendar(store, collection):
    """A second name for a UID is refused with the name that has it."""
    async with store.write() as transaction:
        await transaction.objects.put(an_object(collection.id, "a.ics", uid="u"))
        with pytest.raises(errors.Refused) as caught:
            await transaction.objects.put(an_object(collection.id, "b.ics", uid="u"))

    assert (caught.value.condition, caught.value.href) == ("no-uid-conflict", "a.ics")


async def test_a_put_into_no_calendar_finds_nothing(store):
    """An object of a calendar that is gone is not stored."""
    with pytest.raises(errors.NotFound):
        async with store.write() as transaction:
            await transaction.objects.put(an_object(999))


async def test_changes_tell_what_is_there_and_what_is_gone(store, collection):
    """Changes after a revision come in order, removals without an ETag."""
    async with store.write() as transaction:
        for name in ("a.ics", "b.ics"):
            await transaction.objects.put(an_object(collection.id, name))
        await transaction.objects.remove(collection.id, "a.ics", 0)
        changes = await transaction.objects.changes(collection.id, 1)

    assert list(changes) == [
        ObjectChange(name="b.ics", revision=2, etag='"b.ics"'),
        ObjectChange(name="a.ics", revision=3, etag=None),
    ]


async def test_a_first_synchronisation_is_not_told_of_removals(store, collection):
    """From revision 0 only what exists is listed (RFC 6578 section 3.4)."""
    async with store.write() as transaction:
        await transaction.objects.put(an_object(collection.id, "a.ics"))
        await transaction.objects.remove(collection.id, "a.ics", 0)

        assert list(await transaction.objects.changes(collection.id, 0)) == []


async def test_an_object_put_again_is_no_longer_gone(store, collection):
    """A name that comes back has one line in the changes."""
    async with store.write() as transaction:
        for _ in range(2):
            await transaction.objects.put(an_object(collection.id, "a.ics"))
            await transaction.objects.remove(collection.id, "a.ics", 0)
        await transaction.objects.put(an_object(collection.id, "a.ics"))
        changes = await transaction.objects.changes(collection.id, 1)

    assert [(change.name, change.revision) for change in changes] == [("a.ics", 5)]


async def test_a_limit_leaves_the_later_changes_for_the_next_page(store, collection):
    """Pages of changes follow one another without a gap."""
    async with store.write() as transaction:
        for name in ("a", "b", "c"):
            await transaction.objects.put(an_object(collection.id, name))
        first = await transaction.objects.changes(collection.id, 0, limit=2)
        second = await transaction.objects.changes(collection.id, first[-1].revision, limit=2)

    assert [change.name for change in (*first, *second)] == ["a", "b", "c"]


async def test_headers_leave_the_bytes_out(store, collection):
    """A listing of headers carries ETags and no data."""
    async with store.write() as transaction:
        await transaction.objects.put(an_object(collection.id))
        (header,) = await transaction.objects.headers(collection.id)

    assert (header.etag, header.data) == ('"event.ics"', b"")


async def test_tags_tell_what_has_changed(store, collection):
    """ETag and UID of each object by its name, and of no other calendar's."""
    async with store.write() as transaction:
        other = await transaction.collections.add(a_collection(collection.owner_id, name="other"))
        for one in (an_object(collection.id, "a"), an_object(other.id, "b")):
            await transaction.objects.put(one)
        found = await transaction.objects.tags(collection.id)
        kept = await transaction.objects.get(collection.id, "a")

    assert found == {"a": (kept.etag, kept.uid)}


async def test_many_names_are_found_whatever_their_number(store, collection):
    """A multiget of more names than one statement takes finds each once."""
    names = [f"{number}.ics" for number in range(3)]
    async with store.write() as transaction:
        for name in names:
            await transaction.objects.put(an_object(collection.id, name))
        wanted = names + [f"missing-{number}" for number in range(1200)]
        found = await transaction.objects.get_many(collection.id, wanted)

    assert sorted(record.name for record in found) == names


async def test_an_error_inside_a_write_undoes_it(store, collection):
    """Nothing of a transaction that was left by an error is kept."""

    async def fail() -> None:
        async with store.write() as transaction:
            await transaction.objects.put(an_object(collection.id))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    async with store.read() as transaction:
        assert await transaction.objects.count(collection.id) == 0


async def test_many_new_objects_are_put_at_once(store, collection):
    """`add` does what as many puts do: ids, revisions, changes, and no tombstone is left."""
    async with store.write() as transaction:
        await transaction.objects.put(an_object(collection.id, "b.ics"))
        await transaction.objects.remove(collection.id, "b.ics", 0)
        new = [an_object(collection.id, f"{name}.ics") for name in "abc"]
        ids = await transaction.objects.add(new)
        assert await transaction.objects.add([]) == []
    async with store.read() as transaction:
        records = await transaction.objects.list(collection.id)
        changes = await transaction.objects.changes(collection.id, 0)
        current = await transaction.collections.get(collection.id)

    assert [record.id for record in records] == list(ids)
    assert [record.revision for record in records] == [3, 4, 5]
    assert [(one.name, one.etag) for one in changes] == [
        (f"{name}.ics", f'"{name}.ics"') for name in "abc"
    ]
    assert current.revision == 5
