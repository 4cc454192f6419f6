"""Asking the Outbox who is busy when (RFC 6638 section 5)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from gateway.model.principal import Owner
from tests.builders import an_event
from tests.dav_desk import NAMESPACES, Answer, DavClient, dav_client
from tests.owner_desk import OwnerDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOMORROW = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def at(hour: float, days: int = 0) -> str:
    """Return an hour of tomorrow, or of another day from then, in UTC."""
    return f"{TOMORROW + timedelta(days=days, hours=hour):%Y%m%dT%H%M%SZ}"


@pytest_asyncio.fixture(loop_scope="session")
async def bob(desk: OwnerDesk) -> AsyncIterator[DavClient]:
    """Make Bob with a calendar "work"; give his client."""
    owner: Owner = await desk.owner("bob@example.org", name="Bob")
    async with dav_client(desk, owner) as client:
        await client.mkcalendar("work")
        yield client


def message(
    *attendees: str,
    organizer: str = "mailto:jane@example.org",
    start: str | None = None,
    end: str | None = None,
    **replaced: str,
) -> bytes:
    """Return a request for tomorrow's busy time; `replaced` maps a line's name to another line."""
    lines = {
        "METHOD": "METHOD:REQUEST",
        "BEGIN": "BEGIN:VFREEBUSY",
        "UID": "UID:ask-1",
        "DTSTAMP": "DTSTAMP:20260101T000000Z",
        "DTSTART": f"DTSTART:{start or at(0)}",
        "DTEND": f"DTEND:{end or at(24)}",
        "ORGANIZER": f"ORGANIZER:{organizer}",
        "ATTENDEE": "\r\n".join(f"ATTENDEE:{one}" for one in attendees),
        "END": "END:VFREEBUSY",
    } | replaced
    body = "\r\n".join(line for line in lines.values() if line)
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{body}\r\nEND:VCALENDAR\r\n"
    ).encode()


async def ask(dav: DavClient, data: bytes, **headers: str) -> Answer:
    """Post a message to one's Outbox."""
    headers = {"content_type": "text/calendar; charset=utf-8"} | headers
    return await dav.request("POST", f"{dav.home}outbox/", data, **headers)


def told(answer: Answer) -> dict[str, tuple[str, list[str]]]:
    """Return the status and the busy lines of each recipient."""
    assert answer.status == 200, answer.text
    assert answer.tree.tag == "{urn:ietf:params:xml:ns:caldav}schedule-response"
    found = {}
    for one in answer.tree.iterfind("C:response", NAMESPACES):
        data = one.findtext("C:calendar-data", "", NAMESPACES)
        lines = [line for line in data.split("\r\n") if line.startswith("FREEBUSY")]
        recipient = one.findtext("C:recipient/D:href", namespaces=NAMESPACES)
        found[recipient] = (one.findtext("C:request-status", namespaces=NAMESPACES), lines)
    return found


async def test_everybody_here_is_answered_for(dav: DavClient, bob: DavClient) -> None:
    """Oneself and another user with a REPLY each, a stranger with 3.7."""
    work = await dav.mkcalendar("work")
    await dav.put(f"{work}a.ics", an_event("a", start=at(9), end=at(10)))
    await bob.put(
        f"{bob.home}work/b.ics", an_event("b", start=at(11), end=at(12), status="TENTATIVE")
    )
    answer = await ask(
        dav,
        message("mailto:jane@example.org", "MAILTO:Bob@Example.org", "mailto:eve@example.net"),
    )

    assert told(answer) == {
        "mailto:jane@example.org": ("2.0;Success", [f"FREEBUSY;FBTYPE=BUSY:{at(9)}/{at(10)}"]),
        "MAILTO:Bob@Example.org": (
            "2.0;Success",
            [f"FREEBUSY;FBTYPE=BUSY-TENTATIVE:{at(11)}/{at(12)}"],
        ),
        "mailto:eve@example.net": ("3.7;Invalid calendar user", []),
    }


async def test_a_reply_answers_the_request(dav: DavClient, bob: DavClient) -> None:
    """METHOD, UID, window, organizer and attendee are those of the question (RFC 5546 3.3.3)."""
    answer = await ask(dav, message("mailto:bob@example.org"))
    text = answer.tree.findtext("C:response/C:calendar-data", namespaces=NAMESPACES)

    for line in (
        "METHOD:REPLY",
        "UID:ask-1",
        f"DTSTART:{at(0)}",
        f"DTEND:{at(24)}",
        "ORGANIZER:mailto:jane@example.org",
        "ATTENDEE:mailto:bob@example.org",
    ):
        assert line in text.split("\r\n")


async def test_principals_are_addresses_too(dav: DavClient, bob: DavClient) -> None:
    """A principal's path names its user, here and with this host before it."""
    paths = [bob.principal, f"{dav.url}{bob.principal}", "/dav/principals/no@example.org/"]
    answer = await ask(dav, message(*paths, organizer=dav.principal))

    assert [status[:3] for status, _ in told(answer).values()] == ["2.0", "2.0", "3.7"]


async def test_only_selected_calendars_are_told(dav: DavClient, bob: DavClient) -> None:
    """A transparent calendar says nothing about its owner's time."""
    transparent = "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
    hidden = await bob.mkcalendar("hidden", transparent)
    await bob.put(f"{hidden}x.ics", an_event("x", start=at(9), end=at(10)))

    assert told(await ask(dav, message("mailto:bob@example.org"))) == {
        "mailto:bob@example.org": ("2.0;Success", [])
    }


async def test_of_others_only_busy_time_is_told(dav: DavClient, bob: DavClient) -> None:
    """Rows 68 and 70: no word of the events, and meetings that touch are one block."""
    canary = "c4n4ry"
    for number in range(3):
        data = an_event(
            f"{canary}{number}",
            start=at(9 + number),
            end=at(10 + number),
            summary=canary,
            location=canary,
            attendee=f"mailto:{canary}@example.org",
        )
        await bob.put(f"{bob.home}work/{canary}{number}.ics", data)
    answer = await ask(dav, message("mailto:bob@example.org"))

    assert told(answer)["mailto:bob@example.org"][1] == [f"FREEBUSY;FBTYPE=BUSY:{at(9)}/{at(12)}"]
    assert canary not in answer.text


async def test_nobodys_history_is_told(dav: DavClient, bob: DavClient) -> None:
    """Row 81: of others the time far from now is unavailable, never free, whatever is in it."""
    start, end = "20100101T000000Z", "20110101T000000Z"
    await bob.put(
        f"{bob.home}work/old.ics", an_event("old", start="20100601T090000Z", end="20100601T100000Z")
    )
    answer = await ask(dav, message("mailto:bob@example.org", start=start, end=end))

    assert told(answer)["mailto:bob@example.org"][1] == [
        f"FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:{start}/{end}"
    ]


async def test_a_lost_calendar_is_no_free_time(
    dav: DavClient, bob: DavClient, desk: OwnerDesk
) -> None:
    """Who has a selected calendar that cannot be read is unavailable to ask, not free."""
    await desk.lost_calendar(bob.owner)

    assert told(await ask(dav, message("mailto:bob@example.org"))) == {
        "mailto:bob@example.org": ("5.1;Service unavailable", [])
    }


BAD = {
    "no method": ({"METHOD": ""}, "C:valid-scheduling-message"),
    "another method": ({"METHOD": "METHOD:REPLY"}, "C:valid-scheduling-message"),
    "an event": (
        {"BEGIN": "BEGIN:VEVENT", "END": "END:VEVENT"},
        "C:valid-scheduling-message",
    ),
    "no organizer": ({"ORGANIZER": ""}, "C:valid-scheduling-message"),
    "no attendee": ({"ATTENDEE": ""}, "C:valid-scheduling-message"),
    "no uid": ({"UID": ""}, "C:valid-scheduling-message"),
    "no end": ({"DTEND": ""}, "C:valid-scheduling-message"),
    "end before start": ({"DTEND": "DTEND:20000101T000000Z"}, "C:valid-scheduling-message"),
    "no time": ({"DTSTART": "DTSTART:soon"}, "C:valid-scheduling-message"),
    "two starts": (
        {"DTSTART": "DTSTART:20260101T000000Z\r\nDTSTART:20260102T000000Z"},
        "C:valid-scheduling-message",
    ),
    "somebody else asks": (
        {"ORGANIZER": "ORGANIZER:mailto:bob@example.org"},
        "C:organizer-allowed",
    ),
    "no address": ({"ORGANIZER": "ORGANIZER:x"}, "C:organizer-allowed"),
    "torn": ({"END": ""}, "C:valid-calendar-data"),
    "year 9999": ({"DTEND": "DTEND:99991231T000000Z"}, "C:max-date-time"),
}


@pytest.mark.parametrize(("replaced", "condition"), BAD.values(), ids=BAD.keys())
async def test_a_bad_message_names_its_rule(
    dav: DavClient, bob: DavClient, replaced: dict[str, str], condition: str
) -> None:
    """Each is 403 with the precondition of RFC 6638 section 5.1, never a 500."""
    answer = await ask(dav, message("mailto:bob@example.org", **replaced))

    assert (answer.status, answer.condition()) == (403, condition)


async def test_attendees_are_capped(dav: DavClient) -> None:
    """Row 41: ten thousand attendees are refused."""
    many = [f"mailto:a{n}@example.org" for n in range(10_000)]
    answer = await ask(dav, message(*many))

    assert (answer.status, answer.condition()) == (403, "C:max-attendees-per-instance")


async def test_only_calendars_are_taken(dav: DavClient) -> None:
    """Another media type breaks supported-calendar-data; another's Outbox is 404."""
    odd = await ask(dav, message("mailto:x@example.org"), content_type="text/plain")
    theirs = await dav.request(
        "POST", "/dav/calendars/bob@example.org/outbox/", message("mailto:x@example.org")
    )

    assert (odd.status, odd.condition()) == (403, "C:supported-calendar-data")
    assert theirs.status == 404
