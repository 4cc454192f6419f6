"""Objects copied or moved to another name or calendar of the same owner (RFC 4918 9.8, 9.9).

Law: what leaves one place and what comes to the other is one transaction.
"""

from dataclasses import dataclass

from gateway.errors import Condition, NotFound, Refused, StaleETag
from gateway.model.collection import Collection
from gateway.model.principal import Owner
from gateway.ports import Clock, Store
from gateway.services import objects
from gateway.services.noticing import notice_changes, take_along
from gateway.services.objects import Tags
from gateway.services.prepared import prepare_off_loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A name in a calendar."""

    collection: Collection
    name: str


async def relocate(
    store: Store,
    clock: Clock,
    owner: Owner,
    source: Place,
    to: Place,
    *,
    keep: bool,
    overwrite: bool,
    if_match: Tags = None,
) -> bool:
    """Copy (`keep`) or move an object; return whether nothing was there before.

    StaleETag where something is there that must not be overwritten. What is overwritten must have
    the same UID (RFC 4791 section 5.3.2.1).
    """
    if not keep:
        objects.assert_writable(source.collection)
    objects.assert_writable(to.collection)
    objects.assert_name(to.name)
    async with store.read() as tx:
        found = await tx.objects.get(source.collection.id, source.name)
    if found is None:
        raise NotFound("object")
    prepared = await prepare_off_loop(found.data, to.collection, lenient=False)
    objects.assert_component(to.collection, prepared)
    async with store.write(owner_id=owner.id) as tx:
        here = await tx.objects.get(source.collection.id, source.name)
        if here is None:
            raise NotFound("object")
        objects.assert_tags(here, if_match, None)
        if here.etag != found.etag:
            raise StaleETag(here.etag)
        there = await tx.objects.get(to.collection.id, to.name)
        if there is not None and not overwrite:
            raise StaleETag(there.etag)
        if there is not None and there.uid != here.uid:
            raise Refused(Condition.NO_UID_CONFLICT, "It has another UID.", href=to.name)
        now = clock.now()
        if not keep:
            await objects.discard(tx, here, now)
        current = await objects.current_of(tx, to.collection)
        await prepared.write(tx, current, name=to.name, now=now)
        if not keep and source.collection.id != current.id:
            await take_along(tx, source.collection, current, here, now)
        # What was there before may have been a booking's event, at another time.
        await notice_changes(tx, current, puts=[(here.uid, here.data)], removed=(), now=now)
    return there is None
