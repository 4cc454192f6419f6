"""The look: what the events of a calendar mean for its owner's contacts (S10).

Law: a look is part of the transaction that holds what it looked at, and remembers up to which
revision it came. So it may be made by a tick, by a loop, twice or late: it finds what has changed
since, and the same engagements come of it.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from gateway.errors import CalgateError
from gateway.model.address import address_key
from gateway.model.booking import Booking
from gateway.model.booking_mark import transaction_of
from gateway.model.collection import Collection, ObjectRecord
from gateway.model.engagement import (
    Changes,
    Engagement,
    EngagementOrigin,
    Seen,
    follow,
    meetings,
)
from gateway.model.objects import read_one
from gateway.model.principal import Owner
from gateway.model.recurrence import compile_object
from gateway.model.timerange import Instant
from gateway.model.zone import Zone
from gateway.ports import Clock, Store, Transaction
from gateway.services.index import zone_of
from gateway.services.tokens import new_id

LIMIT = 1_000
"""How many changes one look takes; what is left is for the next one."""
BATCH = 200
ROUNDS = 50
_FOLD = re.compile(rb"\r?\n[ \t]")
_ADDRESS = re.compile(rb"mailto:([^\s;:,\"<>]{3,254})", re.IGNORECASE)
_MADE_OF_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_MARK = re.compile(rb"^X-CALGATE-BOOKING:(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scanned:
    """An object with the addresses that it names anywhere, and the UID a booking of ours has."""

    record: ObjectRecord
    addresses: frozenset[str]
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What the reading of a calendar's objects rests on."""

    contacts: Mapping[str, str]
    owner_address: str
    home: Zone
    now: Instant
    bookings: Mapping[str, Booking] = field(default_factory=dict)


async def look(
    tx: Transaction, collection: Collection, now: Instant, *, limit: int = LIMIT
) -> bool:
    """Look through what has changed in a calendar; tell whether there is more to look through.

    Without calendar sync, and for a calendar that is not selected, everything stays as it is.
    """
    owner = await tx.owners.get(collection.owner_id)
    if owner is None or not _follows(owner, collection):
        return False
    contacts = dict(await tx.contacts.addresses(owner.id))
    contacts.pop(address_key(owner.email), None)
    if not contacts:
        return False
    mark = await tx.engagements.mark(collection.id)
    changes = await tx.objects.changes(collection.id, mark or 0, limit)
    due = await tx.engagements.due(collection.id, now, limit)
    live = [one.name for one in changes if one.etag is not None]
    gone = [one.name for one in changes if one.etag is None]
    if mark is None:
        gone += await _lost(tx, collection)
    names = list(dict.fromkeys(chain(live, (one.object_name for one in due))))
    frame = _Frame(
        contacts=contacts,
        owner_address=owner.email.lower(),
        home=zone_of(collection),
        now=now,
    )
    read, uids = await _read(tx, collection, names, frame)
    stored = await tx.engagements.of_objects(collection.id, uids=uids, names=[*gone, *names])
    blank = Engagement(
        id="",
        owner_id=owner.id,
        contact_id="",
        origin=EngagementOrigin.CALENDAR,
        start=0,
        end=0,
        collection_id=collection.id,
        created_at=now,
        updated_at=now,
    )
    await _store(tx, follow(stored, read, contacts, blank))
    more = len(changes) == limit
    reached = changes[-1].revision if changes else 0
    if not more:
        # What this very transaction has written may be newer than the calendar as it was read.
        reached = max(reached, collection.revision, mark or 0)
    if reached != mark:
        await tx.engagements.set_mark(collection.id, reached)
    return more or len(due) == limit


def _follows(owner: Owner, collection: Collection) -> bool:
    return owner.settings.calendar_sync and collection.selected


async def _is_followed(tx: Transaction, collection_id: int) -> bool:
    """Tell, before anything is locked for it, whether a calendar is looked through at all."""
    collection = await tx.collections.get(collection_id)
    owner = await tx.owners.get(collection.owner_id) if collection else None
    return owner is not None and collection is not None and _follows(owner, collection)


async def _lost(tx: Transaction, collection: Collection) -> list[str]:
    """Return the names of objects that engagements came of and that are not there any more."""
    stored = await tx.engagements.of_collection(collection.id)
    if not stored:
        return []
    there = {one.name for one in await tx.objects.headers(collection.id)}
    return [one.object_name for one in stored if one.object_name not in there]


async def _read(
    tx: Transaction, collection: Collection, names: Sequence[str], frame: _Frame
) -> tuple[list[Seen], list[str]]:
    """Return what the named objects mean, and the UIDs of all of them."""
    seen: list[Seen] = []
    uids: list[str] = []
    for first in range(0, len(names), BATCH):
        records = await tx.objects.get_many(collection.id, names[first : first + BATCH])
        uids += [one.uid for one in records]
        scanned = await asyncio.to_thread(_scan, records, frozenset(frame.contacts))
        bookings = await _bookings(tx, collection.owner_id, [one.mark for one in scanned])
        seen += await asyncio.to_thread(_tell, scanned, replace(frame, bookings=bookings))
    return seen, uids


async def _bookings(tx: Transaction, owner_id: int, marks: Sequence[str]) -> Mapping[str, Booking]:
    """Return the bookings that events say they are, by what they say: a UID, or made of one."""
    wanted = {one for one in marks if one}
    found = {one.uid: one for one in await tx.bookings.by_uids(owner_id, sorted(wanted))}
    if any(map(_MADE_OF_UID.fullmatch, wanted - found.keys())):
        every = await tx.bookings.of_owner(owner_id)
        found |= {transaction_of(one.uid): one for one in every}
    return found


async def _store(tx: Transaction, made: Changes) -> None:
    for one in made.removed:
        await tx.engagements.remove(one.id)
    for one in made.new:
        await tx.engagements.add(replace(one, id=new_id("en_")))
    for one in made.changed:
        await tx.engagements.update(one)


# --- in a thread


def _scan(records: Sequence[ObjectRecord], wanted: frozenset[str]) -> list[_Scanned]:
    """Find, without reading the objects, which of them may concern a contact or a booking."""
    return [_scanned(one, wanted) for one in records if one.component == "VEVENT"]


def _scanned(record: ObjectRecord, wanted: frozenset[str]) -> _Scanned:
    data = record.data
    if b"\n " in data or b"\n\t" in data:
        data = _FOLD.sub(b"", data)
    named = {address_key(found.decode("utf-8", "replace")) for found in _ADDRESS.findall(data)}
    mark = _MARK.search(data)
    uid = mark.group(1).decode("utf-8", "replace") if mark else ""
    if not uid and record.uid.startswith("bk_"):
        uid = record.uid
    return _Scanned(record=record, addresses=frozenset(named & wanted), mark=uid)


def _tell(scanned: Sequence[_Scanned], frame: _Frame) -> list[Seen]:
    return [_seen(one, frame) for one in scanned]


def _seen(one: _Scanned, frame: _Frame) -> Seen:
    booking = frame.bookings.get(one.mark)
    invited: frozenset[str] = frozenset()
    if booking is not None:
        invited = frozenset(map(address_key, (booking.email, *booking.guests)))
    wanted = one.addresses | (invited & frame.contacts.keys())
    nothing = Seen(uid=one.record.uid, object_name=one.record.name, meetings={})
    # The engagement of a meeting that was made on the record is there already.
    if not wanted or (booking is not None and booking.is_on_record):
        return nothing
    try:
        found = read_one(one.record.data)
        told = meetings(
            found,
            compile_object(found, frame.home, lenient=True),
            wanted,
            invited=invited,
            owner_address=frame.owner_address,
            now=frame.now,
        )
    except CalgateError:
        return replace(nothing, meetings=None)
    return replace(nothing, meetings=told)


class Looking:
    """The loop that looks through what no tick has: local calendars, and what a tick left."""

    def __init__(self, store: Store, clock: Clock, *, limit: int = LIMIT) -> None:
        self._store = store
        self._clock = clock
        self._limit = limit

    async def work(self) -> bool:
        """Look through every calendar that is behind, once; tell whether any has more."""
        async with self._store.read() as tx:
            behind = [
                collection_id
                for collection_id in await tx.engagements.behind(self._clock.now())
                if await _is_followed(tx, collection_id)
            ]
        more = [await self._one(collection_id) for collection_id in behind]
        return any(more)

    async def of_owner(self, owner_id: int) -> None:
        """Look through an owner's calendars now, as far as that is quick; the loop goes on."""
        async with self._store.read() as tx:
            mine = [
                one.id
                for one in await tx.collections.of_owner(owner_id)
                if await _is_followed(tx, one.id)
            ]
        for collection_id in mine:
            await self._one(collection_id)

    async def settle(self) -> None:
        """Look until nothing is behind."""
        for _ in range(ROUNDS):
            if not await self.work():
                return

    async def _one(self, collection_id: int) -> bool:
        async with self._store.read() as tx:
            found = await tx.collections.get(collection_id)
        if found is None:
            return False
        async with self._store.write(owner_id=found.owner_id) as tx:
            collection = await tx.collections.get(collection_id)
            return collection is not None and await look(
                tx, collection, self._clock.now(), limit=self._limit
            )
