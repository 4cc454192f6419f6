"""A calendar object that was read and compiled, and how it is written with its times."""

import asyncio
import hashlib
from dataclasses import dataclass

from gateway.model.collection import Collection, ObjectRecord
from gateway.model.objects import check_object, read_one
from gateway.model.recurrence import ObjectTimes, compile_object
from gateway.model.timerange import Instant
from gateway.ports import Transaction
from gateway.services.index import basis_of, entry_of, zone_key, zone_of

HEAVY = 64 * 1024
"""Bytes of iCalendar from which reading leaves the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadObject:
    """An object that was read; `zone` is what its times were read in."""

    uid: str
    component: str
    etag: str
    data: bytes
    zone: tuple[str, str]

    def record(self, collection: Collection, name: str, now: Instant) -> ObjectRecord:
        """Return the record to be stored; the store gives it its id and revision."""
        return ObjectRecord(
            id=0,
            collection_id=collection.id,
            name=name,
            uid=self.uid,
            component=self.component,
            etag=self.etag,
            data=self.data,
            revision=0,
            created_at=now,
            modified_at=now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared(ReadObject):
    """An object that was read and compiled, ready to be written."""

    times: ObjectTimes
    lenient: bool

    async def write(
        self, tx: Transaction, collection: Collection, *, name: str, now: Instant
    ) -> ObjectRecord:
        """Write the object and its times; `collection` is as this transaction reads it."""
        times = self.times
        if self.zone != zone_key(collection):
            times = (await prepare_off_loop(self.data, collection, lenient=True)).times
        record = await tx.objects.put(self.record(collection, name, now))
        basis = await basis_of(tx, collection, now)
        # A series is expanded over the whole horizon, and a stored VFREEBUSY may have a hundred
        # thousand periods: milliseconds, but not on the loop.
        entry = (
            await asyncio.to_thread(entry_of, times, basis, lenient=self.lenient)
            if times.recurring or times.freebusy
            else (entry_of(times, basis))
        )
        await tx.index.put(collection.id, record.id, entry)
        return record


def prepare(
    data: bytes, collection: Collection, *, etag: str = "", lenient: bool = False
) -> Prepared:
    """Read and compile one object for a calendar; raise Refused where a rule forbids it.

    Strict for what a client PUTs, lenient for what comes from a source or a file.
    """
    found = read_one(data) if lenient else check_object(data)
    return Prepared(
        uid=found.uid,
        component=found.component,
        etag=etag or etag_of(data),
        data=data,
        times=compile_object(found, zone_of(collection), lenient=lenient),
        zone=zone_key(collection),
        lenient=lenient,
    )


async def prepare_off_loop(data: bytes, collection: Collection, *, lenient: bool) -> Prepared:
    """Prepare in a thread what would hold up the loop."""
    if len(data) < HEAVY:
        return prepare(data, collection, lenient=lenient)
    return await asyncio.to_thread(prepare, data, collection, lenient=lenient)


def etag_of(data: bytes) -> str:
    """Return the strong entity tag of these bytes, quoted (RFC 9110 section 8.8.3)."""
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'
