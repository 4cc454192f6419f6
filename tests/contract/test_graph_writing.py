"""Bookings in Office 365: one event each, through every kind of unclear answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError
from gateway.sandbox.microsoft import Fault
from gateway.sandbox.microsoft.call import Json
from tests.builders import an_event, an_hour
from tests.graph_account import LEA, GraphSource, graph_source

UID = "booking-1@gateway.example"
INVITED = {"attendee;cn=vera;role=req-participant": "mailto:vera@example.net"}


@pytest.fixture
async def lea() -> AsyncIterator[GraphSource]:
    """Run a simulated Microsoft with Lea's account."""
    async with graph_source() as made:
        yield made


to_two = {"before": an_hour(9), "after": an_hour(14)}


def a_booking(hour: int = 9, **lines: str) -> bytes:
    """Return a booking of an hour on 1 December 2026."""
    start, end = f"20261201T{hour:02}0000Z", f"20261201T{hour + 1:02}0000Z"
    return an_event(UID, start=start, end=end, summary="Intro", **lines)


def events(lea: GraphSource) -> list[Json]:
    """Return what stands in the default calendar."""
    return lea.server.world.live(lea.calendar_id)


def writes(lea: GraphSource) -> list[str]:
    """Return the calls that changed something."""
    return [entry["route"] for entry in lea.server.world.log if entry["effect"]]


async def test_a_booking_becomes_one_event(lea: GraphSource) -> None:
    """It has its time, its text and its marks, in the calendar it was made for."""
    lea.server.world.add_calendar("other", LEA)
    data = a_booking(location="Room 1", description="Line one\\nLine two")
    await lea.adapter().create(lea.calendar_id, UID, data)
    await lea.adapter().create(lea.calendar_id, UID, data)

    (event,) = events(lea)
    assert event["subject"] == "Intro"
    assert event["start"] == {"dateTime": "2026-12-01T09:00:00", "timeZone": "UTC"}
    assert event["location"] == {"displayName": "Room 1"}
    assert event["showAs"] == "busy"
    assert event["singleValueExtendedProperties"][0]["value"] == UID
    assert event["attendees"] == []
    assert writes(lea) == ["events.create"]
    assert lea.server.world.live("other") == []


async def test_only_those_whom_exchange_shall_invite_are_attendees(lea: GraphSource) -> None:
    """A visitor whom we invite ourselves gets no second invitation."""
    ours = {"attendee;schedule-agent=none": "mailto:ours@example.net"}
    await lea.adapter().create(lea.calendar_id, UID, a_booking(**INVITED, **ours))

    (event,) = events(lea)
    assert [one["emailAddress"]["address"] for one in event["attendees"]] == ["vera@example.net"]


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": "after"},
        {"drop": "before"},
        {"drop": "late", "late": 0.05},
        {"status": 500},
        {"status": 500, "effect": True},
        {"status": 503, "html": True},
        {"status": 504, "effect": True},
        {"status": 409},
        {"status": 429},
        {"body": ""},
        {"body": "{}"},
        {"truncate": 40},
        {"cut": 20},
        {"html": True},
        {"redirect": "/login"},
    ],
    ids=str,
)
@pytest.mark.parametrize("honest", [True, False], ids=["transaction ids", "none"])
async def test_an_unclear_create_ends_in_one_event(
    lea: GraphSource, fault: dict[str, Any], *, honest: bool
) -> None:
    """Tried again as the outbox does, whether Graph drops repeated requests or not."""
    lea.server.world.honours_transaction_ids = honest
    lea.server.break_with(Fault(route="events.create", times=1, **fault))
    for _ in range(4):
        try:
            await lea.adapter().create(lea.calendar_id, UID, a_booking())
        except Unavailable:
            continue
        finally:
            await lea.server.settle()
    await lea.adapter().create(lea.calendar_id, UID, a_booking())

    assert len(events(lea)) == 1


async def test_a_late_request_meets_the_one_that_was_tried_again(lea: GraphSource) -> None:
    """An effect that comes after the second try is dropped by its transactionId."""
    lea.server.break_with(Fault(route="events.create", times=1, drop="late", late=0.2))
    with pytest.raises(Unavailable):
        await lea.adapter().create(lea.calendar_id, UID, a_booking())
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    await lea.server.settle()

    assert len(events(lea)) == 1


async def test_of_two_the_older_stays(lea: GraphSource) -> None:
    """Should Graph not drop a repeated request, the later event goes with the next call."""
    world = lea.server.world
    world.honours_transaction_ids = False
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    (first,) = events(lea)
    world.put(lea.calendar_id, first | {"createdDateTime": "2026-01-01T00:00:00.0000000Z"})
    names = {"id", "iCalUId", "createdDateTime"}
    world.put(lea.calendar_id, {name: first[name] for name in first.keys() - names})
    await lea.adapter().move(lea.calendar_id, UID, before=an_hour(9), after=an_hour(11))

    (event,) = events(lea)
    assert event["id"] == first["id"]
    assert event["start"]["dateTime"] == "2026-12-01T11:00:00"


async def test_a_search_that_lags_makes_no_second_event(lea: GraphSource) -> None:
    """What was said to be made is made; what was not is asked for again, never made anew."""
    lea.server.world.search_lag = 60
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    with pytest.raises(Unavailable):
        await lea.adapter().create(lea.calendar_id, UID, a_booking())
    lea.server.world.search_lag = 0
    await lea.adapter().create(lea.calendar_id, UID, a_booking())

    assert len(events(lea)) == 1


async def test_nothing_is_written_where_nothing_can_be_looked_for(lea: GraphSource) -> None:
    """A search that fails keeps the write from happening."""
    lea.server.break_with(Fault(route="events.list", status=500))
    with pytest.raises(Unavailable):
        await lea.adapter().create(lea.calendar_id, UID, a_booking())

    assert writes(lea) == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 400}, Unavailable),
        ({"status": 401}, SignInNeeded),
        ({"status": 403}, AccessLost),
        ({"status": 404}, AccessLost),
        ({"status": 429, "retry_after": "30"}, Unavailable),
    ],
    ids=str,
)
async def test_a_refused_create_is_told_by_its_kind(
    lea: GraphSource, fault: dict[str, Any], kind: type[UpstreamError]
) -> None:
    """A refusal is clear: nothing was made, and why."""
    lea.server.break_with(Fault(route="events.create", **fault))
    with pytest.raises(kind):
        await lea.adapter().create(lea.calendar_id, UID, a_booking())

    assert events(lea) == []


async def test_a_move_changes_the_event_under_its_etag(lea: GraphSource) -> None:
    """Once, however often it is told; the rest of the event stays as its owner made it."""
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    (event,) = events(lea)
    lea.server.world.put(lea.calendar_id, event | {"categories": ["Mine"]})
    for _ in range(2):
        there = await lea.adapter().move(lea.calendar_id, UID, **to_two)
        assert there == an_hour(14)

    (moved,) = events(lea)
    assert (moved["id"], moved["categories"]) == (event["id"], ["Mine"])
    assert moved["start"]["dateTime"] == "2026-12-01T14:00:00"
    assert writes(lea) == ["events.create", "events.patch"]


@pytest.mark.parametrize(
    "fault",
    [{"drop": "after"}, {"drop": "before"}, {"status": 412}, {"status": 500}, {"html": True}],
    ids=str,
)
async def test_an_unclear_move_is_looked_at_again(lea: GraphSource, fault: dict[str, Any]) -> None:
    """What was done is not done twice, what was not is done."""
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    lea.server.break_with(Fault(route="events.patch", times=1, **fault))
    await lea.adapter().move(lea.calendar_id, UID, **to_two)

    (moved,) = events(lea)
    assert moved["start"]["dateTime"] == "2026-12-01T14:00:00"


async def test_the_body_of_an_online_meeting_is_left_alone(lea: GraphSource) -> None:
    """It holds the way in."""
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    (event,) = events(lea)
    body = {"contentType": "html", "content": "<p>Join here</p>"}
    lea.server.world.put(lea.calendar_id, event | {"isOnlineMeeting": True, "body": body})
    await lea.adapter().move(lea.calendar_id, UID, **to_two)

    (moved,) = events(lea)
    assert moved["body"] == body
    assert moved["start"]["dateTime"] == "2026-12-01T14:00:00"


async def test_a_move_of_what_its_owner_removed_is_told(lea: GraphSource) -> None:
    """It is not made anew."""
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    lea.server.world.remove(lea.calendar_id, events(lea)[0]["id"])
    assert await lea.adapter().find(lea.calendar_id, UID) is None
    assert await lea.adapter().move(lea.calendar_id, UID, **to_two) is None

    assert events(lea) == []


async def test_a_cancelled_booking_leaves_nothing(lea: GraphSource) -> None:
    """Its event goes, once; that it is gone already is as good."""
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    await lea.adapter().remove(lea.calendar_id, UID)
    await lea.adapter().remove(lea.calendar_id, UID)

    assert events(lea) == []
    assert writes(lea) == ["events.create", "events.delete"]


async def test_the_attendees_of_a_meeting_hear_that_it_is_off(lea: GraphSource) -> None:
    """An event with attendees is cancelled, not deleted."""
    await lea.adapter().create(lea.calendar_id, UID, a_booking(**INVITED))
    await lea.adapter().remove(lea.calendar_id, UID)

    assert events(lea) == []
    assert writes(lea) == ["events.create", "events.cancel"]


@pytest.mark.parametrize(
    "fault", [{"drop": "after"}, {"status": 500, "effect": True}, {"status": 404}], ids=str
)
async def test_an_unclear_removal_is_found_out(lea: GraphSource, fault: dict[str, Any]) -> None:
    """An event that is surely gone is gone."""
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    lea.server.break_with(Fault(route="events.delete", times=1, **fault))
    await lea.adapter().remove(lea.calendar_id, UID)
    lea.mend()
    await lea.adapter().remove(lea.calendar_id, UID)

    assert events(lea) == []


async def test_an_event_that_may_still_stand_is_not_called_gone(lea: GraphSource) -> None:
    """A removal without effect fails, so that it is tried again (the wire itself tries twice)."""
    await lea.adapter().create(lea.calendar_id, UID, a_booking())
    lea.server.break_with(Fault(route="events.delete", times=2, drop="before"))
    with pytest.raises(Unavailable):
        await lea.adapter().remove(lea.calendar_id, UID)
    await lea.adapter().remove(lea.calendar_id, UID)

    assert events(lea) == []


async def test_a_read_only_calendar_is_not_written_to(lea: GraphSource) -> None:
    """Graph says no, and nothing else is tried."""
    lea.server.world.add_calendar("holidays", LEA, can_edit=False)
    lea.server.world.calendars["holidays"].owner = "bob@fabrikam.example"
    lea.server.world.calendars["holidays"].shared[LEA] = "read"
    with pytest.raises(AccessLost):
        await lea.adapter().create("holidays", UID, a_booking())

    assert writes(lea) == []
