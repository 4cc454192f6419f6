"""What a change of a calendar's copy means for bookings: which of them must be looked at.

Law: the question is stored in the transaction that stores the change, so that none is ever lost.
"""

from collections.abc import Iterable
from dataclasses import replace

from gateway.model.booking import Booking
from gateway.model.booking_mark import Marks
from gateway.model.collection import Collection, ObjectRecord
from gateway.model.timerange import Instant, TimeRange
from gateway.ports import Transaction
from gateway.services.follow_plan import CONFLICT, suspicions
from gateway.services.index import zone_of

CHECK = "booking.check"


async def notice_changes(
    tx: Transaction,
    collection: Collection,
    *,
    puts: Iterable[tuple[str, bytes]],
    removed: Iterable[ObjectRecord],
    now: Instant,
) -> None:
    """Have the bookings looked at whose events a change of a calendar's copy touches."""
    marks = Marks(await tx.bookings.standing(collection.id, now))
    if not marks:
        return
    lost = [(one.uid, one.data) for one in removed]
    for one in suspicions(marks, puts, lost, zone_of(collection)):
        await have_checked(tx, one.booking, now, gone=one.gone)


async def take_along(
    tx: Transaction, left: Collection, entered: Collection, event: ObjectRecord, now: Instant
) -> None:
    """Let a booking follow its event, which its owner moved from one local calendar to another."""
    booking = Marks(await tx.bookings.standing(left.id, now)).booking_of(event.uid, event.data)
    if booking is not None:
        await tx.bookings.move(replace(booking, collection_id=entered.id), booking.state, now)


async def wake_conflicts(tx: Transaction, owner_id: int, now: Instant) -> None:
    """Look again at bookings that could not follow their events, now that a time is free."""
    for one in await tx.bookings.with_reason(owner_id, CONFLICT):
        if one.end > now:
            await have_checked(tx, one, now)


async def have_checked(
    tx: Transaction, booking: Booking, now: Instant, *, gone: bool = False
) -> None:
    """Have a calendar asked about a booking's event, soon and after this transaction."""
    payload = {"booking": booking.id, "gone": "1" if gone else ""}
    # A line of its own: a look that has to wait holds up no removal.
    await tx.outbox.add(CHECK, f"check:{booking.id}", payload, now)


async def copy_of(
    tx: Transaction, collection_id: int, booking: Booking, window: TimeRange
) -> ObjectRecord | None:
    """Return a calendar's copy of a booking's event, looked for among what may meet a window."""
    record = await tx.objects.by_uid(collection_id, booking.uid)
    if record is not None:
        return record
    marks = Marks([booking])
    for one in await tx.index.candidates(collection_id, window):
        if marks.booking_of(one.uid, one.data) is not None:
            return one
    return None
