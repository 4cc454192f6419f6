"""Bookings: offered, made, cancelled, accepted and declined (docs/guarantees.md).

A request claims its time in one transaction, then waits a few seconds for the outbox to finish the
booking; whatever happens to the request or to this process, the outbox finishes it all the same.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

import structlog

from gateway.errors import CalendarUnavailable, Conflict, NotFound, SlotTaken
from gateway.freebusy.explain import Reason, explain
from gateway.freebusy.slots import nearest, offered
from gateway.model import itip
from gateway.model.booking import Booking, BookingState
from gateway.model.page import SchedulingPage, stand_in
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, MINUTE, Instant, TimeRange
from gateway.ports import Clock, Store, Transaction
from gateway.services.booking_request import BookingRequest, check_key, checked
from gateway.services.booking_views import LIVE, BookingView, Offer, told
from gateway.services.circumstances import calendars_of, circumstances, names
from gateway.services.claim import MOVE, REMOVE, WRITE, Claim, Claimed, live_page, owned
from gateway.services.freebusy import FreeBusyService
from gateway.services.meeting_texts import meeting_of
from gateway.services.notices import Notices
from gateway.services.noticing import wake_conflicts
from gateway.services.outbox import OutboxService
from gateway.services.tokens import digest
from gateway.services.writeback import let_go, take_out_event

AT_ONCE = 8
"""Claims of one process that stand before the database at once; the others wait here, patiently."""
POLL = 0.05
LOOKING_SECONDS = 3.0
"""What a last look may still take where `wait_seconds` is over before it."""
LINK_LIVES = 30 * DAY
"""How long after its end a booking's manage link still opens."""
AROUND = ((DAY // 2, DAY // 2), (2 * DAY, 7 * DAY))
"""How far before and after a refused start the nearest free ones are looked for, one by one."""
NEAREST = 3
STUCK_AFTER = 5 * MINUTE


class BookingService:
    """The use cases of bookings."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        freebusy: FreeBusyService,
        claim: Claim,
        *,
        outbox: OutboxService,
        notices: Notices,
        wait_seconds: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._freebusy = freebusy
        self._claim = claim
        self._outbox = outbox
        self._notices = notices
        self._wait_seconds = wait_seconds
        # Edges that look up a page in order to book it do that in turn, too.
        self.turn = asyncio.Semaphore(AT_ONCE)
        self._lines: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._log = structlog.get_logger("gateway.booking")

    # --- looking

    async def slots(
        self,
        page: SchedulingPage,
        window: TimeRange,
        now: Instant,
        duration: int,
        *,
        moving: Booking | None = None,
    ) -> Offer:
        """Return what a page offers in a window; no source is asked for it.

        To a booking that is to be moved its own time is no obstacle.
        """
        async with self._store.read() as tx:
            return await self._offer(tx, page, window, now, duration, moving=moving)

    async def _offer(
        self,
        tx: Transaction,
        page: SchedulingPage,
        window: TimeRange,
        now: Instant,
        duration: int,
        *,
        moving: Booking | None,
    ) -> Offer:
        calendars = await calendars_of(tx, await _owner(tx, page.owner_id), now)
        found: Sequence[TimeRange] = ()
        if not calendars.lost:
            given = await circumstances(
                tx,
                self._freebusy,
                page,
                calendars,
                window=window,
                now=now,
                only_looking=True,
                moving=moving,
            )
            found = offered(given, window, duration)
        return Offer(
            slots=tuple(found),
            is_offline=calendars.is_offline,
            unavailable=names(calendars.lost),
            stale=names(calendars.stale),
            fresh_as_of=calendars.fresh_as_of,
        )

    async def explain(
        self, page: SchedulingPage, start: Instant, duration: int, now: Instant | None = None
    ) -> list[Reason]:
        """Return every reason why a start is not offered; none means that it is."""
        now = self._clock.now() if now is None else now
        async with self._store.read() as tx:
            calendars = await calendars_of(tx, await _owner(tx, page.owner_id), now)
            span = TimeRange(start, start + max(duration, 1) * MINUTE)
            given = await circumstances(tx, self._freebusy, page, calendars, window=span, now=now)
        return explain(given, start, duration)

    async def by_token(self, manage_token: str) -> BookingView:
        """Return the booking of a manage link; a wrong or expired one is NotFound."""
        async with self._store.read() as tx:
            booking = await self._of_token(tx, manage_token)
            owner = await _owner(tx, booking.owner_id)
            return BookingView(
                booking=booking, page=await tx.pages.get(booking.page_id), owner=owner
            )

    async def of_owner(self, owner_id: int, window: TimeRange | None = None) -> Sequence[Booking]:
        """Return the owner's bookings, by start."""
        async with self._store.read() as tx:
            return await tx.bookings.of_owner(owner_id, window)

    async def get(self, owner_id: int, booking_id: str) -> Booking:
        """Return a booking of the owner's."""
        async with self._store.read() as tx:
            return await owned(tx, owner_id, booking_id)

    def manage_url(self, booking: Booking, owner: Owner | None = None) -> str:
        """Return the link with which the visitor manages the booking, on its owner's host."""
        return self._notices.manage_url(booking, owner)

    async def calendar_file(self, manage_token: str) -> bytes:
        """Return the booking as an `.ics` file for the visitor's calendar."""
        view = await self.by_token(manage_token)
        if view.booking.state not in LIVE - {BookingState.REQUESTED}:
            raise NotFound("booking")
        page = view.page or stand_in(view.booking)
        return itip.published(meeting_of(view.booking, page, view.owner))

    # --- booking

    async def book(
        self, page: SchedulingPage, request: BookingRequest, idempotency_key: str | None = None
    ) -> Booking:
        """Book, and return the booking: `confirmed`, `requested` or, if it takes long, `pending`.

        Raises SlotTaken with the three nearest starts, CalendarUnavailable, Invalid,
        IdempotencyMismatch or TooManyRequests; then nothing is booked.
        """
        check_key(idempotency_key)
        wanted = checked(page, request)
        try:
            async with self.turn:
                claimed = await self._decide(page, wanted, idempotency_key)
            return await self.settled(claimed)
        except SlotTaken:
            # In turn as well: hundreds that are refused at once must not take every reader.
            async with self.turn:
                raise await self.refusal(page, wanted.start, wanted.duration) from None

    async def attempted(self, page: SchedulingPage, address: str) -> None:
        """Tell the owner of somebody who found a calendar lost, and so no times (S30)."""
        async with self._store.write(owner_id=page.owner_id) as tx:
            await self._claim.attempted(tx, page.id, address, self._clock.now())
        self._outbox.nudge()

    async def _decide(
        self, page: SchedulingPage, wanted: BookingRequest, key: str | None
    ) -> Claimed:
        await self._precheck(page, wanted, key)
        # One at a time for each owner: more would only wait before the database, and too long.
        line = self._lines.setdefault(page.owner_id, asyncio.Lock())
        async with line, self._store.write(owner_id=page.owner_id) as tx:
            decision = await self._claim.decide(tx, page.id, wanted, key, self._clock.now())
        # Outside, so that the attempt and the owner's mail are committed with the refusal.
        if isinstance(decision, CalendarUnavailable):
            self._outbox.nudge()
            raise decision
        if decision.job is None:
            self._outbox.nudge()
        return decision

    async def _precheck(
        self, page: SchedulingPage, wanted: BookingRequest, key: str | None
    ) -> None:
        """Turn away, without the lock, who is too late anyway; for the rest the claim decides."""
        now = self._clock.now()
        span = TimeRange(wanted.start, wanted.start + wanted.duration * MINUTE)
        async with self._store.read() as tx:
            if key is not None and await self._claim.answered(tx, page.id, wanted, key):
                return
            current, owner = await live_page(tx, page.id)
            calendars = await calendars_of(tx, owner, now)
            if calendars.lost:
                return  # an attempt that the claim keeps
            given = await circumstances(
                tx, self._freebusy, current, calendars, window=span, now=now
            )
        if explain(given, wanted.start, wanted.duration):
            raise SlotTaken

    async def settled(self, claimed: Claimed) -> Booking:
        """Wait for a booking to be finished, as long as a visitor may be kept waiting."""
        if claimed.job is not None:
            work = self._outbox.start(claimed.job, attended=True)
            _, late = await asyncio.wait({work}, timeout=self._wait_seconds)
            if late and (await self.current(claimed.booking.id)).state is BookingState.HELD:
                await asyncio.wait({work}, timeout=LOOKING_SECONDS)
        elif claimed.again:
            await self._wait_for(claimed.booking.id)
        booking = await self.current(claimed.booking.id)
        if booking.state is BookingState.HELD:
            booking = await self._let_go(booking)
        return told(booking, again=claimed.again)

    async def _wait_for(self, booking_id: str) -> None:
        """Wait for what another request, or another node, has in hand."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_seconds
        while loop.time() < until:
            booking = await self.current(booking_id)
            if booking.state not in (BookingState.HELD, BookingState.WRITING):
                return
            await asyncio.sleep(POLL)

    async def _let_go(self, booking: Booking) -> Booking:
        """Give up a time that nobody could confirm is free while its visitor waited.

        "Pending" is only ever said of a booking that will be written.
        """
        refusal = CalendarUnavailable((), "The calendars did not answer in time.")
        now = self._clock.now()
        try:
            async with self._store.write(owner_id=booking.owner_id) as tx:
                current = await tx.bookings.get(booking.id)
                if current is not None and current.state is BookingState.HELD:
                    await let_go(tx, self._notices, current, refusal, now, tell=False)
        except Conflict:
            pass  # it was finished in this very moment
        return await self.current(booking.id)

    async def refusal(
        self, page: SchedulingPage, start: Instant, duration: int, *, moving: Booking | None = None
    ) -> SlotTaken:
        """Return the refusal with the nearest free starts; most often they are of the same day."""
        now, length = self._clock.now(), duration * MINUTE
        found: tuple[Instant, ...] = ()
        for before, after in AROUND:
            window = TimeRange(start - before, start + after + length)
            offer = await self.slots(page, window, now, duration, moving=moving)
            found = nearest(offer.slots, start)
            if len(found) == NEAREST:
                break
        return SlotTaken(found)

    # --- cancelling

    async def cancel(self, manage_token: str) -> Booking:
        """Cancel as the visitor; a second time changes nothing."""
        async with self._store.read() as tx:
            found = await self._of_token(tx, manage_token)
        return await self._cancel(found, by_visitor=True)

    async def cancel_as_owner(self, owner_id: int, booking_id: str) -> Booking:
        """Cancel as the owner; a second time changes nothing."""
        return await self._cancel(await self.get(owner_id, booking_id), by_visitor=False)

    async def _cancel(self, found: Booking, *, by_visitor: bool) -> Booking:
        now = self._clock.now()
        async with self._store.write(owner_id=found.owner_id) as tx:
            booking = await tx.bookings.get(found.id)
            if booking is None:
                raise NotFound("booking")
            if booking.state is BookingState.CANCELLED:
                return booking
            if booking.state not in LIVE:
                raise Conflict("not_booked", "This meeting was never booked.")
            if booking.end <= now:
                raise Conflict("over", "This meeting is over.")
            ended = await tx.bookings.move(
                replace(
                    booking,
                    moving=None,
                    sequence=booking.sequence + 1,
                    reason="visitor" if by_visitor else "owner",
                ),
                BookingState.CANCELLED,
                now,
            )
            was_written = booking.state not in (BookingState.REQUESTED, BookingState.HELD)
            if was_written and not await take_out_event(tx, ended, now):
                await tx.outbox.add(REMOVE, ended.id, {"booking": ended.id}, now)
            await self._notices.cancelled(tx, ended, booking.state, now, by=ended.reason)
            await wake_conflicts(tx, ended.owner_id, now)
        self._outbox.nudge()
        return ended

    # --- requests

    async def accept(self, owner_id: int, booking_id: str) -> Booking:
        """Accept a request: it is booked like any other, or stays a request with the reason why."""
        now = self._clock.now()
        async with self._store.write(owner_id=owner_id) as tx:
            owner = await _owner(tx, owner_id)
            decision = await self._claim.accept(tx, owner, booking_id, now)
        if isinstance(decision, CalendarUnavailable):
            raise decision
        return await self.settled(decision)

    async def decline(self, owner_id: int, booking_id: str) -> Booking:
        """Decline a request and tell the visitor."""
        now = self._clock.now()
        async with self._store.write(owner_id=owner_id) as tx:
            booking = await owned(tx, owner_id, booking_id)
            if booking.state is BookingState.DECLINED:
                return booking
            if booking.state is not BookingState.REQUESTED:
                raise Conflict("not_requested", "This is not an open request any more.")
            declined = await tx.bookings.move(
                replace(booking, reason="owner"), BookingState.DECLINED, now
            )
            await self._notices.declined(tx, declined, now)
        self._outbox.nudge()
        return declined

    # --- recovery

    async def recover(self) -> None:
        """Finish what a stopped or killed process left, as far as its leases have run out."""
        await self.reconcile()
        await self._outbox.settle()

    async def reconcile(self) -> bool:
        """Give every booking that stands still its work back; a loop of the worker calls this.

        A booking is claimed together with its work, so this finds nothing unless somebody repaired
        the database by hand; work that is there already makes the second one a no-op.
        """
        now = self._clock.now()
        async with self._store.read() as tx:
            found = [(WRITE, one) for one in await tx.bookings.unfinished()]
            found += [(MOVE, one) for one in await tx.bookings.on_the_move()]
        for kind, booking in found:
            if booking.updated_at + STUCK_AFTER > now:
                continue
            async with self._store.write(owner_id=booking.owner_id) as tx:
                await tx.outbox.add(kind, booking.id, {"booking": booking.id}, now)
        return False

    # --- reading

    async def current(self, booking_id: str) -> Booking:
        """Return a booking as it is now; raise NotFound where there is none."""
        async with self._store.read() as tx:
            booking = await tx.bookings.get(booking_id)
        if booking is None:
            raise NotFound("booking")
        return booking

    async def _of_token(self, tx: Transaction, manage_token: str) -> Booking:
        booking = await tx.bookings.by_manage_digest(digest(manage_token))
        if booking is None or booking.end + LINK_LIVES < self._clock.now():
            raise NotFound("booking")
        return booking


async def _owner(tx: Transaction, owner_id: int) -> Owner:
    owner = await tx.owners.get(owner_id)
    if owner is None:
        raise NotFound("owner")
    return owner
