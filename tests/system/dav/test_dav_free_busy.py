"""free-busy-query over HTTP (RFC 4791 section 7.10)."""

import re

import pytest
import pytest_asyncio

from tests.builders import an_event
from tests.dav_desk import Answer, DavClient, dav_client
from tests.owner_desk import OwnerDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")

START, END = "20261130T000000Z", "20261207T000000Z"


@pytest_asyncio.fixture(loop_scope="session")
async def work(dav: DavClient) -> str:
    """Make a calendar; give its path."""
    return await dav.mkcalendar(
        "work", "<C:calendar-timezone-id>Europe/Amsterdam</C:calendar-timezone-id>"
    )


async def ask(
    dav: DavClient, path: str, start: str = START, end: str = END, **headers: str
) -> Answer:
    """Ask when somebody is busy."""
    window = f'<C:time-range start="{start}" end="{end}"/>'
    body = f"<C:free-busy-query {{DECLARED}}>{window}</C:free-busy-query>"
    return await dav.report(path, body, **headers)


def periods(answer: Answer) -> list[str]:
    """Return the periods as told, `BUSY 20261201T090000Z/20261201T100000Z`."""
    assert answer.status == 200, answer.text
    found = re.findall(r"^FREEBUSY;FBTYPE=([A-Z-]+):(\S+)\r$", answer.text, re.MULTILINE)
    assert len(found) == answer.text.count("FREEBUSY;")
    return [" ".join(one) for one in found]


def event(start: str, end: str, **lines: str) -> bytes:
    """Return an event of the first of December, its UID made of its times."""
    return an_event(
        f"{start}-{end}-{lines}", start=f"20261201T{start}00Z", end=f"20261201T{end}00Z", **lines
    )


async def put_all(dav: DavClient, path: str, *objects: bytes) -> None:
    """Put objects under numbers."""
    for number, data in enumerate(objects):
        answer = await dav.put(f"{path}{number}.ics", data)
        assert answer.status == 201, answer.text


async def test_the_answer_is_one_vfreebusy(dav: DavClient, work: str) -> None:
    """Status 200 and text/calendar, UTC, with the window that was asked and a type each."""
    await put_all(dav, work, event("0900", "1000"))
    answer = await ask(dav, work)

    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert periods(answer) == ["BUSY 20261201T090000Z/20261201T100000Z"]
    for line in (f"DTSTART:{START}", f"DTEND:{END}", "BEGIN:VFREEBUSY", "VERSION:2.0"):
        assert line in answer.text.split("\r\n")


async def test_what_is_busy_and_how(dav: DavClient, work: str) -> None:
    """Row 73: tentative, cancelled, transparent, declined, all-day, out of office, unknown."""
    await put_all(
        dav,
        work,
        event("0900", "1000", status="TENTATIVE"),
        event("1000", "1100", status="CANCELLED"),
        event("1100", "1200", transp="TRANSPARENT"),
        event("1200", "1300", x_microsoft_cdo_busystatus="OOF"),
        event("1300", "1400", status="X-MAYBE"),
        event("1400", "1500").replace(
            b"END:VEVENT",
            b"ORGANIZER:mailto:boss@example.org\r\n"
            b"ATTENDEE;PARTSTAT=DECLINED:mailto:jane@example.org\r\nEND:VEVENT",
        ),
        an_event("day", start=";VALUE=DATE:20261203"),
    )
    told = periods(await ask(dav, work))

    assert told == [
        "BUSY-TENTATIVE 20261201T090000Z/20261201T100000Z",
        "BUSY-UNAVAILABLE 20261201T120000Z/20261201T130000Z",
        "BUSY 20261201T130000Z/20261201T140000Z",
        "BUSY 20261202T230000Z/20261203T230000Z",
    ]


async def test_meetings_that_touch_are_one_block(dav: DavClient, work: str) -> None:
    """Row 70: how many meetings there are is nobody's business (RFC 4791 section 11)."""
    await put_all(dav, work, event("0900", "1000"), event("1000", "1030"), event("0930", "1100"))

    assert periods(await ask(dav, work)) == ["BUSY 20261201T090000Z/20261201T110000Z"]


async def test_types_are_merged_apart(dav: DavClient, work: str) -> None:
    """Where busy and tentative overlap, both are told whole."""
    await put_all(dav, work, event("0900", "1000"), event("0930", "1100", status="TENTATIVE"))

    assert periods(await ask(dav, work)) == [
        "BUSY 20261201T090000Z/20261201T100000Z",
        "BUSY-TENTATIVE 20261201T093000Z/20261201T110000Z",
    ]


async def test_periods_are_clipped(dav: DavClient, work: str) -> None:
    """Nothing is told of the time outside the window, its edges are half-open."""
    await put_all(dav, work, event("0900", "1100"), event("1200", "1300"))
    told = periods(await ask(dav, work, "20261201T100000Z", "20261201T120000Z"))

    assert told == ["BUSY 20261201T100000Z/20261201T110000Z"]


async def test_old_and_odd_events_stay_busy(dav: DavClient, work: str) -> None:
    """Row 191: years-old series, a moved instance, long events, nominal days, other zones."""
    weekly = an_event(
        "w", start="20150105T090000Z", end="20150105T093000Z", rrule="FREQ=WEEKLY"
    ).replace(
        b"END:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:w\r\nDTSTAMP:20261101T000000Z\r\nRECURRENCE-ID:20261130T090000Z\r\n"
        b"DTSTART:20261204T180000Z\r\nDURATION:PT15M\r\nEND:VEVENT\r\nEND:VCALENDAR",
    )
    await put_all(
        dav,
        work,
        weekly,
        an_event("trip", start="20261001T000000Z", end="20261201T060000Z"),
        an_event("off", start=";VALUE=DATE:20261205", duration="P1D"),
        an_event(
            "daily",
            start=";TZID=America/New_York:20200301T200000",
            duration="PT1H",
            rrule="FREQ=DAILY;BYDAY=WE",
        ),
    )
    told = periods(await ask(dav, work))

    assert told == [
        "BUSY 20261130T000000Z/20261201T060000Z",
        "BUSY 20261203T010000Z/20261203T020000Z",
        "BUSY 20261204T180000Z/20261204T181500Z",
        "BUSY 20261204T230000Z/20261205T230000Z",
    ]
    assert periods(await ask(dav, work, "20300701T000000Z", "20300708T000000Z")) == [
        "BUSY 20300701T090000Z/20300701T093000Z",
        "BUSY 20300704T000000Z/20300704T010000Z",
    ]


@pytest.mark.parametrize("where", ["", "merged/"])
async def test_all_selected_calendars_answer_together(
    dav: DavClient, work: str, where: str
) -> None:
    """The home set and `merged/` tell every selected calendar, and no other."""
    other = await dav.mkcalendar("other")
    transparent = "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
    hidden = await dav.mkcalendar("hidden", transparent)
    await put_all(dav, work, event("0900", "1000"))
    await put_all(dav, other, event("0930", "1030"))
    await put_all(dav, hidden, event("1500", "1600"))

    assert periods(await ask(dav, dav.home + where)) == ["BUSY 20261201T090000Z/20261201T103000Z"]
    assert periods(await ask(dav, hidden)) == ["BUSY 20261201T150000Z/20261201T160000Z"]


@pytest.mark.parametrize("depth", [None, "0", "1", "infinity"])
async def test_depth_does_not_matter(dav: DavClient, work: str, depth: str | None) -> None:
    """Clients send none; what is busy is busy at each."""
    await put_all(dav, work, event("0900", "1000"))

    assert len(periods(await ask(dav, work, depth=depth))) == 1


async def test_nothing_but_times_is_told(dav: DavClient, work: str) -> None:
    """Row 68: no word of an event, no rule, no UID of it."""
    canary = "c4n4ry"
    lines = {
        name: f"{canary}-{name}"
        for name in ("summary", "location", "description", "categories", "comment", "x_secret")
    }
    data = event("0900", "1000", rrule="FREQ=DAILY", url=f"http://{canary}.example", **lines)
    data = data.replace(
        b"END:VEVENT",
        f"ORGANIZER:mailto:{canary}@example.org\r\nATTENDEE:mailto:{canary}2@example.org\r\n"
        f"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:{canary}\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n"
        "END:VEVENT".encode(),
    )
    await put_all(dav, work, data)
    answer = await ask(dav, work)

    assert len(periods(answer)) == 6
    assert canary not in answer.text
    names = {re.split("[:;]", line)[0] for line in answer.text.split("\r\n") if line}
    assert names == {
        "BEGIN",
        "VERSION",
        "PRODID",
        "UID",
        "DTSTAMP",
        "DTSTART",
        "DTEND",
        "FREEBUSY",
        "END",
    }


@pytest.mark.parametrize(
    ("start", "end", "condition"),
    [
        ("20261207T000000Z", "20261130T000000Z", "C:valid-filter"),
        ("20261130T000000Z", "20261130T000000Z", "C:valid-filter"),
        ("20261130", "20261207", "C:valid-filter"),
        ("00010101T000000Z", "20261207T000000Z", "C:min-date-time"),
        ("20261130T000000Z", "99991231T000000Z", "C:max-date-time"),
    ],
)
async def test_a_bad_window_names_its_rule(
    dav: DavClient, work: str, start: str, end: str, condition: str
) -> None:
    """403 with the precondition, never a 500."""
    answer = await ask(dav, work, start, end)

    assert (answer.status, answer.condition()) == (403, condition)


async def test_a_window_has_two_edges(dav: DavClient, work: str) -> None:
    """A free-busy-query without its end, or without a window, is no question."""
    for inner in ('<C:time-range start="20261201T000000Z"/>', ""):
        body = f"<C:free-busy-query {{DECLARED}}>{inner}</C:free-busy-query>"
        answer = await dav.report(work, body)
        assert (answer.status, answer.condition()) == (403, "C:valid-filter")


async def test_three_centuries_are_bounded(dav: DavClient, work: str) -> None:
    """Row 33: over the longest window there is, what is not computed any more counts as busy."""
    minutes = an_event(
        "m", start="20200101T000000Z", duration="PT1M", rrule="FREQ=MINUTELY;INTERVAL=7"
    )
    daily = an_event("d", start="20200101T003000Z", duration="PT1M", rrule="FREQ=DAILY")
    await put_all(dav, work, minutes, daily)
    told = periods(await ask(dav, work, "19000101T000000Z", "22000101T000000Z"))

    assert told == ["BUSY 19000101T000000Z/22000101T000000Z"]


async def test_objects_and_boxes_are_not_asked(dav: DavClient, work: str) -> None:
    """free-busy-query is for collections of events; elsewhere it is 403 supported-report."""
    await put_all(dav, work, event("0900", "1000"))
    for path in (f"{work}0.ics", f"{dav.home}outbox/", dav.principal, "/dav/"):
        answer = await ask(dav, path)
        assert (answer.status, answer.condition()) == (403, "D:supported-report"), path


async def test_others_are_not_asked_here(dav: DavClient, desk: OwnerDesk, work: str) -> None:
    """Another owner's calendar is 404, like one that is not there."""
    bob = await desk.owner("bob@example.org", name="Bob")
    async with dav_client(desk, bob) as other:
        theirs = await ask(other, work)
        nobody = await ask(other, "/dav/calendars/no@example.org/work/")

    assert (theirs.status, theirs.data) == (nobody.status, nobody.data)
    assert theirs.status == 404


async def test_times_are_never_those_of_another_calendar(dav: DavClient, work: str) -> None:
    """Where a store uses an id again, what was computed for its first owner is not told."""
    other = await dav.mkcalendar("other")
    first = an_event("a", start="20200101T090000Z", duration="PT1H", rrule="FREQ=DAILY")
    second = an_event("b", start="20200101T150000Z", duration="PT1H", rrule="FREQ=DAILY")
    day = ("20400101T000000Z", "20400102T000000Z")
    await put_all(dav, work, first)
    before = periods(await ask(dav, work, *day))
    await dav.request("DELETE", f"{work}0.ics")
    await put_all(dav, other, second)

    assert before == ["BUSY 20400101T090000Z/20400101T100000Z"]
    assert periods(await ask(dav, other, *day)) == ["BUSY 20400101T150000Z/20400101T160000Z"]


async def test_an_answer_is_kept_until_something_changes(dav: DavClient, work: str) -> None:
    """The same question has the same bytes; an object, a rule of time or a selection ends that."""
    morning = "BUSY 20261201T090000Z/20261201T100000Z"
    day = an_event("day", start=";VALUE=DATE:20261203")
    await put_all(dav, work, event("0900", "1000"))
    first, again = await ask(dav, work), await ask(dav, work)
    await dav.put(f"{work}day.ics", day)
    amsterdam = periods(await ask(dav, work))
    zone = "<C:calendar-timezone-id>America/New_York</C:calendar-timezone-id>"
    await dav.proppatch(work, f"<D:set><D:prop>{zone}</D:prop></D:set>")
    new_york = periods(await ask(dav, work))
    merged = periods(await ask(dav, dav.home))
    hidden = "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
    await dav.proppatch(work, f"<D:set><D:prop>{hidden}</D:prop></D:set>")

    assert first.data == again.data
    assert amsterdam == [morning, "BUSY 20261202T230000Z/20261203T230000Z"]
    assert new_york == merged == [morning, "BUSY 20261203T050000Z/20261204T050000Z"]
    assert periods(await ask(dav, dav.home)) == []
    await dav.request("DELETE", f"{work}day.ics")
    assert periods(await ask(dav, work)) == [morning]
