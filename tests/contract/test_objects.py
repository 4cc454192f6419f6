"""Calendar object resources through ObjectService, on both engines."""

import asyncio
from dataclasses import replace

import pytest

from gateway import errors
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.collection import BusyRules, Collection, Provider
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.services.freebusy import FreeBusyService
from gateway.services.index import IndexService
from gateway.services.objects import ObjectService
from gateway.services.prepared import etag_of
from gateway.services.transfer import TransferService
from tests.builders import NOON, a_collection, an_event, an_object, an_owner

FIRST = 1796115600
"""2026-12-01T09:00:00Z, where `an_event` starts."""
WEEK = TimeRange(FIRST - 9 * HOUR, FIRST - 9 * HOUR + 7 * DAY)


@pytest.fixture
def objects(store, clock) -> ObjectService:
    """Serve the objects of the store."""
    return ObjectService(store, clock)


@pytest.fixture
def freebusy(store, clock) -> FreeBusyService:
    """Serve free/busy of the store."""
    return FreeBusyService(store, clock)


@pytest.fixture
async def calendar(objects, owner) -> Collection:
    """Make a local calendar in Amsterdam."""
    return await objects.create_collection(owner, name="home", time_zone="Europe/Amsterdam")


def _hour(start: int, kind: BusyType = BusyType.BUSY) -> BusyPeriod:
    return BusyPeriod(start, start + HOUR, kind)


async def test_what_was_put_comes_back(objects, owner, calendar):
    """The bytes that were PUT are the bytes that are stored, under a strong ETag."""
    data = an_event(end="20261201T100000Z")
    result = await objects.put(owner, calendar, "a.ics", data)
    record = await objects.get(calendar, "a.ics")

    assert (result.created, record.data, record.etag) == (True, data, etag_of(data))


async def test_a_put_makes_its_time_busy(objects, freebusy, owner, calendar):
    """An event's time is busy with its PUT, and free with its DELETE."""
    await objects.put(owner, calendar, "a.ics", an_event(end="20261201T100000Z"))
    during = await freebusy.busy([calendar], WEEK)
    await objects.remove(owner, calendar, "a.ics")

    assert during == [_hour(FIRST)]
    assert await freebusy.busy([calendar], WEEK) == []


async def test_overwriting_moves_the_busy_time(objects, freebusy, owner, calendar):
    """The old time is free again as soon as the new one is busy."""
    await objects.put(owner, calendar, "a.ics", an_event(end="20261201T100000Z"))
    moved = an_event(start="20261202T090000Z", end="20261202T100000Z")
    result = await objects.put(owner, calendar, "a.ics", moved)

    assert not result.created
    assert await freebusy.busy([calendar], WEEK) == [_hour(FIRST + DAY)]


@pytest.mark.parametrize(
    ("stored", "conditions"),
    [
        (True, {"if_none_match": True}),
        (True, {"if_none_match": "*"}),
        (True, {"if_match": '"other"'}),
        (True, {"if_match": ['"other"', 'W/"weak"']}),
        (False, {"if_match": "*"}),
        (False, {"if_match": '"any"'}),
    ],
)
async def test_preconditions_that_do_not_hold_change_nothing(
    objects, owner, calendar, stored, conditions
):
    """If-Match and If-None-Match are held against what is stored."""
    before = an_event(end="20261201T100000Z")
    if stored:
        await objects.put(owner, calendar, "a.ics", before)
    with pytest.raises(errors.StaleETag) as caught:
        await objects.put(owner, calendar, "a.ics", an_event(summary="new"), **conditions)

    assert caught.value.current == (etag_of(before) if stored else None)
    assert [record.data for record in await objects.list(calendar)] == [before] * stored


async def test_the_current_etag_lets_a_put_pass(objects, owner, calendar):
    """A PUT with the ETag that was read last is stored."""
    first = await objects.put(owner, calendar, "a.ics", an_event())
    second = await objects.put(
        owner, calendar, "a.ics", an_event(summary="new"), if_match=[first.etag]
    )

    assert second.etag != first.etag


async def test_of_two_puts_with_one_etag_one_is_stale(objects, owner, calendar):
    """Two clients that overwrite the same version at once do not both win."""
    first = await objects.put(owner, calendar, "a.ics", an_event())
    outcomes = await asyncio.gather(
        *(
            objects.put(
                owner, calendar, "a.ics", an_event(summary=str(number)), if_match=first.etag
            )
            for number in range(4)
        ),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes].count(errors.StaleETag) == 3


async def test_a_uid_keeps_its_name(objects, owner, calendar):
    """The UID of an object cannot be put under a second name, nor be changed under its own."""
    await objects.put(owner, calendar, "a.ics", an_event("one"))
    for name, uid in (("b.ics", "one"), ("a.ics", "two")):
        with pytest.raises(errors.Refused) as caught:
            await objects.put(owner, calendar, name, an_event(uid))
        assert (caught.value.condition, caught.value.href) == ("no-uid-conflict", "a.ics")


async def test_a_component_the_calendar_does_not_take_is_refused(objects, owner, calendar):
    """A to-do does not go into a calendar of events."""
    todo = an_event().replace(b"VEVENT", b"VTODO")
    with pytest.raises(errors.Refused) as caught:
        await objects.put(owner, calendar, "a.ics", todo)

    assert caught.value.condition == "supported-calendar-component"


async def test_a_provider_calendar_is_read_only(store, objects, owner):
    """A client cannot write into a calendar that belongs to a provider."""
    async with store.write() as transaction:
        google = await transaction.collections.add(a_collection(owner.id, provider=Provider.GOOGLE))
    with pytest.raises(errors.Forbidden):
        await objects.put(owner, google, "a.ics", an_event())


async def test_the_first_writable_calendar_is_the_default(store, objects, owner, calendar):
    """The first calendar becomes the default, the second does not."""
    await objects.create_collection(owner, name="second")
    async with store.read() as transaction:
        found = await transaction.owners.get(owner.id)

    assert found.default_collection_id == calendar.id


async def test_an_all_day_event_is_busy_in_the_calendars_zone(objects, freebusy, owner, calendar):
    """A day begins and ends at midnight where the calendar is."""
    day = an_event(start=";VALUE=DATE:20261201", end=";VALUE=DATE:20261202")
    await objects.put(owner, calendar, "a.ics", day)
    midnight = FIRST - 10 * HOUR

    assert await freebusy.busy([calendar], TimeRange(midnight - DAY, midnight + 3 * DAY)) == [
        BusyPeriod(midnight, midnight + DAY, BusyType.BUSY)
    ]


async def test_another_zone_moves_all_day_events(objects, freebusy, owner, calendar):
    """Changing a calendar's zone builds its busy time anew."""
    day = an_event(start=";VALUE=DATE:20261201", end=";VALUE=DATE:20261202")
    await objects.put(owner, calendar, "a.ics", day)
    changed = await objects.update_collection(owner, replace(calendar, time_zone="UTC"))
    midnight = FIRST - 9 * HOUR

    assert await freebusy.busy([changed], TimeRange(midnight - DAY, midnight + 3 * DAY)) == [
        BusyPeriod(midnight, midnight + DAY, BusyType.BUSY)
    ]


@pytest.mark.parametrize(
    ("lines", "rules"),
    [
        ({"status": "TENTATIVE"}, {"tentative_blocks": False}),
        (
            {"attendee;partstat=needs_action": "mailto:JANE@example.org"},
            {"unanswered_blocks": False},
        ),
        ({"x_microsoft_cdo_busystatus": "OOF"}, {"out_of_office_blocks": False}),
    ],
)
async def test_rules_decide_what_blocks(objects, freebusy, owner, calendar, lines, rules):
    """Each kind of event blocks, until the owner says that it does not."""
    await objects.put(owner, calendar, "a.ics", an_event(end="20261201T100000Z", **lines))
    before = await freebusy.busy([calendar], WEEK)
    changed = await objects.set_rules(owner, calendar, BusyRules(**rules))

    assert [period[:2] for period in before] == [(FIRST, FIRST + HOUR)]
    assert await freebusy.busy([changed], WEEK) == []


async def test_an_invitation_the_owner_declined_is_free(objects, freebusy, owner, calendar):
    """What the owner declined does not block; what somebody else declined does."""
    declined = {"attendee;partstat=declined": "mailto:jane@example.org"}
    other = {"attendee;partstat=declined": "mailto:joe@example.org"}
    await objects.put(owner, calendar, "a.ics", an_event("a", end="20261201T100000Z", **declined))
    await objects.put(
        owner, calendar, "b.ics",
        an_event("b", start="20261202T090000Z", end="20261202T100000Z", **other),
    )  # fmt: skip

    assert await freebusy.busy([calendar], WEEK) == [_hour(FIRST + DAY)]


@pytest.mark.parametrize("years", [0, 3, 30])
async def test_an_endless_series_is_busy_in_any_year(objects, freebusy, owner, calendar, years):
    """Inside the horizon from rows, beyond it computed: the same hour every day."""
    await objects.put(
        owner, calendar, "a.ics", an_event(end="20261201T100000Z", rrule="FREQ=DAILY")
    )
    later = FIRST + years * 365 * DAY
    window = TimeRange(later - HOUR, later + 2 * DAY - HOUR)

    assert await freebusy.busy([calendar], window) == [_hour(later), _hour(later + DAY)]


async def test_a_dense_series_is_computed(store, objects, freebusy, owner, calendar):
    """A rule of every ten minutes has no rows, and is busy all the same."""
    dense = an_event(end="20261201T090100Z", rrule="FREQ=MINUTELY;INTERVAL=10")
    await objects.put(owner, calendar, "a.ics", dense)
    async with store.read() as transaction:
        indexed = await transaction.index.busy([calendar.id], WEEK)
    found = await freebusy.busy([calendar], TimeRange(FIRST, FIRST + HOUR))

    assert list(indexed[calendar.id]) == []
    assert found == [
        BusyPeriod(FIRST + minute * 60, FIRST + minute * 60 + 60, BusyType.BUSY)
        for minute in range(0, 60, 10)
    ]


@pytest.mark.parametrize(
    ("duration", "lines"),
    [("PT0S", {}), ("PT1S", {"transp": "TRANSPARENT"}), ("PT1S", {"status": "CANCELLED"})],
)
async def test_what_never_blocks_is_not_busy_however_often(
    objects, freebusy, owner, calendar, duration, lines
):
    """A foreign rule of every second is free, not bounded, where its instances block nothing."""
    data = an_event(start="20260101T000000Z", duration=duration, rrule="FREQ=SECONDLY", **lines)
    await objects.put_many(owner, calendar, [("a.ics", data)])
    far = TimeRange(FIRST + 26_000 * DAY, FIRST + 26_000 * DAY + HOUR)

    assert await freebusy.busy([calendar], WEEK) == []
    assert await freebusy.busy([calendar], far) == []


@pytest.mark.parametrize("start", ["19260101T000000Z", ";TZID=Europe/Amsterdam:19260101T000000"])
async def test_what_lasts_for_decades_costs_no_other_item(
    store, objects, freebusy, owner, calendar, start
):
    """A foreign series whose instances pile up is busy, not stored row by row, and not refused."""
    long = an_event("long", start=start, duration="P36500D", rrule="FREQ=HOURLY;INTERVAL=12")
    later = an_event(start="20261201T090000Z", end="20261201T100000Z")
    await objects.put_many(owner, calendar, [("long.ics", long), ("a.ics", later)])

    assert await freebusy.busy([calendar], WEEK) == [
        BusyPeriod(WEEK.start, WEEK.end, BusyType.BUSY)
    ]
    async with store.read() as tx:
        assert len(await tx.index.certain(calendar.id, WEEK)) == 1


async def test_the_horizon_moves_with_time(store, objects, freebusy, owner, calendar, clock):
    """A nightly pass makes rows for the days that have come into reach."""
    await objects.put(
        owner, calendar, "a.ics", an_event(end="20261201T100000Z", rrule="FREQ=DAILY")
    )
    index = IndexService(store, clock)
    before = await index.extend()
    clock.advance(100 * DAY)
    after = await index.extend()
    late = FIRST + 480 * DAY
    async with store.read() as transaction:
        indexed = await transaction.index.busy([calendar.id], TimeRange(late, late + DAY))
        again = await transaction.index.computed([calendar.id], TimeRange(late, late + DAY))

    assert (before, after, list(again)) == (False, True, [])
    assert list(indexed[calendar.id]) == [_hour(late)]


@pytest.mark.parametrize("days", [0, 900], ids=["within", "beyond"])
async def test_what_cannot_be_read_any_more_is_never_free(store, clock, freebusy, calendar, days):
    """An object that was stored once and is nonsense now is busy, beyond the horizon too."""
    window = TimeRange(FIRST + days * DAY, FIRST + (days + 1) * DAY)
    async with store.write() as tx:
        await tx.objects.put(an_object(calendar.id, data=b"nonsense"))
    await IndexService(store, clock).rebuild(calendar.id)

    assert await freebusy.busy([calendar], window) == [
        BusyPeriod(window.start, window.end, BusyType.BUSY)
    ]


async def test_several_calendars_answer_together(objects, freebusy, owner, calendar):
    """Busy time of several calendars is merged."""
    other = await objects.create_collection(owner, name="work")
    await objects.put(owner, calendar, "a.ics", an_event(end="20261201T100000Z"))
    late = an_event(start="20261201T093000Z", end="20261201T110000Z")
    await objects.put(owner, other, "a.ics", late)
    apart = await freebusy.busy_by_collection([calendar, other], WEEK)

    assert await freebusy.busy([calendar, other], WEEK) == [
        BusyPeriod(FIRST, FIRST + 2 * HOUR, BusyType.BUSY)
    ]
    assert [len(apart[one.id]) for one in (calendar, other)] == [1, 1]


async def test_what_is_remembered_follows_every_change(store, objects, freebusy, owner, calendar):
    """Busy time told from memory is what reading tells, after each put, rule and removal."""
    other = await objects.create_collection(owner, name="work")

    async def told() -> tuple[object, object]:
        async with store.read() as tx:
            both = [await tx.collections.get(one.id) for one in (calendar, other)]
            told = await freebusy.remembered(owner, both, WEEK, tx=tx)
            return list(told), await freebusy.busy(both, WEEK, tx=tx)

    late = an_event(start="20261203T093000Z", end="20261203T110000Z")
    changes = [
        objects.put(owner, calendar, "a.ics", an_event(end="20261201T100000Z")),
        objects.put(owner, calendar, "a.ics", an_event(end="20261201T110000Z")),
        objects.put(owner, other, "b.ics", late),
        objects.set_rules(owner, calendar, BusyRules(tentative_blocks=False)),
        objects.remove(owner, calendar, "a.ics"),
        objects.remove(owner, other, "b.ics"),
    ]
    seen = [await told()]
    for change in changes:
        await change
        seen += [await told(), await told()]

    assert all(remembered == read for remembered, read in seen)
    assert [len(told) for told, _ in seen] == [0, 1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 0, 0]


async def test_an_import_is_stored_whole_or_not_at_all(objects, owner, calendar):
    """A refusal inside a batch undoes the batch."""
    items = [(f"{number}.ics", an_event(str(number))) for number in range(3)]
    with pytest.raises(errors.Refused):
        await objects.put_many(owner, calendar, [*items, ("x.ics", an_event("1"))])
    assert await objects.list(calendar) == []
    await objects.put_many(owner, calendar, items)

    assert len(await objects.list(calendar)) == 3


async def test_many_at_once_are_as_one_by_one(objects, freebusy, owner, calendar, store):
    """New ones, replacing ones, one name twice: what is there and busy is as by single PUTs."""
    other = await objects.create_collection(owner, name="work")
    series = "FREQ=WEEKLY;COUNT=3"
    first = [("0.ics", an_event("0", end="20261201T100000Z"))]
    items = [
        ("0.ics", an_event("0", end="20261201T093000Z")),
        ("1.ics", an_event("1", start="20261202T090000Z", end="20261202T100000Z", rrule=series)),
        ("2.ics", an_event("2", start="20261203T090000Z", end="20261203T100000Z")),
        ("2.ics", an_event("2", start="20261204T090000Z", end="20261204T100000Z")),
    ]
    await objects.put_many(owner, calendar, first)
    await objects.put_many(owner, calendar, items)
    for name, data in [*first, *items]:
        await objects.put(owner, other, name, data)
    window = TimeRange(FIRST - DAY, FIRST + 30 * DAY)
    apart = await freebusy.busy_by_collection([calendar, other], window)

    def told(records):
        return [(one.name, one.uid, one.etag) for one in records]

    assert told(await objects.list(calendar)) == told(await objects.list(other))
    assert apart[calendar.id] == apart[other.id]
    assert len(apart[calendar.id]) == 5


async def test_deselected_calendars_do_not_decide(objects, freebusy, owner, calendar):
    """Only selected calendars count for availability."""
    await objects.create_collection(owner, name="hobby", selected=False)

    assert [one.name for one in await freebusy.selected(owner.id)] == ["home"]


async def test_the_clock_stands_where_the_tests_say(clock):
    """The fake clock starts at the instant the builders use."""
    assert clock.now() == NOON


async def test_anothers_calendar_is_nobodys_to_change(sqlite_store, clock):
    """It is not made one's default, not edited and not removed, whoever hands it in (check 46)."""
    objects = ObjectService(sqlite_store, clock)
    async with sqlite_store.write() as tx:
        jane = await tx.owners.add(an_owner(), "hash")
        bob = await tx.owners.add(an_owner(email="bob@example.org"), "hash")
    calendar = await objects.create_collection(jane, name="home")
    for act in (
        objects.set_default(bob, calendar),
        objects.update_collection(bob, replace(calendar, display_name="Mine")),
        objects.choose(bob, calendar, lambda before, _dead: (before, {}), default=True),
        objects.remove_collection(bob, calendar),
    ):
        with pytest.raises(errors.NotFound):
            await act
    async with sqlite_store.read() as tx:
        found, stored = await tx.owners.get(bob.id), await tx.collections.get(calendar.id)

    assert found.default_collection_id is None
    assert stored == calendar


async def test_nothing_is_imported_into_a_providers_calendar(sqlite_store, clock):
    """A copy of a source is the source's: the file is refused whole and nothing is stored."""
    objects = ObjectService(sqlite_store, clock)
    async with sqlite_store.write() as tx:
        owner = await tx.owners.add(an_owner(), "hash")
        copy = await tx.collections.add(a_collection(owner.id, provider=Provider.ICS))
    with pytest.raises(errors.Forbidden, match="local calendars"):
        await TransferService(sqlite_store, objects).import_file(owner, copy, an_event())

    assert await objects.list(copy) == []
