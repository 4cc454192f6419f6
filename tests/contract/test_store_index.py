"""The occurrence index against brute force, on both engines."""

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.freebusy.busytime import BusyPeriod, BusyType, coalesce
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.ports import IndexEntry
from gateway.storage.engine import SqlStore
from tests.builders import a_collection, an_object, an_owner

BASE = 20000 * DAY
HORIZON = TimeRange(BASE - 5 * DAY, BASE + 30 * DAY)
BUSY, TENTATIVE = BusyType.BUSY, BusyType.TENTATIVE


def an_entry(*periods: BusyPeriod, recurring: bool = False, free: TimeRange | None = None):
    """Return the index entry of an object with these busy periods."""
    occurrences = [TimeRange(start, end) for start, end, _ in periods] + ([free] if free else [])
    return IndexEntry(
        first_start=min((span.start for span in occurrences), default=0),
        last_end=max((span.end for span in occurrences), default=0),
        recurring=recurring,
        dense=False,
        floating=False,
        periods=periods,
        occurrences=occurrences,
    )


@dataclass
class Calendar:
    """A collection in a store, with short ways to change and ask it."""

    store: SqlStore
    id: int

    async def put(self, name: str, entry: IndexEntry) -> None:
        """Store an object with this index entry."""
        async with self.store.write() as transaction:
            record = await transaction.objects.put(an_object(self.id, name))
            await transaction.index.put(self.id, record.id, entry)

    async def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        async with self.store.write() as transaction:
            record = await transaction.objects.get(self.id, name)
            if record is not None:
                await transaction.index.remove(self.id, record.id)
                await transaction.objects.remove(self.id, name, 0)

    async def set_horizon(self, horizon: TimeRange) -> None:
        """Move the horizon."""
        async with self.store.write() as transaction:
            await transaction.index.set_horizon(self.id, horizon, "2026a")

    async def busy(self, window: TimeRange) -> list[BusyPeriod]:
        """Return the indexed busy time."""
        async with self.store.read() as transaction:
            return list((await transaction.index.busy([self.id], window))[self.id])

    async def candidates(self, window: TimeRange) -> list[str]:
        """Return the names of what may overlap."""
        async with self.store.read() as transaction:
            found = await transaction.index.candidates(self.id, window)
        return [record.name for record in found]


@pytest.fixture
async def calendar(store, owner) -> Calendar:
    """Add a calendar whose index reaches from 5 days before BASE to 30 days after."""
    async with store.write() as transaction:
        collection = await transaction.collections.add(a_collection(owner.id))
    calendar = Calendar(store, collection.id)
    await calendar.set_horizon(HORIZON)
    return calendar


async def test_types_stay_apart(calendar):
    """Where BUSY and BUSY-TENTATIVE overlap, both are told in full."""
    await calendar.put("a", an_entry(BusyPeriod(BASE, BASE + HOUR, BUSY)))
    await calendar.put("b", an_entry(BusyPeriod(BASE + 1800, BASE + 5400, TENTATIVE)))

    assert await calendar.busy(HORIZON) == [
        BusyPeriod(BASE, BASE + HOUR, BUSY),
        BusyPeriod(BASE + 1800, BASE + 5400, TENTATIVE),
    ]


async def test_an_event_over_midnight_is_one_period(calendar):
    """Rows are per day, answers are not."""
    period = BusyPeriod(BASE - HOUR, BASE + 2 * DAY, BUSY)
    await calendar.put("a", an_entry(period))

    assert await calendar.busy(HORIZON) == [period]


async def test_removing_one_of_two_leaves_the_other(calendar):
    """A day is rebuilt from what still covers it."""
    await calendar.put("a", an_entry(BusyPeriod(BASE, BASE + 2 * HOUR, BUSY)))
    await calendar.put("b", an_entry(BusyPeriod(BASE + HOUR, BASE + 3 * HOUR, BUSY)))
    await calendar.remove("a")

    assert await calendar.busy(HORIZON) == [BusyPeriod(BASE + HOUR, BASE + 3 * HOUR, BUSY)]


async def test_a_week_long_event_is_found_from_its_middle(calendar):
    """Occurrences of more than two days are found by scans of their own."""
    period = BusyPeriod(BASE - 100 * DAY, BASE - 90 * DAY, BUSY)
    await calendar.put("a", an_entry(period))
    window = TimeRange(BASE - 95 * DAY, BASE - 94 * DAY)

    assert await calendar.busy(window) == [BusyPeriod(*_ends(window), BUSY)]
    assert await calendar.candidates(window) == ["a"]


async def test_beyond_the_horizon_recurring_objects_are_computed(calendar):
    """Outside the horizon rows of single events answer; recurring ones are handed out."""
    late = HORIZON.end + 10 * DAY
    await calendar.put("single", an_entry(BusyPeriod(late, late + HOUR, BUSY)))
    entry = an_entry(BusyPeriod(BASE, BASE + HOUR, BUSY), recurring=True)
    endless = IndexEntry(
        first_start=BASE, last_end=None, recurring=True, dense=False, floating=False,
        periods=entry.periods, occurrences=entry.occurrences,
    )  # fmt: skip
    await calendar.put("weekly", endless)
    window = TimeRange(late - DAY, late + DAY)
    async with calendar.store.read() as transaction:
        computed = await transaction.index.computed([calendar.id], window)
        inside = await transaction.index.computed([calendar.id], TimeRange(BASE, BASE + DAY))

    assert await calendar.busy(window) == [BusyPeriod(late, late + HOUR, BUSY)]
    assert ([record.name for record in computed], list(inside)) == (["weekly"], [])


async def test_dense_objects_have_no_rows_and_are_always_computed(calendar):
    """A rule of every few minutes makes no table grow."""
    dense = IndexEntry(
        first_start=BASE, last_end=None, recurring=True, dense=True, floating=False,
        periods=[BusyPeriod(BASE, BASE + 60, BUSY)], occurrences=[TimeRange(BASE, BASE + 60)],
    )  # fmt: skip
    await calendar.put("dense", dense)
    window = TimeRange(BASE, BASE + DAY)
    async with calendar.store.read() as transaction:
        computed = await transaction.index.computed([calendar.id], window)

    assert await calendar.busy(window) == []
    assert [record.name for record in computed] == ["dense"]
    assert await calendar.candidates(window) == ["dense"]


async def test_a_moved_horizon_has_its_new_days(calendar):
    """Extending the horizon makes rows for the days that were not merged before."""
    late = HORIZON.end + 3 * DAY
    await calendar.put("a", an_entry(BusyPeriod(late, late + HOUR, BUSY)))
    await calendar.set_horizon(TimeRange(HORIZON.start + DAY, HORIZON.end + 10 * DAY))

    assert await calendar.busy(TimeRange(late - DAY, late + DAY)) == [
        BusyPeriod(late, late + HOUR, BUSY)
    ]


async def test_free_occurrences_matter_to_queries_only(calendar):
    """What is not busy is a candidate of calendar-query and not busy."""
    await calendar.put("a", an_entry(free=TimeRange(BASE, BASE + HOUR)))

    assert await calendar.busy(HORIZON) == []
    assert await calendar.candidates(TimeRange(BASE, BASE + 60)) == ["a"]


async def test_what_rows_overlap_is_certain(calendar):
    """What only touches a window is a candidate, what overlaps it or lies in it is certain."""
    await calendar.put("before", an_entry(BusyPeriod(BASE - HOUR, BASE, BUSY)))
    await calendar.put("inside", an_entry(free=TimeRange(BASE, BASE + HOUR)))
    await calendar.put("moment", an_entry(free=TimeRange(BASE, BASE)))
    await calendar.put("long", an_entry(BusyPeriod(BASE - 9 * DAY, BASE + 60, BUSY)))
    window = TimeRange(BASE, BASE + HOUR)
    async with calendar.store.read() as transaction:
        candidates = await transaction.index.candidates(calendar.id, window)
        certain = await transaction.index.certain(calendar.id, window)
        first = await transaction.index.candidates(calendar.id, window, limit=2)

    assert {one.name for one in candidates} == {"before", "inside", "moment", "long"}
    assert {one.name for one in candidates if one.id in certain} == {"inside", "moment", "long"}
    assert [one.name for one in first] == ["before", "inside"]


async def test_a_calendar_is_outdated_by_time_and_by_tzdata(calendar):
    """A short horizon or rows of another tzdata version want building anew."""
    async with calendar.store.read() as transaction:
        index = transaction.index
        current = await index.outdated(before_end=HORIZON.end, tzdata="2026a")
        short = await index.outdated(before_end=HORIZON.end + DAY, tzdata="2026a")
        old = await index.outdated(before_end=HORIZON.end, tzdata="2026b")

    assert [list(found) for found in (current, short, old)] == [
        [],
        [calendar.id],
        [calendar.id],
    ]


def _ends(window: TimeRange) -> tuple[int, int]:
    return window.start, window.end


PERIODS = st.builds(
    lambda start, length, kind: BusyPeriod(BASE + start * 900, BASE + (start + length) * 900, kind),
    st.integers(-30 * 96, 60 * 96),
    st.one_of(st.integers(1, 12), st.integers(90, 200), st.integers(192, 1000)),
    st.sampled_from([BUSY, TENTATIVE, BusyType.UNAVAILABLE]),
)
STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abcde"), st.lists(PERIODS, max_size=4)),
    st.tuples(st.just("remove"), st.sampled_from("abcde"), st.just(())),
    st.tuples(st.just("horizon"), st.integers(-10, 30), st.just(())),
)
WINDOWS = st.builds(
    lambda start, length: TimeRange(BASE + start * 900, BASE + (start + length) * 900),
    st.integers(-40 * 96, 60 * 96),
    st.integers(0, 60 * 96),
)


@given(steps=st.lists(STEPS, max_size=8), windows=st.lists(WINDOWS, min_size=1, max_size=3))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_any_history_answers_like_brute_force(store, steps, windows):
    """After any puts, removals and moves of the horizon, busy time equals the plain union."""
    async with store.write() as transaction:
        for old in await transaction.owners.all():
            for collection in await transaction.collections.of_owner(old.id):
                await transaction.collections.remove(collection.id)
        owner = await transaction.owners.by_email("jane@example.org")
        owner = owner or await transaction.owners.add(an_owner(), "hash")
        collection = await transaction.collections.add(a_collection(owner.id))
    calendar = Calendar(store, collection.id)
    await calendar.set_horizon(HORIZON)
    model: dict[str, list[BusyPeriod]] = {}
    for verb, subject, periods in steps:
        if verb == "put":
            model[subject] = periods
            await calendar.put(subject, an_entry(*periods))
        elif verb == "remove":
            model.pop(subject, None)
            await calendar.remove(subject)
        else:
            await calendar.set_horizon(
                TimeRange(HORIZON.start + subject * DAY, HORIZON.end + subject * DAY)
            )

    everything = [period for periods in model.values() for period in periods]
    for window in windows:
        assert await calendar.busy(window) == coalesce(everything, window)


async def test_many_entries_at_once_are_as_many_puts(calendar, store):
    """Rows, candidates and merged days are those of one put after the other."""
    entries = {
        "a": an_entry(BusyPeriod(BASE, BASE + HOUR, BUSY)),
        "b": an_entry(BusyPeriod(BASE + HOUR // 2, BASE + 2 * HOUR, BUSY)),
        "long": an_entry(BusyPeriod(BASE, BASE + 4 * DAY, TENTATIVE)),
        "free": an_entry(free=TimeRange(BASE, BASE + HOUR)),
    }
    async with store.write() as transaction:
        ids = await transaction.objects.add([an_object(calendar.id, name) for name in entries])
        await transaction.index.add(calendar.id, dict(zip(ids, entries.values(), strict=True)))
    window = TimeRange(BASE, BASE + DAY)
    together = await calendar.busy(window), await calendar.candidates(window)
    for name, entry in entries.items():
        await calendar.remove(name)
        await calendar.put(name, entry)

    assert (await calendar.busy(window), await calendar.candidates(window)) == together
    assert together[0] == [
        BusyPeriod(BASE, BASE + 2 * HOUR, BUSY),
        BusyPeriod(BASE, BASE + DAY, TENTATIVE),
    ]
