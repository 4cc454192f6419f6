"""Who is told what, and how often: decided in the transaction of the change it tells of."""

from collections.abc import Sequence
from itertools import takewhile

from gateway.model.booking import Booking, BookingState
from gateway.model.collection import Collection
from gateway.model.connection import Connection
from gateway.model.home import home_of
from gateway.model.itip import cancel, request
from gateway.model.page import SchedulingPage, stand_in
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, Instant, TimeRange
from gateway.ports import Cipher, Transaction
from gateway.services.circumstances import cause_of, names
from gateway.services.letters import (
    Attempts,
    Occasion,
    OwnerLetters,
    Text,
    Translate,
    VisitorLetters,
    attempts_letter,
    back_letter,
    sign_in_letter,
)
from gateway.services.mails import Letter, Postbox
from gateway.services.meeting_texts import meeting_of

LOST = "calendar_lost"
NOT_WRITTEN = "not_written"
NOT_MOVED = "not_moved"
CONFLICT = "conflict"
ATTEMPT = "booking.attempt"
ATTEMPTS_TOLD = "booking.attempts_told"
SIGN_IN = "sign_in_needed"
TOLD_AGAIN_AFTER = 7 * DAY
"""How long after a mail about a dead sign-in the next one may go out, while it stays dead."""
DIGEST_AFTER = DAY
"""After the first mail about a lost calendar, further attempts are told once a day."""
TRAIL = 1000


class Notices:
    """Composes and posts the mails about bookings and about calendars that visitors depend on."""

    def __init__(
        self,
        postbox: Postbox,
        cipher: Cipher,
        translate: Translate,
        *,
        public_url: str,
        hosts: Sequence[str] = (),
    ) -> None:
        self._postbox = postbox
        self._cipher = cipher
        self._translate = translate
        self._public_url = public_url.rstrip("/")
        self._hosts = tuple(hosts)

    # --- bookings

    def manage_url(self, booking: Booking, owner: Owner | None = None) -> str:
        """Return the link with which a booking's visitor manages it, on its owner's host (S35)."""
        bound_to = f"booking.manage_sealed:{booking.id}"
        token = self._cipher.open(booking.manage_sealed, bound_to=bound_to)
        home = home_of(owner, self._public_url, self._hosts) if owner else self._public_url
        return f"{home}/meetings/b/{token.decode()}"

    async def confirmed(
        self, tx: Transaction, booking: Booking, calendar: Collection, now: Instant
    ) -> None:
        """Invite the visitor and the guests, tell the owner."""
        if booking.is_on_record:
            await self._invite(tx, booking, calendar, now)
            return
        given = await self._occasion(tx, booking)
        letters = VisitorLetters(self._translate, given)
        invitation = request(meeting_of(booking, given.page, given.owner))
        for recipient in (booking.email, *booking.guests):
            text = letters.confirmed(guest=recipient != booking.email)
            await self._visitor(
                tx, given, recipient, "confirmed", text, now=now, calendar=(invitation, "REQUEST")
            )
        name = calendar.display_name or calendar.name
        await self._owner(
            tx, given, "booked", OwnerLetters(self._translate, given).booked(name), now
        )

    async def _invite(
        self, tx: Transaction, booking: Booking, calendar: Collection, now: Instant
    ) -> None:
        """Invite a contact and the guests, once: not where the calendar's provider does (S11)."""
        if calendar.invites:
            return
        given = await self._occasion(tx, booking)
        letters = VisitorLetters(self._translate, given)
        invitation = request(meeting_of(booking, given.page, given.owner)), "REQUEST"
        for recipient in (booking.email, *booking.guests):
            text = letters.invited(guest=recipient != booking.email)
            await self._visitor(tx, given, recipient, "invited", text, now=now, calendar=invitation)

    async def requested(
        self, tx: Transaction, booking: Booking, page: SchedulingPage, owner: Owner, now: Instant
    ) -> None:
        """Tell both sides of a request (S05)."""
        given = self._of(booking, page, owner)
        visitor, mine = VisitorLetters(self._translate, given), OwnerLetters(self._translate, given)
        await self._visitor(tx, given, booking.email, "requested", visitor.requested(), now=now)
        await self._owner(tx, given, "requested", mine.requested(), now)

    async def declined(self, tx: Transaction, booking: Booking, now: Instant) -> None:
        """Tell the visitor that the owner declined."""
        given = await self._occasion(tx, booking)
        text = VisitorLetters(self._translate, given).declined()
        await self._visitor(tx, given, booking.email, "declined", text, now=now)

    async def cancelled(
        self,
        tx: Transaction,
        booking: Booking,
        before: BookingState,
        now: Instant,
        *,
        by: str,
    ) -> None:
        """Tell everybody who knew of it, with the CANCEL where an invitation went out before.

        `by` is `visitor`, `owner`, `calendar` (the owner, there) or `gateway`.
        """
        given = await self._occasion(tx, booking)
        text = VisitorLetters(self._translate, given).cancelled(by_visitor=by == "visitor")
        invited = before is BookingState.CONFIRMED
        taking_back = (cancel(meeting_of(booking, given.page, given.owner)), "CANCEL")
        told = (booking.email, *(booking.guests if invited else ()))
        if booking.is_on_record and not (invited and await self._invited_by_us(tx, booking)):
            told = ()
        for recipient in told:
            await self._visitor(
                tx,
                given,
                recipient,
                "cancelled",
                text,
                now=now,
                calendar=taking_back if invited else None,
            )
        if booking.is_on_record and by != "visitor":
            return  # the owner has just done it
        mine = OwnerLetters(self._translate, given).cancelled(by=by)
        await self._owner(tx, given, "cancelled", mine, now)

    async def moved(
        self, tx: Transaction, booking: Booking, before: Booking, now: Instant, *, by: str
    ) -> None:
        """Tell both sides, once, that a booking has another time; `by` as for `cancelled`."""
        given = await self._occasion(tx, booking)
        letters = VisitorLetters(self._translate, given)
        invitation = request(meeting_of(booking, given.page, given.owner))
        told = (booking.email, *booking.guests)
        if booking.is_on_record and not await self._invited_by_us(tx, booking):
            told = ()  # the provider, who invited them, tells them
        for recipient in told:
            text = letters.moved(
                before, guest=recipient != booking.email, by_visitor=by == "visitor"
            )
            await self._visitor(
                tx, given, recipient, "moved", text, now=now, calendar=(invitation, "REQUEST")
            )
        if booking.is_on_record and by != "visitor":
            return  # the owner has just done it
        mine = OwnerLetters(self._translate, given).moved(before, by=by)
        await self._owner(tx, given, "moved", mine, now)

    async def not_moved(self, tx: Transaction, booking: Booking, now: Instant) -> None:
        """Tell whoever moved a booking and got no answer that it stands where it stood."""
        given = await self._occasion(tx, booking)
        if booking.is_on_record:
            mine = OwnerLetters(self._translate, given).not_moved()
            await self._owner(tx, given, f"not-moved-{now}", mine, now)
            return
        text = VisitorLetters(self._translate, given).not_moved()
        await self._visitor(tx, given, booking.email, f"not-moved-{now}", text, now=now)

    async def move_not_written(
        self, tx: Transaction, booking: Booking, cause: str, now: Instant
    ) -> None:
        """Tell the owner, once, that a booking cannot be moved in the calendar."""
        subject = f"{booking.id}.{booking.sequence}"
        if not await tx.notices.first_since(
            booking.owner_id, NOT_MOVED, subject, now, quiet=7 * DAY
        ):
            return
        given = await self._occasion(tx, booking)
        text = OwnerLetters(self._translate, given).move_not_written(cause)
        await self._owner(tx, given, NOT_MOVED, text, now)

    async def conflict(
        self,
        tx: Transaction,
        booking: Booking,
        found: TimeRange,
        others: Sequence[Booking],
        now: Instant,
    ) -> None:
        """Tell the owner, once for each time, that an event was put onto another booking (F31)."""
        subject = f"{booking.id}.{found.start}"
        if not await tx.notices.first_since(
            booking.owner_id, CONFLICT, subject, now, quiet=7 * DAY
        ):
            return
        given = await self._occasion(tx, booking)
        text = OwnerLetters(self._translate, given).conflict(found, others)
        await self._owner(tx, given, f"conflict-{found.start}", text, now)

    async def not_booked(self, tx: Transaction, booking: Booking, now: Instant) -> None:
        """Tell a visitor who got no answer that nothing was booked."""
        given = await self._occasion(tx, booking)
        if booking.is_on_record:
            mine = OwnerLetters(self._translate, given).not_made()
            await self._owner(tx, given, "not-booked", mine, now)
            return
        text = VisitorLetters(self._translate, given).not_booked()
        await self._visitor(tx, given, booking.email, "not-booked", text, now=now)

    async def not_written(
        self, tx: Transaction, booking: Booking, cause: str, now: Instant, *, final: bool
    ) -> None:
        """Tell the owner, once, that a booking cannot be written to the calendar."""
        kind = "given-up" if final else NOT_WRITTEN
        if not await tx.notices.first_since(booking.owner_id, kind, booking.id, now, quiet=7 * DAY):
            return
        given = await self._occasion(tx, booking)
        text = OwnerLetters(self._translate, given).not_written(cause, final=final)
        await self._owner(tx, given, kind, text, now)

    async def not_removed(
        self, tx: Transaction, booking: Booking, cause: str, now: Instant
    ) -> None:
        """Tell the owner that a cancelled booking still stands in the provider's calendar."""
        given = await self._occasion(tx, booking)
        text = OwnerLetters(self._translate, given).not_removed(cause)
        await self._owner(tx, given, "not-removed", text, now)

    # --- calendars

    async def calendar_lost(
        self,
        tx: Transaction,
        owner: Owner,
        page: SchedulingPage,
        lost: Sequence[Collection],
        now: Instant,
        *,
        cause: str = "",
    ) -> None:
        """Keep the attempt; mail the owner about it once for each loss, then once a day (S30)."""
        await tx.notices.record(owner.id, ATTEMPT, f"{page.id} {', '.join(names(lost))}", now)
        fresh = [
            one
            for one in lost
            if await tx.notices.first_since(owner.id, LOST, one.public_id, now, quiet=DIGEST_AFTER)
        ]
        if not fresh:
            return
        events = [event for _, event, _ in await tx.notices.trail(owner.id, TRAIL)]
        count = list(takewhile(ATTEMPTS_TOLD.__ne__, events)).count(ATTEMPT)
        await tx.notices.record(owner.id, ATTEMPTS_TOLD, str(count), now)
        given = Attempts(
            owner=owner,
            page=page,
            calendars=fresh,
            causes=[cause or cause_of(one) for one in fresh],
            count=count,
            settings_url=f"{self._public_url}/settings/calendar",
        )
        text = attempts_letter(self._translate, given)
        await self._to_owner(tx, owner, f"{fresh[0].public_id}.lost", now, text)

    async def calendar_back(self, tx: Transaction, calendar: Collection, now: Instant) -> None:
        """Tell the owner that a calendar works again, if its loss was told."""
        if not await tx.notices.settle(calendar.owner_id, LOST, calendar.public_id):
            return
        owner = await tx.owners.get(calendar.owner_id)
        if owner is not None:
            text = back_letter(
                self._translate, owner, calendar, f"{self._public_url}/settings/calendar"
            )
            await self._to_owner(tx, owner, f"{calendar.public_id}.back", now, text)

    async def sign_in_needed(
        self, tx: Transaction, owner: Owner, connection: Connection, title: str, now: Instant
    ) -> None:
        """Tell the owner, once a week, that an account wants a new sign-in, and where to do it."""
        await tx.notices.record(owner.id, SIGN_IN, f"{connection.id}: {connection.provider}", now)
        if not await tx.notices.first_since(
            owner.id, SIGN_IN, connection.id, now, quiet=TOLD_AGAIN_AFTER
        ):
            return
        link = f"{self._public_url}/settings/connections/{connection.id}/reconnect"
        text = sign_in_letter(self._translate, owner, connection, title, link)
        await self._to_owner(tx, owner, f"{connection.id}.sign-in", now, text)

    async def signed_in(self, tx: Transaction, connection: Connection) -> None:
        """Let the next refusal of an account be told at once."""
        await tx.notices.settle(connection.owner_id, SIGN_IN, connection.id)

    # --- posting

    async def _to_owner(
        self, tx: Transaction, owner: Owner, kind: str, now: Instant, text: Text
    ) -> None:
        letter = Letter(
            owner_id=owner.id,
            recipient=owner.email,
            kind=kind,
            subject_id=f"owner.{owner.id}",
            sequence=now,  # a calendar may be lost more than once
            subject=text[0],
            text=text[1],
        )
        await self._postbox.post(tx, letter, now)

    async def _invited_by_us(self, tx: Transaction, booking: Booking) -> bool:
        """Tell whether the invitation was our mail, so that the cancellation is to be one too."""
        calendar = await tx.collections.get(booking.collection_id or 0)
        return calendar is None or not calendar.invites

    async def _occasion(self, tx: Transaction, booking: Booking) -> Occasion:
        owner = await tx.owners.get(booking.owner_id)
        assert owner is not None, "bookings go with their owner"
        page = await tx.pages.get(booking.page_id)
        return self._of(booking, page or stand_in(booking), owner)

    def _of(self, booking: Booking, page: SchedulingPage, owner: Owner) -> Occasion:
        return Occasion(
            booking=booking,
            page=page,
            owner=owner,
            manage_url=self.manage_url(booking, owner),
            dashboard_url=f"{self._public_url}/dashboard",
        )

    async def _visitor(
        self,
        tx: Transaction,
        given: Occasion,
        recipient: str,
        kind: str,
        text: Text,
        *,
        now: Instant,
        calendar: tuple[bytes, str] | None = None,
    ) -> None:
        data, method = calendar or (b"", "")
        letter = Letter(
            owner_id=given.owner.id,
            recipient=recipient,
            kind=kind,
            subject_id=given.booking.id,
            sequence=given.booking.sequence,
            subject=text[0],
            text=text[1],
            reply_to=given.owner.email,
            calendar=data,
            method=method,
        )
        await self._postbox.post(tx, letter, now)

    async def _owner(
        self, tx: Transaction, given: Occasion, kind: str, text: Text, now: Instant
    ) -> None:
        letter = Letter(
            owner_id=given.owner.id,
            recipient=given.owner.email,
            kind=f"owner-{kind}",
            subject_id=given.booking.id,
            sequence=given.booking.sequence,
            subject=text[0],
            text=text[1],
            reply_to=given.booking.email,
        )
        await self._postbox.post(tx, letter, now)
