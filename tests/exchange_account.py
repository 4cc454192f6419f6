"""A mailbox on the simulated Exchange, as a source of the adapters' contract."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from xml.etree import ElementTree as ET

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Endpoint, Shared
from gateway.adapters.registry import Registry
from gateway.model.objects import read_one
from gateway.ports import Adapter, SignIns
from gateway.sandbox.exchange import ExchangeServer, Mailbox, Trouble
from gateway.sandbox.exchange.soap import T
from tests.builders import a_connection
from tests.conftest import FakeClock
from tests.counting import sign_ins_of

ADDRESS, PASSWORD = "jane@corp.example", "correct horse battery"


@dataclass
class ExchangeSource:
    """A mailbox on the simulated Exchange."""

    server: ExchangeServer
    mailbox: Mailbox
    client: GuardedClient
    ids: dict[str, str] = field(default_factory=dict)
    opened: list[Adapter] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    ca_file: str = ""
    sign_ins: SignIns = field(init=False)

    def __post_init__(self) -> None:
        self.sign_ins = sign_ins_of(self.clock)

    async def put(self, uid: str, data: bytes) -> None:
        """Add or replace an event."""
        event = read_one(data.replace(b"99999999T999999Z", b"20990909T090909Z")).members[0]
        start, end = event.value("DTSTART"), event.value("DTEND") or event.value("DTSTART")
        if b"99999999T999999Z" in data:
            start = end = "nonsense"
        self.ids[uid] = self.mailbox.put(
            an_item(uid, event.text("SUMMARY"), start, end, id=self.ids.get(uid, ""))
        )

    async def remove(self, uid: str) -> None:
        """Delete an event."""
        self.mailbox.remove(self.ids.pop(uid))

    def rename(self, *, password: str) -> None:
        """Change the password at the server; signed-in connections end."""
        self.mailbox.person = replace(self.mailbox.person, password=password)
        self.server.sign_out()

    def fail(self, **fault: object) -> None:
        """Break every answer from now on."""
        self.server.trouble = Trouble(**fault)

    def mend(self) -> None:
        """Answer well again."""
        self.server.trouble = None

    def open(self, **given: str) -> Adapter:
        """Return the adapter under test."""
        person = self.mailbox.person
        options = {"address": person.address, "password": person.password, "url": self.server.url}
        secret = json.dumps(options | self.given | given).encode()
        shared = Shared(
            client=self.client,
            clock=self.clock,
            sign_ins=self.sign_ins,
            exchange=Endpoint(url="", ca_file=self.ca_file),
        )
        self.opened.append(Registry(shared).open(a_connection(1, provider="exchange"), secret))
        return self.opened[-1]


def an_item(uid: str, subject: str, start: str, end: str, **more: str) -> ET.Element:
    """Return a calendar item; `more` are further properties by their names, `id` its id."""
    item = ET.Element(f"{T}CalendarItem")
    known = more.pop("id", "")
    if known:
        ET.SubElement(item, f"{T}ItemId", {"Id": known})
    times = [one if one == "nonsense" else _dashed(one) for one in (start, end)]
    values = {
        "ItemClass": "IPM.Appointment",
        "Subject": subject,
        "Sensitivity": "Normal",
        "UID": uid,
        "Start": times[0],
        "End": times[1],
        "IsAllDayEvent": "false",
        "LegacyFreeBusyStatus": "Busy",
        "IsCancelled": "false",
        "CalendarItemType": "Single",
        "MyResponseType": "Organizer",
        "AppointmentState": "0",
    }
    for name, value in (values | more).items():
        ET.SubElement(item, f"{T}{name}").text = value
    return item


def _dashed(text: str) -> str:
    day, time = text[:8], text[9:15]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z"


@asynccontextmanager
async def exchange_source(**server: object) -> AsyncIterator[ExchangeSource]:
    """Run a server with one empty mailbox."""
    client = GuardedClient(GuardOptions(allow_private=True), max_seconds=2)
    async with ExchangeServer(**server) as exchange:
        mailbox = exchange.add(ADDRESS, PASSWORD)
        mailbox.calendar.name = "Work"
        account = ExchangeSource(exchange, mailbox, client)
        yield account
        for adapter in account.opened:
            await adapter.close()
    await client.close()
    client.threads.close()
