"""The Google adapter against the simulated Google: lists, deltas, series, roles, faults, push."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.adapters.google import adapter as google_adapter
from gateway.adapters.google.adapter import GoogleAdapter
from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.component import Component, parse_many
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.ports import UpstreamObject, UpstreamPage
from gateway.sandbox.google import Fault
from tests.conftest import START, FakeClock
from tests.google_account import ANA, GoogleSource, google_source

NOON = START + DAY
"""2026-11-25T12:00:00Z."""


@pytest.fixture
async def ana() -> AsyncIterator[GoogleSource]:
    """Run a simulated Google with Ana's account."""
    async with google_source() as made:
        yield made


def at(day: int, hour: int = 12) -> dict[str, str]:
    """Return a time of November 2026 in Zurich."""
    return {"dateTime": f"2026-11-{day:02}T{hour:02}:00:00+01:00", "timeZone": "Europe/Zurich"}


def put(ana: GoogleSource, event_id: str, **values: Any) -> None:
    """Store an event of 25 November, 12:00 to 13:00 in Zurich, or as told."""
    item = {"id": event_id, "summary": event_id, "start": at(25), "end": at(25, 13)} | values
    ana.server.world.put(ANA, item)


def put_series(ana: GoogleSource, event_id: str = "series") -> None:
    """Store a series on four days from 24 November."""
    rule = ["RRULE:FREQ=DAILY;COUNT=4"]
    put(ana, event_id, start=at(24), end=at(24, 13), recurrence=rule)


def put_exception(ana: GoogleSource, day: int, event_id: str = "series", **values: Any) -> None:
    """Store a changed instance of the series, by default two hours later."""
    put(
        ana,
        f"{event_id}_202611{day}T110000Z",
        **{
            "iCalUID": f"{event_id}@google.com",
            "recurringEventId": event_id,
            "originalStartTime": at(day),
            "start": at(day, 14),
            "end": at(day, 15),
        }
        | values,
    )


async def read(
    adapter: GoogleAdapter, cursor: str = "", calendar: str = ANA
) -> tuple[dict[str, UpstreamObject], UpstreamPage]:
    """Read all changes; return the last word on each key, and the last page."""
    pages = [page async for page in adapter.changes(calendar, cursor)]
    objects = {item.key: item for page in pages for item in page.objects}
    return objects, pages[-1]


def members(item: UpstreamObject) -> list[Component]:
    """Return the components of an object."""
    assert item.data is not None
    return parse_many(item.data)[0].inside("VEVENT")


def told(item: UpstreamObject) -> tuple[list[str], list[str]]:
    """Return a series' overrides and exceptions by their times."""
    found = members(item)
    overrides = [one.value("RECURRENCE-ID") for one in found if one.first("RECURRENCE-ID")]
    return sorted(overrides), [line.value for line in found[0].all("EXDATE")]


# --- lists ---------------------------------------------------------------------------------------


async def test_calendars_come_with_what_may_be_done(ana: GoogleSource) -> None:
    """Every calendar over all pages; a role that nobody knows reads."""
    world = ana.server.world
    world.page_size = 2
    for role in ("writer", "writerWithoutPrivateAccess", "freeBusyReader", "somethingNew"):
        world.add_calendar(f"{role}@group", {ANA: role}, time_zone="Asia/Tokyo")
    found = {one.upstream_id: one for one in await ana.adapter().calendars()}

    assert {name.partition("@")[0]: one.role for name, one in found.items()} == {
        "ana": "owner",
        "writer": "reader",
        "writerWithoutPrivateAccess": "reader",
        "freeBusyReader": "free_busy",
        "somethingNew": "reader",
    }
    assert [one.upstream_id for one in found.values() if one.is_primary] == [ANA]
    assert found["writer@group"].time_zone == "Asia/Tokyo"


async def test_empty_and_short_pages_are_no_end(ana: GoogleSource) -> None:
    """Pages follow their tokens; exceptions may come pages before their master."""
    ana.server.world.page_size, ana.server.world.empty_pages = 2, True
    put_series(ana)
    put_exception(ana, 25)
    for number in range(7):
        put(ana, f"single{number}")
    objects, last = await read(ana.adapter())

    assert len(objects) == 8
    assert told(objects["series"]) == (["20261125T120000"], [])
    assert last.complete


async def test_leftovers_of_a_deleted_series_are_not_an_invitation(ana: GoogleSource) -> None:
    """A full list shows a live exception and not its deleted master: that one is gone too."""
    put_series(ana)
    ana.server.world.remove(ANA, "series")
    put_exception(ana, 25)
    put_exception(ana, 26, "elsewhere")
    objects, _ = await read(ana.adapter())

    assert set(objects) == {"elsewhere"}


async def test_old_events_are_not_asked_for(ana: GoogleSource) -> None:
    """Events of more than a year ago stay away, a series that still runs comes."""
    old = {"start": {"date": "2020-01-01"}, "end": {"date": "2020-01-02"}}
    put(ana, "old", **old)
    put(ana, "birthday", **old, recurrence=["RRULE:FREQ=YEARLY"])
    objects, _ = await read(ana.adapter())

    assert set(objects) == {"birthday"}


# --- deltas --------------------------------------------------------------------------------------


async def test_a_delta_holds_what_changed(ana: GoogleSource) -> None:
    """New, changed and deleted events; an unchanged calendar costs one question."""
    put(ana, "stays")
    put(ana, "changes")
    put(ana, "goes")
    adapter = ana.adapter()
    _, first = await read(adapter)
    put(ana, "changes", summary="Other")
    put(ana, "comes")
    ana.server.world.remove(ANA, "goes")
    objects, second = await read(adapter, first.cursor or "")
    asked = len(ana.server.world.log)
    _, third = await read(adapter, second.cursor or "")

    assert {key: item.data is None for key, item in objects.items()} == {
        "changes": False,
        "comes": False,
        "goes": True,
    }
    assert not second.complete
    assert third.unchanged
    assert len(ana.server.world.log) == asked + 1


@pytest.mark.parametrize("page_size", [0, 1])
async def test_an_exception_alone_brings_its_whole_series(
    ana: GoogleSource, page_size: int
) -> None:
    """A delta with one exception gives the series with all its exceptions, old ones included."""
    put_series(ana)
    put_exception(ana, 24)
    put_exception(ana, 25, status="cancelled")
    adapter = ana.adapter()
    _, first = await read(adapter)
    put_exception(ana, 26)
    ana.server.world.page_size = page_size
    objects, _ = await read(adapter, first.cursor or "")

    assert told(objects["series"]) == (
        ["20261124T120000", "20261126T120000"],
        ["20261125T120000"],
    )


async def test_a_changed_master_keeps_its_exceptions(ana: GoogleSource) -> None:
    """A delta with the master alone gives the series with its exceptions."""
    put_series(ana)
    put_exception(ana, 25)
    put_exception(ana, 26, status="cancelled")
    adapter = ana.adapter()
    _, first = await read(adapter)
    rule = ["RRULE:FREQ=DAILY;COUNT=5"]
    put(ana, "series", start=at(24), end=at(24, 13), recurrence=rule, summary="Longer")
    objects, _ = await read(adapter, first.cursor or "")

    assert members(objects["series"])[0].text("SUMMARY") == "Longer"
    assert told(objects["series"]) == (["20261125T120000"], ["20261126T120000"])


async def test_a_cancelled_instance_is_an_exception_date(ana: GoogleSource) -> None:
    """A bare tombstone of an instance gives the series without it."""
    put_series(ana)
    adapter = ana.adapter()
    _, first = await read(adapter)
    put_exception(ana, 25, status="cancelled")
    objects, _ = await read(adapter, first.cursor or "")

    assert told(objects["series"]) == ([], ["20261125T120000"])


async def test_a_deleted_series_is_gone(ana: GoogleSource) -> None:
    """Master and exceptions deleted at once leave nothing behind."""
    put_series(ana)
    put_exception(ana, 25)
    adapter = ana.adapter()
    _, first = await read(adapter)
    ana.server.world.remove(ANA, "series")
    objects, _ = await read(adapter, first.cursor or "")

    assert {key: item.data for key, item in objects.items()} == {"series": None}


async def test_instances_without_a_master_come_and_go(ana: GoogleSource) -> None:
    """Invited to two instances of somebody's series: both come, then one goes, then the other."""
    put_exception(ana, 25)
    put_exception(ana, 26)
    adapter = ana.adapter()
    objects, last = await read(adapter)
    assert len(members(objects["series"])) == 2
    ana.server.world.remove(ANA, "series_20261125T110000Z")
    objects, last = await read(adapter, last.cursor or "")
    assert [one.value("RECURRENCE-ID") for one in members(objects["series"])] == ["20261126T120000"]
    ana.server.world.remove(ANA, "series_20261126T110000Z")
    objects, last = await read(adapter, last.cursor or "")

    gone = not last.complete and objects["series"].data is None
    assert gone or (last.complete and "series" not in objects)


async def test_many_changed_series_are_one_full_read(
    ana: GoogleSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where reading everything is less work, everything is read."""
    monkeypatch.setattr(google_adapter, "MAX_SERIES", 2)
    adapter = ana.adapter()
    _, first = await read(adapter)
    for name in ("one", "two", "three"):
        put_series(ana, name)
    objects, last = await read(adapter, first.cursor or "")

    assert last.complete
    assert set(objects) == {"one", "two", "three"}


async def test_a_dead_token_starts_over(ana: GoogleSource) -> None:
    """After 410 everything is read, and absence means deletion."""
    put(ana, "stays")
    put(ana, "goes")
    adapter = ana.adapter()
    _, first = await read(adapter)
    ana.server.world.remove(ANA, "goes")
    ana.server.world.forget(ANA)
    objects, last = await read(adapter, first.cursor or "")

    assert last.complete
    assert set(objects) == {"stays"}


@pytest.mark.parametrize("cursor", ["nonsense", "{}", '{"version": 0, "token": "x"}', "[1]"])
async def test_an_odd_cursor_is_a_start(ana: GoogleSource, cursor: str) -> None:
    """What another version wrote, or nobody did, reads everything."""
    put(ana, "event")
    objects, last = await read(ana.adapter(), cursor)

    assert last.complete
    assert set(objects) == {"event"}


async def test_starting_over_has_an_end(ana: GoogleSource) -> None:
    """A Google that makes us start over each time is left alone after three times an hour."""
    adapter = ana.adapter()
    _, last = await read(adapter)
    for _ in range(3):
        ana.server.world.forget(ANA)
        _, last = await read(adapter, last.cursor or "")
    ana.server.world.forget(ANA)
    with pytest.raises(Unavailable, match="again and again") as raised:
        await read(adapter, last.cursor or "")
    assert raised.value.retry_after == 600
    assert isinstance(ana.clock, FakeClock)
    ana.clock.advance(HOUR)
    _, last = await read(adapter, last.cursor or "")

    assert last.complete


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(route="events.list", skip=2, status=500),
        Fault(route="events.list", skip=2, lose_next=True),
        Fault(route="events.list", skip=1, endless=True),
        Fault(route="events.list", skip=2, html=True),
        Fault(route="events.list", skip=2, body=""),
        Fault(route="events.list", body="[]"),
        Fault(route="events.list", body="{}"),
        Fault(route="events.list", body='{"items": null, "nextSyncToken": "x"}'),
        Fault(route="events.list", body='{"items": []}'),
        Fault(route="events.list", skip=2, truncate=100),
        Fault(route="events.list", skip=2, drop="after"),
    ],
    ids=str,
)
async def test_a_part_is_never_taken_for_the_whole(ana: GoogleSource, fault: Fault) -> None:
    """Whatever is wrong with whichever page, the read fails and ends without a cursor."""
    ana.server.world.page_size = 2
    for number in range(9):
        put(ana, f"event{number}")
    ana.server.break_with(fault)
    pages: list[UpstreamPage] = []

    async def gather() -> None:
        async for page in ana.adapter().changes(ANA, ""):
            assert page.cursor is None
            pages.append(page)

    with pytest.raises(Unavailable):
        await gather()
    assert len(pages) < 5


async def test_a_passing_failure_is_asked_again(ana: GoogleSource) -> None:
    """One bad answer among many pages does not cost the read."""
    ana.server.world.page_size = 1
    for number in range(4):
        put(ana, f"event{number}")
    ana.server.break_with(Fault(route="events.list", skip=1, times=2, status=503))
    objects, last = await read(ana.adapter())

    assert len(objects) == 4
    assert last.complete


@pytest.mark.parametrize(
    ("reason", "kind", "wait"),
    [
        ("rateLimitExceeded", Unavailable, None),
        ("userRateLimitExceeded", Unavailable, None),
        ("quotaExceeded", Unavailable, 600),
        ("calendarUsageLimits", Unavailable, 600),
        ("dailyLimitExceeded", Unavailable, 600),
        ("accessNotConfigured", Unavailable, 600),
        ("insufficientPermissions", SignInNeeded, None),
        ("notACalendarUser", AccessLost, None),
        ("forbidden", AccessLost, None),
        ("neverHeardOf", AccessLost, None),
    ],
)
async def test_a_403_is_what_its_reason_says(
    ana: GoogleSource, reason: str, kind: type[UpstreamError], wait: int | None
) -> None:
    """Too much, not switched on, not permitted, not yours: each has its own consequence."""
    ana.fail(status=403, reason=reason)
    with pytest.raises(kind) as raised:
        await read(ana.adapter())

    assert raised.value.retry_after == wait


@pytest.mark.parametrize(
    ("told", "wait"),
    [("0", 1), ("-1", None), ("1000000000", 600), ("abc", None), ("", None), ("7", 7)],
)
async def test_every_kind_of_wait_is_bounded(
    ana: GoogleSource, told: str, wait: int | None
) -> None:
    """Retry-After of 429: no hot loop, no wait of thirty years, nonsense is absence."""
    ana.fail(status=429, retry_after=told)
    with pytest.raises(Unavailable) as raised:
        await read(ana.adapter())

    assert raised.value.retry_after == wait
    assert len(ana.server.world.log) <= 3


async def test_a_token_is_renewed_once(ana: GoogleSource) -> None:
    """After 401 one other token is tried; a grant that is gone needs its owner."""
    adapter = ana.adapter()
    await adapter.calendars()
    ana.tokens.grant.access_tokens.clear()
    await adapter.calendars()
    assert ana.tokens.renewed == 1
    ana.server.world.revoke(ANA)
    with pytest.raises(SignInNeeded):
        await adapter.calendars()


async def test_a_calendar_that_is_not_shared_any_more_is_lost(ana: GoogleSource) -> None:
    """404 for a calendar that was there: access is lost, by delta and from the start."""
    ana.server.world.add_calendar("team@group", {ANA: "reader"})
    adapter = ana.adapter()
    _, last = await read(adapter, calendar="team@group")
    ana.server.world.calendars["team@group"].roles.clear()

    for cursor in (last.cursor or "", ""):
        with pytest.raises(AccessLost):
            await read(adapter, cursor, calendar="team@group")


# --- free/busy -----------------------------------------------------------------------------------


def share_busy(ana: GoogleSource) -> str:
    """Let Ana see when the boss is busy, and no more; return the calendar's id."""
    world = ana.server.world
    world.add_account("boss@example.com")
    world.calendars["boss@example.com"].roles[ANA] = "freeBusyReader"
    world.put("boss@example.com", {"id": "secret", "start": at(25), "end": at(25, 13)})
    world.put(
        "boss@example.com",
        {"id": "later", "start": {"date": "2027-06-01"}, "end": {"date": "2027-06-02"}},
    )
    return "boss@example.com"


async def test_a_calendar_that_shares_only_busy_time_is_read(ana: GoogleSource) -> None:
    """Each busy time is an event called Busy; nothing new is unchanged; a change is complete."""
    boss = share_busy(ana)
    adapter = ana.adapter()
    objects, first = await read(adapter, calendar=boss)
    _, second = await read(adapter, first.cursor or "", calendar=boss)
    ana.server.world.remove(boss, "secret")
    after, third = await read(adapter, second.cursor or "", calendar=boss)
    (event,) = members(next(iter(objects.values())))

    assert [members(item)[0].value("DTSTART") for item in objects.values()] == [
        "20261125T110000Z",
        "20270531T220000Z",
    ]
    assert event.text("SUMMARY") == "Busy"
    assert second.unchanged
    assert third.complete
    assert len(after) == 1


async def test_a_role_that_grows_or_shrinks_is_seen(ana: GoogleSource) -> None:
    """Events once they are shared, within six hours; busy time at once when they no longer are."""
    boss = share_busy(ana)
    adapter = ana.adapter()
    _, last = await read(adapter, calendar=boss)
    ana.server.world.calendars[boss].roles[ANA] = "reader"
    assert isinstance(ana.clock, FakeClock)
    ana.clock.advance(6 * HOUR)
    events, last = await read(adapter, last.cursor or "", calendar=boss)
    ana.server.world.calendars[boss].roles[ANA] = "freeBusyReader"
    busy, last = await read(adapter, last.cursor or "", calendar=boss)

    assert set(events) == {"secret", "later"}
    assert len(busy) == 2
    assert last.complete


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"calendars": {}}, Unavailable),
        ({}, Unavailable),
        ({"calendars": {"boss@example.com": {}}}, Unavailable),
        ({"calendars": {"boss@example.com": {"busy": [{"start": "x"}]}}}, Unavailable),
        (
            {"calendars": {"boss@example.com": {"busy": [], "errors": [{"reason": "notFound"}]}}},
            AccessLost,
        ),
        (
            {"calendars": {"boss@example.com": {"busy": [], "errors": [{"reason": "new"}]}}},
            Unavailable,
        ),
    ],
    ids=str,
)
async def test_an_error_inside_a_good_answer_is_never_free(
    ana: GoogleSource, body: dict[str, Any], kind: type[UpstreamError]
) -> None:
    """A calendar's own error, a missing calendar or a broken time is a failure."""
    boss = share_busy(ana)
    ana.server.break_with(Fault(route="freebusy.query", body=json.dumps(body)))
    with pytest.raises(kind):
        await read(ana.adapter(), calendar=boss)
    with pytest.raises(kind):
        await ana.adapter().last_look(boss, TimeRange(NOON, NOON + HOUR))


# --- last look -----------------------------------------------------------------------------------


async def test_a_last_look_knows_kinds_and_instances(ana: GoogleSource) -> None:
    """Series, exceptions, answers and whole days as they are now, each with its type."""
    put_series(ana)
    put_exception(ana, 25)
    guest = {"email": ANA, "self": True, "responseStatus": "needsAction"}
    put(ana, "maybe", start=at(25, 16), end=at(25, 17), attendees=[guest])
    put(ana, "no", attendees=[{**guest, "responseStatus": "declined"}])
    put(ana, "away", start=at(25, 18), end=at(25, 19), eventType="outOfOffice")
    put(ana, "day", start={"date": "2026-11-26"}, end={"date": "2026-11-27"})
    morning = NOON - 12 * HOUR
    found = await ana.adapter().last_look(ANA, TimeRange(morning, morning + DAY))

    assert found == [
        BusyPeriod(NOON + HOUR, NOON + 2 * HOUR, BusyType.BUSY),
        BusyPeriod(NOON + 3 * HOUR, NOON + 4 * HOUR, BusyType.TENTATIVE),
        BusyPeriod(NOON + 5 * HOUR, NOON + 6 * HOUR, BusyType.UNAVAILABLE),
        BusyPeriod(NOON + 11 * HOUR, NOON + 12 * HOUR, BusyType.BUSY),
    ]


async def test_a_last_look_at_busy_time_only(ana: GoogleSource) -> None:
    """Where events are not shared, free/busy answers."""
    boss = share_busy(ana)
    window = TimeRange(NOON - 2 * HOUR, NOON)
    found = await ana.adapter().last_look(boss, window)

    assert found == [BusyPeriod(NOON - HOUR, NOON, BusyType.BUSY)]


async def test_a_last_look_fails_at_what_it_cannot_read(ana: GoogleSource) -> None:
    """An event without a time in the window is not free."""
    put(ana, "odd", start={}, end={})
    with pytest.raises(Unavailable):
        await ana.adapter().last_look(ANA, TimeRange(NOON, NOON + HOUR))


# --- push ----------------------------------------------------------------------------------------


async def test_a_channel_is_opened_and_ended(ana: GoogleSource) -> None:
    """Google has our name, secret and address; ending it twice is no failure."""
    adapter = ana.adapter()
    address = f"{ana.server.url}/hook"
    watch = await adapter.watch(ANA, channel="ch-1", secret="s", address=address)
    (channel,) = ana.server.world.channels.values()
    await adapter.unwatch(watch)
    await adapter.unwatch(watch)

    assert (channel.id, channel.token, channel.address) == ("ch-1", "s", address)
    assert watch.expires_at == int(channel.expiration)
    assert ana.server.world.channels == {}


async def test_a_calendar_without_push_says_so(ana: GoogleSource) -> None:
    """Holidays and imports have no channels: a lasting no, which only polling answers."""
    ana.server.world.calendars[ANA].pushes = False
    with pytest.raises(AccessLost):
        await ana.adapter().watch(ANA, channel="ch", secret="s", address="https://x.example/")
