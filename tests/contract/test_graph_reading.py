"""The Graph adapter against the simulated Microsoft: rounds, series, roles, faults, push."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from gateway.adapters.graph.adapter import GraphAdapter
from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.component import Component, parse_many
from gateway.model.timerange import DAY, HOUR, TimeRange, format_rfc3339
from gateway.ports import UpstreamObject, UpstreamPage
from gateway.sandbox.microsoft import Fault
from tests.conftest import START, FakeClock
from tests.graph_account import LEA, GraphSource, graph_source
from tests.sandbox_watch import tolerate

NOON = START + DAY
"""2026-11-25T12:00:00Z."""
BOB = "bob@fabrikam.example"


@pytest.fixture
async def lea() -> AsyncIterator[GraphSource]:
    """Run a simulated Microsoft with Lea's account."""
    async with graph_source() as made:
        yield made


def at(instant: int) -> dict[str, str]:
    """Return an instant as Graph writes it."""
    return {"dateTime": format_rfc3339(instant)[:-1] + ".0000000", "timeZone": "UTC"}


def put(lea: GraphSource, event_id: str, when: int = NOON, **values: Any) -> None:
    """Store an hour."""
    item = {"id": event_id, "subject": event_id, "start": at(when), "end": at(when + HOUR)}
    calendar = values.pop("calendar", lea.calendar_id)
    lea.server.world.put(calendar, item | {"showAs": "busy"} | values)


def put_series(lea: GraphSource, event_id: str = "series", count: int = 4) -> None:
    """Store a series on some days from 25 November."""
    reach = {"type": "numbered", "numberOfOccurrences": count, "startDate": "2026-11-25"}
    pattern = {"type": "daily", "interval": 1}
    recurrence = {"pattern": pattern, "range": {**reach, "recurrenceTimeZone": "UTC"}}
    put(lea, event_id, recurrence=recurrence)


def put_exception(lea: GraphSource, day: int, event_id: str = "series") -> None:
    """Store a day of the series two hours later."""
    put(
        lea,
        f"{event_id}-{day}",
        NOON + (day - 25) * DAY + 2 * HOUR,
        type="exception",
        seriesMasterId=event_id,
        occurrenceId=f"OID.{event_id}.2026-11-{day}",
        originalStart=f"2026-11-{day}T12:00:00Z",
    )


async def read(
    adapter: GraphAdapter, calendar: str, cursor: str = ""
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
    master, *overrides = members(item)
    return (
        [one.value("RECURRENCE-ID") for one in overrides],
        [line.value for line in master.all("EXDATE")],
    )


# --- rounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_of_any_size_give_the_same(lea: GraphSource, size: int) -> None:
    """Empty pages before a next link and masters on other pages than their occurrences."""
    put_series(lea)
    put_exception(lea, 26)
    put(lea, "single")
    whole, _ = await read(lea.adapter(), lea.calendar_id)
    lea.server.world.page_size, lea.server.world.empty_pages = size, True
    paged, last = await read(lea.adapter(), lea.calendar_id)

    assert paged == whole
    assert last.complete
    assert set(whole) == {"single", "series"}


async def test_a_series_is_put_together_from_skeletons(lea: GraphSource) -> None:
    """Where no master comes in a round, it is asked for: subject and state are its."""
    lea.server.world.masters_in_delta = False
    put_series(lea)
    put_exception(lea, 27)
    lea.server.world.remove_occurrence(lea.calendar_id, "series", "2026-11-26")
    objects, _ = await read(lea.adapter(), lea.calendar_id)

    assert told(objects["series"]) == (["20261127T120000Z"], ["20261126T120000Z"])
    assert members(objects["series"])[0].text("SUMMARY") == "series"


async def test_a_mailbox_that_tells_no_exceptions_has_its_instances_counted(
    lea: GraphSource,
) -> None:
    """What is changed and what is missing is found among the instances."""
    lea.server.world.tells_cancelled = False
    put_series(lea, count=10)
    put_exception(lea, 27)
    lea.server.world.remove_occurrence(lea.calendar_id, "series", "2026-11-26")
    objects, _ = await read(lea.adapter(), lea.calendar_id)

    assert told(objects["series"]) == (["20261127T120000Z"], ["20261126T120000Z"])


async def test_a_changed_exception_reads_its_whole_series(lea: GraphSource) -> None:
    """A delta that tells one change still gives every override and exception of the series."""
    put_series(lea)
    put_exception(lea, 26)
    lea.server.world.remove_occurrence(lea.calendar_id, "series", "2026-11-28")
    _, last = await read(lea.adapter(), lea.calendar_id)
    put_exception(lea, 27)
    objects, _ = await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    assert told(objects["series"]) == (
        ["20261126T120000Z", "20261127T120000Z"],
        ["20261128T120000Z"],
    )


async def test_what_is_touched_outside_the_window_is_nothing(lea: GraphSource) -> None:
    """`@removed` of what is not known takes nothing away."""
    put(lea, "near")
    put(lea, "far", NOON + 3 * 366 * DAY)
    first, last = await read(lea.adapter(), lea.calendar_id)
    put(lea, "far", NOON + 3 * 366 * DAY + HOUR)
    objects, page = await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    assert set(first) == {"near"}
    assert all(item.data is None for item in objects.values())
    assert "near" not in objects
    assert not page.complete


async def test_instances_without_their_series_stand_alone(lea: GraphSource) -> None:
    """Who is invited to one instance only has no master to ask for."""
    put_exception(lea, 26, "elsewhere")
    _, last = await read(lea.adapter(), lea.calendar_id)
    put_exception(lea, 27, "elsewhere")
    objects, _ = await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    (event,) = members(objects["elsewhere-27"])
    assert event.value("RECURRENCE-ID") == ""
    assert objects["elsewhere"].data is None


async def test_the_window_rolls_with_a_whole_reading(lea: GraphSource) -> None:
    """After a week a new round begins, and shows what has come into reach."""
    clock = lea.clock
    assert isinstance(clock, FakeClock)
    put(lea, "later", NOON + 412 * DAY)
    first, last = await read(lea.adapter(), lea.calendar_id)
    clock.advance(8 * DAY)
    objects, page = await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    assert first == {}
    assert set(objects) == {"later"}
    assert page.complete


async def test_a_token_that_ends_costs_a_whole_reading(lea: GraphSource) -> None:
    """410 starts a new round; again and again is a failure with a long wait."""
    put(lea, "one")
    _, last = await read(lea.adapter(), lea.calendar_id)
    for _ in range(3):
        lea.server.world.forget(lea.calendar_id)
        _, last = await read(lea.adapter(), lea.calendar_id, last.cursor or "")
        assert last.complete
    lea.server.world.forget(lea.calendar_id)
    with pytest.raises(Unavailable) as raised:
        await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    assert raised.value.retry_after == 600


@pytest.mark.parametrize("cursor", ["nonsense", "[]", '{"version": 1}', '{"version": 99}'])
async def test_a_cursor_of_nobody_is_a_start(lea: GraphSource, cursor: str) -> None:
    """What is stored and cannot be read begins at the beginning."""
    put(lea, "one")
    objects, page = await read(lea.adapter(), lea.calendar_id, cursor)

    assert set(objects) == {"one"}
    assert page.complete


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"lose_next": True},
        {"endless": True},
        {"body": "{}"},
        {"body": "[]"},
        {"body": '{"value": [], "@odata.nextLink": ""}'},
        {"body": '{"value": [{}], "@odata.deltaLink": "x"}'},
        {"body": '{"value": ["x"], "@odata.deltaLink": "x"}'},
        {"body": '{"value": [{"id": "a", "type": "occurrence"}], "@odata.deltaLink": "x"}'},
        {"body": '{"value": {}, "@odata.deltaLink": "x"}'},
        {"bad_gzip": True},
    ],
    ids=str,
)
async def test_half_a_round_is_nothing(lea: GraphSource, fault: dict[str, Any]) -> None:
    """Without its end, or with rows that make no sense, no page carries a cursor."""
    put(lea, "one")
    lea.server.world.page_size = 1
    put(lea, "two")
    lea.server.break_with(Fault(route="events.delta", skip=1, **fault))
    with pytest.raises(Unavailable):
        await read(lea.adapter(), lea.calendar_id)


async def test_a_page_that_fails_half_way_is_asked_for_again(lea: GraphSource) -> None:
    """What passes does not cost the round."""
    lea.server.world.page_size = 1
    for name in ("one", "two", "three"):
        put(lea, name)
    lea.server.break_with(Fault(route="events.delta", skip=1, times=2, status=503))
    objects, _ = await read(lea.adapter(), lea.calendar_id)

    assert set(objects) == {"one", "two", "three"}


async def test_a_link_to_somewhere_else_is_not_followed(lea: GraphSource) -> None:
    """The token goes nowhere but to Graph."""
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"value": []})

    async with _serving(elsewhere) as address:
        body = json.dumps({"value": [], "@odata.nextLink": f"{address}/v1.0/me/x"})
        lea.server.break_with(Fault(route="events.delta", body=body))
        with pytest.raises(Unavailable):
            await read(lea.adapter(), lea.calendar_id)

    assert asked == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 403, "reason": "ErrorAccessDenied"}, AccessLost),
        ({"status": 403, "reason": "MailboxInfoStale"}, Unavailable),
        ({"status": 403, "reason": "ApplicationThrottled"}, Unavailable),
        ({"status": 404, "reason": "ErrorFolderNotFound"}, AccessLost),
        ({"status": 404, "reason": "ResourceNotFound"}, Unavailable),
        ({"status": 404, "reason": "MailboxNotEnabledForRESTAPI"}, Unavailable),
        ({"status": 401, "reason": "MailboxNotEnabledForRESTAPI"}, Unavailable),
        ({"status": 504, "reason": "UnknownError"}, Unavailable),
        ({"status": 400, "reason": "ErrorInvalidRequest"}, Unavailable),
        ({"status": 412, "reason": "ErrorIrresolvableConflict"}, Unavailable),
    ],
    ids=str,
)
async def test_codes_mean_what_they_say(
    lea: GraphSource, fault: dict[str, Any], kind: type[UpstreamError]
) -> None:
    """One status has several meanings, and its code decides."""
    lea.fail(**fault)
    with pytest.raises(kind):
        await read(lea.adapter(), lea.calendar_id)


async def test_a_token_that_has_run_out_is_renewed_once(lea: GraphSource) -> None:
    """A 401 costs one more token and one more try."""
    put(lea, "one")
    lea.server.break_with(Fault(route="events.delta", times=1, status=401))
    objects, _ = await read(lea.adapter(), lea.calendar_id)

    assert set(objects) == {"one"}
    assert lea.tokens.renewed == 1


async def test_a_consent_that_is_gone_wants_a_sign_in(lea: GraphSource) -> None:
    """What nobody allows any more is for the owner to mend."""
    await lea.tokens.access_token()
    lea.server.world.revoke(LEA)
    with pytest.raises(SignInNeeded):
        await read(lea.adapter(), lea.calendar_id)


async def test_graph_is_left_in_peace_for_as_long_as_it_asks(lea: GraphSource) -> None:
    """Within Retry-After nothing is sent, by no adapter of the mailbox; then it goes on."""
    clock = lea.clock
    assert isinstance(clock, FakeClock)
    lea.server.break_with(Fault(route="events.delta", times=1, status=429, retry_after="60"))
    with pytest.raises(Unavailable) as raised:
        await read(lea.adapter(), lea.calendar_id)
    assert raised.value.retry_after == 60
    calls = len(lea.server.world.log)
    with pytest.raises(Unavailable) as raised:
        await read(lea.adapter(), lea.calendar_id)

    assert raised.value.retry_after == 60
    assert len(lea.server.world.log) == calls
    clock.advance(61)
    await read(lea.adapter(), lea.calendar_id)


@pytest.mark.parametrize("wait", ["0", "-1", "1000000000", "Mon, 01 Jan 2001 00:00:00 GMT", "abc"])
async def test_no_retry_after_is_too_odd(lea: GraphSource, wait: str) -> None:
    """Nonsense is as good as nothing, and nobody waits for thirty years."""
    lea.server.break_with(Fault(route="events.delta", status=429, retry_after=wait))
    with pytest.raises(Unavailable) as raised:
        await read(lea.adapter(), lea.calendar_id)

    assert raised.value.retry_after in {None, 1, 600}


async def test_one_mailbox_is_asked_four_things_at_a_time(lea: GraphSource) -> None:
    """However many series and adapters there are, Graph refuses none of the calls."""
    for number in range(12):
        put_series(lea, f"series-{number}")
    lea.server.break_with(Fault(route="events.get", delay=0.02))
    found = await asyncio.gather(*(read(lea.adapter(), lea.calendar_id) for _ in range(3)))

    assert [len(objects) for objects, _ in found] == [12, 12, 12]
    assert lea.server.world.most_at_once == 4


# --- calendars -----------------------------------------------------------------------------------


def share(lea: GraphSource, role: str, **values: Any) -> str:
    """Let Bob share a calendar with Lea."""
    lea.server.world.add_mailbox(BOB, name="Bob")
    calendar = lea.server.world.default_calendar(BOB)
    calendar.name, calendar.shared = "Bob's", {LEA: role}
    calendar.can_edit = values.get("can_edit", True)
    return calendar.id


async def test_calendars_come_with_what_may_be_done_in_them(lea: GraphSource) -> None:
    """Own, shared to write, and read-only ones like birthdays, over any number of pages."""
    lea.server.world.page_size = 1
    lea.server.world.add_calendar("birthdays", LEA, name="Birthdays", can_edit=False)
    shared = share(lea, "write")
    found = {one.name: one for one in await lea.adapter().calendars()}

    assert {name: one.role for name, one in found.items()} == {
        "Work": "owner",
        "Birthdays": "reader",
        "Bob's": "writer",
    }
    assert [name for name, one in found.items() if one.is_primary] == ["Work"]
    assert found["Bob's"].upstream_id == shared
    assert found["Work"].time_zone == "Europe/Berlin"


async def test_a_mailbox_that_tells_no_settings_is_read(lea: GraphSource) -> None:
    """Personal accounts may refuse them; whole days are the owner's zone's business then."""
    lea.server.world.mailboxes[LEA].has_settings = False
    put(lea, "one")
    objects, _ = await read(lea.adapter(), lea.calendar_id)

    assert set(objects) == {"one"}
    assert (await lea.adapter().calendars())[0].time_zone == "UTC"


async def test_busy_time_alone_is_read_by_schedule(lea: GraphSource) -> None:
    """A calendar that shares nothing else gives one event for each busy time, by its kind."""
    calendar = share(lea, "freeBusyRead")
    put(lea, "busy", calendar=calendar)
    put(lea, "maybe", NOON + 2 * HOUR, calendar=calendar, showAs="tentative")
    put(lea, "away", NOON + 100 * DAY, calendar=calendar, showAs="oof")
    put(lea, "free", NOON + 4 * HOUR, calendar=calendar, showAs="workingElsewhere")
    adapter = lea.adapter()
    (found,) = [one for one in await adapter.calendars() if one.name == "Bob's"]
    objects, last = await read(adapter, found.upstream_id)
    _, again = await read(adapter, found.upstream_id, last.cursor or "")

    assert found.role == "free_busy"
    events = [members(item)[0] for item in objects.values()]
    assert sorted(one.value("STATUS") for one in events) == ["CONFIRMED", "CONFIRMED", "TENTATIVE"]
    assert all(one.text("SUMMARY") == "Busy" for one in events)
    assert last.complete
    assert again.unchanged
    look = await adapter.last_look(found.upstream_id, TimeRange(NOON, NOON + HOUR))
    assert look == [BusyPeriod(NOON, NOON + HOUR, BusyType.BUSY)]


async def test_a_schedule_with_too_many_entries_is_asked_for_in_halves(lea: GraphSource) -> None:
    """More than a thousand entries are refused, and come in parts."""
    calendar = share(lea, "freeBusyRead")
    for number in range(1_050):
        put(lea, f"event-{number}", NOON + number * 2 * HOUR // 3, calendar=calendar)
    objects, last = await read(lea.adapter(), f"schedule:{BOB}")

    assert last.complete
    assert len(objects) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"value": [{"error": {"responseCode": "5009", "message": "x"}}]}', AccessLost),
        ('{"value": [{"error": {"responseCode": "ErrorProxyRequestProcessingFailed"}}]}', None),
        ('{"value": [{"error": {}}]}', None),
        ('{"value": [{"availabilityView": ""}]}', None),
        ('{"value": [{"scheduleItems": [{"status": "busy", "start": {}}]}]}', None),
        ('{"value": []}', None),
        ("{}", None),
    ],
)
async def test_what_a_schedule_does_not_tell_is_not_free(
    lea: GraphSource, body: str, kind: type[UpstreamError] | None
) -> None:
    """An error inside a good answer is a failure."""
    lea.server.break_with(Fault(route="schedule", body=body))
    with pytest.raises(kind or Unavailable):
        await read(lea.adapter(), f"schedule:{BOB}")


# --- last look -----------------------------------------------------------------------------------


async def test_a_last_look_sees_instances_and_whole_days(lea: GraphSource) -> None:
    """Series, exceptions, tentative times and the mailbox's own days are all there."""
    put_series(lea)
    put_exception(lea, 26)
    put(lea, "maybe", NOON + 5 * HOUR, showAs="tentative")
    put(lea, "no", NOON + 7 * HOUR, responseStatus={"response": "declined"})
    midnight = {"dateTime": "2026-11-27T00:00:00.0000000", "timeZone": "UTC"}
    after = {"dateTime": "2026-11-28T00:00:00.0000000", "timeZone": "UTC"}
    put(lea, "trip", isAllDay=True, start=midnight, end=after, showAs="oof")
    found = await lea.adapter().last_look(lea.calendar_id, TimeRange(NOON, NOON + 2 * DAY))

    assert found == [
        BusyPeriod(NOON, NOON + HOUR, BusyType.BUSY),
        BusyPeriod(NOON + 5 * HOUR, NOON + 6 * HOUR, BusyType.TENTATIVE),
        BusyPeriod(NOON + 26 * HOUR, NOON + 27 * HOUR, BusyType.BUSY),
        # 27 November begins at 23:00Z in Berlin.
        BusyPeriod(NOON + 35 * HOUR, NOON + 48 * HOUR, BusyType.UNAVAILABLE),
    ]


async def test_a_last_look_is_bounded(lea: GraphSource) -> None:
    """More events than it reads is not free."""
    for number in range(9):
        put(lea, f"event-{number}", NOON + number * 60)
    lea.server.world.page_size = 2
    with pytest.raises(Unavailable):
        await lea.adapter().last_look(lea.calendar_id, TimeRange(NOON, NOON + HOUR))


async def test_a_last_look_at_an_unreadable_event_fails(lea: GraphSource) -> None:
    """What has no time that can be read may be at any time."""
    tolerate("an event without a time is planted")
    put(lea, "odd", start={"dateTime": "nonsense", "timeZone": "UTC"})
    with pytest.raises(Unavailable):
        await lea.adapter().last_look(lea.calendar_id, TimeRange(NOON, NOON + HOUR))


# --- push ----------------------------------------------------------------------------------------


class _serving:  # noqa: N801 - used as a context manager
    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def __aenter__(self) -> str:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def test_a_subscription_tells_of_changes_until_it_is_ended(lea: GraphSource) -> None:
    """The handshake, a notification with our secret, a lifecycle event, and the end."""
    rows: list[dict[str, Any]] = []

    async def hook(request: web.Request) -> web.Response:
        token = request.query.get("validationToken")
        if token is not None:
            return web.Response(text=token)
        rows.extend((await request.json())["value"])
        return web.Response(status=202)

    async with _serving(hook) as address:
        adapter = lea.adapter()
        clock = lea.clock
        lea.server.world.now = lambda: float(clock.now())
        await lea.tokens.access_token(rejected="old")
        watch = await adapter.watch(
            lea.calendar_id, channel="ch", secret="secret", address=f"{address}/hooks/graph"
        )
        put(lea, "new")
        lea.server.push.lifecycle(watch.id, "missed")
        await lea.server.push.settle()
        await adapter.unwatch(watch)
        await adapter.unwatch(watch)
        put(lea, "after")
        await lea.server.push.settle()

    assert watch.expires_at == lea.clock.now() + 4_230 * 60
    assert {row["clientState"] for row in rows} == {"secret"}
    assert sorted(row.get("lifecycleEvent", row.get("changeType")) for row in rows) == [
        "created",
        "missed",
    ]
    assert lea.server.world.subscriptions == {}


async def test_an_address_that_does_not_answer_gets_no_subscription(lea: GraphSource) -> None:
    """Without the handshake there is no push, which is a failure that passes."""

    async def deaf(request: web.Request) -> web.Response:
        return web.Response(status=404)

    async with _serving(deaf) as address:
        with pytest.raises(Unavailable):
            await lea.adapter().watch(
                lea.calendar_id, channel="ch", secret="secret", address=address
            )
