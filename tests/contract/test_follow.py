"""A booking follows its event: what the owner does to it in a calendar is seen here (F29-F31)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway import ports
from gateway.model.booking import Booking, BookingState
from gateway.model.collection import Collection, Provider, Role
from gateway.model.connection import Connection, Health
from gateway.model.event_time import at_another_time
from gateway.model.timerange import DAY, HOUR, MINUTE, TimeRange
from gateway.services.follow_plan import CONFLICT, SETTLING
from gateway.services.relocation import Place, relocate
from gateway.services.sync import SyncService, secret_of
from gateway.services.transfer import TransferService
from tests.booking_desk import TEN, Desk, a_desk, closing
from tests.builders import a_connection, an_owner
from tests.owners_hand import KINDS, OwnersHand, owners_hand
from tests.upstreams import Peers

PROVIDERS = {"google": "google", "graph": "microsoft", "exchange": "exchange", "radicale": "caldav"}
ONE = TimeRange(TEN + 3 * HOUR, TEN + 3 * HOUR + 30 * MINUTE)


class OneSource:
    """The registry of one account that is open already."""

    def __init__(self, kind: str, adapter: Any) -> None:
        self._spec = ports.AdapterSpec(
            provider=PROVIDERS[kind],
            title=kind,
            capabilities=ports.Capability.READ | ports.Capability.WRITE,
        )
        self._adapter = adapter

    def specs(self) -> list[ports.AdapterSpec]:
        """Return what the account can."""
        return [self._spec]

    def open(self, _connection: Connection, _secret: bytes) -> Any:
        """Return the account, which outlives each use."""
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    async def close(self) -> None:
        """Stay open."""


@dataclass
class Followed:
    """A gateway whose default calendar is at a source, and its owner there."""

    desk: Desk
    hand: OwnersHand
    sync: SyncService
    connection_id: str

    async def tick(self) -> None:
        """Read the calendar, then do what follows from it, once our own write has settled."""
        await self.sync.tick(self.connection_id)
        await self.desk.outbox.settle()

    async def later(self) -> None:
        """Let our own write settle."""
        self.desk.clock.advance(SETTLING)
        await self.tick()

    async def only(self) -> Booking:
        """Return the only booking."""
        (booking,) = await self.desk.stored()
        return booking

    async def told(self, recipient: str = "vera@example.net") -> list[str]:
        """Return what the mails to somebody begin with, but for the first."""
        mails = await self.desk.mails(recipient)
        return [str(mail["Subject"]).partition(":")[0] for mail in mails[1:]]


@pytest.fixture(params=KINDS)
async def followed(
    request: pytest.FixtureRequest, peers: Peers, sqlite_store: Any, clock: Any
) -> AsyncIterator[Followed]:
    """Run a gateway over each kind of calendar."""
    async with owners_hand(request.param, peers) as hand:
        adapter, upstream_id = await hand.opened()
        async with sqlite_store.write() as tx:
            owner = await tx.owners.add(an_owner(), "hash")
            provider = PROVIDERS[request.param]
            connection = a_connection(owner.id, provider=provider)
            await tx.connections.add(connection)
            calendar = await tx.collections.add(
                Collection(
                    id=0,
                    public_id="cal_work",
                    owner_id=owner.id,
                    connection_id=connection.id,
                    provider=Provider(provider),
                    upstream_id=upstream_id,
                    name="work",
                    role=Role.OWNER,
                    time_zone="UTC",
                    created_at=clock.now(),
                )
            )
            await tx.collections.set_health(calendar.id, Health(last_success_at=clock.now()))
            await tx.owners.set_default(owner.id, calendar.id)
        sources = OneSource(request.param, adapter)
        desk = await a_desk(sqlite_store, clock, owner, local=(), default=None, sources=sources)
        async with sqlite_store.write() as tx:
            await tx.owners.set_default(owner.id, calendar.id)
            sealed = desk.cipher.seal(b"{}", bound_to=secret_of(connection.id))
            await tx.connections.set_secret(connection.id, sealed)
        sync = SyncService(sqlite_store, clock, sources, desk.cipher, notices=desk.notices)
        async with closing(desk):
            made = Followed(desk, hand, sync, connection.id)
            await made.tick()
            booking = await desk.book()
            assert booking.state is BookingState.CONFIRMED
            await made.later()
            assert (await made.only()).start == TEN
            yield made


async def test_what_its_owner_moves_and_deletes_is_seen(followed: Followed) -> None:
    """One mail with the new time and SEQUENCE, one with the CANCEL; both slots free again (F30)."""
    await followed.hand.adds_a_link()
    await followed.tick()
    await followed.desk.outbox.settle()
    assert ((await followed.only()).sequence, await followed.told()) == (0, [])
    await followed.hand.moves(ONE)
    await followed.tick()
    await followed.tick()
    moved = await followed.only()
    assert (moved.start, moved.end, moved.sequence) == (ONE.start, ONE.end, 1)
    assert moved.reason == "moved_by_calendar"
    assert await followed.told() == ["Moved"]
    starts = await followed.desk.starts()
    assert TEN in starts
    assert ONE.start not in starts
    followed.desk.clock.advance(MINUTE)
    await followed.hand.deletes()
    await followed.tick()
    await followed.tick()
    ended = await followed.only()
    assert (ended.state, ended.reason) == (BookingState.CANCELLED, "calendar")
    assert await followed.told() == ["Moved", "Cancelled"]
    assert await followed.told("jane@example.org") == ["Moved", "Cancelled"]
    assert {TEN, ONE.start} <= set(await followed.desk.starts())
    assert await followed.hand.times() == []
    (mail,) = (await followed.desk.mails("vera@example.net"))[-1:]
    (part,) = [one for one in mail.walk() if one.get_content_type() == "text/calendar"]
    text = part.get_payload(decode=True).decode()
    assert "METHOD:CANCEL" in text
    assert "SEQUENCE:2" in text


async def test_a_move_from_here_changes_the_event_and_is_no_move_of_the_owners(
    followed: Followed,
) -> None:
    """The event moves in place, at once; what the calendar tells of it afterwards is no news."""
    booking = await followed.only()
    moved = await followed.desk.moving.by_owner(booking.owner_id, booking.id, ONE.start)
    assert (moved.start, moved.moving) == (ONE.start, None)
    assert await followed.hand.times() == [ONE]
    await followed.tick()
    await followed.later()
    assert (await followed.only()).sequence == 1
    assert await followed.told() == ["Moved"]

    # F29: the owner moves it by hand, and before a tick sees it the visitor moves it too.
    two = TimeRange(TEN + 5 * HOUR, TEN + 5 * HOUR + 30 * MINUTE)
    await followed.hand.moves(two)
    await followed.desk.moving.by_owner(booking.owner_id, booking.id, TEN)
    assert await followed.hand.times() == [two]
    after = await followed.only()
    assert (after.start, after.reason) == (two.start, "moved_by_calendar")
    assert await followed.told() == ["Moved", "Moved"]


async def test_a_time_that_its_owner_gave_to_two_meetings_is_told(followed: Followed) -> None:
    """F31: a notice to the owner, nothing cancelled; once the other is gone, it follows."""
    other = await followed.desk.book(ONE.start, email="otto@example.net")
    await followed.hand.moves(ONE)
    await followed.later()
    bookings = {one.id: one for one in await followed.desk.stored()}
    (first,) = [one for one in bookings.values() if one.id != other.id]
    assert {one.state for one in bookings.values()} == {BookingState.CONFIRMED}
    assert (first.start, first.reason) == (TEN, CONFLICT)
    assert await followed.told() == []
    assert (await followed.told("jane@example.org"))[-1] == "Two meetings at one time"
    await followed.desk.bookings.cancel_as_owner(other.owner_id, other.id)
    await followed.desk.outbox.settle()
    await followed.later()
    again = {one.id: one for one in await followed.desk.stored()}[first.id]
    assert (again.start, again.reason) == (ONE.start, "moved_by_calendar")


async def test_nothing_is_concluded_from_a_calendar_that_fails(followed: Followed) -> None:
    """A deletion counts once the calendar itself says so; a failing one says nothing."""
    await followed.hand.deletes()
    await followed.sync.tick(followed.connection_id)
    followed.hand.source.fail(status=500)
    await followed.desk.outbox.settle()
    assert (await followed.only()).state is BookingState.CONFIRMED
    followed.hand.source.mend()
    followed.desk.clock.advance(DAY // 24)
    await followed.desk.outbox.settle()

    assert (await followed.only()).state is BookingState.CANCELLED


async def test_a_local_event_is_followed_too(store: Any, clock: Any, owner: Any) -> None:
    """A PUT that moves it moves the booking, words alone do nothing, a DELETE cancels it."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book()
        home, name = desk.calendars["home"], f"{booking.id}.ics"

        async def put(change: Any) -> Booking:
            clock.advance(MINUTE)
            record = await desk.objects.get(home, name)
            await desk.objects.put(owner, home, name, change(record.data))
            await desk.outbox.settle()
            (one,) = await desk.stored()
            return one

        worded = await put(lambda data: data.replace(b"SUMMARY:Intro", b"SUMMARY:Mine"))
        assert (worded.start, worded.sequence) == (TEN, 0)
        moved = await put(lambda data: at_another_time(data, ONE))
        assert (moved.start, moved.reason) == (ONE.start, "moved_by_calendar")
        clock.advance(MINUTE)
        await desk.objects.remove(owner, home, name)
        await desk.outbox.settle()
        (ended,) = await desk.stored()
        told = [str(one["Subject"]).partition(":")[0] for one in await desk.mails(booking.email)]

        assert (ended.state, ended.reason) == (BookingState.CANCELLED, "calendar")
        assert told == ["Confirmed", "Moved", "Cancelled"]
        assert {TEN, ONE.start} <= set(await desk.starts())


async def test_an_import_that_moves_a_local_event_is_followed(
    store: Any, clock: Any, owner: Any
) -> None:
    """A file with a booked event moved moves the booking, with one called off it ends."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book()
        home, transfer = desk.calendars["home"], TransferService(store, desk.objects)
        record = await desk.objects.get(home, f"{booking.id}.ics")

        async def imported(data: bytes) -> Booking:
            clock.advance(MINUTE)
            await transfer.import_file(owner, home, data)
            await desk.outbox.settle()
            (one,) = await desk.stored()
            return one

        moved = await imported(at_another_time(record.data, ONE))
        called_off = record.data.replace(b"STATUS:CONFIRMED", b"STATUS:CANCELLED")
        assert called_off != record.data
        ended = await imported(called_off)

        assert (moved.start, moved.reason) == (ONE.start, "moved_by_calendar")
        assert (ended.state, ended.reason) == (BookingState.CANCELLED, "calendar")


@pytest.mark.parametrize("keep", [True, False], ids=["COPY", "MOVE"])
async def test_a_copy_over_a_local_event_is_followed(
    sqlite_store: Any, clock: Any, keep: bool
) -> None:
    """An event that takes a booked one's place at another time moves the booking."""
    async with sqlite_store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
    async with closing(await a_desk(sqlite_store, clock, owner, local=("home", "other"))) as desk:
        booking = await desk.book()
        name = f"{booking.id}.ics"
        home, other = (
            Place(collection=desk.calendars[one], name=name) for one in ("home", "other")
        )
        record = await desk.objects.get(home.collection, name)
        await desk.objects.put(owner, other.collection, name, at_another_time(record.data, ONE))
        clock.advance(MINUTE)
        await relocate(sqlite_store, clock, owner, other, home, keep=keep, overwrite=True)
        await desk.outbox.settle()
        (moved,) = await desk.stored()

        assert (moved.start, moved.reason) == (ONE.start, "moved_by_calendar")
