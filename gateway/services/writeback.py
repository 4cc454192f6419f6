"""From held to confirmed: the outbox's handlers that write bookings into the default calendar.

Law: a booking is written to the calendar it was claimed for and to no other (S28), under a name
that follows from its id, so that writing twice makes one event. Into a local calendar the event
and `confirmed` are one transaction; at a provider `writing` is stored before the first call, and an
unclear outcome is written again under the same UID, never guessed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol, cast

from gateway.errors import (
    AccessLost,
    CalendarUnavailable,
    SignInNeeded,
    SlotTaken,
    UpstreamError,
)
from gateway.freebusy.explain import Rule, explain
from gateway.model import itip
from gateway.model.booking import Booking, BookingState
from gateway.model.collection import Collection
from gateway.model.page import SchedulingPage, stand_in
from gateway.model.principal import Owner
from gateway.model.timerange import HOUR, MINUTE, Instant, TimeRange
from gateway.ports import (
    Adapter,
    Capability,
    Cipher,
    Clock,
    Job,
    Sources,
    Store,
    Transaction,
    Writer,
)
from gateway.services.circumstances import calendars_of, circumstances
from gateway.services.claim import ACCEPTED, REMOVE
from gateway.services.freebusy import FreeBusyService
from gateway.services.last_look import LastLook, Unreadable, open_secret
from gateway.services.meeting_texts import meeting_for_owner
from gateway.services.notices import Notices
from gateway.services.objects import discard
from gateway.services.outbox import GiveUp, Leased
from gateway.services.prepared import prepare

HOLD_SECONDS = 10 * MINUTE
"""How old a held booking may be that another process finishes; its visitor has left by then."""
PATIENCE = 24 * HOUR
"""How long a provider that cannot be written to is tried, before the booking is cancelled."""
TOLD_AFTER = 15 * MINUTE
UNFINISHED = frozenset({BookingState.HELD, BookingState.WRITING, BookingState.PENDING})


class WritingAdapter(Adapter, Writer, Protocol):
    """What an adapter with Capability.WRITE is."""


class Upstreams:
    """Opens the writing side of a connected calendar."""

    def __init__(self, store: Store, sources: Sources, cipher: Cipher) -> None:
        self._store = store
        self._sources = sources
        self._cipher = cipher

    @asynccontextmanager
    async def writer(self, collection: Collection) -> AsyncIterator[Writer]:
        """Give the writer of a calendar's connection; raise AccessLost where there is none."""
        able = {
            spec.provider for spec in self._sources.specs() if Capability.WRITE in spec.capabilities
        }
        async with self._store.read() as tx:
            connection = await tx.connections.get(collection.connection_id or "")
        if connection is None or collection.provider.value not in able:
            raise AccessLost("This calendar cannot be written to.")
        adapter = self._sources.open(connection, open_secret(self._cipher, connection))
        try:
            yield cast("WritingAdapter", adapter)
        finally:
            await adapter.close()


class Writeback:
    """Finishes claimed bookings and takes cancelled ones out of the calendar again."""

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

    # --- booking.write

    async def write(self, leased: Leased) -> None:
        """Take one booking as far as it gets; every step may be repeated by another process."""
        async with self._store.read() as tx:
            booking = await tx.bookings.get(leased.job.payload["booking"])
            target = await target_of(tx, booking)
        if booking is None or booking.state not in UNFINISHED:
            return
        if booking.state is BookingState.HELD:
            try:
                await self._look_once_more(booking)
            except (SlotTaken, CalendarUnavailable) as refusal:
                await self._refuse(leased, booking, refusal)
                return
        if target is not None and target.is_local:
            await self._into_local(leased, booking, target)
        else:
            await self._into_upstream(leased, booking, target)

    async def written_off(self, tx: Transaction, job: Job, reason: str) -> None:
        """End a booking whose job was put away, and tell both sides."""
        booking = await tx.bookings.get(job.payload["booking"])
        if booking is None or booking.state not in UNFINISHED:
            return
        now = self._clock.now()
        if booking.state is BookingState.HELD:
            rejected = replace(booking, reason="not_written")
            rejected = await tx.bookings.move(rejected, BookingState.REJECTED, now)
            await self._notices.not_booked(tx, rejected, now)
            return
        ended = replace(booking, sequence=booking.sequence + 1, reason="not_written")
        ended = await tx.bookings.move(ended, BookingState.CANCELLED, now)
        # What an unclear answer may have left behind is taken out again.
        await tx.outbox.add(REMOVE, ended.id, {"booking": ended.id}, now)
        await self._notices.cancelled(tx, ended, booking.state, now, by="gateway")
        await self._notices.not_written(tx, ended, reason, now, final=True)

    async def _look_once_more(self, booking: Booking) -> None:
        now = self._clock.now()
        if booking.start < now or now - booking.updated_at > HOLD_SECONDS:
            raise SlotTaken
        async with self._store.read() as tx:
            page, owner = await _page_and_owner(tx, booking)
            if booking.is_on_record:
                page = stand_in(booking)
            if page is None:
                raise SlotTaken
            calendars = await calendars_of(tx, owner, now)
        if calendars.lost:
            raise Unreadable.of(calendars.lost)
        span = TimeRange(booking.start, booking.end)
        await self._look.check(page, span, calendars.selected, calendars.stale)

    async def _refuse(
        self, leased: Leased, booking: Booking, refusal: SlotTaken | CalendarUnavailable
    ) -> None:
        """Let go of a held time; a visitor who is no longer there is told by mail."""
        now = self._clock.now()
        async with leased.finish(owner_id=booking.owner_id) as tx:
            current = await tx.bookings.get(booking.id)
            if current is None or current.state is not BookingState.HELD:
                return
            page, owner = await _page_and_owner(tx, current)
            if isinstance(refusal, Unreadable) and page is not None:
                await self._notices.calendar_lost(
                    tx, owner, page, refusal.collections, now, cause=refusal.cause
                )
            await let_go(tx, self._notices, current, refusal, now, tell=not leased.attended)

    async def _into_local(self, leased: Leased, booking: Booking, target: Collection) -> None:
        """Write the event and confirm, in one transaction under the owner's lock."""
        now = self._clock.now()
        async with leased.finish(owner_id=booking.owner_id) as tx:
            current = await tx.bookings.get(booking.id)
            if current is None or current.state not in UNFINISHED:
                return
            page, owner = await _page_and_owner(tx, current)
            # The owner's own clients may have put something there since the claim.
            if current.state is BookingState.HELD and await self._is_busy(tx, current, now):
                tell = not leased.attended
                await let_go(tx, self._notices, current, SlotTaken(), now, tell=tell)
                return
            if current.state is not BookingState.WRITING:
                current = await tx.bookings.move(current, BookingState.WRITING, now)
            data = itip.event(meeting_for_owner(current, page or stand_in(current), owner))
            await store_event(tx, target, object_name(current), data, now)
            await self._confirm(tx, current, owner, target, now)

    async def _is_busy(self, tx: Transaction, booking: Booking, now: Instant) -> bool:
        page, owner = await _page_and_owner(tx, booking)
        calendars = await calendars_of(tx, owner, now)
        span = TimeRange(booking.start, booking.end)
        given = await circumstances(
            tx, self._freebusy, page or stand_in(booking), calendars, window=span, now=now
        )
        reasons = explain(given, booking.start, span.seconds // MINUTE)
        return any(reason.rule is Rule.BUSY for reason in reasons)

    async def _into_upstream(
        self, leased: Leased, booking: Booking, target: Collection | None
    ) -> None:
        writing = await self._set_out(booking)
        if writing is None:
            return
        try:
            if target is None:
                raise AccessLost("The calendar that bookings were written to is gone.")
            async with self._store.read() as tx:
                page, owner = await _page_and_owner(tx, writing)
            meeting = meeting_for_owner(writing, page or stand_in(writing), owner)
            by_provider = writing.is_on_record and target.invites
            data = itip.event(meeting, agent="SERVER" if by_provider else "NONE")
            async with self._upstreams.writer(target) as writer:
                await writer.create(target.upstream_id, writing.uid, data)
        except UpstreamError as failure:
            await self._wait(writing, failure)
            raise
        now = self._clock.now()
        async with leased.finish(owner_id=booking.owner_id) as tx:
            current = await tx.bookings.get(booking.id)
            if current is not None and current.state is BookingState.WRITING:
                await self._confirm(tx, current, owner, target, now)

    async def _set_out(self, booking: Booking) -> Booking | None:
        """Store that a write is under way, before it is; None if the booking has ended."""
        async with self._store.write(owner_id=booking.owner_id) as tx:
            current = await tx.bookings.get(booking.id)
            if current is None or current.state not in UNFINISHED:
                return None
            if current.state is BookingState.WRITING:
                return current
            return await tx.bookings.move(current, BookingState.WRITING, self._clock.now())

    async def _wait(self, booking: Booking, failure: UpstreamError) -> None:
        """Leave the booking pending; the owner hears at once of what only an owner can mend."""
        now = self._clock.now()
        if now - booking.created_at > PATIENCE or now >= booking.start:
            raise GiveUp(failure.detail) from failure
        async with self._store.write(owner_id=booking.owner_id) as tx:
            current = await tx.bookings.get(booking.id)
            if current is None or current.state is not BookingState.WRITING:
                return
            pending = await tx.bookings.move(current, BookingState.PENDING, now)
            needs_owner = isinstance(failure, SignInNeeded | AccessLost)
            if needs_owner or now - pending.created_at > TOLD_AFTER:
                await self._notices.not_written(tx, pending, failure.detail, now, final=False)

    async def _confirm(
        self, tx: Transaction, booking: Booking, owner: Owner, target: Collection, now: Instant
    ) -> None:
        confirmed = replace(booking, reason="", written_at=now)
        confirmed = await tx.bookings.move(confirmed, BookingState.CONFIRMED, now)
        await self._notices.confirmed(tx, confirmed, target, now)
        for one in (await calendars_of(tx, owner, now)).selected:
            if not one.is_local:
                await self._notices.calendar_back(tx, one, now)

    # --- booking.remove

    async def remove(self, leased: Leased) -> None:
        """Take a cancelled booking out of the provider's calendar."""
        async with self._store.read() as tx:
            booking = await tx.bookings.get(leased.job.payload["booking"])
            target = await target_of(tx, booking)
        if booking is None or target is None or target.is_local:
            return
        if self._clock.now() - booking.updated_at > PATIENCE:
            raise GiveUp("The event could not be removed for 24 hours.")
        async with self._upstreams.writer(target) as writer:
            await writer.remove(target.upstream_id, booking.uid)

    async def left_behind(self, tx: Transaction, job: Job, reason: str) -> None:
        """Tell the owner that a cancelled event still stands in the calendar."""
        booking = await tx.bookings.get(job.payload["booking"])
        if booking is not None:
            now = self._clock.now()
            await self._notices.not_removed(tx, booking, reason, now)


async def let_go(
    tx: Transaction,
    notices: Notices,
    booking: Booking,
    refusal: SlotTaken | CalendarUnavailable,
    now: Instant,
    *,
    tell: bool,
) -> None:
    """End a held booking with its reason; an accepted request is a request again."""
    taken = isinstance(refusal, SlotTaken)
    reason = "slot_taken" if taken else "calendar_unavailable"
    refused = replace(booking, reason=reason)
    if booking.reason == ACCEPTED:
        await tx.bookings.move(refused, BookingState.REQUESTED, now)
        return
    rejected = await tx.bookings.move(refused, BookingState.REJECTED, now)
    if tell:
        await notices.not_booked(tx, rejected, now)


async def store_event(
    tx: Transaction, target: Collection, name: str, data: bytes, now: Instant
) -> None:
    """Put a booking's event into a local calendar, with its times."""
    current = await tx.collections.get(target.id)
    if current is None:
        raise AccessLost("The calendar that bookings were written to is gone.")
    await prepare(data, current, lenient=True).write(tx, current, name=name, now=now)


async def take_out_event(tx: Transaction, booking: Booking, now: Instant) -> bool:
    """Remove a booking's event from its local calendar; tell whether it was a local one's."""
    target = await target_of(tx, booking)
    if target is None or not target.is_local:
        return False
    record = await tx.objects.by_uid(target.id, booking.uid)
    if record is not None:
        await discard(tx, record, now)
    return True


def object_name(booking: Booking) -> str:
    """Return the name of a booking's event in a local calendar: it follows from its id."""
    return f"{booking.id}.ics"


async def target_of(tx: Transaction, booking: Booking | None) -> Collection | None:
    """Return the calendar that a booking is written to; None where it takes no more writes."""
    if booking is None or booking.collection_id is None:
        return None
    target = await tx.collections.get(booking.collection_id)
    return target if target is not None and target.is_writable else None


async def _page_and_owner(tx: Transaction, booking: Booking) -> tuple[SchedulingPage | None, Owner]:
    owner = await tx.owners.get(booking.owner_id)
    assert owner is not None, "bookings go with their owner"
    return await tx.pages.get(booking.page_id), owner
