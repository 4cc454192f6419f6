"""Answers who is busy when among the users of this gateway (RFC 6638 section 5).

Law: of anybody but the asker only busy periods are told, of selected calendars only, and of no
other time than around now; time outside of that is told as unavailable, never as free. Of whom a
calendar cannot be read nothing is told.
"""

from collections.abc import Callable

from gateway.errors import Condition, Refused
from gateway.freebusy import vfreebusy
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.busy_request import (
    INVALID_USER,
    SUCCESS,
    UNAVAILABLE,
    BusyAnswer,
    BusyRequest,
)
from gateway.model.connection import HealthState
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, Instant, TimeRange
from gateway.ports import Clock, Store, Transaction
from gateway.services.freebusy import FreeBusyService

PAST = 31 * DAY
AHEAD = 1_100 * DAY
"""How far others are told: nobody's history can be collected."""

EmailOf = Callable[[str], str | None]
"""Returns the lower-case e-mail address behind a calendar user address, None for no such thing."""


class SchedulingService:
    """Answers requests for busy time."""

    def __init__(self, store: Store, clock: Clock, freebusy: FreeBusyService) -> None:
        self._store = store
        self._clock = clock
        self._freebusy = freebusy

    async def busy(self, asker: Owner, request: BusyRequest, email_of: EmailOf) -> list[BusyAnswer]:
        """Answer for each attendee; the organizer must be who asks (organizer-allowed)."""
        if email_of(request.organizer) != asker.email:
            raise Refused(Condition.ORGANIZER_ALLOWED, "The organizer is not who is signed in.")
        known: dict[str | None, list[BusyPeriod] | str] = {}
        now = self._clock.now()
        async with self._store.read() as tx:
            for email in map(email_of, request.attendees):
                if email not in known:
                    known[email] = await self._told(tx, asker, email, request.window, now)
        return [
            _answer(request, attendee, known[email_of(attendee)], now)
            for attendee in request.attendees
        ]

    async def _told(
        self, tx: Transaction, asker: Owner, email: str | None, window: TimeRange, now: Instant
    ) -> list[BusyPeriod] | str:
        """Return the busy time of one user, or the status that says why there is none."""
        owner = None if email is None else await tx.owners.by_email(email)
        if owner is None or owner.disabled:
            return INVALID_USER
        collections = await self._freebusy.selected(owner.id, tx=tx)
        if any(one.state(now) is HealthState.NO_ACCESS for one in collections):
            return UNAVAILABLE
        hidden: list[BusyPeriod] = []
        if owner.id != asker.id:
            window, hidden = _within(window, now)
        periods = await self._freebusy.busy(collections, window, tx=tx) if window.seconds else []
        return sorted([*hidden, *periods])


def _answer(
    request: BusyRequest, attendee: str, told: list[BusyPeriod] | str, now: Instant
) -> BusyAnswer:
    if isinstance(told, str):
        return BusyAnswer(attendee=attendee, status=told)
    reply = vfreebusy.render(
        told,
        request.window,
        now=now,
        uid=request.uid,
        method="REPLY",
        organizer=request.organizer,
        attendee=attendee,
    )
    return BusyAnswer(attendee=attendee, status=SUCCESS, reply=reply)


def _within(window: TimeRange, now: Instant) -> tuple[TimeRange, list[BusyPeriod]]:
    """Return the part of a window that is told of others, and the rest as unavailable."""
    start = min(max(window.start, now - PAST), window.end)
    end = max(min(window.end, now + AHEAD), start)
    outside = (TimeRange(window.start, start), TimeRange(end, window.end))
    hidden = [
        BusyPeriod(part.start, part.end, BusyType.UNAVAILABLE) for part in outside if part.seconds
    ]
    return TimeRange(start, end), hidden
