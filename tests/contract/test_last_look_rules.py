"""Slots and the last look go by one rule: what a copy does not block, its source does not."""

from collections.abc import AsyncIterator, Callable
from xml.etree import ElementTree as ET

import pytest

from gateway.freebusy.blocking import blocking_periods
from gateway.freebusy.busytime import BusyType, coalesce
from gateway.model.collection import ALL_BLOCKS, BusyRules
from gateway.model.objects import read_one
from gateway.model.recurrence import compile_object
from gateway.model.timerange import DAY, HOUR, TimeRange
from gateway.model.zones import UTC_ZONE, zone
from gateway.sandbox.exchange.soap import T
from tests.builders import an_event
from tests.conftest import START
from tests.exchange_account import ExchangeSource, an_item
from tests.google_account import ANA, GoogleSource
from tests.graph_account import GraphSource
from tests.upstreams import CaldavSource, IcsSource, Peers, Source, open_source

MORNING = START + 12 * HOUR
"""2026-11-25T00:00:00Z, a Wednesday."""
WINDOW = TimeRange(MORNING, MORNING + DAY)
OWNER = "jane@example.org"
NOTHING = BusyRules(
    all_day_blocks=False,
    tentative_blocks=False,
    unanswered_blocks=False,
    out_of_office_blocks=False,
)
RULES = [
    ALL_BLOCKS,
    BusyRules(all_day_blocks=False),
    BusyRules(tentative_blocks=False),
    BusyRules(unanswered_blocks=False),
    BusyRules(out_of_office_blocks=False),
    NOTHING,
]


def at_google(source: GoogleSource) -> None:
    """Put one event of each kind as Google has it."""

    def put(name: str, hour: int, **values: object) -> None:
        times = {
            key: {"dateTime": f"2026-11-25T{at:02}:00:00Z", "timeZone": "UTC"}
            for key, at in (("start", hour), ("end", hour + 1))
        }
        source.server.world.put(ANA, {"id": name, **times, **values})

    days = {"start": {"date": "2026-11-25"}, "end": {"date": "2026-11-26"}}
    asked = {"email": ANA, "self": True, "responseStatus": "needsAction"}
    put("day", 0, **days)
    put("maybe", 8, status="tentative")
    put("asked", 10, attendees=[asked])
    put("away", 12, eventType="outOfOffice")
    put("meeting", 14)


def at_graph(source: GraphSource) -> None:
    """Put one event of each kind as Graph has it."""

    def put(name: str, hours: tuple[int, int], **values: object) -> None:
        day = ("2026-11-25", "2026-11-26")
        times = {
            key: {"dateTime": f"{day[at // 24]}T{at % 24:02}:00:00.0000000", "timeZone": "UTC"}
            for key, at in zip(("start", "end"), hours, strict=True)
        }
        item = {"id": name, "iCalUId": name, "showAs": "busy", **times, **values}
        source.server.world.put(source.calendar_id, item)

    put("day", (0, 24), isAllDay=True)
    put("maybe", (8, 9), showAs="tentative")
    put("asked", (10, 11), responseStatus={"response": "notResponded"})
    put("away", (12, 13), showAs="oof")
    put("meeting", (14, 15))


def at_exchange(source: ExchangeSource) -> None:
    """Put one item of each kind as Exchange has it."""

    def put(name: str, start: str, end: str, **values: str) -> ET.Element:
        return an_item(name, name, f"202611{start}0000Z", f"202611{end}0000Z", **values)

    day = put("day", "25T00", "26T00")
    found = day.find(f"{T}IsAllDayEvent")
    assert found is not None
    found.text = "true"
    for item in (
        day,
        put("maybe", "25T08", "25T09", LegacyFreeBusyStatus="Tentative"),
        put("asked", "25T10", "25T11", MyResponseType="NoResponseReceived"),
        put("away", "25T12", "25T13", LegacyFreeBusyStatus="OOF"),
        put("meeting", "25T14", "25T15"),
    ):
        source.mailbox.put(item)


async def in_icalendar(source: IcsSource | CaldavSource) -> None:
    """Put one event of each kind as a calendar server has it."""
    who = source.account[0] if isinstance(source, CaldavSource) else OWNER
    me = who if "@" in who else OWNER

    def line(text: str) -> bytes:
        return f"{text}\r\nEND:VEVENT".encode()

    def hour(name: str, at: int, **more: str) -> bytes:
        return an_event(
            name, start=f"20261125T{at:02}0000Z", end=f"20261125T{at + 1:02}0000Z", **more
        )

    asked = hour("asked", 10, organizer="mailto:boss@example.net")
    events = {
        "day": an_event("day", start=";VALUE=DATE:20261125", end=";VALUE=DATE:20261126"),
        "maybe": hour("maybe", 8, status="TENTATIVE"),
        "asked": asked.replace(b"END:VEVENT", line(f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{me}")),
        "away": hour("away", 12).replace(b"END:VEVENT", line("X-MICROSOFT-CDO-BUSYSTATUS:OOF")),
        "meeting": hour("meeting", 14),
    }
    for name, data in events.items():
        await source.put(name, data)


SEEDS: dict[str, Callable[..., object]] = {
    "google": at_google,
    "graph": at_graph,
    "exchange": at_exchange,
}


@pytest.fixture(params=["google", "graph", "exchange", "ics", "xandikos"])
async def source(request: pytest.FixtureRequest, peers: Peers) -> AsyncIterator[Source]:
    """Run each kind of source in turn, with one event of each kind of busy time."""
    async with open_source(request.param, peers) as made:
        if request.param in SEEDS:
            SEEDS[request.param](made)
        else:
            await in_icalendar(made)
        yield made


async def test_a_last_look_goes_by_the_owners_rules(source: Source) -> None:
    """Under each rule the source, asked, blocks exactly what its copy does; a meeting always."""
    adapter = source.open()
    calendar = (await adapter.calendars())[0]
    pages = [page async for page in adapter.changes(calendar.upstream_id, "")]
    home = zone(calendar.time_zone) or UTC_ZONE
    copies = [
        compile_object(read_one(item.data or b""), home) for page in pages for item in page.objects
    ]
    looked, stored = [], []
    for rules in RULES:
        looked.append(list(await adapter.last_look(calendar.upstream_id, WINDOW, rules, OWNER)))
        found = [
            period
            for times in copies
            for period in blocking_periods(times.occurrences(WINDOW), rules, address=OWNER)
        ]
        stored.append(coalesce(found, WINDOW))

    assert looked == stored
    assert len({str(one) for one in looked}) == len(RULES), "every rule makes a difference"
    assert looked[-1] == [(MORNING + 14 * HOUR, MORNING + 15 * HOUR, BusyType.BUSY)]
