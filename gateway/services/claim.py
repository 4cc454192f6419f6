"""The claim: one transaction under the owner's lock that decides who has a time.

Law: everything a booking needs is stored here together (the booking, the answer to its
Idempotency-Key, the work that follows), or nothing is. What it rests on is read again in the same
transaction, so that what was shown, or looked at a moment before, decides nothing.
"""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import (
    CalendarUnavailable,
    Conflict,
    IdempotencyMismatch,
    Invalid,
    NotFound,
    SlotTaken,
    TooManyRequests,
)
from gateway.freebusy.explain import Rule, explain
from gateway.model.address import mailbox_key
from gateway.model.booking import Booking, BookingState, Move
from gateway.model.collection import Collection
from gateway.model.page import PageState, SchedulingPage, stand_in
from gateway.model.principal import Owner
from gateway.model.timerange import (
    DAY,
    HOUR,
    MAX_INSTANT,
    MIN_INSTANT,
    MINUTE,
    Instant,
    TimeRange,
)
from gateway.ports import Cipher, Job, StoredAnswer, Transaction
from gateway.services.booking_request import BookingRequest, MoveRequest
from gateway.services.circumstances import Calendars, calendars_of, cause_of, circumstances, names
from gateway.services.freebusy import FreeBusyService
from gateway.services.notices import Notices
from gateway.services.outbox import LEASE_SECONDS
from gateway.services.tokens import digest, new_id, new_secret

WRITE = "booking.write"
REMOVE = "booking.remove"
MOVE = "booking.move"
ACCEPTED = "accepted"
"""The reason of a held booking that was a request: refused by the last look, it is one again."""
DECIDED_BY_OWNER = frozenset({Rule.STATE, Rule.NOTICE, Rule.HORIZON, Rule.CLOSED, Rule.STEP})
"""What an owner who accepts a request has decided by accepting it."""
OWN_RULES = frozenset(Rule) - {Rule.BUSY, Rule.BOOKING, Rule.NOTICE, Rule.UNAVAILABLE}
"""What no page says about a meeting on a record, which its owner moves."""
KNOWN_RULES = OWN_RULES | {Rule.BUSY, Rule.UNAVAILABLE}
"""What counts no more once the owner says that it is known to be busy; a booking does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """How many bookings one network address and one mailbox may make; 0 turns a limit off."""

    per_address_per_hour: int = 20
    per_email_per_day: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A booking and the job that finishes it; without a job there is nothing to wait for.

    `again` says that the same key brought an answer that was given before.
    """

    booking: Booking
    job: Job | None = None
    again: bool = False


class Claim:
    """Decides claims; every method works inside the transaction it is given."""

    def __init__(
        self,
        freebusy: FreeBusyService,
        cipher: Cipher,
        notices: Notices,
        limits: RateLimits,
        *,
        node: str,
        public_url: str,
    ) -> None:
        self._freebusy = freebusy
        self._cipher = cipher
        self._notices = notices
        self._limits = limits
        self._node = node
        self._host = urlsplit(public_url).hostname or "localhost"

    async def decide(
        self,
        tx: Transaction,
        page_id: str,
        request: BookingRequest,
        key: str | None,
        now: Instant,
    ) -> Claimed | CalendarUnavailable:
        """Return the claimed booking, or the refusal that is to be committed with its notice."""
        if key is not None and (known := await self.answered(tx, page_id, request, key)):
            return Claimed(booking=known, again=True)
        page, owner = await live_page(tx, page_id)
        await self._count(tx, request, now)
        calendars = await calendars_of(tx, owner, now)
        if calendars.lost:
            await self._notices.calendar_lost(tx, owner, page, calendars.lost, now)
            return unavailable(calendars)
        wanted = self._new(page, calendars, request, now)
        if await self._refused(tx, page, calendars, wanted):
            raise SlotTaken
        return await self._store(tx, page, calendars, wanted, answer_to=(key, request.digest()))

    async def attempted(self, tx: Transaction, page_id: str, address: str, now: Instant) -> None:
        """Post the owner's notice of an attempt, counted like a booking; nothing else is kept."""
        page, owner = await live_page(tx, page_id)
        await self._count_address(tx, address, now)
        calendars = await calendars_of(tx, owner, now)
        if calendars.lost:
            await self._notices.calendar_lost(tx, owner, page, calendars.lost, now)

    async def answered(
        self, tx: Transaction, page_id: str, request: BookingRequest, key: str
    ) -> Booking | None:
        """Return the booking a key was answered with; another body under it is a mismatch."""
        answer = await tx.keys.get(page_id, key)
        if answer is None:
            return None
        if answer.digest != request.digest():
            raise IdempotencyMismatch
        return await tx.bookings.get(answer.booking_id)

    async def accept(
        self, tx: Transaction, owner: Owner, booking_id: str, now: Instant
    ) -> Claimed | CalendarUnavailable:
        """Turn a request into a claim: availability is checked again (S05)."""
        booking = await owned(tx, owner.id, booking_id)
        if booking.state is not BookingState.REQUESTED:
            raise Conflict("not_requested", "This is not an open request any more.")
        page = await tx.pages.get(booking.page_id)
        if page is None:
            raise Conflict("page_gone", "The page of this request was removed; decline it.")
        calendars = await calendars_of(tx, owner, now)
        if calendars.default is None:
            raise Conflict("offline", "Connect a calendar first: a booking is written to one.")
        if calendars.lost:
            return unavailable(calendars)
        claimed = replace(
            booking, collection_id=calendars.default.id, reason=ACCEPTED, updated_at=now
        )
        refused = await self._refused(tx, page, calendars, claimed, forgiven=DECIDED_BY_OWNER)
        if refused or booking.start < now:
            raise SlotTaken
        held = await tx.bookings.move(claimed, BookingState.HELD, now)
        return Claimed(booking=held, job=await self.job(tx, held, now))

    async def reschedule(
        self, tx: Transaction, booking_id: str, wanted: MoveRequest, key: str | None, now: Instant
    ) -> Claimed | CalendarUnavailable:
        """Give a booking a second time that it keeps until its calendar has one of the two."""
        booking = await tx.bookings.get(booking_id)
        if booking is None:
            raise NotFound("booking")
        body = wanted.digest(booking.id)
        if key is not None and await _is_answered(tx, booking, key, body):
            return Claimed(booking=booking, again=True)
        on_record = booking.is_on_record and wanted.by == "owner"
        knowing = on_record and wanted.despite_busy
        page, owner = await (_stand_in_of if on_record else _page_of)(tx, booking)
        # Whoever knows that the time is busy has it looked at no more, as when making a meeting so.
        move = replace(_as_asked(page, wanted, now), written=knowing)
        _assert_movable(booking, await tx.collections.get(booking.collection_id or 0), now)
        if (move.start, move.end) == (booking.start, booking.end):
            return Claimed(booking=booking)
        if wanted.by == "visitor":
            await self._count_address(tx, wanted.address, now)
            await self._count_mailboxes(tx, {booking.email, *booking.guests}, now)
        calendars = await calendars_of(tx, owner, now)
        if calendars.lost and not knowing:
            if wanted.by == "visitor":
                await self._notices.calendar_lost(tx, owner, page, calendars.lost, now)
            return unavailable(calendars)
        there = replace(booking, start=move.start, end=move.end, updated_at=now)
        forgiven = (KNOWN_RULES if knowing else OWN_RULES) if on_record else frozenset()
        if await self._refused(tx, page, calendars, there, forgiven=forgiven, moving=booking):
            raise SlotTaken
        keeping = await tx.bookings.move(replace(booking, moving=move), booking.state, now)
        if key is not None:
            stored = StoredAnswer(digest=body, booking_id=booking.id)
            await tx.keys.put(booking.page_id, key, stored, now)
        return Claimed(booking=keeping, job=await self.job(tx, keeping, now, kind=MOVE))

    async def _count(self, tx: Transaction, request: BookingRequest, now: Instant) -> None:
        """Count the booking under its network address and every mailbox that will get mail."""
        await self._count_address(tx, request.address, now)
        await self._count_mailboxes(tx, {request.email, *request.guests}, now)

    async def _count_mailboxes(self, tx: Transaction, addresses: set[str], now: Instant) -> None:
        # Sorted, so that two claims never wait for each other's counters.
        for mailbox in sorted(map(mailbox_key, addresses)):
            wait = await tx.counters.hit(
                f"booking:email:{mailbox}",
                now,
                window=DAY,
                limit=self._limits.per_email_per_day,
            )
            if wait:
                raise TooManyRequests("bookings_per_email_per_day", wait)

    async def _count_address(self, tx: Transaction, address: str, now: Instant) -> None:
        if not address:
            return
        limit = self._limits.per_address_per_hour
        wait = await tx.counters.hit(f"booking:address:{address}", now, window=HOUR, limit=limit)
        if wait:
            raise TooManyRequests("bookings_per_address_per_hour", wait)

    async def _refused(
        self,
        tx: Transaction,
        page: SchedulingPage,
        calendars: Calendars,
        wanted: Booking,
        *,
        forgiven: frozenset[Rule] = frozenset(),
        moving: Booking | None = None,
    ) -> bool:
        """Ask the slot engine about this one start, at the moment of the claim."""
        span = TimeRange(wanted.start, wanted.end)
        given = await circumstances(
            tx,
            self._freebusy,
            page,
            calendars,
            window=span,
            now=wanted.updated_at,
            moving=moving,
        )
        reasons = explain(given, wanted.start, span.seconds // MINUTE)
        return any(one.rule not in forgiven for one in reasons)

    async def _store(
        self,
        tx: Transaction,
        page: SchedulingPage,
        calendars: Calendars,
        booking: Booking,
        *,
        answer_to: tuple[str | None, str],
    ) -> Claimed:
        key, body = answer_to
        now = booking.created_at
        await tx.bookings.add(booking)
        if key is not None:
            answer = StoredAnswer(digest=body, booking_id=booking.id)
            await tx.keys.put(page.id, key, answer, now)
        if booking.state is BookingState.REQUESTED:
            await self._notices.requested(tx, booking, page, calendars.owner, now)
            return Claimed(booking=booking)
        return Claimed(booking=booking, job=await self.job(tx, booking, now))

    async def job(
        self, tx: Transaction, booking: Booking, now: Instant, *, kind: str = WRITE
    ) -> Job | None:
        """Store the work that follows and take it in hand at once.

        Leased from its first moment: nobody else starts it while this process lives, and it comes
        back by itself when the process dies.
        """
        await tx.outbox.add(kind, booking.id, {"booking": booking.id}, now)
        leased = await tx.outbox.lease(
            self._node, now, seconds=LEASE_SECONDS, limit=1, subject=booking.id
        )
        return leased[0] if leased else None

    def _new(
        self, page: SchedulingPage, calendars: Calendars, request: BookingRequest, now: Instant
    ) -> Booking:
        default = calendars.default
        return self.blank(
            page.owner_id,
            now,
            page_id=page.id,
            state=BookingState.HELD if default else BookingState.REQUESTED,
            start=request.start,
            end=request.start + request.duration * MINUTE,
            buffer_before=page.buffer_before,
            buffer_after=page.buffer_after,
            time_zone=request.time_zone,
            name=request.name,
            email=request.email,
            answers=dict(request.answers),
            guests=request.guests,
            collection_id=default.id if default else None,
            source=request.source,
            locale=request.locale,
        )

    def blank(self, owner_id: int, now: Instant, **values: Any) -> Booking:
        """Return a new booking with its names and its secret; `values` say what it is."""
        identifier, token = new_id("bk_"), new_secret()
        return Booking(
            id=identifier,
            owner_id=owner_id,
            uid=f"{identifier}@{self._host}",
            manage_digest=digest(token),
            manage_sealed=self._cipher.seal(token.encode(), bound_to=token_of(identifier)),
            created_at=now,
            updated_at=now,
            **values,
        )


async def _is_answered(tx: Transaction, booking: Booking, key: str, body: str) -> bool:
    answer = await tx.keys.get(booking.page_id, key)
    if answer is not None and answer.digest != body:
        raise IdempotencyMismatch
    return answer is not None


async def _page_of(tx: Transaction, booking: Booking) -> tuple[SchedulingPage, Owner]:
    try:
        return await live_page(tx, booking.page_id)
    except NotFound:
        raise Conflict("page_gone", "The page of this meeting offers no times any more.") from None


async def _stand_in_of(tx: Transaction, booking: Booking) -> tuple[SchedulingPage, Owner]:
    if (owner := await tx.owners.get(booking.owner_id)) is None:
        raise NotFound("owner")  # its length is for its owner to say
    return replace(stand_in(booking), durations=()), owner


def _as_asked(page: SchedulingPage, wanted: MoveRequest, now: Instant) -> Move:
    wrong: dict[str, str] = {}
    if page.durations and wanted.duration not in page.durations:
        wrong["duration"] = "This page does not offer meetings of that length."
    if not MIN_INSTANT <= wanted.start < MAX_INSTANT:
        wrong["start"] = "This is not a time that can be booked."
    if wrong:
        raise Invalid(wrong)
    end = wanted.start + wanted.duration * MINUTE
    return Move(start=wanted.start, end=end, by=wanted.by, since=now)


def _assert_movable(booking: Booking, home: Collection | None, now: Instant) -> None:
    if booking.state is not BookingState.CONFIRMED:
        raise Conflict("not_confirmed", "Only a confirmed meeting can be moved.")
    if booking.end <= now:
        raise Conflict("over", "This meeting is over.")
    if booking.moving is not None:
        raise Conflict("moving", "This meeting is being moved already. Try again in a moment.")
    if home is None or not home.is_writable:
        raise CalendarUnavailable((), "The calendar that this meeting is in is gone.")


def token_of(booking_id: str) -> str:
    """Return what a booking's sealed manage token is bound to."""
    return f"booking.manage_sealed:{booking_id}"


def unavailable(calendars: Calendars) -> CalendarUnavailable:
    """Return the refusal that names the lost calendars."""
    return CalendarUnavailable(names(calendars.lost), cause_of(calendars.lost[0]))


async def live_page(tx: Transaction, page_id: str) -> tuple[SchedulingPage, Owner]:
    """Return a page that visitors can reach, and its owner."""
    page = await tx.pages.get(page_id)
    owner = await tx.owners.get(page.owner_id) if page else None
    if page is None or owner is None or owner.disabled or page.state is not PageState.LIVE:
        raise NotFound("page")
    return page, owner


async def owned(tx: Transaction, owner_id: int, booking_id: str) -> Booking:
    """Return a booking of the owner's; another's looks like none."""
    booking = await tx.bookings.get(booking_id)
    if booking is None or booking.owner_id != owner_id:
        raise NotFound("booking")
    return booking
