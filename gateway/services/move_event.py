"""From one time to another: the outbox's handler that moves a booking's event.

Law: a booking that is being moved keeps both times. Which of them it has is decided by what its
calendar says in the end; where its owner moved the event first, by neither of them.
"""

from dataclasses import replace

from gateway.errors import (
    AccessLost,
    CalendarUnavailable,
    CalgateError,
    SignInNeeded,
    SlotTaken,
    Unavailable,
    UpstreamError,
)
from gateway.freebusy.explain import Rule, explain
from gateway.model.booking import Booking, BookingState, Move
from gateway.model.collection import Collection
from gateway.model.event_time import at_another_time, event_time
from gateway.model.page import SchedulingPage, stand_in
from gateway.model.timerange import MINUTE, Instant, TimeRange
from gateway.ports import Clock, Job, Store, Transaction
from gateway.services.circumstances import calendars_of, circumstances
from gateway.services.follow import follow_to
from gateway.services.follow_plan import SETTLING
from gateway.services.freebusy import FreeBusyService
from gateway.services.index import zone_of
from gateway.services.last_look import LastLook, Unreadable
from gateway.services.notices import Notices
from gateway.services.noticing import have_checked, wake_conflicts
from gateway.services.outbox import GiveUp, Leased
from gateway.services.prepared import prepare
from gateway.services.writeback import HOLD_SECONDS, TOLD_AFTER, Upstreams, target_of

TAKEN, UNREADABLE, GONE = "not_moved_taken", "not_moved_unavailable", "not_moved_gone"
"""Why a booking stands where it stood: reasons of one that was not moved."""


class MoveEvent:
    """Moves claimed bookings to the other time that they keep."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        freebusy: FreeBusyService,
        *,
        look: LastLook,
        upstreams: Upstreams,
        notices: Notices,
    ) -> None:
        self._store = store
        self._clock = clock
        self._freebusy = freebusy
        self._look = look
        self._upstreams = upstreams
        self._notices = notices

    async def run(self, leased: Leased) -> None:
        """Take one move as far as it gets; every step may be repeated by another process."""
        async with self._store.read() as tx:
            booking = await tx.bookings.get(leased.job.payload["booking"])
            target = await target_of(tx, booking)
        if booking is None or booking.moving is None or not _stands(booking):
            return
        if not booking.moving.written:
            try:
                await self._look_once_more(booking, booking.moving)
            except (SlotTaken, CalendarUnavailable) as refusal:
                await self._refuse(leased, booking, refusal)
                return
        if target is not None and target.is_local:
            await self._in_local(leased, booking, target)
        else:
            await self._in_upstream(leased, booking, target)

    async def left(self, tx: Transaction, job: Job, reason: str) -> None:
        """Let go of the other time, and have the calendar asked which of the two it is."""
        booking = await tx.bookings.get(job.payload["booking"])
        if booking is None or booking.moving is None:
            return
        now = self._clock.now()
        await self._stays(tx, booking, UNREADABLE, now, tell=True)
        await have_checked(tx, booking, now)
        await self._notices.move_not_written(tx, booking, reason, now)

    async def _look_once_more(self, booking: Booking, move: Move) -> None:
        now = self._clock.now()
        if move.start < now or now - move.since > HOLD_SECONDS:
            raise SlotTaken
        async with self._store.read() as tx:
            page = await _page_of(tx, booking)
            owner = await tx.owners.get(booking.owner_id)
            if page is None or owner is None:
                raise SlotTaken
            calendars = await calendars_of(tx, owner, now)
        if calendars.lost:
            raise Unreadable.of(calendars.lost)
        span = TimeRange(move.start, move.end)
        await self._look.check(page, span, calendars.selected, calendars.stale, moving=booking)

    async def _refuse(self, leased: Leased, booking: Booking, refusal: CalgateError) -> None:
        reason = TAKEN if isinstance(refusal, SlotTaken) else UNREADABLE
        async with leased.finish(owner_id=booking.owner_id) as tx:
            current = await tx.bookings.get(booking.id)
            if current is not None and current.moving == booking.moving:
                await self._stays(tx, current, reason, self._clock.now(), tell=not leased.attended)

    async def _stays(
        self, tx: Transaction, booking: Booking, reason: str, now: Instant, *, tell: bool
    ) -> None:
        stays = await stay(tx, booking, reason, now)
        if tell:
            await self._notices.not_moved(tx, stays, now)

    # --- in a calendar of ours

    async def _in_local(self, leased: Leased, booking: Booking, target: Collection) -> None:
        """Move the event and the booking in one transaction under the owner's lock."""
        now, tell = self._clock.now(), not leased.attended
        async with leased.finish(owner_id=booking.owner_id) as tx:
            current = await tx.bookings.get(booking.id)
            if current is None or current.moving is None or not _stands(current):
                return
            record = await tx.objects.by_uid(target.id, current.uid)
            here = event_time(record.data, zone_of(target)) if record is not None else None
            if record is None or here is None:
                await self._stays(tx, current, GONE, now, tell=tell)
            elif here != TimeRange(current.start, current.end):
                await follow_to(tx, self._notices, current, here, now)
            elif not current.moving.written and await self._is_busy(
                tx, current, current.moving, now
            ):
                # The owner's own clients may have put something there since the claim; whoever
                # moves it knowing that they are busy has it as written from the start.
                await self._stays(tx, current, TAKEN, now, tell=tell)
            else:
                data = at_another_time(
                    record.data, TimeRange(current.moving.start, current.moving.end)
                )
                await prepare(data, target, lenient=True).write(
                    tx, target, name=record.name, now=now
                )
                await self._moved(tx, current, current.moving, now)

    async def _is_busy(self, tx: Transaction, booking: Booking, move: Move, now: Instant) -> bool:
        page, owner = (
            await _page_of(tx, booking),
            await tx.owners.get(booking.owner_id),
        )
        if page is None or owner is None:
            return True
        calendars = await calendars_of(tx, owner, now)
        span = TimeRange(move.start, move.end)
        given = await circumstances(
            tx, self._freebusy, page, calendars, window=span, now=now, moving=booking
        )
        reasons = explain(given, move.start, span.seconds // MINUTE)
        return any(reason.rule is Rule.BUSY for reason in reasons)

    # --- at a provider

    async def _in_upstream(
        self, leased: Leased, booking: Booking, target: Collection | None
    ) -> None:
        setting_out = await self._set_out(booking)
        if setting_out is None or setting_out.moving is None:
            return
        own = TimeRange(setting_out.start, setting_out.end)
        wanted = TimeRange(setting_out.moving.start, setting_out.moving.end)
        try:
            if target is None:
                raise AccessLost("The calendar that bookings were written to is gone.")
            async with self._upstreams.writer(target) as writer:
                there = await writer.move(
                    target.upstream_id, setting_out.uid, before=own, after=wanted
                )
        except UpstreamError as failure:
            await self._wait(setting_out, failure)
            raise
        now = self._clock.now()
        if there is None and now < setting_out.written_at + SETTLING:
            # A calendar may not show yet what was written a moment ago.
            raise Unavailable("The event is not there yet.", SETTLING)
        async with leased.finish(owner_id=booking.owner_id) as tx:
            current = await tx.bookings.get(booking.id)
            if current is None or current.moving is None or not _stands(current):
                return
            if there == wanted:
                await self._moved(tx, current, current.moving, now)
            elif there is None:
                # Its owner deleted it: the next complete read says so, and that ends the booking.
                await self._stays(tx, current, GONE, now, tell=not leased.attended)
            else:
                await follow_to(tx, self._notices, current, there, now)

    async def _set_out(self, booking: Booking) -> Booking | None:
        """Store that the calendar may have the other time from now on; None if that has ended."""
        async with self._store.write(owner_id=booking.owner_id) as tx:
            current = await tx.bookings.get(booking.id)
            if current is None or current.moving is None or not _stands(current):
                return None
            if current.moving.written:
                return current
            written = replace(current, moving=replace(current.moving, written=True))
            return await tx.bookings.move(written, written.state, self._clock.now())

    async def _wait(self, booking: Booking, failure: UpstreamError) -> None:
        """Keep both times while it is unclear which one it is; the owner hears what is wrong."""
        assert booking.moving is not None, "a move waits"
        now = self._clock.now()
        if now >= max(booking.moving.end, booking.end):
            raise GiveUp(failure.detail) from failure
        needs_owner = isinstance(failure, SignInNeeded | AccessLost)
        if needs_owner or now - booking.moving.since > TOLD_AFTER:
            async with self._store.write(owner_id=booking.owner_id) as tx:
                await self._notices.move_not_written(tx, booking, failure.detail, now)

    async def _moved(self, tx: Transaction, booking: Booking, move: Move, now: Instant) -> None:
        moved = replace(
            booking,
            start=move.start,
            end=move.end,
            moving=None,
            sequence=booking.sequence + 1,
            reason=f"moved_by_{move.by}",
            written_at=now,
        )
        moved = await tx.bookings.move(moved, moved.state, now)
        await self._notices.moved(tx, moved, booking, now, by=move.by)
        await wake_conflicts(tx, booking.owner_id, now)


async def _page_of(tx: Transaction, booking: Booking) -> SchedulingPage | None:
    return stand_in(booking) if booking.is_on_record else await tx.pages.get(booking.page_id)


async def stay(tx: Transaction, booking: Booking, reason: str, now: Instant) -> Booking:
    """Let a booking keep the time it has, and only that."""
    stays = replace(booking, moving=None, reason=reason)
    return await tx.bookings.move(stays, stays.state, now)


def _stands(booking: Booking) -> bool:
    return booking.state is BookingState.CONFIRMED
