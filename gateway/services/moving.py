"""Moving a booking to another offered time: by its visitor's link, or by its owner.

The claim, the last look and the write are those of a booking; until the calendar has it, the
booking keeps both its times, so that neither is lost and neither is given away.
"""

import asyncio

from gateway.errors import CalendarUnavailable, NotFound, SlotTaken
from gateway.model.booking import Booking
from gateway.model.timerange import Instant, TimeRange
from gateway.ports import Clock, Store
from gateway.services.booking import LOOKING_SECONDS, POLL, BookingService
from gateway.services.booking_request import MoveRequest, check_key
from gateway.services.booking_views import Offer
from gateway.services.claim import Claim, Claimed, owned
from gateway.services.move_event import GONE, TAKEN, UNREADABLE, stay
from gateway.services.outbox import OutboxService

VISITOR, OWNER = "visitor", "owner"


class MovingService:
    """The use cases of a booking that gets another time."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        bookings: BookingService,
        claim: Claim,
        *,
        outbox: OutboxService,
        wait_seconds: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._bookings = bookings
        self._claim = claim
        self._outbox = outbox
        self._wait_seconds = wait_seconds

    async def slots(self, booking: Booking, window: TimeRange, duration: int) -> Offer:
        """Return where a booking can go; its own time keeps it from nowhere."""
        async with self._store.read() as tx:
            page = await tx.pages.get(booking.page_id)
        if page is None:
            raise NotFound("page")
        return await self._bookings.slots(page, window, self._clock.now(), duration, moving=booking)

    async def by_visitor(
        self,
        manage_token: str,
        start: Instant,
        duration: int,
        *,
        key: str | None = None,
        address: str = "",
    ) -> Booking:
        """Move as the visitor; return the booking, with `moving` while the calendar takes long.

        Raises SlotTaken with the nearest starts, CalendarUnavailable, Conflict, Invalid,
        IdempotencyMismatch or TooManyRequests; then the booking stands as it stood.
        """
        view = await self._bookings.by_token(manage_token)
        wanted = MoveRequest(start=start, duration=duration, by=VISITOR, address=address)
        return await self._move(view.booking, wanted, key)

    async def by_owner(
        self,
        owner_id: int,
        booking_id: str,
        start: Instant,
        duration: int | None = None,
        *,
        key: str | None = None,
        despite_busy: bool = False,
    ) -> Booking:
        """Move as the owner, by default without changing its length; raises what `by_visitor` does.

        Limits on who may book how often do not count the owner. `despite_busy` moves a meeting on a
        record although the owner is busy there, or a calendar cannot be read.
        """
        booking = await self._bookings.get(owner_id, booking_id)
        length = (booking.end - booking.start) // 60 if duration is None else duration
        wanted = MoveRequest(start=start, duration=length, by=OWNER, despite_busy=despite_busy)
        return await self._move(booking, wanted, key)

    async def _move(self, booking: Booking, wanted: MoveRequest, key: str | None) -> Booking:
        check_key(key)
        try:
            async with (
                self._bookings.turn,
                self._store.write(owner_id=booking.owner_id) as tx,
            ):
                decision = await self._claim.reschedule(
                    tx, booking.id, wanted, key, self._clock.now()
                )
            if isinstance(decision, CalendarUnavailable):
                self._outbox.nudge()
                raise decision
            return await self._settled(decision)
        except SlotTaken:
            raise await self._taken(booking, wanted) from None

    async def _settled(self, claimed: Claimed) -> Booking:
        """Wait until the booking has its time, as long as somebody may be kept waiting."""
        if claimed.job is None and not claimed.again:
            return claimed.booking  # it has that time already
        identifier = claimed.booking.id
        if claimed.job is not None:
            work = self._outbox.start(claimed.job, attended=True)
            _, late = await asyncio.wait({work}, timeout=self._wait_seconds)
            if late and _is_only_looked_at(await self._bookings.current(identifier)):
                await asyncio.wait({work}, timeout=LOOKING_SECONDS)
        elif claimed.again:
            await self._wait_for(identifier)
        booking = await self._bookings.current(identifier)
        if _is_only_looked_at(booking):
            booking = await self._let_go(booking)
        if booking.moving is None:
            _raise_refusal(booking)
        return booking

    async def _wait_for(self, booking_id: str) -> None:
        """Wait for what another request, or another node, has in hand."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_seconds
        while loop.time() < until:
            if (await self._bookings.current(booking_id)).moving is None:
                return
            await asyncio.sleep(POLL)

    async def _let_go(self, booking: Booking) -> Booking:
        """Give up a time that nobody could confirm is free while somebody waited."""
        async with self._store.write(owner_id=booking.owner_id) as tx:
            current = await owned(tx, booking.owner_id, booking.id)
            if _is_only_looked_at(current):
                return await stay(tx, current, UNREADABLE, self._clock.now())
        return current

    async def _taken(self, booking: Booking, wanted: MoveRequest) -> SlotTaken:
        async with self._store.read() as tx:
            page = await tx.pages.get(booking.page_id)
        if page is None:
            return SlotTaken()
        return await self._bookings.refusal(page, wanted.start, wanted.duration, moving=booking)


def _is_only_looked_at(booking: Booking) -> bool:
    return booking.moving is not None and not booking.moving.written


def _raise_refusal(booking: Booking) -> None:
    if booking.reason in (TAKEN, GONE):
        raise SlotTaken
    if booking.reason == UNREADABLE:
        raise CalendarUnavailable((), "A calendar could not be read.")
