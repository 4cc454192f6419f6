"""Bookings follow their events: what the owner does to one in a calendar counts here.

Law: a change of a copy leaves a job in the transaction that stores it; the job asks the calendar
itself, and only its answer changes a booking (follow_plan). The owner's change wins, both sides are
told once, and nothing is written to the calendar for it.
"""

from dataclasses import replace

from gateway.errors import SlotTaken, Unavailable
from gateway.model.booking import Booking, BookingState
from gateway.model.collection import Collection
from gateway.model.event_time import event_time
from gateway.model.timerange import Instant, TimeRange
from gateway.ports import Clock, Job, Store, Transaction
from gateway.services.follow_plan import (
    CONFLICT,
    SETTLING,
    Finding,
    judge,
)
from gateway.services.index import zone_of
from gateway.services.notices import Notices
from gateway.services.noticing import wake_conflicts
from gateway.services.outbox import Leased
from gateway.services.writeback import Upstreams

BY_CALENDAR = "calendar"
AGAIN = "The booking is being changed; its event is looked at again after that."


class Follow:
    """The outbox's handler that asks a calendar about a booking's event."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        upstreams: Upstreams,
        notices: Notices,
        *,
        settling: int = SETTLING,
    ) -> None:
        self._store = store
        self._clock = clock
        self._upstreams = upstreams
        self._notices = notices
        self._settling = settling

    async def check(self, leased: Leased) -> None:
        """Ask, and let the booking follow what is found."""
        async with self._store.read() as tx:
            booking = await tx.bookings.get(leased.job.payload["booking"])
            calendar = await _calendar(tx, booking)
        if booking is None or calendar is None:
            return  # without a calendar nothing is known of its events
        gone = bool(leased.job.payload["gone"])
        settling = 0 if calendar.is_local else self._settling
        self._wait_for(booking, settling)
        found = None
        if not calendar.is_local and booking.state is BookingState.CONFIRMED:
            async with self._upstreams.writer(calendar) as writer:
                found = await writer.find(calendar.upstream_id, booking.uid)
        async with leased.finish(owner_id=booking.owner_id) as tx:
            now = self._clock.now()
            current = await tx.bookings.get(booking.id)
            if current is None:
                return
            if current != booking:
                raise Unavailable(AGAIN, 1)
            if calendar.is_local:
                found = await _in_local(tx, calendar, current)
            finding = judge(current, found, gone=gone, now=now, settling=settling)
            await self._follow(tx, current, finding, found, now)

    def _wait_for(self, booking: Booking, settling: int) -> None:
        """Put the look off while we are writing, or have just written."""
        now = self._clock.now()
        if judge(booking, None, gone=False, now=now, settling=settling) is Finding.LATER:
            raise Unavailable(AGAIN, max(1, booking.written_at + settling - now))

    async def _follow(
        self,
        tx: Transaction,
        booking: Booking,
        finding: Finding,
        found: TimeRange | None,
        now: Instant,
    ) -> None:
        match finding:
            case Finding.GONE:
                await self._called_off(tx, booking, now)
            case Finding.MOVED if found is not None:
                await follow_to(tx, self._notices, booking, found, now)
            case Finding.SAME if booking.reason == CONFLICT and found is not None:
                # Its owner put it back.
                await tx.bookings.move(replace(booking, reason=""), booking.state, now)

    async def _called_off(self, tx: Transaction, booking: Booking, now: Instant) -> None:
        ended = replace(booking, sequence=booking.sequence + 1, reason=BY_CALENDAR)
        ended = await tx.bookings.move(ended, BookingState.CANCELLED, now)
        await self._notices.cancelled(tx, ended, booking.state, now, by=BY_CALENDAR)
        await tx.notices.record(booking.owner_id, "booking.cancelled_in_calendar", booking.id, now)
        await wake_conflicts(tx, booking.owner_id, now)

    async def unasked(self, tx: Transaction, job: Job, reason: str) -> None:
        """Leave a trace of a look that was given up: the booking stands as it was."""
        booking = await tx.bookings.get(job.payload["booking"])
        if booking is not None:
            detail = f"{booking.id}: {reason}"
            await tx.notices.record(
                booking.owner_id, "booking.not_checked", detail, self._clock.now()
            )


async def follow_to(
    tx: Transaction, notices: Notices, booking: Booking, found: TimeRange, now: Instant
) -> None:
    """Give a booking the time that its owner gave the event; what is in the way is told (F31)."""
    followed = replace(
        booking,
        start=found.start,
        end=found.end,
        moving=None,
        sequence=booking.sequence + 1,
        reason=f"moved_by_{BY_CALENDAR}",
    )
    try:
        followed = await tx.bookings.move(followed, booking.state, now)
    except SlotTaken:
        stays = replace(booking, moving=None, reason=CONFLICT)
        await tx.bookings.move(stays, booking.state, now)
        others = await tx.bookings.blocking(booking.owner_id, found)
        others = [one for one in others if one.id != booking.id]
        await notices.conflict(tx, stays, found, others, now)
        return
    await notices.moved(tx, followed, booking, now, by=BY_CALENDAR)
    await tx.notices.record(booking.owner_id, "booking.moved_in_calendar", booking.id, now)
    await wake_conflicts(tx, booking.owner_id, now)


async def _calendar(tx: Transaction, booking: Booking | None) -> Collection | None:
    if booking is None or booking.collection_id is None:
        return None
    return await tx.collections.get(booking.collection_id)


async def _in_local(tx: Transaction, calendar: Collection, booking: Booking) -> TimeRange | None:
    record = await tx.objects.by_uid(calendar.id, booking.uid)
    return event_time(record.data, zone_of(calendar)) if record is not None else None
