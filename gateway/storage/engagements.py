"""Engagements of contacts; of one that a booking carries out, time and state are the booking's."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Executable,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from gateway.model.booking import BookingState
from gateway.model.engagement import Engagement, EngagementOrigin, EngagementState
from gateway.model.timerange import Instant, TimeRange
from gateway.storage import schema
from gateway.storage.codec import dump, load
from gateway.storage.repository import Repository
from gateway.storage.schema_contacts import contact, engagement_mark
from gateway.storage.schema_contacts import engagement as table

TABLE, BOOKED, MARK = table.c, schema.booking.c, engagement_mark.c
MANY = 400
"""How many names fit into one question."""
BY_BOOKING = {
    BookingState.CONFIRMED: EngagementState.SCHEDULED,
    **dict.fromkeys(
        (BookingState.HELD, BookingState.WRITING, BookingState.PENDING), EngagementState.PENDING
    ),
}
"""What an engagement is while its booking is in a state; in any other it is cancelled."""
STATE = case(
    (BOOKED.id.is_(None), TABLE.state),
    *((BOOKED.state == one.value, told.value) for one, told in BY_BOOKING.items()),
    else_=EngagementState.CANCELLED.value,
)
START = func.coalesce(BOOKED.start_at, TABLE.start_at)
END = func.coalesce(BOOKED.end_at, TABLE.end_at)
WHOLE = select(
    *(one for one in TABLE if one.name not in ("state", "start_at", "end_at", "title", "place")),
    STATE.label("state"),
    START.label("start_at"),
    END.label("end_at"),
    func.coalesce(BOOKED.title, TABLE.title).label("title"),
    func.coalesce(BOOKED.place, TABLE.place).label("place"),
    BOOKED.collection_id.label("booked_in"),
).select_from(table.outerjoin(schema.booking, BOOKED.id == TABLE.booking_id))

# What every tick asks is made once: building a statement costs as much as running it.
REACHED = select(MARK.revision).where(MARK.collection_id == bindparam("wanted"))
DUE = (
    WHOLE.where(TABLE.collection_id == bindparam("wanted"), TABLE.due_at <= bindparam("now"))
    .order_by(TABLE.due_at)
    .limit(bindparam("at_most"))
)


class Engagements(Repository):
    """Implements ports.Engagements."""

    async def add(self, engagement: Engagement) -> None:
        await self._run(insert(table).values(id=engagement.id, **_values(engagement)))

    async def get(self, engagement_id: str) -> Engagement | None:
        row = await self._one(WHOLE.where(TABLE.id == engagement_id))
        return _engagement(row) if row else None

    async def of_owner(
        self,
        owner_id: int,
        *,
        contact_id: str = "",
        window: TimeRange | None = None,
        limit: int,
    ) -> Sequence[Engagement]:
        statement = WHOLE.where(TABLE.owner_id == owner_id)
        if contact_id:
            statement = statement.where(TABLE.contact_id == contact_id)
        if window is not None:
            statement = statement.where(window.start <= END, window.end > START)
        return await self._found(statement.order_by(START, TABLE.id).limit(limit))

    async def of_objects(
        self, collection_id: int, *, uids: Sequence[str], names: Sequence[str]
    ) -> Sequence[Engagement]:
        found: dict[str, Engagement] = {}
        for column, values in ((TABLE.uid, uids), (TABLE.object_name, names)):
            for first in range(0, len(values), MANY):
                some = column.in_(values[first : first + MANY])
                for one in await self._found(
                    WHOLE.where(TABLE.collection_id == collection_id, some)
                ):
                    found[one.id] = one
        return list(found.values())

    async def of_collection(self, collection_id: int) -> Sequence[Engagement]:
        return await self._found(WHOLE.where(TABLE.collection_id == collection_id))

    async def due(self, collection_id: int, now: Instant, limit: int) -> Sequence[Engagement]:
        rows = await self._all(DUE, wanted=collection_id, now=now, at_most=limit)
        return [_engagement(row) for row in rows]

    async def update(self, engagement: Engagement) -> None:
        await self._run(
            update(table).where(TABLE.id == engagement.id).values(**_values(engagement))
        )

    async def remove(self, engagement_id: str) -> None:
        await self._run(delete(table).where(TABLE.id == engagement_id))

    async def mark(self, collection_id: int) -> int | None:
        row = await self._one(REACHED, wanted=collection_id)
        return int(row.revision) if row else None

    async def set_mark(self, collection_id: int, revision: int) -> None:
        statement = self.dialect.insert(engagement_mark).values(
            collection_id=collection_id, revision=revision
        )
        await self._run(
            statement.on_conflict_do_update(
                index_elements=[MARK.collection_id], set_={"revision": revision}
            )
        )

    async def forget_marks(self, owner_id: int) -> None:
        mine = select(schema.collection.c.id).where(schema.collection.c.owner_id == owner_id)
        await self._run(delete(engagement_mark).where(MARK.collection_id.in_(mine)))

    async def behind(self, now: Instant) -> Sequence[int]:
        calendar = schema.collection.c
        overdue = exists(
            select(literal_column("1")).where(
                TABLE.collection_id == calendar.id, TABLE.due_at <= now
            )
        )
        statement = (
            select(calendar.id)
            .select_from(
                schema.collection.outerjoin(engagement_mark, MARK.collection_id == calendar.id)
            )
            .where(
                calendar.selected.is_(True),
                exists(select(literal_column("1")).where(contact.c.owner_id == calendar.owner_id)),
                or_(MARK.revision.is_(None), MARK.revision < calendar.revision, overdue),
            )
            .order_by(calendar.id)
        )
        return [row.id for row in await self._all(statement)]

    async def _found(self, statement: Executable) -> list[Engagement]:
        return [_engagement(row) for row in await self._all(statement)]


def _values(one: Engagement) -> dict[str, Any]:
    return {
        "owner_id": one.owner_id,
        "contact_id": one.contact_id,
        "origin": one.origin.value,
        "state": one.state.value,
        "title": one.title,
        "place": one.place,
        "is_private": one.is_private,
        "start_at": one.start,
        "end_at": one.end,
        "all_day": one.all_day,
        "recurring": one.recurring,
        "times": dump(one.times),
        "collection_id": one.collection_id if one.origin is EngagementOrigin.CALENDAR else None,
        "uid": one.uid,
        "object_name": one.object_name,
        "address": one.address,
        "due_at": one.due_at,
        "booking_id": one.booking_id,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def _engagement(row: Any) -> Engagement:
    carried = bool(row.booking_id)
    return Engagement(
        id=row.id,
        owner_id=row.owner_id,
        contact_id=row.contact_id,
        origin=EngagementOrigin(row.origin),
        state=EngagementState(row.state),
        title=row.title,
        place=row.place,
        is_private=row.is_private,
        start=row.start_at,
        end=row.end_at,
        all_day=row.all_day,
        recurring=row.recurring,
        times=(
            ((row.start_at, row.end_at),)
            if carried
            else load(tuple[tuple[int, int], ...], row.times)
        ),
        collection_id=row.booked_in if carried else row.collection_id,
        uid=row.uid,
        object_name=row.object_name,
        address=row.address,
        due_at=row.due_at,
        booking_id=row.booking_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
