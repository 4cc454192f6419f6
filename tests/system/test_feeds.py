"""What merged feeds show, read by other programs' parsers: times only, titles, or everything."""

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import icalendar
import pytest
import recurring_ical_events
import vobject

from gateway.storage.engine import SqlStore
from tests.builders import an_event
from tests.conftest import FakeClock
from tests.feed_world import World, feed_world, times


@pytest.fixture
async def world(sqlite_store: SqlStore, clock: FakeClock) -> AsyncIterator[World]:
    """Serve the feeds of a gateway over SQLite."""
    async with feed_world(sqlite_store, clock) as made:
        yield made


CANARY = "canary-9d2f"
RICH = {
    "summary": f"{CANARY} summary",
    "description": f"{CANARY} description",
    "location": f"{CANARY} location",
    "comment": f"{CANARY} comment",
    "contact": f"{CANARY} contact",
    "categories": CANARY,
    "organizer": f"mailto:{CANARY}@example.org",
    "attendee": f"mailto:{CANARY}-2@example.org",
    "url": f"https://example.org/{CANARY}",
    "attach": f"https://example.org/{CANARY}.pdf",
    "x_ms_olk_conftype": CANARY,
    "x_alt_desc": CANARY,
    "created": "20260101T010203Z",
    "last_modified": "20260102T010203Z",
    "sequence": "7",
    "priority": "3",
    "geo": "52.1;4.3",
}
BLOCK = {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "TRANSP"}
ALARMS = (
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT10M\r\nDESCRIPTION:Soon\r\nEND:VALARM\r\n"
    "BEGIN:VALARM\r\nACTION:PROCEDURE\r\nTRIGGER:-PT10M\r\nATTACH:file:///bin/sh\r\nEND:VALARM\r\n"
    f"BEGIN:VALARM\r\nACTION:EMAIL\r\nTRIGGER:-PT9M\r\nSUMMARY:x\r\nDESCRIPTION:{CANARY}\r\n"
    "ATTENDEE:mailto:x@example.org\r\nEND:VALARM\r\n"
)
ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Europe/Amsterdam\r\nX-LIC-LOCATION:Europe/Amsterdam\r\n"
    "BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n"
    "BEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)


async def test_a_busy_feed_holds_times_and_nothing_else(world: World) -> None:
    """No property of the event but its start and end is in either form of a busy feed."""
    event = an_event(f"{CANARY}-uid", end="20261201T100000Z", rrule="FREQ=DAILY;COUNT=2", **RICH)
    await world.put(event.replace(b"END:VEVENT", ALARMS.encode() + b"END:VEVENT"))
    _, path = await world.feed()
    events = await world.events(path)
    blocks = await (await world.get(f"{path}.ics")).text()
    free_busy = await (await world.get(f"{path}.ifb")).text()

    assert [set(found) for found in events] == [BLOCK, BLOCK]
    assert {str(found["SUMMARY"]) for found in events} == {"Busy"}
    assert times(events)[0] == ("20261201T090000Z", "20261201T100000Z")
    for text in (blocks, free_busy):
        assert CANARY not in text
        assert "RRULE" not in text
        assert "VALARM" not in text


async def test_touching_and_overlapping_events_are_one_block(world: World) -> None:
    """Nobody can count the meetings behind a busy block (RFC 4791 section 11)."""
    await world.put(an_event("a", start="20261201T090000Z", end="20261201T100000Z"))
    await world.put(an_event("b", start="20261201T100000Z", end="20261201T110000Z"))
    await world.put(
        an_event("c", start="20261201T103000Z", end="20261201T113000Z", status="TENTATIVE")
    )
    _, path = await world.feed()

    assert times(await world.events(path)) == [
        ("20261201T090000Z", "20261201T110000Z"),
        ("20261201T110000Z", "20261201T113000Z"),
    ]


async def test_a_private_detail_does_not_change_a_busy_feed(world: World) -> None:
    """A new summary leaves ETag and Last-Modified alone; a new time changes both."""
    await world.put(an_event("a", end="20261201T100000Z", summary="One"), name="a.ics")
    _, path = await world.feed()
    first = (await world.get(f"{path}.ics")).headers
    world.clock.advance(60)
    await world.put(an_event("a", end="20261201T100000Z", summary="Two"), name="a.ics")
    second = (await world.get(f"{path}.ics")).headers
    await world.put(an_event("a", end="20261201T103000Z", summary="Two"), name="a.ics")
    third = (await world.get(f"{path}.ics")).headers

    assert (first["ETag"], first["Last-Modified"]) == (second["ETag"], second["Last-Modified"])
    assert third["ETag"] != second["ETag"]
    assert third["Last-Modified"] != second["Last-Modified"]


async def test_an_unchanged_feed_is_304(world: World) -> None:
    """If-None-Match and If-Modified-Since are answered without a body until something changes."""
    await world.put(an_event("a", end="20261201T100000Z"), name="a.ics")
    _, path = await world.feed("title")
    headers = (await world.get(f"{path}.ics")).headers
    by_tag = await world.get(f"{path}.ics", If_None_Match=f'"x", W/{headers["ETag"]}')
    by_date = await world.get(f"{path}.ics", If_Modified_Since=headers["Last-Modified"])
    await world.put(an_event("a", end="20261201T100000Z", summary="New"), name="a.ics")
    changed_tag = await world.get(f"{path}.ics", If_None_Match=headers["ETag"])
    changed_date = await world.get(f"{path}.ics", If_Modified_Since=headers["Last-Modified"])

    assert (by_tag.status, by_date.status) == (304, 304)
    assert (changed_tag.status, changed_date.status) == (200, 200)


async def test_the_headers_keep_a_feed_private(world: World) -> None:
    """A feed is for its reader alone: no shared cache, no search engine, no referrer."""
    _, path = await world.feed()
    answer = await world.get(f"{path}.ics")

    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert "private" in answer.headers["Cache-Control"]
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accept", "packed"),
    [("gzip", True), ("br;q=1, gzip;q=0.8", True), ("gzip;q=0", False), ("identity", False)],
)
async def test_a_feed_is_compressed_when_accepted(
    world: World, accept: str, *, packed: bool
) -> None:
    """Gzip is used where the reader takes it and holds the same bytes."""
    await world.put(an_event("a", end="20261201T100000Z"))
    _, path = await world.feed()
    plain = await (await world.get(f"{path}.ics")).read()
    answer = await world.get(f"{path}.ics", Accept_Encoding=accept)
    body = await answer.read()

    assert (answer.headers.get("Content-Encoding") == "gzip") is packed
    assert (gzip.decompress(body) if packed else body) == plain


async def test_a_title_feed_shows_titles_and_no_more(world: World) -> None:
    """A title feed adds the summary to the time; everything else of the event stays out."""
    await world.put(an_event("a", end="20261201T100000Z", **RICH))
    _, path = await world.feed("title")
    (event,) = await world.events(path)

    assert set(event) == {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY"}
    assert str(event["SUMMARY"]) == f"{CANARY} summary"
    assert CANARY not in str(event["UID"])


@pytest.mark.parametrize("kind", ["PRIVATE", "CONFIDENTIAL", "X-SECRET"])
@pytest.mark.parametrize("show", ["title", "full"])
async def test_a_private_event_is_busy_in_every_feed(world: World, show: str, kind: str) -> None:
    """A private event, or one of an unknown class, shows its time and the word Busy."""
    event = an_event("a", end="20261201T100000Z", **{"class": kind}, **RICH)
    await world.put(event.replace(b"END:VEVENT", ALARMS.encode() + b"END:VEVENT"))
    _, path = await world.feed(show)
    (found,) = await world.events(path)
    text = await (await world.get(f"{path}.ics")).text()

    assert str(found["SUMMARY"]) == "Busy"
    assert CANARY not in text
    assert "VALARM" not in text


async def test_one_private_instance_hides_the_whole_set(world: World) -> None:
    """A private override does not leave its title on the other instances."""
    master = an_event("a", end="20261201T100000Z", summary=CANARY, rrule="FREQ=DAILY;COUNT=3")
    override = an_event(
        "a",
        start="20261202T110000Z",
        recurrence_id="20261202T090000Z",
        summary=CANARY,
        **{"class": "PRIVATE"},
    )
    body = override.split(b"//EN\r\n")[1]
    await world.put(master.split(b"END:VCALENDAR")[0] + body)
    _, path = await world.feed("title")
    events = await world.events(path)

    assert [str(event["SUMMARY"]) for event in events] == ["Busy", "Busy"]
    assert len({str(event["UID"]) for event in events}) == 1


async def test_a_full_feed_leaves_out_what_belongs_to_others(world: World) -> None:
    """A full feed has texts and reminders, but no files, people, vendor fields or programs."""
    event = an_event("a", end="20261201T100000Z", **RICH)
    await world.put(event.replace(b"END:VEVENT", ALARMS.encode() + b"END:VEVENT"))
    _, path = await world.feed("full")
    (found,) = await world.events(path)
    actions = [str(alarm["ACTION"]) for alarm in found.walk("VALARM")]

    assert str(found["DESCRIPTION"]) == f"{CANARY} description"
    assert str(found["LOCATION"]) == f"{CANARY} location"
    assert actions == ["DISPLAY"]
    gone = {"ATTACH", "ATTENDEE", "ORGANIZER", "CONTACT", "COMMENT", "X-ALT-DESC"}
    assert not gone & set(found)
    assert not any(name.startswith("X-") for name in found)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"])
async def test_a_full_feed_carries_no_active_link(world: World, url: str) -> None:
    """Only web, telephone and mail links go through."""
    await world.put(an_event("a", end="20261201T100000Z", url=url))
    _, path = await world.feed("full")
    (event,) = await world.events(path)

    assert "URL" not in event


@pytest.mark.parametrize("show", ["title", "full"])
async def test_a_recurring_event_recurs_in_other_programs(world: World, show: str) -> None:
    """A weekly event with its zone, an exception and a moved instance expands as it should."""
    zoned = ";TZID=Europe/Amsterdam:"
    master = an_event(
        "a",
        start=f"{zoned}20261201T090000",
        end=f"{zoned}20261201T100000",
        rrule="FREQ=WEEKLY;COUNT=4",
        exdate="20261208T080000Z",
        summary="Weekly",
    ).replace(b"BEGIN:VEVENT", ZONE.encode() + b"BEGIN:VEVENT")
    moved = an_event(
        "a",
        start=f"{zoned}20261216T140000",
        end=f"{zoned}20261216T150000",
        recurrence_id="20261215T080000Z",
        summary="Weekly",
    )
    await world.put(master.split(b"END:VCALENDAR")[0] + moved.split(b"//EN\r\n")[1])
    _, path = await world.feed(show)
    calendar = icalendar.Calendar.from_ical(await (await world.get(f"{path}.ics")).read())
    found = recurring_ical_events.of(calendar).between(
        datetime(2026, 11, 24, tzinfo=UTC), datetime(2027, 1, 31, tzinfo=UTC)
    )

    starts = sorted(event.start.astimezone(UTC).strftime("%m%dT%H%M") for event in found)
    assert starts == ["1201T0800", "1216T1300", "1222T0800"]


async def test_two_zones_of_one_name_are_kept_apart(world: World) -> None:
    """Two calendars that mean different zones by one name keep their own times."""
    for uid, offset in (("a", "+0100"), ("b", "+0500")):
        zone = (
            "BEGIN:VTIMEZONE\r\nTZID:Office\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
            f"TZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
        )
        event = an_event(
            uid, start=";TZID=Office:20261201T090000", end=";TZID=Office:20261201T100000"
        )
        await world.put(event.replace(b"BEGIN:VEVENT", zone.encode() + b"BEGIN:VEVENT"))
    _, path = await world.feed("title")
    events = await world.events(path)

    assert sorted(event.start.astimezone(UTC).hour for event in events) == [4, 8]


@pytest.mark.parametrize("show", ["busy", "title", "full"])
async def test_vobject_reads_every_feed(world: World, show: str) -> None:
    """Another parser reads each visibility and both forms."""
    await world.put(an_event("a", end="20261201T100000Z", **RICH))
    _, path = await world.feed(show)
    calendar = vobject.readOne(await (await world.get(f"{path}.ics")).text())
    free_busy = vobject.readOne(await (await world.get(f"{path}.ifb")).text())

    assert len(calendar.vevent_list) == 1
    (line,) = free_busy.vfreebusy.contents["freebusy"]
    assert [(a.hour, b.hour) for a, b in line.value] == [(9, 10)]
