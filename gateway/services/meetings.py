"""Meetings that an owner makes on a contact's record (S11, S12).

Law: with a connected calendar such a meeting is a booking without a page: written to the default
calendar by the same outbox, once, and the contact is invited once, by the provider or by our mail.
Without one, or in the past, it is only kept on the record: nothing is written, nobody is mailed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from gateway.errors import (
    CalendarUnavailable,
    Conflict,
    IdempotencyMismatch,
    Invalid,
    NotFound,
    SlotTaken,
)
from gateway.freebusy.explain import Rule, explain
from gateway.model.address import addr_spec, address_key
from gateway.model.booking import ON_RECORD, Booking, BookingState
from gateway.model.contact import Contact
from gateway.model.engagement import (
    Engagement,
    EngagementOrigin,
    EngagementState,
)
from gateway.model.page import stand_in
from gateway.model.principal import Owner
from gateway.model.timerange import MAX_INSTANT, MIN_INSTANT, MINUTE, Instant, TimeRange
from gateway.model.zones import zone
from gateway.ports import Clock, Store, StoredAnswer, Transaction
from gateway.services.booking import BookingService
from gateway.services.booking_request import MAX_GUESTS, MAX_LINE, check_key, one_line
from gateway.services.circumstances import Calendars, calendars_of, circumstances
from gateway.services.claim import Claim, Claimed, unavailable
from gateway.services.contacts import contact_of, engagement_of
from gateway.services.freebusy import FreeBusyService
from gateway.services.moving import MovingService
from gateway.services.tokens import new_id

MAX_TITLE, MAX_MINUTES = 200, 1440
BUSY = "You are busy at that time. Say that it is meant so, or choose another."
INVITED = "The invitation is out, so only the time can be changed. Else cancel, and make another."
BOOKED = "A booking is there at that time. Move or cancel it first."


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingWish:
    """A meeting to be made; `duration` is minutes. `despite_busy` says that the owner knows."""

    contact_id: str
    title: str
    start: Instant
    duration: int
    place: str = ""
    time_zone: str = ""
    guests: tuple[str, ...] = ()
    despite_busy: bool = False

    @property
    def end(self) -> Instant:
        """When it ends."""
        return self.start + self.duration * MINUTE

    def digest(self) -> str:
        """Return a digest of what is asked for, to tell whether a repeated key means the same."""
        facts = [self.contact_id, self.title, self.start, self.duration, self.place]
        return sha256(
            json.dumps([*facts, self.time_zone, self.guests, self.despite_busy]).encode()
        ).hexdigest()


class MeetingService:
    """The use cases of meetings on a record; whoever calls has signed the owner in."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        freebusy: FreeBusyService,
        claim: Claim,
        *,
        bookings: BookingService,
        moving: MovingService,
    ) -> None:
        self._store = store
        self._clock = clock
        self._freebusy = freebusy
        self._claim = claim
        self._bookings = bookings
        self._moving = moving

    async def make(self, owner: Owner, wish: MeetingWish, key: str | None = None) -> Engagement:
        """Make a meeting; the contact is invited if there is a calendar to write it to.

        Raises Conflict `busy` or `slot_taken`, or CalendarUnavailable; then nothing is made. The
        same key again gives the same engagement.
        """
        check_key(key)
        wish = checked(wish, owner)
        async with self._store.write(owner_id=owner.id) as tx:
            contact = await contact_of(tx, owner.id, wish.contact_id)
            if key is not None and (known := await self._answered(tx, contact, wish, key)):
                return known
            engagement, claimed = await self._made(tx, owner, contact, wish)
            await tx.engagements.add(engagement)
            if key is not None:
                answer = StoredAnswer(digest=wish.digest(), booking_id=engagement.id)
                await tx.keys.put(contact.id, key, answer, self._clock.now())
        if claimed is not None:
            await self._settle(owner, engagement, claimed)
        return await self._fresh(owner, engagement.id)

    async def change(
        self, owner: Owner, engagement_id: str, changes: Mapping[str, Any]
    ) -> Engagement:
        """Change a meeting; of one that somebody was invited to only the time, and they are told.

        `changes` are members of a MeetingWish, `despite_busy` for this once among them.
        Raises Conflict `invited`, `busy`, `slot_taken`, `over`, `not_confirmed` or `moving`, or
        CalendarUnavailable; then the meeting stands as it stood.
        """
        async with self._store.write(owner_id=owner.id) as tx:
            found = await self._made_here(tx, owner, engagement_id)
            before = _wish_of(found)
            wish = checked(replace(before, **changes), owner)
            if found.state is EngagementState.CANCELLED:
                raise Conflict("over", "This meeting is cancelled.")
            now = self._clock.now()
            if not found.booking_id:
                await tx.engagements.update(replace(_kept(found, wish), updated_at=now))
                return await engagement_of(tx, owner.id, engagement_id)
            if (wish.title, wish.place) != (before.title, before.place):
                raise Conflict("invited", INVITED)
            is_moved = (wish.start, wish.duration) != (before.start, before.duration)
            if is_moved and wish.start < now:
                raise Invalid({"start": "Whoever was invited can only be told a time to come."})
        await self._move(owner, found, wish)
        return await self._fresh(owner, engagement_id)

    async def _move(self, owner: Owner, found: Engagement, wish: MeetingWish) -> None:
        """Move the booking behind a meeting; the claim and the last look decide."""
        try:
            await self._moving.by_owner(
                owner.id,
                found.booking_id,
                wish.start,
                wish.duration,
                despite_busy=wish.despite_busy,
            )
        except SlotTaken:
            others = TimeRange(wish.start, wish.end)
            async with self._store.read() as tx:
                there = await tx.bookings.blocking(owner.id, others)
            if any(one.id != found.booking_id for one in there):
                raise Conflict("slot_taken", BOOKED) from None
            raise Conflict("busy", BUSY) from None

    async def cancel(self, owner: Owner, engagement_id: str) -> Engagement:
        """Cancel a meeting and keep it on the record; whoever was invited is told once."""
        async with self._store.write(owner_id=owner.id) as tx:
            found = await self._made_here(tx, owner, engagement_id)
            if not found.booking_id and found.state is not EngagementState.CANCELLED:
                await tx.engagements.update(
                    replace(found, state=EngagementState.CANCELLED, updated_at=self._clock.now())
                )
        if found.booking_id and found.state is not EngagementState.CANCELLED:
            await self._bookings.cancel_as_owner(owner.id, found.booking_id)
        return await self._fresh(owner, engagement_id)

    async def remove(self, owner: Owner, engagement_id: str) -> None:
        """Take a meeting off the record; one that is still to come is cancelled first."""
        async with self._store.read() as tx:
            found = await self._made_here(tx, owner, engagement_id)
        if found.end > self._clock.now():
            await self.cancel(owner, engagement_id)
        async with self._store.write(owner_id=owner.id) as tx:
            await tx.engagements.remove(engagement_id)

    # --- making

    async def _answered(
        self, tx: Transaction, contact: Contact, wish: MeetingWish, key: str
    ) -> Engagement | None:
        answer = await tx.keys.get(contact.id, key)
        if answer is None:
            return None
        if answer.digest != wish.digest():
            raise IdempotencyMismatch
        known = await tx.engagements.get(answer.booking_id)
        if known is None:
            raise Conflict("busy", BUSY)  # what the first one was told
        return known

    async def _made(
        self, tx: Transaction, owner: Owner, contact: Contact, wish: MeetingWish
    ) -> tuple[Engagement, Claimed | None]:
        now = self._clock.now()
        blank = Engagement(
            id=new_id("en_"),
            owner_id=owner.id,
            contact_id=contact.id,
            origin=EngagementOrigin.RECORD,
            start=wish.start,
            end=wish.end,
            created_at=now,
            updated_at=now,
        )
        calendars = await calendars_of(tx, await _current(tx, owner), now)
        if calendars.default is None or wish.start < now:
            return _kept(blank, wish), None
        booking = self._booking(calendars, contact, wish, now)
        if not wish.despite_busy:
            await self._look(tx, calendars, booking, now)
        try:
            await tx.bookings.add(booking)
        except SlotTaken:
            raise Conflict("slot_taken", BOOKED) from None
        claimed = Claimed(booking=booking, job=await self._claim.job(tx, booking, now))
        return replace(_kept(blank, wish), booking_id=booking.id), claimed

    async def _look(
        self, tx: Transaction, calendars: Calendars, booking: Booking, now: Instant
    ) -> None:
        """Raise what speaks against a meeting, as the owner's calendars are known here."""
        if calendars.lost:
            raise unavailable(calendars)
        page, span = stand_in(booking), TimeRange(booking.start, booking.end)
        given = await circumstances(tx, self._freebusy, page, calendars, window=span, now=now)
        rules = {one.rule for one in explain(given, booking.start, span.seconds // MINUTE)}
        if Rule.BOOKING in rules:
            raise Conflict("slot_taken", BOOKED)
        if Rule.BUSY in rules:
            raise Conflict("busy", BUSY)

    def _booking(
        self, calendars: Calendars, contact: Contact, wish: MeetingWish, now: Instant
    ) -> Booking:
        owner, default = calendars.owner, calendars.default
        assert default is not None, "asked only where there is one"
        # Held, the time is looked at live once more; whoever knows that it is busy does not ask.
        state = BookingState.WRITING if wish.despite_busy else BookingState.HELD
        return self._claim.blank(
            owner.id,
            now,
            page_id="",
            state=state,
            start=wish.start,
            end=wish.end,
            time_zone=wish.time_zone or owner.time_zone,
            name=contact.label,
            email=contact.email,
            guests=wish.guests,
            title=wish.title,
            place=wish.place,
            collection_id=default.id,
            source=ON_RECORD,
            locale=owner.locale,
        )

    async def _settle(self, owner: Owner, engagement: Engagement, claimed: Claimed) -> None:
        """Wait for the write; what was refused at the last moment leaves nothing on the record."""
        try:
            await self._bookings.settled(claimed)
        except (SlotTaken, CalendarUnavailable) as refusal:
            async with self._store.write(owner_id=owner.id) as tx:
                await tx.engagements.remove(engagement.id)
            if isinstance(refusal, SlotTaken):
                raise Conflict("busy", BUSY) from None
            raise

    async def _made_here(self, tx: Transaction, owner: Owner, engagement_id: str) -> Engagement:
        found = await engagement_of(tx, owner.id, engagement_id)
        if found.origin is EngagementOrigin.CALENDAR:
            raise Conflict("from_calendar", "This meeting is a calendar's: change it there.")
        return found

    async def _fresh(self, owner: Owner, engagement_id: str) -> Engagement:
        async with self._store.read() as tx:
            return await engagement_of(tx, owner.id, engagement_id)


def checked(wish: MeetingWish, owner: Owner) -> MeetingWish:
    """Return the wish with clean values; raise Invalid with a sentence for each wrong field."""
    wrong: dict[str, str] = {}
    title, place = one_line(wish.title), one_line(wish.place)
    if not 1 <= len(title) <= MAX_TITLE:
        wrong["title"] = f"A title is one line of 1 to {MAX_TITLE} characters."
    if len(place) > MAX_LINE:
        wrong["location"] = f"A place has at most {MAX_LINE} characters."
    if not 1 <= wish.duration <= MAX_MINUTES:
        wrong["duration"] = f"A meeting takes 1 to {MAX_MINUTES} minutes."
    if not MIN_INSTANT <= wish.start < MAX_INSTANT:
        wrong["start"] = "This is not a time that can be booked."
    name = wish.time_zone or owner.time_zone
    found = zone(name) if len(name) <= MAX_LINE else None
    if found is None:
        wrong["time_zone"] = "This time zone is unknown; use a name such as Europe/Amsterdam."
    guests = [addr_spec(guest) for guest in wish.guests]
    if len(guests) > MAX_GUESTS or not all(guests):
        wrong["guests"] = f"Give at most {MAX_GUESTS} guests, each as one e-mail address."
    if wrong:
        raise Invalid(wrong)
    others = {address_key(guest): guest for guest in guests if guest}
    return replace(
        wish,
        title=title,
        place=place,
        time_zone=found.name if found else "",
        guests=tuple(others.values()),
    )


def can_be_cancelled(engagement: Engagement, now: Instant) -> bool:
    """Tell whether a meeting was made on the record and can still be called off."""
    return (
        engagement.origin is EngagementOrigin.RECORD
        and engagement.state is not EngagementState.CANCELLED
        and engagement.end > now
    )


def can_be_moved(engagement: Engagement, now: Instant) -> bool:
    """Tell whether a meeting was made on the record and its time is for the owner to change."""
    return can_be_cancelled(engagement, now) and engagement.state is not EngagementState.PENDING


def _kept(engagement: Engagement, wish: MeetingWish) -> Engagement:
    return replace(
        engagement,
        title=wish.title,
        place=wish.place,
        start=wish.start,
        end=wish.end,
        times=((wish.start, wish.end),),
    )


def _wish_of(found: Engagement) -> MeetingWish:
    return MeetingWish(
        contact_id=found.contact_id,
        title=found.title,
        place=found.place,
        start=found.start,
        duration=(found.end - found.start) // MINUTE,
    )


async def _current(tx: Transaction, owner: Owner) -> Owner:
    found = await tx.owners.get(owner.id)
    if found is None:
        raise NotFound("owner")
    return found
