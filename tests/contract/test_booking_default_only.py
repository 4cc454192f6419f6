"""A booking appears in the owner's default calendar and nowhere else (S28)."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import errors
from gateway.model.booking import BookingState
from gateway.model.collection import Role
from gateway.model.connection import Health
from gateway.model.timerange import DAY, HOUR
from gateway.storage.engine import SqlStore, open_store
from tests.booking_desk import TEN, Desk, a_desk, closing
from tests.builders import an_owner
from tests.conftest import FakeClock
from tests.emptying import empty

LOCAL = ("home", "club")
CONNECTED = ("work", "school", "team")
CALENDARS = (*LOCAL, *CONNECTED)


@asynccontextmanager
async def fresh(url: str, template: Path, folder: Path) -> AsyncIterator[SqlStore]:
    """Open an empty database for one example."""
    if url.startswith("sqlite"):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
    else:
        await empty(url)
    store = await open_store(url, folder)
    try:
        yield store
    finally:
        await store.close()


async def holdings(desk: Desk) -> dict[str, list[str]]:
    """Return the UIDs of what every calendar holds, here or at its source."""
    found = {name: [] for name in CALENDARS}
    async with desk.store.read() as tx:
        for name in CALENDARS:
            for record in await tx.objects.list(desk.calendars[name].id):
                found[name].append(record.uid)
    for upstream, uid in desk.sources.events:
        found[upstream].append(uid)
    return found


def written(desk: Desk) -> set[str]:
    """Return the sources that were written to at all."""
    return {upstream for kind, upstream, _ in desk.sources.calls if kind != "look"}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    selected=st.sets(st.sampled_from(CALENDARS)),
    default=st.sampled_from(CALENDARS),
    moved_to=st.sampled_from(CALENDARS),
    by_visitor=st.booleans(),
    refusals=st.lists(
        st.sampled_from([errors.Unavailable("503"), errors.SignInNeeded("401")]), max_size=2
    ),
    lost_answer=st.booleans(),
)
def test_writes_elsewhere_are_zero(
    store_url,
    sqlite_template,
    tmp_path,
    selected,
    default,
    moved_to,
    by_visitor,
    refusals,
    lost_answer,
):
    """Whatever is selected, for create, move and cancel only the default is written to (S28).

    Failures, lost answers, retries and another default chosen in between change nothing of that.
    """

    async def example() -> None:
        clock = FakeClock()
        async with fresh(store_url, sqlite_template, tmp_path / "example") as store:
            async with store.write() as tx:
                owner = await tx.owners.add(an_owner(), "hash")
            desk = await a_desk(
                store, clock, owner, local=LOCAL, connected=CONNECTED, default=default
            )
            async with closing(desk):
                await check(desk, clock)

    async def check(desk: Desk, clock: FakeClock) -> None:
        for name in CALENDARS:
            await desk.select(name, selected=name in selected)
        desk.sources.refusals = list(refusals)
        if lost_answer:
            desk.sources.after_effect = [errors.Unavailable("the answer got lost")]
        booking = await desk.book()
        await desk.objects.set_default(desk.owner, desk.calendars[moved_to])
        await finish(desk, clock)

        only = {name: [] for name in CALENDARS}
        assert await holdings(desk) == only | {default: [booking.uid]}
        assert written(desk) <= {default}
        (stored,) = await desk.stored()
        assert stored.state is BookingState.CONFIRMED

        desk.sources.refusals = list(refusals)
        if lost_answer:
            desk.sources.after_effect = [errors.Unavailable("the answer got lost")]
        await desk.moving.by_owner(desk.owner.id, booking.id, TEN + HOUR)
        await finish(desk, clock)
        assert await holdings(desk) == only | {default: [booking.uid]}
        assert written(desk) <= {default}
        (moved,) = await desk.stored()
        assert (moved.start, moved.moving) == (TEN + HOUR, None)

        desk.sources.refusals = list(refusals)
        if by_visitor:
            await desk.bookings.cancel(desk.bookings.manage_url(booking).rpartition("/")[2])
        else:
            await desk.bookings.cancel_as_owner(desk.owner.id, booking.id)
        await finish(desk, clock)
        assert await holdings(desk) == only
        assert written(desk) <= {default}

    asyncio.run(example())


async def finish(desk: Desk, clock: FakeClock) -> None:
    """Let time pass until the outbox has nothing left to do."""
    for _ in range(8):
        await desk.outbox.settle()
        clock.advance(15 * 60)
        async with desk.store.write() as tx:
            for name in CONNECTED:
                await tx.collections.set_health(desk.calendars[name].id, health_now(clock))
            if not await tx.outbox.waiting():
                return
    pytest.fail("the outbox never came to its end")


def health_now(clock: FakeClock) -> Health:
    """Return the health of a calendar that was just read."""
    return Health(last_success_at=clock.now())


@pytest.mark.parametrize("gone", ["removed", "read-only"])
async def test_a_default_that_vanishes_is_not_replaced_by_another(store, clock, owner, gone):
    """Pending bookings wait for their own calendar; after a day they end, told to both sides."""
    async with closing(
        await a_desk(store, clock, owner, local=("home",), connected=["work"], default="work")
    ) as desk:
        desk.sources.refusals = [errors.Unavailable("503")]
        booking = await desk.book()
        assert booking.state is BookingState.PENDING
        async with store.write(owner_id=owner.id) as tx:
            if gone == "removed":
                await tx.connections.remove(desk.calendars["work"].connection_id or "")
            else:
                await tx.collections.update(replace(desk.calendars["work"], role=Role.READER))
        await desk.objects.set_default(owner, desk.calendars["home"])
        clock.advance(HOUR)
        await desk.outbox.settle()
        waiting = await desk.stored()
        clock.advance(DAY)
        await desk.outbox.settle()
        (ended,) = await desk.stored()

        assert [one.state for one in waiting] == [BookingState.PENDING]
        assert ended.state is BookingState.CANCELLED
        assert await desk.names("home") == []
        assert desk.sources.events == {}
        told = [mail["Subject"].partition(":")[0] for mail in await desk.mails("vera@example.net")]
        assert told == ["Cancelled"]
        mine = {mail["Subject"].partition(":")[0] for mail in await desk.mails("jane@example.org")}
        assert {"Not in your calendar", "Cancelled"} <= mine


async def test_a_default_chosen_later_is_for_later_bookings(store, clock, owner):
    """Each booking stays in the calendar it was made for, and is taken out of that one."""
    async with closing(
        await a_desk(store, clock, owner, local=("home", "club"), default="home")
    ) as desk:
        first = await desk.book(TEN)
        await desk.objects.set_default(owner, desk.calendars["club"])
        second = await desk.book(TEN + HOUR)
        assert await desk.names("home") == [f"{first.id}.ics"]
        assert await desk.names("club") == [f"{second.id}.ics"]

        await desk.bookings.cancel_as_owner(owner.id, first.id)
        assert await desk.names("home") == []
        assert await desk.names("club") == [f"{second.id}.ics"]
