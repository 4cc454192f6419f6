"""Moving data in, out and away: `.ics` files, whole calendars, what is known of a visitor."""

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Forbidden, Invalid, Refused
from gateway.model.address import addr_spec, address_key
from gateway.model.collection import Collection
from gateway.model.component import Component, parse_many, serialize
from gateway.model.content_line import raw_property, text_property
from gateway.model.objects import CalendarObject, RefusedItem
from gateway.model.principal import Owner
from gateway.model.stream import Stream, read_stream
from gateway.ports import Store
from gateway.services.objects import ObjectService
from gateway.services.sync_plan import object_name

PRODID = "-//calgate//calgate//EN"
MAX_FILE = 64 * 1024 * 1024
BATCH = 500
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")

Progress = Callable[[int, int], None]
"""Told how many of how many items are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """An item that was not imported, by what its owner knows it by, and why."""

    uid: str
    summary: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of an import."""

    taken: int
    refused: tuple[NotTaken, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """From how many bookings a person was taken, and how many contacts they were."""

    bookings: int
    contacts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    name: str
    uid: str
    summary: str
    data: bytes


class TransferService:
    """Imports and exports."""

    def __init__(self, store: Store, objects: ObjectService) -> None:
        self._store = store
        self._objects = objects

    async def import_file(
        self,
        owner: Owner,
        collection: Collection,
        data: bytes,
        progress: Progress | None = None,
    ) -> Imported:
        """Put a file's items into a local calendar; a UID that is there already is replaced."""
        if not collection.is_local:
            raise Forbidden("read_only_calendar", "Items can be imported into local calendars.")
        if len(data) > MAX_FILE:
            raise Invalid({"file": "The file is larger than 64 MiB."})
        stream = await asyncio.to_thread(_read, data)
        async with self._store.read() as tx:
            names = {item.uid: item.name for item in await tx.objects.headers(collection.id)}
        items = [_item(found, names) for found in stream.objects]
        refused = [_refused(item) for item in stream.refused]
        taken, total = 0, len(items) + len(refused)
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            bad = await self._put(owner, collection, batch)
            refused += bad
            taken += len(batch) - len(bad)
            if progress is not None:
                progress(taken + len(refused), total)
        return Imported(taken=taken, refused=tuple(refused))

    async def export(
        self, owner: Owner, folder: Path, progress: Progress | None = None
    ) -> Sequence[Path]:
        """Write each of the owner's calendars into a folder as one file; return the files."""
        async with self._store.read() as tx:
            collections = await tx.collections.of_owner(owner.id)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        paths = []
        for done, collection in enumerate(collections, start=1):
            async with self._store.read() as tx:
                records = await tx.objects.list(collection.id)
            path = folder / _file_name(collection)
            data = await asyncio.to_thread(joined, [record.data for record in records], collection)
            await asyncio.to_thread(_write_private, path, data)
            paths.append(path)
            if progress is not None:
                progress(done, len(collections))
        return paths

    async def erase(self, email: str) -> Erased:
        """Take a visitor's name, address, answers and mails away; return from how much.

        The bookings stay as times, contacts go with their engagements; what owners keep in their
        calendars is theirs to remove.
        """
        address = addr_spec(email.strip())
        if address is None:
            raise Invalid({"email": "This is not an e-mail address."})
        async with self._store.write() as tx:
            return Erased(
                contacts=await tx.contacts.erase(address_key(address)),
                bookings=await tx.bookings.erase_visitor(address),
            )

    async def _put(
        self, owner: Owner, collection: Collection, batch: Sequence[_Item]
    ) -> list[NotTaken]:
        """Store a batch at once; only when that fails, by halves, to find who is to blame."""
        try:
            await self._objects.put_many(
                owner, collection, [(item.name, item.data) for item in batch]
            )
        except Refused as error:
            if len(batch) == 1:
                (item,) = batch
                return [NotTaken(uid=item.uid, summary=item.summary, reason=error.detail)]
        else:
            return []
        half = len(batch) // 2
        return [
            *await self._put(owner, collection, batch[:half]),
            *await self._put(owner, collection, batch[half:]),
        ]


def _read(data: bytes) -> Stream:
    try:
        return read_stream(data)
    except Refused as error:
        raise Invalid({"file": error.detail}) from error


def _item(found: CalendarObject, names: Mapping[str, str]) -> _Item:
    return _Item(
        name=names.get(found.uid) or object_name(found.uid),
        uid=found.uid,
        summary=found.members[0].text("SUMMARY")[:100],
        data=serialize(found.calendar),
    )


def _refused(item: RefusedItem) -> NotTaken:
    return NotTaken(uid=item.uid, summary=item.summary[:100], reason=str(item.error))


def joined(objects: Iterable[bytes], collection: Collection) -> bytes:
    """Return objects as one stream, each time zone once.

    An object whose zone contradicts one of the same name goes into a calendar of its own in the
    same stream (RFC 5545 section 3.4), so that nothing moves.
    """
    calendars: list[tuple[dict[str, bytes], Component]] = []
    for data in objects:
        parts = parse_many(data)[0].components
        zones = {part.text("TZID"): part for part in parts if part.name == "VTIMEZONE"}
        written = {name: serialize(part) for name, part in zones.items()}
        agreeing = (
            one
            for one in calendars
            if all(one[0].get(name, text) == text for name, text in written.items())
        )
        found = next(agreeing, None)
        if found is None:
            found = ({}, _empty(collection))
            calendars.append(found)
        known, calendar = found
        calendar.components.extend(part for name, part in zones.items() if name not in known)
        known.update(written)
        calendar.components.extend(part for part in parts if part.name != "VTIMEZONE")
    whole = [calendar for _, calendar in calendars] or [_empty(collection)]
    return b"".join(serialize(calendar) for calendar in whole)


def _empty(collection: Collection) -> Component:
    head = [raw_property("VERSION", "2.0"), raw_property("PRODID", PRODID)]
    head.append(text_property("X-WR-CALNAME", collection.display_name or collection.name))
    if collection.time_zone:
        head.append(text_property("X-WR-TIMEZONE", collection.time_zone))
    return Component("VCALENDAR", head)


def _file_name(collection: Collection) -> str:
    label = UNSAFE.sub("-", collection.display_name or collection.name).strip("-.")[:60]
    return f"{label or 'calendar'}-{collection.public_id}.ics"


def _write_private(path: Path, data: bytes) -> None:
    # Calendars are personal: nobody else on the machine reads the export.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
