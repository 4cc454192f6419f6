"""Bookings written to the simulated Google: one event each, whatever breaks on the way."""

import string
from collections.abc import AsyncIterator

import pytest

from gateway.adapters.google.booking_event import event_body, event_id
from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError
from gateway.sandbox.google import Fault
from gateway.sandbox.google.call import Json
from tests.builders import an_event, an_hour
from tests.google_account import ANA, GoogleSource, google_source

UID = "bk_1@gateway.example"


@pytest.fixture
async def ana() -> AsyncIterator[GoogleSource]:
    """Run a simulated Google with Ana's account."""
    async with google_source(seconds=1.0) as made:
        yield made


to_two = {"before": an_hour(9), "after": an_hour(14)}


def booking(hour: int = 9, **lines: str) -> bytes:
    """Return a booking's event on 1 December 2026, an hour long."""
    lines = {"summary": "Intro", "transp": "OPAQUE"} | lines
    start, end = f"20261201T{hour:02}0000Z", f"20261201T{hour + 1:02}0000Z"
    return an_event(UID, start=start, end=end, **lines)


def live(ana: GoogleSource) -> list[Json]:
    """Return what stands in Ana's calendar."""
    return ana.server.world.live(ANA)


async def test_a_booking_is_one_event(ana: GoogleSource) -> None:
    """Its times, texts and marks are there; writing it again changes nothing."""
    data = booking(location="Room 1", description="With Vera")
    writer = ana.adapter()
    await writer.create(ANA, UID, data)
    (made,) = live(ana)
    await writer.create(ANA, UID, data)
    (again,) = live(ana)

    assert made["id"] == event_id(UID, 0)
    assert made["start"] == {"dateTime": "2026-12-01T09:00:00Z", "timeZone": "UTC"}
    assert (made["summary"], made["location"]) == ("Intro", "Room 1")
    assert made["extendedProperties"]["private"]["calgateBooking"] == UID
    assert again["etag"] == made["etag"]


def test_an_id_is_one_that_google_takes() -> None:
    """Base32hex in lower case, the same for ever, another one for each generation."""
    ids = {event_id(UID, generation) for generation in range(20)}

    assert len(ids) == 20
    assert all(set(one) <= set(string.digits + "abcdefghijklmnopqrstuv") for one in ids)
    assert event_id("a", 0) == "r14hc3mofljts502n27hdk359142llqcut06n6fpktij8m5b9hag"


@pytest.mark.parametrize(
    ("attendee", "names"),
    [
        ('ATTENDEE;SCHEDULE-AGENT=NONE;CN="Vera":mailto:vera@example.net', None),
        ("ATTENDEE;CN=Vera:mailto:vera@example.net", ["vera@example.net"]),
    ],
)
def test_google_invites_only_where_we_do_not(attendee: str, names: list[str] | None) -> None:
    """An event whose invitations are ours to send names nobody to Google."""
    data = booking().replace(b"END:VEVENT", attendee.encode() + b"\r\nEND:VEVENT")
    attendees = event_body(data, UID, 0).get("attendees")

    assert attendees == (
        None if names is None else [{"email": n, "displayName": "Vera"} for n in names]
    )


UNCLEAR = [
    {"drop": "after"},
    {"drop": "before"},
    {"status": 500},
    {"status": 500, "effect": True},
    {"status": 503, "effect": True, "html": True},
    {"body": ""},
    {"body": "{}"},
    {"truncate": 20},
    {"html": True},
    {"cut": 10},
    {"status": 302, "redirect": "https://accounts.example/", "effect": True},
]


@pytest.mark.parametrize("fault", UNCLEAR, ids=str)
async def test_an_unclear_create_is_looked_at(ana: GoogleSource, fault: Json) -> None:
    """Whatever the answer to the first insert was, there is exactly one event."""
    ana.server.break_with(Fault(route="events.insert", times=1, **fault))
    await ana.adapter().create(ANA, UID, booking())

    assert [item["id"] for item in live(ana)] == [event_id(UID, 0)]


@pytest.mark.parametrize("fault", UNCLEAR, ids=str)
async def test_a_create_that_stays_unclear_can_be_repeated(ana: GoogleSource, fault: Json) -> None:
    """Where nothing can be read back, the write fails; done again it makes no second event."""
    ana.server.break_with(
        Fault(route="events.insert", **fault), Fault(route="events.get", status=500)
    )
    with pytest.raises(Unavailable):
        await ana.adapter().create(ANA, UID, booking())
    ana.mend()
    await ana.adapter().create(ANA, UID, booking())

    assert len(live(ana)) == 1


@pytest.mark.parametrize("fault", UNCLEAR, ids=str)
async def test_an_unclear_change_is_looked_at(ana: GoogleSource, fault: Json) -> None:
    """Whatever the answer to the first patch was, the event is where it should be."""
    writer = ana.adapter()
    await writer.create(ANA, UID, booking())
    ana.server.break_with(Fault(route="events.patch", times=1, **fault))
    await writer.move(ANA, UID, **to_two)
    (event,) = live(ana)

    assert event["start"]["dateTime"] == "2026-12-01T14:00:00Z"


@pytest.mark.parametrize("fault", UNCLEAR, ids=str)
async def test_an_unclear_removal_is_looked_at(ana: GoogleSource, fault: Json) -> None:
    """Whatever the answer to the first delete was, the event is gone."""
    writer = ana.adapter()
    await writer.create(ANA, UID, booking())
    ana.server.break_with(Fault(route="events.delete", times=1, **fault))
    await writer.remove(ANA, UID)

    assert live(ana) == []


@pytest.mark.parametrize("body", ["{}", '{"id": "other", "status": "confirmed"}', "[]", "null"])
async def test_half_an_answer_is_no_foreign_event(ana: GoogleSource, body: str) -> None:
    """A read-back that makes no sense ends the attempt; no second id is ever tried for it."""
    writer = ana.adapter()
    await writer.create(ANA, UID, booking())
    ana.server.break_with(Fault(route="events.get", body=body))
    for work in (
        lambda: writer.create(ANA, UID, booking()),
        lambda: writer.move(ANA, UID, **to_two),
        lambda: writer.find(ANA, UID),
        lambda: writer.remove(ANA, UID),
    ):
        with pytest.raises(Unavailable):
            await work()

    assert [item["id"] for item in live(ana)] == [event_id(UID, 0)]


async def test_a_booking_can_come_back(ana: GoogleSource) -> None:
    """A deleted id stays taken, so the same booking lives on under the next one."""
    writer = ana.adapter()
    for _ in range(3):
        await writer.create(ANA, UID, booking())
        assert len(live(ana)) == 1
        await writer.remove(ANA, UID)
        await writer.remove(ANA, UID)
        assert live(ana) == []


async def test_somebody_elses_event_is_left_alone(ana: GoogleSource) -> None:
    """An id that is taken by another event is passed over, by all three verbs."""
    foreign = {"id": event_id(UID, 0), "summary": "Mine", "start": {"date": "2026-12-01"}}
    ana.server.world.put(ANA, foreign | {"end": {"date": "2026-12-02"}})
    writer = ana.adapter()
    await writer.create(ANA, UID, booking())
    await writer.move(ANA, UID, **to_two)
    assert {item["summary"] for item in live(ana)} == {"Mine", "Intro"}
    await writer.remove(ANA, UID)

    assert [item["summary"] for item in live(ana)] == ["Mine"]


async def test_a_create_that_comes_late_finds_its_id_taken(ana: GoogleSource) -> None:
    """A booking is cancelled while its create hangs at Google: nothing comes to life later."""
    ana.server.break_with(Fault(route="events.insert", drop="late", late=0.4, times=2))
    writer = ana.adapter()
    with pytest.raises(Unavailable):
        await writer.create(ANA, UID, booking())
    await writer.remove(ANA, UID)
    await ana.server.settle()

    assert live(ana) == []


async def test_a_removal_cut_short_leaves_no_event_for_ever(ana: GoogleSource) -> None:
    """What only takes an id goes with the next removal, and a booking never lives in it."""
    ana.server.break_with(Fault(route="events.delete", status=500))
    with pytest.raises(Unavailable):
        await ana.adapter().remove(ANA, UID)
    ana.mend()
    await ana.adapter().create(ANA, UID, booking())
    assert [item["summary"] for item in live(ana)] == ["Intro"]
    await ana.adapter().remove(ANA, UID)

    assert live(ana) == []


async def test_a_change_of_somebody_else_is_seen(ana: GoogleSource) -> None:
    """412: the event is read again, and changed as it is now, other people's words included."""
    writer = ana.adapter()
    await writer.create(ANA, UID, booking())
    (event,) = live(ana)
    ana.server.world.put(ANA, event | {"colorId": "7"})
    ana.server.break_with(Fault(route="events.patch", times=1, status=412))
    await writer.move(ANA, UID, **to_two)
    (after,) = live(ana)

    assert (after["colorId"], after["start"]["dateTime"]) == ("7", "2026-12-01T14:00:00Z")


async def test_a_change_hangs_on_the_version_that_was_read(ana: GoogleSource) -> None:
    """Three lost races are enough: the change fails, and nothing was written blindly."""
    writer = ana.adapter()
    await writer.create(ANA, UID, booking())
    ana.server.break_with(Fault(route="events.patch", status=412))
    with pytest.raises(Unavailable):
        await writer.move(ANA, UID, **to_two)

    assert ana.server.calls("events.patch") == 3


async def test_a_removed_event_cannot_be_changed(ana: GoogleSource) -> None:
    """Its owner took it out of the calendar: a change says so and does not bring it back."""
    writer = ana.adapter()
    await writer.create(ANA, UID, booking())
    ana.server.world.remove(ANA, event_id(UID, 0))
    for uid in (UID, "bk_2@gateway.example"):
        assert await writer.find(ANA, uid) is None
        assert await writer.move(ANA, uid, **to_two) is None

    assert live(ana) == []


async def test_a_calendar_that_is_gone_is_no_missing_event(ana: GoogleSource) -> None:
    """404 of the whole calendar is lost access for every verb, never "removed already"."""
    writer, gone = ana.adapter(), "gone@group"
    for work in (
        lambda: writer.create(gone, UID, booking()),
        lambda: writer.move(gone, UID, **to_two),
        lambda: writer.find(gone, UID),
        lambda: writer.remove(gone, UID),
    ):
        with pytest.raises(AccessLost):
            await work()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 401}, SignInNeeded),
        ({"status": 403}, AccessLost),
        ({"status": 403, "reason": "requiredAccessLevel"}, AccessLost),
        ({"status": 403, "reason": "rateLimitExceeded"}, Unavailable),
        ({"status": 403, "reason": "quotaExceeded"}, Unavailable),
        ({"status": 400}, Unavailable),
        ({"status": 404}, AccessLost),
        ({"status": 429, "retry_after": "30"}, Unavailable),
        ({"delay": 3}, Unavailable),
    ],
    ids=str,
)
async def test_a_refused_create_writes_nothing(
    ana: GoogleSource, fault: Json, kind: type[UpstreamError]
) -> None:
    """Each refusal is its kind; nothing is written, and never to another calendar."""
    ana.server.break_with(Fault(route="events.insert", **fault))
    with pytest.raises(kind):
        await ana.adapter().create(ANA, UID, booking())

    assert live(ana) == []
    assert {entry["calendar"] for entry in ana.server.world.log} == {ANA}


async def test_a_read_only_calendar_takes_no_booking(ana: GoogleSource) -> None:
    """A calendar whose role fell to reading refuses: access is lost for writing."""
    ana.server.world.add_calendar("team@group", {ANA: "reader"})
    with pytest.raises(AccessLost):
        await ana.adapter().create("team@group", UID, booking())
