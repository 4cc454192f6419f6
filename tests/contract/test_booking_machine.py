"""Bookings as a state machine: whatever happens in whatever order, the rules hold.

A plain model of the rules, written anew here, says for every attempt whether it must succeed; the
gateway has to agree in both directions.
"""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway import errors
from gateway.model.booking import BLOCKING, Booking, BookingState
from gateway.model.connection import Failure, Health
from gateway.model.page import BookingLimits, SchedulingPage
from gateway.model.timerange import DAY, HOUR, MINUTE, format_utc
from gateway.services.booking_request import BookingRequest
from gateway.storage.engine import SqlStore, open_store
from tests.booking_desk import Desk, ScriptedSources, a_desk, a_request, busy, overlaps
from tests.builders import a_page, an_owner
from tests.conftest import SQLITE_URL, START, FakeClock

FIRST_DAY = START - 12 * HOUR
CALENDARS = ("home", "club")
OPENS, CLOSES = 9 * HOUR, 12 * HOUR
HOURS = {"weekly_hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("09:00", "12:00"),))}
PAGES: dict[str, dict[str, Any]] = {
    "plain": {
        "durations": (30, 60),
        "step": 30,
        "min_notice": 120,
        "horizon_days": 4,
        "limits": BookingLimits(per_day=1),
    },
    "wide": {
        "durations": (30,),
        "step": 15,
        "buffer_before": 15,
        "buffer_after": 30,
        "horizon_days": 5,
    },
}

days = st.sampled_from([1, 1, 2, 4])
"""Days after the first, a Tuesday: mostly the same one, so that things meet."""
minutes = st.integers(9 * 12, 12 * 12).map(lambda five: 5 * five)
halves = st.integers(18, 23).map(lambda half: 30 * half)
quarters = halves | st.integers(35, 48).map(lambda quarter: 15 * quarter)


@dataclass(frozen=True, slots=True)
class Made:
    """A booking as the model knows it."""

    id: str
    page: str
    start: int
    end: int


class Bookings(RuleBasedStateMachine):
    """One owner, two pages, two local calendars and a provider's, any order of events."""

    template: Path
    folder: Path
    made = Bundle("made")
    events = Bundle("events")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder)
        self.clock = FakeClock()
        self.live: dict[str, Made] = {}
        self.busy: dict[str, dict[str, tuple[int, int]]] = {name: {} for name in CALENDARS}
        self.selected = {*CALENDARS, "work"}
        self.upstream: list[tuple[int, int]] = []
        self.lost = False
        self.store: SqlStore
        self.desk: Desk
        self.pages: dict[str, SchedulingPage]

    def run(self, work: Any) -> Any:
        """Run one piece of work to its end."""
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        """Open a gateway."""
        self.run(self._open())

    async def _open(self) -> None:
        self.store = await open_store(SQLITE_URL, self.folder)
        async with self.store.write() as tx:
            owner = await tx.owners.add(an_owner(), "hash")
        self.desk = await a_desk(
            self.store,
            self.clock,
            owner,
            local=CALENDARS,
            connected=["work"],
            sources=ScriptedSources(),
        )
        self.pages = {
            name: a_page(owner.id, slug=f"jane/{name}", **HOURS, **values)
            for name, values in PAGES.items()
        }
        async with self.store.write() as tx:
            for page in self.pages.values():
                await tx.pages.add(page)

    def teardown(self) -> None:
        """Close it again."""
        if hasattr(self, "desk"):
            self.run(self.desk.outbox.close())
            self.run(self.store.close())
        self.runner.close()

    # --- what happens

    @rule(target=made, day=days, at=quarters, length=st.sampled_from([30, 60]))
    def book_plain(self, day: int, at: int, length: int) -> Made | None:
        """Try to book the page with two lengths and a limit a day."""
        return self._book("plain", day, at, length)

    @rule(target=made, day=days, at=quarters)
    def book_wide(self, day: int, at: int) -> Made | None:
        """Try to book the page with buffers."""
        return self._book("wide", day, at, 30)

    def _book(self, page: str, day: int, at: int, duration: int) -> Made | None:
        """Book, and hold the outcome against the model's."""
        start = FIRST_DAY + day * DAY + at * MINUTE
        expected = self._expected(page, start, start + duration * MINUTE)
        outcome = self.run(self._attempt(page, a_request(start, duration=duration)))
        if not isinstance(outcome, Booking):
            assert outcome is expected
            return None
        assert expected is None
        assert outcome.state is BookingState.CONFIRMED
        booking = outcome
        made = Made(booking.id, page, booking.start, booking.end)
        self.live[made.id] = made
        return made

    async def _attempt(
        self, page: str, request: BookingRequest
    ) -> Booking | type[errors.CalgateError]:
        try:
            return await self.desk.bookings.book(self.pages[page], request)
        except errors.CalgateError as error:
            return type(error)

    @rule(one=consumes(made))
    def cancel(self, one: Made | None) -> None:
        """Cancel a booking; one whose time is over stays."""
        if one is None:
            return
        work = self.desk.bookings.cancel_as_owner(self.desk.owner.id, one.id)
        if one.end <= self.clock.now():
            with pytest.raises(errors.Conflict):
                self.run(work)
        else:
            self.run(work)
            del self.live[one.id]

    @rule(target=made, one=consumes(made), day=days, at=quarters)
    def move(self, one: Made | None, day: int, at: int) -> Made | None:
        """Move a booking; it may go wherever it could be booked if it were not there."""
        if one is None or one.id not in self.live:
            return None
        start = FIRST_DAY + day * DAY + at * MINUTE
        work = self.desk.moving.by_owner(self.desk.owner.id, one.id, start)
        end = start + one.end - one.start
        if one.end <= self.clock.now():
            with pytest.raises(errors.Conflict):
                self.run(work)
            return one
        rest = {key: value for key, value in self.live.items() if key != one.id}
        self.live, every = rest, self.live
        expected = None if start == one.start else self._expected(one.page, start, end)
        self.live = every
        if expected is not None:
            with pytest.raises(expected):
                self.run(work)
            return one
        moved = self.run(work)
        assert (moved.start, moved.end, moved.moving) == (start, end, None)
        self.live[one.id] = Made(one.id, one.page, start, end)
        return self.live[one.id]

    @rule(
        target=events,
        calendar=st.sampled_from(CALENDARS),
        day=days,
        at=minutes,
        length=st.sampled_from([5, 25, 60]),
    )
    def put(self, calendar: str, day: int, at: int, length: int) -> tuple[str, str]:
        """Put an event as a client does, wherever it likes, over bookings too."""
        start = FIRST_DAY + day * DAY + at * MINUTE
        span = (start, start + length * MINUTE)
        name = f"e{start}x{length}"
        self.run(self.desk.put(calendar, name, *map(format_utc, span)))
        self.busy[calendar][name] = span
        return calendar, name

    @rule(event=consumes(events))
    def delete(self, event: tuple[str, str]) -> None:
        """Delete one of the clients' events."""
        calendar, name = event
        if self.busy[calendar].pop(name, None):
            collection = self.desk.calendars[calendar]
            self.run(self.desk.objects.remove(self.desk.owner, collection, f"{name}.ics"))

    @rule(
        calendar=st.sampled_from([*CALENDARS, "work"]),
        selected=st.sampled_from([True, True, False]),
    )
    def select(self, calendar: str, selected: bool) -> None:
        """Select a calendar, or no longer; the default one too."""
        self.run(self.desk.select(calendar, selected=selected))
        (self.selected.add if selected else self.selected.discard)(calendar)

    @rule(day=days, at=minutes)
    def event_at_the_source(self, day: int, at: int) -> None:
        """Something enters the provider's calendar that no sync has seen."""
        start = FIRST_DAY + day * DAY + at * MINUTE
        self.upstream.append((start, start + 30 * MINUTE))
        self.desk.sources.answers["work"] = [busy(begin) for begin, _ in self.upstream]

    @rule(lost=st.sampled_from([False, False, True]))
    def access(self, *, lost: bool) -> None:
        """Access to the provider's calendar is lost, or granted again."""
        self.lost = lost
        self.run(self._read())

    @rule(hours=st.sampled_from([1, 1, 4]))
    def time_passes(self, hours: int) -> None:
        """Let the clock move on."""
        self.clock.advance(hours * HOUR)
        self.run(self._read())

    async def _read(self) -> None:
        """Have the sync read the provider's calendar now."""
        now = self.clock.now()
        health = Health(last_success_at=now)
        if self.lost:
            health = health.failed(Failure.SIGN_IN_NEEDED, "Sign in anew.", now)
        await self.desk.set_health("work", health)

    # --- the model

    def _expected(self, name: str, start: int, end: int) -> type[errors.CalgateError] | None:
        if self.lost and "work" in self.selected:
            return errors.CalendarUnavailable
        return None if self._is_free(name, start, end) else errors.SlotTaken

    def _is_free(self, name: str, start: int, end: int) -> bool:
        page, now = PAGES[name], self.clock.now()
        day = (start - FIRST_DAY) // DAY
        into = start - FIRST_DAY - day * DAY
        is_weekday = day in (0, 1, 2, 3, 6)  # the first day is a Tuesday
        if not is_weekday or into < OPENS or into + end - start > CLOSES:
            return False
        if (into - OPENS) % (page["step"] * MINUTE):
            return False
        if (
            not now + page.get("min_notice", 0) * MINUTE
            <= start
            <= now + page["horizon_days"] * DAY
        ):
            return False
        before, after = (page.get(key, 0) * MINUTE for key in ("buffer_before", "buffer_after"))
        low, high = start - before, end + after
        spans = [span for one in self.selected - {"work"} for span in self.busy[one].values()]
        if "work" in self.selected:
            spans += self.upstream
        if any(low < closes and opens < high for opens, closes in spans):
            return False
        if any(self._meets(one, (start, end), (low, high)) for one in self.live.values()):
            return False
        limit = page.get("limits", BookingLimits()).per_day
        same_day = [
            one
            for one in self.live.values()
            if one.page == name and (one.start - FIRST_DAY) // DAY == day
        ]
        return limit is None or len(same_day) < limit

    @staticmethod
    def _meets(one: Made, raw: tuple[int, int], wide: tuple[int, int]) -> bool:
        """Apply the Conflict rule: the wide candidate meets the booking, or the reverse."""
        before, after = (
            PAGES[one.page].get(key, 0) * MINUTE for key in ("buffer_before", "buffer_after")
        )
        return (wide[0] < one.end and one.start < wide[1]) or (
            one.start - before < raw[1] and raw[0] < one.end + after
        )

    # --- what always holds

    @invariant()
    def bookings_are_as_the_model_has_them(self) -> None:
        """No two overlap, none is lost, none appears from nowhere."""
        if not hasattr(self, "desk"):
            return
        stored = self.run(self.desk.stored())
        assert overlaps(stored) == []
        assert {one.id for one in stored if one.state in BLOCKING} == set(self.live)

    @invariant()
    def events_are_where_they_belong(self) -> None:
        """Each booking has one event, in the default calendar; clients' events are untouched."""
        if not hasattr(self, "desk"):
            return
        for calendar in CALENDARS:
            wanted = {f"{name}.ics" for name in self.busy[calendar]}
            if calendar == "home":
                wanted |= {f"{identifier}.ics" for identifier in self.live}
            assert set(self.run(self.desk.names(calendar))) == wanted
        assert self.desk.sources.events == {}


def test_bookings_keep_the_rules_whatever_happens(sqlite_template, tmp_path):
    """Hypothesis finds no order of bookings, events, choices and time that breaks a rule."""

    class Machine(Bookings):
        template = sqlite_template
        folder = tmp_path / "machine"

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=15, stateful_step_count=40, deadline=None)
    )
