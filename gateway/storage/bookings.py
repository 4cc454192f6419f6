"""Bookings, behind the overlap guard of the database."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    Executable,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    not_,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import DBAPIError

from gateway import errors
from gateway.model.booking import BLOCKING, TRANSITIONS, Booking, BookingState, Move
from gateway.model.timerange import Instant, TimeRange
from gateway.storage import schema
from gateway.storage.codec import dump, load
from gateway.storage.repository import Repository

TABLE = schema.booking.c
GUARD = "booking_overlap"
MANY = 400
"""How many UIDs fit into one question."""
BLOCKS = TABLE.state.in_(sorted(state.value for state in BLOCKING))
# What every request asks is made once: building a statement costs as much as running it.
_OWN_TIME = and_(TABLE.end_at > bindparam("low"), TABLE.start_at < bindparam("high"))
_NEXT_TIME = and_(TABLE.moving_end > bindparam("low"), TABLE.moving_start < bindparam("high"))
# Two halves, for each of which there is an index; that of bookings on the move is tiny.
BLOCKING_IN = union_all(
    select(schema.booking).where(TABLE.owner_id == bindparam("owner"), BLOCKS, _OWN_TIME),
    select(schema.booking).where(
        TABLE.owner_id == bindparam("owner"), BLOCKS, _NEXT_TIME, not_(_OWN_TIME)
    ),
).order_by("start_at", "id")
UNFINISHED = TABLE.state.in_(
    [BookingState.HELD.value, BookingState.WRITING.value, BookingState.PENDING.value]
)


def _booking(row: Row[Any]) -> Booking:
    return Booking(
        id=row.id,
        owner_id=row.owner_id,
        page_id=row.page_id,
        state=BookingState(row.state),
        start=row.start_at,
        end=row.end_at,
        buffer_before=row.buffer_before,
        buffer_after=row.buffer_after,
        time_zone=row.time_zone,
        name=row.name,
        email=row.email,
        answers=load(dict[str, str], row.answers),
        guests=load(tuple[str, ...], row.guests),
        uid=row.uid,
        sequence=row.sequence,
        generation=row.generation,
        collection_id=row.collection_id,
        manage_digest=row.manage_digest,
        manage_sealed=row.manage_sealed,
        source=row.source,
        locale=row.locale,
        reason=row.reason,
        moving=_move(row),
        written_at=row.written_at,
        title=row.title,
        place=row.place,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _move(row: Row[Any]) -> Move | None:
    if row.moving_start is None:
        return None
    return Move(
        start=row.moving_start,
        end=row.moving_end,
        by=row.moving_by,
        since=row.moving_since,
        written=bool(row.moving_written),
    )


def _values(booking: Booking) -> dict[str, Any]:
    move = booking.moving
    return {
        "owner_id": booking.owner_id,
        "page_id": booking.page_id,
        "state": booking.state.value,
        "start_at": booking.start,
        "end_at": booking.end,
        "buffer_before": booking.buffer_before,
        "buffer_after": booking.buffer_after,
        "time_zone": booking.time_zone,
        "name": booking.name,
        "email": booking.email,
        "answers": dump(booking.answers),
        "guests": dump(booking.guests),
        "uid": booking.uid,
        "sequence": booking.sequence,
        "generation": booking.generation,
        "collection_id": booking.collection_id,
        "manage_digest": booking.manage_digest,
        "manage_sealed": booking.manage_sealed,
        "source": booking.source,
        "locale": booking.locale,
        "reason": booking.reason,
        "moving_start": move.start if move else None,
        "moving_end": move.end if move else None,
        "moving_by": move.by if move else "",
        "moving_since": move.since if move else 0,
        "moving_written": move.written if move else False,
        "written_at": booking.written_at,
        "title": booking.title,
        "place": booking.place,
        "created_at": booking.created_at,
        "updated_at": booking.updated_at,
    }


class Bookings(Repository):
    """Implements ports.Bookings."""

    async def add(self, booking: Booking) -> None:
        await self._guarded(insert(schema.booking).values(id=booking.id, **_values(booking)))

    async def get(self, booking_id: str) -> Booking | None:
        return await self._first(TABLE.id == booking_id)

    async def by_manage_digest(self, digest: str) -> Booking | None:
        return await self._first(TABLE.manage_digest == digest)

    async def by_uids(self, owner_id: int, uids: Sequence[str]) -> Sequence[Booking]:
        found: list[Booking] = []
        for first in range(0, len(uids), MANY):
            some = uids[first : first + MANY]
            found += await self._where(TABLE.owner_id == owner_id, TABLE.uid.in_(some))
        return found

    async def of_owner(self, owner_id: int, window: TimeRange | None = None) -> Sequence[Booking]:
        if window is None:
            return await self._where(TABLE.owner_id == owner_id)
        return await self._where(TABLE.owner_id == owner_id, *_overlaps(window))

    async def blocking(self, owner_id: int, window: TimeRange) -> Sequence[Booking]:
        rows = await self._all(BLOCKING_IN, owner=owner_id, low=window.start, high=window.end)
        return [_booking(row) for row in rows]

    async def standing(self, collection_id: int, since: Instant) -> Sequence[Booking]:
        return await self._where(
            TABLE.collection_id == collection_id,
            TABLE.end_at > since,
            TABLE.state == BookingState.CONFIRMED.value,
        )

    async def with_reason(self, owner_id: int, reason: str) -> Sequence[Booking]:
        return await self._where(TABLE.owner_id == owner_id, BLOCKS, TABLE.reason == reason)

    async def on_the_move(self) -> Sequence[Booking]:
        return await self._where(TABLE.moving_end.is_not(None), BLOCKS)

    async def unfinished(self, owner_id: int | None = None) -> Sequence[Booking]:
        if owner_id is None:
            return await self._where(UNFINISHED)
        return await self._where(UNFINISHED, TABLE.owner_id == owner_id)

    async def _first(self, where: Any) -> Booking | None:
        row = await self._one(select(schema.booking).where(where))
        return _booking(row) if row else None

    async def _where(self, *where: Any) -> Sequence[Booking]:
        statement = select(schema.booking).where(*where).order_by(TABLE.start_at, TABLE.id)
        return [_booking(row) for row in await self._all(statement)]

    async def move(self, booking: Booking, to: BookingState, now: Instant) -> Booking:
        if to is not booking.state and to not in TRANSITIONS[booking.state]:
            raise errors.Conflict(
                "booking_state", f"A booking that is {booking.state} cannot become {to}."
            )
        moved = replace(booking, state=to, updated_at=now)
        # Only from the state it was read in: of two that move the same booking one comes too late.
        result = await self._guarded(
            update(schema.booking)
            .where(TABLE.id == booking.id, TABLE.state == booking.state.value)
            .values(**_values(moved))
        )
        if result.rowcount == 0:
            raise errors.Conflict("booking_changed", "The booking has changed in the meantime.")
        return moved

    async def _guarded(self, statement: Executable) -> Any:
        try:
            async with self.writing.begin_nested():
                return await self._run(statement)
        except DBAPIError as error:
            if GUARD in str(error.orig):
                raise errors.SlotTaken from None
            raise

    async def count_live(self, page_id: str, window: TimeRange) -> int:
        row = await self._one(
            select(func.count().label("n")).where(
                TABLE.page_id == page_id,
                BLOCKS,
                TABLE.start_at >= window.start,
                TABLE.start_at < window.end,
            )
        )
        return int(row.n) if row else 0

    async def erase_visitor(self, email: str) -> int:
        address = email.lower()
        own = func.lower(TABLE.email) == address
        result = await self._run(
            update(schema.booking)
            .where(own)
            .values(name="", email="", answers=dump({}), guests=dump(()), title="", place="")
        )
        erased = int(result.rowcount)
        guests = await self._where(func.lower(TABLE.guests).contains(address, autoescape=True))
        for booking in guests:
            kept = tuple(guest for guest in booking.guests if guest.lower() != address)
            if kept != booking.guests:
                await self._run(
                    update(schema.booking).where(TABLE.id == booking.id).values(guests=dump(kept))
                )
                erased += 1
        await self._run(delete(schema.mail).where(func.lower(schema.mail.c.recipient) == address))
        return erased


def _overlaps(window: TimeRange) -> tuple[Any, Any]:
    return TABLE.end_at > window.start, TABLE.start_at < window.end
