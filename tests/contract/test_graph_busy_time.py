"""Graph's calendars by what they share: roles, schedules, and the last look before a booking."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.errors import AccessLost, Unavailable, UpstreamError
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.sandbox.microsoft import Fault
from tests.graph_account import LEA, GraphSource, graph_source
from tests.graph_events import NOON, put, put_exception, put_series
from tests.sandbox_watch import tolerate
from tests.upstream_read import last_words as read
from tests.upstream_read import members


@pytest.fixture
async def lea() -> AsyncIterator[GraphSource]:
    """Run a simulated Microsoft with Lea's account."""
    async with graph_source() as made:
        yield made


BOB = "bob@fabrikam.example"


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
