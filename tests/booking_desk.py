"""A booking service over a real store, joined as bootstrap joins it, with scripted sources."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from functools import lru_cache
from typing import Any

from gateway import ports
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.booking import BLOCKING, Booking
from gateway.model.collection import ALL_BLOCKS, BusyRules, Collection, Provider, Role
from gateway.model.connection import Connection, Health
from gateway.model.event_time import at_another_time, event_time
from gateway.model.page import WEEKDAYS, SchedulingPage
from gateway.model.principal import Owner
from gateway.model.timerange import HOUR, MINUTE, Instant, TimeRange
from gateway.model.zones import UTC_ZONE
from gateway.services.booking import BookingService
from gateway.services.booking_request import BookingRequest
from gateway.services.claim import MOVE, REMOVE, WRITE, Claim, RateLimits
from gateway.services.follow import Follow
from gateway.services.freebusy import FreeBusyService
from gateway.services.last_look import LastLook
from gateway.services.mails import SEND, MailSending, Postbox
from gateway.services.meetings import MeetingService
from gateway.services.move_event import MoveEvent
from gateway.services.moving import MovingService
from gateway.services.notices import Notices
from gateway.services.noticing import CHECK
from gateway.services.objects import ObjectService
from gateway.services.outbox import Handler, OutboxService
from gateway.services.writeback import Upstreams, Writeback
from gateway.storage.cipher import KeyRing, new_key
from gateway.web.i18n import translate
from tests.builders import a_connection, a_page, an_event
from tests.conftest import FakeClock

TEN: Instant = 1796119200
"""2026-12-01T10:00:00Z, a Tuesday one week ahead of the fake clock."""
URL = "https://meet.example.org"


class ScriptedSources:
    """Sources that answer what a test says, and note what was written to them."""

    def __init__(self) -> None:
        self.answers: dict[str, Sequence[BusyPeriod] | Exception | float] = {}
        self.refusals: list[Exception] = []
        self.after_effect: list[Exception] = []
        self.events: dict[tuple[str, str], bytes] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.account: Sequence[ports.UpstreamCalendar] = ()
        self.capabilities = (
            ports.Capability.READ | ports.Capability.WRITE | ports.Capability.LAST_LOOK
        )

    def specs(self) -> Iterable[ports.AdapterSpec]:
        """Return one source."""
        return [
            ports.AdapterSpec(provider=name, title=name, capabilities=self.capabilities)
            for name in ("google", "microsoft")
        ]

    def open(self, connection: Connection, secret: bytes) -> Any:
        """Return the source itself: it is adapter and writer."""
        return self

    async def calendars(self) -> Sequence[ports.UpstreamCalendar]:
        """Return the calendars of the account, or fail."""
        if self.refusals:
            raise self.refusals.pop(0)
        return self.account

    async def changes(self, upstream_id: str, cursor: str) -> AsyncIterator[ports.UpstreamPage]:
        """Give an empty calendar."""
        yield ports.UpstreamPage(objects=(), cursor="1", complete=True)

    async def last_look(
        self,
        upstream_id: str,
        window: TimeRange,
        rules: BusyRules = ALL_BLOCKS,
        address: str = "",
    ) -> Sequence[BusyPeriod]:
        """Answer, fail or take too long, as the script says."""
        self.calls.append(("look", upstream_id, ""))
        answer = self.answers.get(upstream_id, ())
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return ()
        return answer

    async def create(self, upstream_id: str, uid: str, data: bytes) -> None:
        """Keep the event under its UID, or fail before or after that."""
        self.calls.append(("create", upstream_id, uid))
        if self.refusals:
            raise self.refusals.pop(0)
        self.events[upstream_id, uid] = data
        if self.after_effect:
            raise self.after_effect.pop(0)

    async def find(self, upstream_id: str, uid: str) -> TimeRange | None:
        """Return when the event is."""
        self.calls.append(("look", upstream_id, uid))
        data = self.events.get((upstream_id, uid))
        return None if data is None else event_time(data, UTC_ZONE)

    async def move(
        self, upstream_id: str, uid: str, *, before: TimeRange, after: TimeRange
    ) -> TimeRange | None:
        """Move the event unless it is elsewhere, or fail before or after that."""
        self.calls.append(("move", upstream_id, uid))
        if self.refusals:
            raise self.refusals.pop(0)
        data = self.events.get((upstream_id, uid))
        there = None if data is None else event_time(data, UTC_ZONE)
        if data is None or there != before:
            return there
        self.events[upstream_id, uid] = at_another_time(data, after)
        if self.after_effect:
            raise self.after_effect.pop(0)
        return after

    async def remove(self, upstream_id: str, uid: str) -> None:
        """Forget the event; one that is gone is gone."""
        self.calls.append(("remove", upstream_id, uid))
        if self.refusals:
            raise self.refusals.pop(0)
        self.events.pop((upstream_id, uid), None)

    async def close(self) -> None:
        """Nothing to close."""


@lru_cache(maxsize=1000)
def parsed(raw: bytes) -> EmailMessage:
    """Return a mail as a client reads it, which takes longer than many a test of it."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


@dataclass
class Desk:
    """Everything a test of bookings touches."""

    store: ports.Store
    clock: FakeClock
    cipher: KeyRing
    sources: ScriptedSources
    objects: ObjectService
    outbox: OutboxService
    bookings: BookingService
    meetings: MeetingService
    moving: MovingService
    notices: Notices
    postbox: Postbox
    owner: Owner
    page: SchedulingPage
    calendars: dict[str, Collection] = field(default_factory=dict)

    async def book(self, start: Instant = TEN, key: str | None = None, **values: Any) -> Booking:
        """Book half an hour as Vera."""
        return await self.bookings.book(self.page, a_request(start, **values), key)

    async def put(self, calendar: str, name: str, start: str, end: str) -> None:
        """Put an event into a local calendar, as a client does."""
        data = an_event(f"{name}@client", start=start, end=end)
        await self.objects.put(self.owner, self.calendars[calendar], f"{name}.ics", data)

    async def names(self, calendar: str) -> list[str]:
        """Return the names of what a calendar holds."""
        async with self.store.read() as tx:
            return sorted(one.name for one in await tx.objects.list(self.calendars[calendar].id))

    async def starts(self, day: Instant = TEN - 10 * HOUR) -> list[Instant]:
        """Return the starts that are offered on a day."""
        window = TimeRange(day, day + 24 * HOUR)
        offer = await self.bookings.slots(self.page, window, self.clock.now(), 30)
        return [slot.start for slot in offer.slots]

    async def stored(self) -> list[Booking]:
        """Return every booking of the owner, also of refused attempts."""
        async with self.store.read() as tx:
            return list(await tx.bookings.of_owner(self.owner.id))

    async def mails(self, recipient: str | None = None) -> list[EmailMessage]:
        """Return the kept mails, oldest first, read as a client reads them."""
        async with self.store.read() as tx:
            kept = await tx.mails.of_owner(self.owner.id, limit=500)
        return [
            self.read(mail)
            for mail in sorted(kept, key=lambda one: one.created_at)
            if recipient in (None, mail.recipient)
        ]

    def read(self, mail: ports.StoredMail) -> EmailMessage:
        """Return a kept mail as a message."""
        return parsed(self.postbox.read(mail))

    async def set_health(self, calendar: str, health: Health) -> None:
        """Say what the last sync found."""
        async with self.store.write() as tx:
            await tx.collections.set_health(self.calendars[calendar].id, health)

    async def select(self, calendar: str, *, selected: bool) -> None:
        """Select a calendar or not, as the Calendar tab does."""
        async with self.store.read() as tx:
            current = await tx.collections.get(self.calendars[calendar].id)
        assert current
        await self.objects.update_collection(self.owner, replace(current, selected=selected))

    def restarted(self, **other: Any) -> "Desk":
        """Return the same gateway after its process died: nothing in memory is left.

        `other` are parts that the new process has in place of the old one's.
        """
        parts: dict[str, Any] = {
            "store": self.store,
            "clock": self.clock,
            "cipher": self.cipher,
            "sources": self.sources,
            "owner": self.owner,
            "page": self.page,
            "calendars": self.calendars,
        }
        return join(**(parts | other))


def join(
    store: ports.Store,
    clock: FakeClock,
    cipher: KeyRing,
    *,
    sources: ScriptedSources,
    owner: Owner,
    page: SchedulingPage,
    calendars: dict[str, Collection],
    mailer: ports.Mailer | None = None,
    limits: RateLimits | None = None,
    wait_seconds: float = 5.0,
    deadline: float = 5.0,
    sender: str = "Calendar <cal@meet.example.org>",
) -> Desk:
    """Join the booking services."""
    postbox = Postbox(cipher, sender=sender, sends=mailer is not None)
    notices = Notices(postbox, cipher, translate, public_url=URL)
    freebusy = FreeBusyService(store, clock)
    look = LastLook(store, sources, cipher, deadline=deadline)
    upstreams = Upstreams(store, sources, cipher)
    writeback = Writeback(store, clock, freebusy, look=look, upstreams=upstreams, notices=notices)
    moves = MoveEvent(store, clock, freebusy, look=look, upstreams=upstreams, notices=notices)
    follow = Follow(store, clock, upstreams, notices)
    handlers = {
        WRITE: Handler(run=writeback.write, buried=writeback.written_off),
        REMOVE: Handler(run=writeback.remove, buried=writeback.left_behind),
        MOVE: Handler(run=moves.run, buried=moves.left),
        CHECK: Handler(run=follow.check, buried=follow.unasked),
    }
    if mailer is not None:
        sending = MailSending(store, clock, postbox, mailer)
        handlers[SEND] = Handler(run=sending.run, buried=sending.buried)
    outbox = OutboxService(store, clock, handlers, node="node")
    claim = Claim(
        freebusy,
        cipher,
        notices,
        limits or RateLimits(per_address_per_hour=0, per_email_per_day=0),
        node="node",
        public_url=URL,
    )
    bookings = BookingService(
        store,
        clock,
        freebusy,
        claim,
        outbox=outbox,
        notices=notices,
        wait_seconds=wait_seconds,
    )
    moving = MovingService(store, clock, bookings, claim, outbox=outbox, wait_seconds=wait_seconds)
    return Desk(
        store=store,
        clock=clock,
        cipher=cipher,
        sources=sources,
        objects=ObjectService(store, clock),
        outbox=outbox,
        bookings=bookings,
        meetings=MeetingService(store, clock, freebusy, claim, bookings=bookings, moving=moving),
        moving=moving,
        notices=notices,
        postbox=postbox,
        owner=owner,
        page=page,
        calendars=calendars,
    )


async def a_desk(
    store: ports.Store,
    clock: FakeClock,
    owner: Owner,
    *,
    local: Sequence[str] = ("home",),
    connected: Sequence[str] = (),
    default: str | None = "home",
    page: dict[str, Any] | None = None,
    **options: Any,
) -> Desk:
    """Return a desk with an owner, calendars by name, the default among them, and a page."""
    cipher = KeyRing.from_text(new_key())
    objects = ObjectService(store, clock)
    calendars = {}
    for name in local:
        calendars[name] = await objects.create_collection(
            owner, name=name, display_name=name.title(), time_zone="UTC"
        )
    for name in connected:
        calendars[name] = await _connect(store, clock, owner, name)
    shown = a_page(
        owner.id,
        **({"weekly_hours": dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),))} | (page or {})),
    )
    async with store.write() as tx:
        await tx.pages.add(shown)
        await tx.owners.set_default(owner.id, calendars[default].id if default else None)
        current = await tx.owners.get(owner.id)
    assert current
    options.setdefault("sources", ScriptedSources())
    return join(store, clock, cipher, owner=current, page=shown, calendars=calendars, **options)


async def _connect(store: ports.Store, clock: FakeClock, owner: Owner, name: str) -> Collection:
    async with store.write() as tx:
        connection = a_connection(owner.id, provider="google", account="jane@gmail.example")
        await tx.connections.add(connection)
        collection = await tx.collections.add(
            Collection(
                id=0,
                public_id=f"cal_{name}",
                owner_id=owner.id,
                connection_id=connection.id,
                provider=Provider.GOOGLE,
                upstream_id=name,
                name=name,
                display_name=name.title(),
                role=Role.OWNER,
                created_at=clock.now(),
            )
        )
        await tx.collections.set_health(collection.id, Health(last_success_at=clock.now()))
        return collection


def a_request(start: Instant = TEN, **values: Any) -> BookingRequest:
    """Return a visitor's wish."""
    defaults: dict[str, Any] = {
        "start": start,
        "duration": 30,
        "time_zone": "Europe/Amsterdam",
        "name": "Vera",
        "email": "vera@example.net",
    }
    return BookingRequest(**(defaults | values))


def busy(start: Instant, minutes: int = 30, kind: BusyType = BusyType.BUSY) -> BusyPeriod:
    """Return busy time."""
    return BusyPeriod(start, start + minutes * MINUTE, kind)


def overlaps(bookings: Iterable[Booking]) -> list[tuple[str, str]]:
    """Return the pairs of blocking bookings that overlap: there must never be one."""
    live = sorted((b for b in bookings if b.state in BLOCKING), key=lambda b: b.start)
    return [
        (one.id, two.id)
        for at, one in enumerate(live)
        for two in live[at + 1 :]
        if two.start < one.end
    ]


@asynccontextmanager
async def closing(desk: Desk) -> AsyncIterator[Desk]:
    """Close the desk's outbox at the end."""
    try:
        yield desk
    finally:
        await desk.outbox.close()
