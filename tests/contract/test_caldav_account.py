"""What a CalDAV account promises beyond the contract of all adapters: writing, guards, finding."""

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator

import pytest

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Shared
from gateway.adapters.caldav.adapter import CaldavAdapter, build
from gateway.errors import SignInNeeded, Unavailable
from gateway.model.timerange import HOUR, TimeRange
from gateway.ports import UpstreamObject
from tests.builders import a_connection, an_event, an_hour
from tests.conftest import FakeClock
from tests.contract.test_adapters import NOON, read
from tests.upstreams import CaldavSource, Peers, open_source

BOOKING = "bk_0001@gateway.example.org"


@pytest.fixture(params=["radicale", "xandikos", "calgate"])
async def source(request: pytest.FixtureRequest, peers: Peers) -> AsyncIterator[CaldavSource]:
    """Run each server in turn, with an empty calendar."""
    async with open_source(request.param, peers) as made:
        assert isinstance(made, CaldavSource)
        yield made


async def opened(source: CaldavSource) -> tuple[CaldavAdapter, str]:
    """Return the adapter and its calendar."""
    adapter = source.open()
    assert isinstance(adapter, CaldavAdapter)
    return adapter, (await adapter.calendars())[0].upstream_id


async def events(source: CaldavSource) -> list[UpstreamObject]:
    """Return what stands in the calendar."""
    return (await read(source.open()))[0]


async def test_a_booking_is_written_once(source: CaldavSource) -> None:
    """Creating the same event twice makes one."""
    adapter, calendar = await opened(source)
    await adapter.create(calendar, BOOKING, an_event(BOOKING))
    await adapter.create(calendar, BOOKING, an_event(BOOKING))

    assert [item.uid for item in await events(source)] == [BOOKING]


async def test_a_lost_answer_makes_no_second_event(source: CaldavSource) -> None:
    """A write whose answer never came is written again under the same name: one event."""
    adapter, calendar = await opened(source)
    source.proxy.drops_after = True
    with pytest.raises(Unavailable):
        await adapter.create(calendar, BOOKING, an_event(BOOKING))
    source.proxy.drops_after = False
    await adapter.create(calendar, BOOKING, an_event(BOOKING))

    assert [item.uid for item in await events(source)] == [BOOKING]


async def test_a_booking_under_another_name_is_the_same(source: CaldavSource) -> None:
    """An event with the booking's UID that stands under another name counts as written."""
    await source.put("elsewhere", an_event(BOOKING))
    adapter, calendar = await opened(source)
    await adapter.create(calendar, BOOKING, an_event(BOOKING))

    assert {item.uid for item in await events(source)} == {BOOKING}


async def test_a_removed_booking_stays_removed(source: CaldavSource) -> None:
    """Removing twice is success, and a move brings nothing back."""
    adapter, calendar = await opened(source)
    await adapter.create(calendar, BOOKING, an_event(BOOKING))
    await adapter.remove(calendar, BOOKING)
    await adapter.remove(calendar, BOOKING)
    assert await adapter.move(calendar, BOOKING, before=an_hour(9), after=an_hour(10)) is None

    assert await events(source) == []


async def renamed(source: CaldavSource) -> None:
    """Give the booking's event another name, as some programs and servers do."""
    await source.remove(hashlib.sha256(BOOKING.encode()).hexdigest()[:40])
    await source.put("renamed%20by%20me", an_event(BOOKING))


async def test_a_booking_that_was_renamed_moves(source: CaldavSource) -> None:
    """An event that stands under another name by now is found by its UID and moved there."""
    adapter, calendar = await opened(source)
    await adapter.create(calendar, BOOKING, an_event(BOOKING))
    await renamed(source)
    before = await adapter.find(calendar, BOOKING)
    assert before is not None
    assert await adapter.move(calendar, BOOKING, before=before, after=an_hour(14)) == an_hour(14)

    (item,) = await events(source)
    assert b"DTSTART:20261201T140000Z" in (item.data or b"")


async def test_a_booking_that_was_renamed_is_removed(source: CaldavSource) -> None:
    """Cancelling takes the event out under whatever name it stands."""
    adapter, calendar = await opened(source)
    await adapter.create(calendar, BOOKING, an_event(BOOKING))
    await source.put("other", an_event("other"))
    await renamed(source)
    await adapter.remove(calendar, BOOKING)

    assert [item.uid for item in await events(source)] == ["other"]


@pytest.mark.parametrize(
    ("answer", "blocks"), [("ACCEPTED", True), ("DECLINED", False), ("NEEDS-ACTION", True)]
)
async def test_an_answer_of_the_accounts_user_counts(
    source: CaldavSource, answer: str, blocks: bool
) -> None:
    """What the account's user declined is free, whatever address the owner has here."""
    user = source.account[0]
    me = user if "@" in user else f"{user}@example.net"
    invitation = an_event(
        "asked",
        start="20261125T120000Z",
        end="20261125T130000Z",
        organizer="mailto:boss@example.net",
    )
    line = f"ATTENDEE;PARTSTAT={answer}:mailto:{me}\r\nEND:VEVENT".encode()
    await source.put("asked", invitation.replace(b"END:VEVENT", line))
    adapter, calendar = await opened(source)
    if "@" not in user:
        adapter._username = me
    (item,) = await events(source)

    assert bool(await adapter.last_look(calendar, TimeRange(NOON, NOON + HOUR))) is blocks
    if "@" in user:
        assert f"X-CALGATE-ANSWER:{answer}\r\n".encode() in (item.data or b"")


async def test_a_series_with_a_moved_instance_is_one_object(source: CaldavSource) -> None:
    """Master and override come together, and a last look sees the instance where it is now."""
    moved = an_event("series", start="20261126T120000Z", end="20261126T130000Z").replace(
        b"UID:series\r\n", b"UID:series\r\nRECURRENCE-ID:20261125T120000Z\r\n"
    )
    override = moved[moved.index(b"BEGIN:VEVENT") : moved.index(b"END:VCALENDAR")]
    master = an_event(
        "series", start="20261124T120000Z", end="20261124T130000Z", rrule="FREQ=DAILY;COUNT=2"
    )
    await source.put("series", master.replace(b"END:VCALENDAR", override + b"END:VCALENDAR"))
    adapter, calendar = await opened(source)

    (item,) = await events(source)
    assert (item.data or b"").count(b"BEGIN:VEVENT") == 2
    assert await adapter.last_look(calendar, TimeRange(NOON, NOON + HOUR)) == []
    later = TimeRange(NOON + 24 * HOUR, NOON + 25 * HOUR)
    assert len(await adapter.last_look(calendar, later)) == 1


async def test_a_change_costs_only_itself(source: CaldavSource) -> None:
    """After a first read only what changed is fetched, by the server's sync token."""
    for number in range(5):
        await source.put(f"e{number}", an_event(f"e{number}"))
    _, last = await read(source.open())
    await source.put("e3", an_event("e3", summary="Changed"))
    objects, page = await read(source.open(), last.cursor or "")

    assert [item.uid for item in objects] == ["e3"]
    assert not page.complete


async def test_reading_changes_comes_to_the_same_as_reading_all(source: CaldavSource) -> None:
    """After any edits, what was gathered by changes is what a full read gives (law of the plan)."""
    edits = random.Random(4711)
    held: dict[str, str] = {}
    there: set[str] = set()
    cursor = ""
    for _ in range(8):
        for _ in range(edits.randrange(1, 6)):
            uid = f"e{edits.randrange(8)}"
            if uid in there and edits.random() < 0.4:
                await source.remove(uid)
                there.discard(uid)
            else:
                summary = f"Edit {edits.randrange(1000)}"
                await source.put(uid, an_event(uid, summary=summary))
                there.add(uid)
        objects, last = await read(source.open(), cursor)
        if last.complete:
            held.clear()
        for item in objects:
            held.pop(item.key, None)
            if item.data is not None:
                held[item.key] = item.etag
        cursor = last.cursor or ""
    everything, _ = await read(source.open())

    assert held == {item.key: item.etag for item in everything if item.data is not None}
    assert len(held) == len(there)


async def test_a_forgotten_token_reads_everything_again(source: CaldavSource) -> None:
    """A token that the server does not know is no loss: everything is read and compared anew."""
    await source.put("first", an_event("first"))
    _, last = await read(source.open())
    cursor = json.loads(last.cursor or "") | {"token": "http://example.org/ns/sync/unknown"}
    objects, page = await read(source.open(), json.dumps(cursor))

    assert [item.uid for item in objects] == ["first"]
    assert page.complete


async def test_a_server_without_sync_is_compared_by_etags(source: CaldavSource) -> None:
    """Without sync-collection, changes and deletions are found by ctag and etags."""
    source.proxy.rewrite[b"sync-collection"] = b"sink-collection"
    for uid in ("stays", "changes", "goes"):
        await source.put(uid, an_event(uid))
    before, last = await read(source.open())
    assert (await read(source.open(), last.cursor or ""))[0] == []
    (gone,) = [item.key for item in before if item.uid == "goes"]
    await source.put("changes", an_event("changes", summary="Changed"))
    await source.remove("goes")
    objects, page = await read(source.open(), last.cursor or "")

    assert {(item.key == gone, item.uid) for item in objects} == {(True, ""), (False, "changes")}
    assert not page.complete


async def test_an_incomplete_answer_is_a_failure(source: CaldavSource) -> None:
    """An event that is listed and then not handed out makes the read incomplete."""
    await source.put("first", an_event("first"))
    source.proxy.rewrite[b"calendar-data"] = b"calendar-void"
    with pytest.raises(Unavailable, match="incomplete"):
        await read(source.open())


async def test_a_document_type_is_refused(source: CaldavSource) -> None:
    """An answer with a document type, and entities in it, is never parsed."""
    source.proxy.rewrite[b"<?xml version"] = b"<!DOCTYPE x [<!ENTITY a 'b'>]><?xml version"
    source.proxy.rewrite[b"<multistatus"] = b"<!DOCTYPE x [<!ENTITY a 'b'>]><multistatus"
    source.proxy.rewrite[b"<ns0:multistatus"] = b"<!DOCTYPE x [<!ENTITY a 'b'>]><ns0:multistatus"
    with pytest.raises(Unavailable, match="no sense"):
        await opened(source)


async def test_calendars_are_found_from_the_name_of_the_server(source: CaldavSource) -> None:
    """Without a path the account is found by the well-known address or the server's root."""
    source.path = "/"
    calendars = await source.open().calendars()

    assert [calendar.name for calendar in calendars] == ["Work"]


async def test_a_wrong_password_is_told(source: CaldavSource) -> None:
    """A refused sign-in is one, and names no address and no password."""
    if source.peer.name == "Xandikos":  # knows no passwords
        source.fail(status=401)
    adapter = build(
        a_connection(1, provider="caldav"),
        json.dumps(source.options | {"password": "canary-password"}).encode(),
        Shared(client=source.client, clock=FakeClock()),
    )
    source.opened.append(adapter)
    with pytest.raises(SignInNeeded) as raised:
        await adapter.calendars()

    assert "canary" not in str(raised.value)


async def test_a_look_that_is_given_up_frees_its_thread(source: CaldavSource) -> None:
    """Work that nobody waits for any more ends at once, whatever the server does."""
    adapter, calendar = await opened(source)
    source.fail(delay=30.0)
    looks = [
        asyncio.wait_for(adapter.last_look(calendar, TimeRange(NOON, NOON + HOUR)), 0.2)
        for _ in range(12)
    ]
    ended = await asyncio.gather(*looks, return_exceptions=True)
    assert {type(one) for one in ended} == {TimeoutError}
    source.mend()

    assert await adapter.last_look(calendar, TimeRange(NOON, NOON + HOUR)) == []


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/dav/",
        "http://[::ffff:127.0.0.1]/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://169.254.169.254/",
    ],
)
async def test_the_inside_is_closed_to_the_package_too(address: str) -> None:
    """The caldav package reaches no address that the guard refuses."""
    client = GuardedClient(GuardOptions())
    secret = json.dumps({"url": address, "username": "u", "password": "p"}).encode()
    adapter = build(
        a_connection(1, provider="caldav"), secret, Shared(client=client, clock=FakeClock())
    )
    with pytest.raises(Unavailable, match="network that the gateway does not read"):
        await adapter.calendars()
    await adapter.close()
    client.threads.close()


async def test_a_password_goes_to_no_other_host(source: CaldavSource) -> None:
    """A home set on another server is not followed: the password stays where it was given."""
    home = source.proxy.url.replace("127.0.0.1", "127.0.0.2").encode()
    for path in (b"/bench/", b"/bench/calendars/", b"/dav/calendars/jane@example.org/"):
        source.proxy.rewrite[b">" + path + b"<"] = b">" + home + path + b"<"
    with pytest.raises(Unavailable, match="another server"):
        await source.open().calendars()


@pytest.mark.parametrize("source", ["calgate"], indirect=True)
async def test_a_zone_is_known_by_its_name(source: CaldavSource) -> None:
    """A server that names a calendar's zone (RFC 7809) and does not define it is understood."""
    prop = (
        b'<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
        b"<C:calendar-timezone-id>Asia/Tokyo</C:calendar-timezone-id>"
        b"</D:prop></D:set></D:propertyupdate>"
    )
    await source.ask("PROPPATCH", "", prop)
    (calendar,) = await source.open().calendars()

    assert calendar.time_zone == "Asia/Tokyo"
