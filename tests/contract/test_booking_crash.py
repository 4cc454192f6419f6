"""kill -9 at every step of a booking and of a cancellation: one live event in the end, or none."""

import asyncio
import gc
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest

from gateway.model.booking import Booking, BookingState
from gateway.model.connection import Health
from gateway.model.event_time import event_time
from gateway.model.timerange import DAY, MINUTE
from gateway.model.zones import UTC_ZONE
from gateway.services.outbox import LEASE_SECONDS
from tests.booking_desk import TEN, Desk, a_desk, overlaps, parsed
from tests.fuse import Fuse, FusedMailer, FusedSources, FusedStore, Killed

pytestmark = pytest.mark.parametrize(
    ("store_url", "crashes"),
    [
        ("sqlite", "home"),
        ("sqlite", "work"),
        pytest.param("postgresql", "home", marks=pytest.mark.postgresql),
    ],
    indirect=True,
)
STEPS = 40
"""More steps than anything here has; a run that passes them all ends the sweep."""


class Crashes:
    """One gateway that dies and comes back; `taken` is what the mail host took in."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.taken: list[tuple[str, bytes]] = []

    def process(self, fuse: Fuse) -> Desk:
        """Start a process that dies where its fuse blows."""
        return self.desk.restarted(
            store=FusedStore(self.desk.store, fuse),
            sources=FusedSources(fuse, self.desk.sources),
            mailer=FusedMailer(fuse, self.taken),
            wait_seconds=1.0,
        )

    async def recovered(self, *, at: int | None = None) -> Desk:
        """Start again once the leases have run out, dying once more on the way if told to."""
        for where in ([at] if at is not None else []) + [None]:
            self.desk.clock.advance(LEASE_SECONDS + 1)
            fuse = Fuse(where)
            process = self.process(fuse)
            try:
                await process.bookings.recover()
            except Killed:
                continue
            await process.outbox.close()
        return self.desk

    async def events(self) -> list[str]:
        """Return the UIDs of every event, here and at the source."""
        found = [uid for _, uid in self.desk.sources.events]
        async with self.desk.store.read() as tx:
            for calendar in self.desk.calendars.values():
                found += [record.uid for record in await tx.objects.list(calendar.id)]
        return found

    async def times(self, uid: str) -> list[int]:
        """Return when the events of a booking are, here and at the source."""
        found = [data for (_, one), data in self.desk.sources.events.items() if one == uid]
        async with self.desk.store.read() as tx:
            for calendar in self.desk.calendars.values():
                record = await tx.objects.by_uid(calendar.id, uid)
                found += [record.data] if record is not None else []
        return [span.start for one in found if (span := event_time(one, UTC_ZONE)) is not None]

    def mails(self, word: str, recipient: str) -> list[EmailMessage]:
        """Return the mails taken in for a recipient whose subject begins with a word."""
        found = [parsed(raw) for to, raw in self.taken if to == recipient]
        return [mail for mail in found if str(mail["Subject"]).startswith(word)]


async def killed(work) -> bool:
    """Run something until it ends or its process dies; tell whether it died."""
    try:
        await work
    except Killed:
        return True
    return False


@pytest.fixture
async def crashes(request, store, clock, owner) -> AsyncIterator[Crashes]:
    """Give a gateway whose default calendar is local, or one whose is a provider's."""
    # What a dead process was doing ends with an error that nobody is left to look at.
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    local = ("home",) if request.param == "home" else ()
    connected = ["work"] if request.param == "work" else []
    desk = await a_desk(
        store, clock, owner, local=local, connected=connected, default=request.param
    )
    yield Crashes(desk)
    # Its frames are freed here rather than in the middle of whatever runs next.
    gc.collect()


async def refreshed(crashes: Crashes) -> None:
    """Have the provider's calendar read a moment ago, as the sync would."""
    for name, calendar in crashes.desk.calendars.items():
        if not calendar.is_local:
            await crashes.desk.set_health(name, Health(last_success_at=crashes.desk.clock.now()))


async def test_killed_anywhere_in_a_booking(crashes):
    """At every step, with and without a second death during recovery, and a client that retries.

    In the end there is exactly one booking, confirmed, exactly one event with its UID, and each
    side has its mail.
    """
    deaths = 0
    for at in range(STEPS):
        start = next_start(at)
        process = crashes.process(Fuse(at))
        answers: list[Booking] = []
        died = await killed(book_and_settle(process, start, answers, key=f"k{at}"))
        deaths += died
        await crashes.recovered(at=at % 5)
        await refreshed(crashes)
        again = await crashes.process(Fuse()).book(start, key=f"k{at}")
        await crashes.recovered()
        of_this = [one for one in await crashes.desk.stored() if one.start == start]
        live = [one for one in of_this if one.state is BookingState.CONFIRMED]

        assert [one.id for one in live] == [again.id], (at, of_this)
        assert {one.id for one in answers} <= {again.id}, "what was answered is kept"
        assert (await crashes.events()).count(again.uid) == 1, at
        if not died:
            break
    else:
        pytest.fail("the sweep never got to the end of a booking")
    assert deaths >= 6
    every = await crashes.desk.stored()
    confirmed = {one.uid for one in every if one.state is BookingState.CONFIRMED}
    assert sorted(await crashes.events()) == sorted(confirmed)
    assert overlaps(every) == []


def next_start(number: int) -> int:
    """Return a start of its own for each round: sixteen slots a day, one day after the other."""
    return TEN + number // 8 * DAY + number % 8 * 30 * MINUTE


async def test_killed_anywhere_and_nobody_retries(crashes):
    """A visitor who never comes back: the booking is confirmed and mailed, or there is nothing.

    Nothing means: no event, no invitation, and the time is free for others.
    """
    for at in range(STEPS):
        start = next_start(at)
        process = crashes.process(Fuse(at))
        answers: list[Booking] = []
        died = await killed(book_and_settle(process, start, answers))
        await refreshed(crashes)
        await crashes.recovered()
        of_this = [one for one in await crashes.desk.stored() if one.start == start]
        invited = [
            mail
            for mail in crashes.mails("Confirmed", "vera@example.net")
            if any(
                one.uid in str(mail.as_bytes()) or one.id in mail["Message-ID"] for one in of_this
            )
        ]
        if of_this:
            (one,) = of_this
            assert one.state is BookingState.CONFIRMED, at
            assert (await crashes.events()).count(one.uid) == 1, at
            assert invited, at
        else:
            assert (invited, answers) == ([], [])
        if not died:
            break
    else:
        pytest.fail("the sweep never got to the end of a booking")
    assert copies_of(crashes.taken) == {1, 2}, "a death after DATA, and only that, sends twice"


def copies_of(taken: list[tuple[str, bytes]]) -> set[int]:
    """Return how often mails went out; the same Message-ID is the same mail, byte for byte.

    That holds Message-ID, UID, SEQUENCE and DTSTAMP steady over every retry (P8).
    """
    by_name: dict[str, list[bytes]] = {}
    for _, raw in taken:
        name = str(parsed(raw)["Message-ID"])
        by_name.setdefault(name, []).append(raw)
    assert all(len(set(copies)) == 1 for copies in by_name.values())
    return {len(copies) for copies in by_name.values()}


async def test_killed_anywhere_in_a_cancellation(crashes):
    """In the end the event is gone, the CANCEL is out, and the time is free again; or all stands.

    A visitor who saw no answer presses the button once more, which does no harm.
    """
    for at in range(STEPS):
        start = next_start(at)
        await refreshed(crashes)
        made = crashes.process(Fuse())
        booking = await made.book(start)
        await made.outbox.settle()
        crashes.desk.clock.advance(1)
        token = made.bookings.manage_url(booking).rpartition("/")[2]
        process = crashes.process(Fuse(at))
        died = await killed(cancel_and_settle(process, token))
        await crashes.recovered(at=at % 4)
        after = crashes.process(Fuse())
        assert (await after.bookings.cancel(token)).state is BookingState.CANCELLED
        await after.outbox.settle()
        await after.outbox.close()
        await crashes.recovered()

        assert booking.uid not in await crashes.events(), at
        assert crashes.mails("Cancelled", "vera@example.net"), at
        if not died:
            break
    else:
        pytest.fail("the sweep never got to the end of a cancellation")
    assert await crashes.events() == []


async def cancel_and_settle(process: Desk, token: str) -> None:
    """Cancel and do what follows."""
    await process.bookings.cancel(token)
    await process.outbox.settle()
    await process.outbox.close()
    process.store._fuse.alive()


async def book_and_settle(
    process: Desk, start: int, answers: list[Booking], key: str | None = None
) -> None:
    """Book and do what follows; note the answer, if the process lived to give it."""
    answers.append(await process.book(start, key=key))
    await process.outbox.settle()
    await process.outbox.close()
    process.store._fuse.alive()


async def test_killed_anywhere_in_a_move(crashes):
    """In the end it has one of the two times, its one event the same, and neither time is lost."""
    for at in range(STEPS):
        start = next_start(at)
        await refreshed(crashes)
        made = crashes.process(Fuse())
        booking = await made.book(start)
        await made.outbox.settle()
        crashes.desk.clock.advance(1)
        process = crashes.process(Fuse(at))
        died = await killed(move_and_settle(process, booking, start + 30 * MINUTE))
        await crashes.recovered(at=at % 4)
        await crashes.recovered()
        (after,) = [one for one in await crashes.desk.stored() if one.id == booking.id]
        seen = await crashes.times(booking.uid)

        assert after.state is BookingState.CONFIRMED, at
        assert after.moving is None, at
        assert after.start in (start, start + 30 * MINUTE), at
        assert seen == [after.start], at
        assert bool(crashes.mails("Moved", "vera@example.net")) or after.start == start, at
        if not died:
            assert after.start == start + 30 * MINUTE
            break
        await crashes.process(Fuse()).bookings.cancel_as_owner(booking.owner_id, booking.id)
        await crashes.recovered()
    else:
        pytest.fail("the sweep never got to the end of a move")


async def move_and_settle(process: Desk, booking: Booking, start: int) -> None:
    """Move and do what follows."""
    await process.moving.by_owner(booking.owner_id, booking.id, start)
    await process.outbox.settle()
    await process.outbox.close()
    process.store._fuse.alive()
