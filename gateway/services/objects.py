"""Calendar object resources and calendars: put, remove, list, with preconditions and the index.

Law: an object and its times are written in one transaction; what was refused leaves no trace.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Container
from dataclasses import dataclass, replace

from gateway.errors import Condition, Conflict, Forbidden, NotFound, Refused, StaleETag
from gateway.model.collection import BusyRules, Collection, ObjectRecord
from gateway.model.connection import Health
from gateway.model.principal import Owner
from gateway.model.timerange import Instant
from gateway.ports import Clock, Store, Transaction
from gateway.services.bulk import write_many
from gateway.services.index import basis_of, rebuild_in, zone_key
from gateway.services.noticing import notice_changes
from gateway.services.prepared import Prepared, prepare, prepare_off_loop
from gateway.services.tokens import new_id

BATCH = 200
MAX_NAME = 255
ANY = "*"

Tags = str | Container[str] | None
"""What If-Match or If-None-Match carried: `*`, one entity tag, several, or nothing."""
Edit = Callable[[Collection, Mapping[str, str]], tuple[Collection, Mapping[str, str | None]]]
"""Makes a calendar and its changed dead properties (None removes) of those that are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """What a PUT did."""

    created: bool
    etag: str
    record: ObjectRecord


class ObjectService:
    """Changes calendars and what is in them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    # --- objects

    async def get(self, collection: Collection, name: str) -> ObjectRecord:
        """Return an object, or raise NotFound."""
        async with self._store.read() as tx:
            record = await tx.objects.get(collection.id, name)
        if record is None:
            raise NotFound("object")
        return record

    async def list(self, collection: Collection) -> Sequence[ObjectRecord]:
        """Return every object of a calendar."""
        async with self._store.read() as tx:
            return await tx.objects.list(collection.id)

    async def put(
        self,
        owner: Owner,
        collection: Collection,
        name: str,
        data: bytes,
        *,
        if_match: Tags = None,
        if_none_match: Tags | bool = None,
    ) -> PutResult:
        """Store an object under a name (RFC 4791 section 5.3.2).

        Preconditions are looked at in the transaction that writes; it holds the owner's lock, so a
        booking that is being claimed sees the object or is seen by it.
        """
        assert_writable(collection)
        assert_name(name)
        prepared = await prepare_off_loop(data, collection, lenient=False)
        assert_component(collection, prepared)
        unwanted = ANY if if_none_match is True else if_none_match or None
        async with self._store.write(owner_id=owner.id) as tx:
            current = await current_of(tx, collection)
            stored = await tx.objects.get(collection.id, name)
            assert_tags(stored, if_match, unwanted)
            if stored is not None and stored.uid != prepared.uid:
                # RFC 4791 section 5.3.2.1: an overwritten resource keeps its UID.
                raise Refused(
                    Condition.NO_UID_CONFLICT, "This resource has another UID.", href=name
                )
            now = self._clock.now()
            record = await prepared.write(tx, current, name=name, now=now)
            written = [(record.uid, record.data)]
            await notice_changes(tx, current, puts=written, removed=(), now=now)
        return PutResult(created=stored is None, etag=record.etag, record=record)

    async def put_many(
        self, owner: Owner, collection: Collection, items: Sequence[tuple[str, bytes]]
    ) -> None:
        """Store many objects in one transaction, read leniently; any refusal undoes all of them."""
        prepared = await asyncio.to_thread(_prepare_all, items, collection)
        async with self._store.write(owner_id=owner.id) as tx:
            current, now = await current_of(tx, collection), self._clock.now()
            await write_many(tx, current, prepared, now)
            await notice_changes(
                tx, current, puts=[(one.uid, one.data) for _, one in prepared], removed=(), now=now
            )

    async def remove(
        self, owner: Owner, collection: Collection, name: str, *, if_match: Tags = None
    ) -> None:
        """Remove an object; what is not there is NotFound."""
        assert_writable(collection)
        async with self._store.write(owner_id=owner.id) as tx:
            stored = await tx.objects.get(collection.id, name)
            if stored is None and if_match is None:
                raise NotFound("object")
            assert_tags(stored, if_match, None)
            if stored is not None:
                now = self._clock.now()
                await discard(tx, stored, now)
                await notice_changes(tx, collection, puts=(), removed=[stored], now=now)

    # --- calendars

    async def create_collection(
        self,
        owner: Owner,
        *,
        name: str = "",
        display_name: str = "",
        description: str = "",
        color: str = "",
        order: int = 0,
        time_zone: str = "",
        time_zone_ics: str = "",
        components: frozenset[str] = frozenset({"VEVENT"}),
        selected: bool = True,
        dead_properties: dict[str, str] | None = None,
    ) -> Collection:
        """Make a local calendar; it becomes the default if there is none (CONTRACT.md)."""
        public_id = new_id("cal_")
        wanted = Collection(
            id=0,
            public_id=public_id,
            owner_id=owner.id,
            name=name or public_id,
            display_name=display_name,
            description=description,
            color=color,
            order=order,
            time_zone=time_zone or ("" if time_zone_ics else owner.time_zone),
            time_zone_ics=time_zone_ics,
            components=components,
            selected=selected,
            health=Health(last_success_at=self._clock.now()),
            created_at=self._clock.now(),
        )
        assert_name(wanted.name)
        async with self._store.write(owner_id=owner.id) as tx:
            collection = await tx.collections.add(wanted)
            for key, xml in (dead_properties or {}).items():
                await tx.collections.set_dead_property(collection.id, key, xml)
            await basis_of(tx, collection, self._clock.now())
            await adopt_default(tx, collection)
        return collection

    async def update_collection(self, owner: Owner, collection: Collection) -> Collection:
        """Save a calendar's properties and rules; a new zone or rule builds its index anew."""
        return await self.edit_collection(
            owner, collection, lambda _before, _dead: (collection, {})
        )

    async def edit_collection(self, owner: Owner, collection: Collection, edit: Edit) -> Collection:
        """Save what `edit` makes of a calendar as it is now; what `edit` raises undoes all."""
        async with self._store.write(owner_id=owner.id) as tx:
            return await self._edited(tx, owner, collection, edit)

    async def choose(
        self, owner: Owner, collection: Collection, edit: Edit, *, default: bool | None
    ) -> Collection:
        """Edit a calendar and make it the default one, or no longer: both or neither."""
        async with self._store.write(owner_id=owner.id) as tx:
            edited = await self._edited(tx, owner, collection, edit)
            if default is True:
                assert_default(edited)
                await tx.owners.set_default(owner.id, edited.id)
            elif default is False:
                current = await tx.owners.get(owner.id)
                if current is not None and current.default_collection_id == edited.id:
                    await tx.owners.set_default(owner.id, None)
            return edited

    async def _edited(
        self, tx: Transaction, owner: Owner, collection: Collection, edit: Edit
    ) -> Collection:
        before = await current_of(tx, collection)
        if before.owner_id != owner.id:
            raise NotFound("calendar")
        known = await tx.collections.dead_properties(collection.id)
        after, dead = await asyncio.to_thread(edit, before, known)
        await tx.collections.update(after)
        await tx.collections.set_rules(after.id, after.rules)
        for key, xml in dead.items():
            await tx.collections.set_dead_property(after.id, key, xml)
        if (before.rules, *zone_key(before)) != (after.rules, *zone_key(after)):
            await rebuild_in(tx, after, self._clock.now())
            await tx.engagements.forget_marks(owner.id)  # their times may be others now
        return await current_of(tx, after)

    async def set_rules(self, owner: Owner, collection: Collection, rules: BusyRules) -> Collection:
        """Say which events of a calendar block."""
        return await self.update_collection(owner, replace(collection, rules=rules))

    async def set_default(self, owner: Owner, collection: Collection | None) -> None:
        """Choose the calendar bookings are written to, or none: then the owner is offline."""
        if collection is not None:
            assert_default(collection)
        async with self._store.write(owner_id=owner.id) as tx:
            if collection is not None and (await current_of(tx, collection)).owner_id != owner.id:
                raise NotFound("calendar")
            await tx.owners.set_default(owner.id, collection.id if collection else None)

    async def remove_collection(self, owner: Owner, collection: Collection) -> None:
        """Remove a local calendar with all that is in it."""
        assert_writable(collection)
        async with self._store.write(owner_id=owner.id) as tx:
            if (await current_of(tx, collection)).owner_id != owner.id:
                raise NotFound("calendar")
            await tx.collections.remove(collection.id)


async def discard(tx: Transaction, record: ObjectRecord, now: Instant) -> None:
    """Remove an object and its times inside a transaction."""
    await tx.index.remove(record.collection_id, record.id)
    await tx.objects.remove(record.collection_id, record.name, now)


async def adopt_default(tx: Transaction, collection: Collection) -> None:
    """Make a writable calendar the default of an owner who has none."""
    owner = await tx.owners.get(collection.owner_id)
    if owner is not None and owner.default_collection_id is None and collection.is_writable:
        await tx.owners.set_default(owner.id, collection.id)


async def current_of(tx: Transaction, collection: Collection) -> Collection:
    """Return a calendar as this transaction reads it, or raise NotFound."""
    found = await tx.collections.get(collection.id)
    if found is None:
        raise NotFound("calendar")
    return found


def _prepare_all(
    items: Sequence[tuple[str, bytes]], collection: Collection
) -> list[tuple[str, Prepared]]:
    return [(name, prepare(data, collection, lenient=True)) for name, data in items]


def assert_writable(collection: Collection) -> None:
    """Raise Forbidden for a calendar that clients may not write objects into."""
    if not collection.is_local:
        raise Forbidden(
            "read_only_calendar", "This calendar belongs to a provider; change it there."
        )


def assert_default(collection: Collection) -> None:
    """Raise Forbidden for a calendar that bookings cannot be written to."""
    if not collection.is_writable:
        raise Forbidden("read_only_calendar", "Bookings cannot be written to this calendar.")


def assert_name(name: str) -> None:
    """Raise Conflict for a name that no object or calendar can have."""
    if not 0 < len(name) <= MAX_NAME or name in (".", "..") or "/" in name or not _plain(name):
        raise Conflict("bad_name", f"A name has 1 to {MAX_NAME} characters and no slash.")


def _plain(name: str) -> bool:
    return not any(
        character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff"
        for character in name
    )


def assert_component(collection: Collection, prepared: Prepared) -> None:
    """Raise Refused where a calendar does not take this kind of component."""
    if prepared.component not in collection.components:
        raise Refused(
            Condition.SUPPORTED_CALENDAR_COMPONENT,
            f"This calendar takes no {prepared.component}.",
        )


def assert_tags(stored: ObjectRecord | None, wanted: Tags, unwanted: Tags) -> None:
    """Raise StaleETag unless If-Match and If-None-Match hold (RFC 9110 section 13.1)."""
    current = stored.etag if stored else None
    if wanted is not None and not _matches(wanted, current):
        raise StaleETag(current)
    if unwanted is not None and _matches(unwanted, current):
        raise StaleETag(current)


def _matches(tags: str | Container[str], current: str | None) -> bool:
    if current is None:
        return False
    if isinstance(tags, str):
        return tags in (ANY, current)
    return ANY in tags or current in tags
