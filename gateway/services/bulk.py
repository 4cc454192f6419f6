"""Many new objects at once: compiled before the transaction, written in it by the hundred.

A first read of a large calendar is mostly this. What was compiled holds only as long as the
calendar is as it was then; the transaction looks, and else says so.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.errors import CalgateError
from gateway.model.collection import Collection
from gateway.model.timerange import Instant
from gateway.ports import IndexEntry, Transaction
from gateway.services.index import Basis, basis_of, entry_of, zone_key
from gateway.services.prepared import Prepared, ReadObject, prepare
from gateway.services.sync_plan import Plan

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(ReadObject):
    """A new object with its rows, and without all that was needed to compute them."""

    entry: IndexEntry


def ready(prepared: Prepared, basis: Basis) -> Ready:
    """Return an object as it is written under this basis; heavy only where it recurs often."""
    return Ready(
        uid=prepared.uid,
        component=prepared.component,
        etag=prepared.etag,
        data=prepared.data,
        entry=entry_of(prepared.times, basis, lenient=True),
        zone=prepared.zone,
    )


@dataclass(slots=True, kw_only=True)
class Batch:
    """What a plan writes: objects that replace others, new ones, and notes on what stays as it was.

    `known` is how many objects the calendar had when the new ones were seen to be new.
    """

    basis: Basis
    known: int
    changed: dict[str, Prepared] = field(default_factory=dict)
    new: dict[str, Ready] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def uids(self) -> dict[str, str]:
        """The UID of everything that is written, by object name."""
        changed = {name: item.uid for name, item in self.changed.items()}
        return changed | {name: item.uid for name, item in self.new.items()}

    @property
    def written(self) -> list[tuple[str, bytes]]:
        """The UID and the bytes of everything that is written."""
        return [(item.uid, item.data) for item in (*self.changed.values(), *self.new.values())]

    async def holds(self, tx: Transaction, collection: Collection, now: Instant) -> bool:
        """Tell whether the calendar is still as it was when the new objects were compiled."""
        if not self.new:
            return True
        same = await basis_of(tx, collection, now) == self.basis
        zone = next(iter(self.new.values())).zone
        return (
            same
            and zone == zone_key(collection)
            and await tx.objects.count(collection.id) == self.known
        )

    async def write(self, tx: Transaction, collection: Collection, now: Instant) -> None:
        """Write everything; what is replaced keeps its id."""
        for name, item in self.changed.items():
            await item.write(tx, collection, name=name, now=now)
        await _add(tx, collection, self.new, now)


async def write_many(
    tx: Transaction, collection: Collection, items: Sequence[tuple[str, Prepared]], now: Instant
) -> None:
    """Write objects under their names inside a transaction; most of them are new."""
    basis = await basis_of(tx, collection, now)
    names, uids = [name for name, _ in items], [item.uid for _, item in items]
    taken = await tx.objects.meeting(collection.id, names, uids)
    seen = {("name", name) for name, _ in taken} | {("uid", uid) for _, uid in taken}
    zone, new, others = zone_key(collection), {}, []
    for name, item in items:
        keys = {("name", name), ("uid", item.uid)}
        if seen & keys or item.zone != zone:
            others.append((name, item))
        else:
            new[name] = item
        seen |= keys
    compiled = await asyncio.to_thread(
        lambda: {name: ready(item, basis) for name, item in new.items()}
    )
    await _add(tx, collection, compiled, now)
    for name, item in others:
        await item.write(tx, collection, name=name, now=now)


async def _add(
    tx: Transaction, collection: Collection, new: Mapping[str, Ready], now: Instant
) -> None:
    """Write new objects and their times by the hundred."""
    names = list(new)
    for start in range(0, len(names), BATCH):
        chosen = names[start : start + BATCH]
        ids = await tx.objects.add([new[name].record(collection, name, now) for name in chosen])
        entries = {key: new[name].entry for key, name in zip(ids, chosen, strict=True)}
        await tx.index.add(collection.id, entries)


def prepare_all(made: Plan, collection: Collection, basis: Basis, known: int) -> Batch:
    """Read and compile what is to be written; what cannot be read stays as it was, with a note."""
    batch = Batch(basis=basis, known=known)
    names: dict[str, str] = {}
    replaced = frozenset(made.changed)
    for name, item in made.puts.items():
        assert item.data is not None, "a plan puts only what has data"
        try:
            found = prepare(item.data, collection, etag=f'"{item.etag}"', lenient=True)
        except CalgateError as error:
            batch.notes.append(f"An event was left as it was: {error}")
            continue
        earlier = names.get(found.uid)
        if earlier is not None:
            batch.changed.pop(earlier, None)
            batch.new.pop(earlier, None)
        names[found.uid] = name
        if name in replaced:
            batch.changed[name] = found
        else:
            batch.new[name] = ready(found, basis)
    return batch
