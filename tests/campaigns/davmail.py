"""DavMail, an independent client of Exchange, shows the same events as the gateway's CalDAV side.

`python -m tests.campaigns.davmail`: the simulated Exchange holds every EWS case and some further
series; DavMail (Debian package `davmail`) and the gateway read it, python `caldav` reads both.
Events are compared by UID: summary, instances in the case's window, whole days, transparency. What
DavMail is known to get wrong is named in QUIRKS, each with its reason, and has to differ.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import caldav
import icalendar
import recurring_ical_events

from gateway.sandbox.exchange import ExchangeServer, Mailbox
from gateway.sandbox.exchange.soap import T
from tests.booking_visitor import OPEN
from tests.campaigns._davmail_series import further
from tests.exchange_account import PASSWORD
from tests.served import START_SECONDS, Served, free_port

CASES = Path(__file__).parents[1] / "cases" / "microsoft.json"
PROPERTIES = """\
davmail.server=true
davmail.mode=EWS
davmail.url={url}
davmail.caldavPort={port}
davmail.imapPort=
davmail.ldapPort=
davmail.popPort=
davmail.smtpPort=
davmail.bindAddress=127.0.0.1
davmail.allowRemote=false
davmail.disableUpdateCheck=true
davmail.enableProxy=false
davmail.useSystemProxies=false
davmail.caldavPastDelay=0
davmail.logFilePath={folder}/davmail.log
log4j.rootLogger=WARN
log4j.logger.davmail=WARN
"""
QUIRKS = {
    "ews_lfb_WorkingElsewhere": "DavMail shows every busy status but Free as opaque",
    "ews_cancelled_meeting": (
        "the text that Exchange makes of a cancelled meeting in a calendar says CONFIRMED and Busy"
        " until its owner removes it; DavMail reads nothing else, the gateway AppointmentState"
    ),
    "declined": (
        "DavMail tells an answer by PARTSTAT alone and leaves it opaque;"
        " at the gateway what was declined never blocks"
    ),
}
"""Events that DavMail shows otherwise, each with the reason; only their transparency may differ."""
ZONES = {"Europe/Berlin": "W. Europe Standard Time", "America/New_York": "Eastern Standard Time"}

Instance = tuple[str, str, str, bool, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An item that both have to show: what it is called, whose mailbox, which window."""

    name: str
    uid: str
    zone: str
    window: tuple[datetime, datetime]


def fill(server: ExchangeServer) -> tuple[dict[str, Mailbox], list[Case]]:
    """Make a mailbox for each zone of the cases, with their items in it."""
    mailboxes: dict[str, Mailbox] = {}
    cases = []
    for told in json.loads(CASES.read_text()):
        if told["provider"] != "ews":
            continue
        zone = told["mailbox_tz"]
        if zone not in mailboxes:
            mailboxes[zone] = server.add(f"person{len(mailboxes)}@corp.example", PASSWORD)
            mailboxes[zone].time_zone = ZONES[zone]
        low, high = (datetime.fromisoformat(one) for one in told["window"])
        for text in told["items"]:
            item = ET.fromstring(text)
            mailboxes[zone].put(item)
            uid = item.findtext(f"{T}UID", "")
            cases.append(Case(name=told["name"], uid=uid, zone=zone, window=(low, high)))
    zone = next(iter(ZONES))
    window = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    more = further(mailboxes[zone])
    cases += [Case(name=uid, uid=uid, zone=zone, window=window) for uid in more]
    assert len({(case.zone, case.uid) for case in cases}) == len(cases), "each has its own UID"
    return mailboxes, cases


@contextmanager
def davmail(url: str, folder: Path) -> Iterator[str]:
    """Run DavMail on a port of its own; yield its address."""
    port = free_port()
    properties = folder / "davmail.properties"
    properties.write_text(PROPERTIES.format(url=url, port=port, folder=folder), encoding="utf-8")
    with (folder / "davmail.out").open("wb") as log:
        process = subprocess.Popen(
            [shutil.which("davmail") or "davmail", str(properties)], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"DavMail did not start: {(folder / 'davmail.out').read_text()}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def objects(
    url: str, username: str, password: str, *, path: str = ""
) -> dict[str, icalendar.Calendar]:
    """Return what a calendar holds, by UID: the one at a path, else the first that is found."""
    with caldav.DAVClient(url, username=username, password=password) as client:
        # DavMail nests the responses of its home set in each other: nothing is found by them.
        found_by = client.calendar(url=url + path) if path else client.principal().calendars()[0]
        found = {}
        for one in found_by.events():
            parsed = icalendar.Calendar.from_ical(one.data)
            found[str(parsed.walk("VEVENT")[0]["UID"])] = parsed
        return found


def instances(calendar: icalendar.Calendar, window: tuple[datetime, datetime]) -> list[Instance]:
    """Return what an object shows in a window, expanded by a library that is not ours."""
    found = []
    for event in recurring_ical_events.of(calendar).between(*window):
        start, end = event.start, event.end
        found.append(
            (
                str(event.get("SUMMARY", "")),
                _told(start),
                _told(end),
                not isinstance(start, datetime),
                str(event.get("TRANSP", "OPAQUE")) == "TRANSPARENT",
            )
        )
    return sorted(found)


def _times(found: Sequence[Instance]) -> list[tuple[str, str, str, bool]]:
    return [one[:4] for one in found]


def _told(when: date) -> str:
    return when.astimezone(UTC).isoformat() if isinstance(when, datetime) else when.isoformat()


def compared(
    cases: Sequence[Case],
    theirs: dict[str, dict[str, icalendar.Calendar]],
    ours: dict[str, dict[str, icalendar.Calendar]],
) -> tuple[list[str], list[str]]:
    """Return the differences that nothing explains, and the quirks that were met."""
    wrong, met = [], []
    for case in cases:
        pair = [side[case.zone].get(case.uid) for side in (theirs, ours)]
        if None in pair:
            wrong.append(
                f"{case.name}: missing at {'DavMail' if pair[0] is None else 'the gateway'}"
            )
            continue
        told, own = (instances(one, case.window) for one in pair if one is not None)
        if not own:
            wrong.append(f"{case.name}: nothing in its window")
        if case.name in QUIRKS and told != own and _times(told) == _times(own):
            met.append(case.name)
        elif case.name in QUIRKS:
            wrong.append(f"{case.name}: not as its quirk says: {told}, {own}")
        elif told != own:
            wrong.append(f"{case.name}: DavMail {told}, gateway {own}")
    for zone, told_by in theirs.items():
        more = set(told_by) ^ set(ours[zone])
        wrong += [f"{uid}: only one of the two has it" for uid in sorted(more)]
    return wrong, met


async def play(folder: Path) -> tuple[int, list[str], list[str]]:
    """Run all three; return how many events were compared, what is wrong, which quirks were met."""
    async with ExchangeServer(version="Exchange2016") as server:
        mailboxes, cases = fill(server)
        with davmail(server.url, folder) as url:
            theirs = {
                zone: await asyncio.to_thread(
                    objects,
                    url,
                    one.person.address,
                    PASSWORD,
                    path=f"/users/{one.person.address}/calendar/",
                )
                for zone, one in mailboxes.items()
            }
        ours = await asyncio.to_thread(_through_the_gateway, folder, server.url, mailboxes)
    return len(cases), *compared(cases, theirs, ours)


def _through_the_gateway(
    folder: Path, url: str, mailboxes: dict[str, Mailbox]
) -> dict[str, dict[str, icalendar.Calendar]]:
    gateway = Served(folder, extra=OPEN).prepare()
    passwords = {}
    for zone, mailbox in mailboxes.items():
        address = mailbox.person.address
        words = ("user", "add", address, "--timezone", zone, "--password-stdin")
        gateway.cli(*words, stdin="long enough pw\n")
        passwords[zone] = gateway.cli("app-password", "add", address, "test").split()[-1]
        words = ("connect", "exchange", address, "--address", address, "--url", url)
        gateway.cli(*words, "--password-stdin", stdin=f"{PASSWORD}\n")
    with gateway:
        return {
            zone: objects(f"{gateway.url}/dav/", one.person.address, passwords[zone])
            for zone, one in mailboxes.items()
        }


def main() -> int:
    """Return 0 if both show the same but for the named quirks."""
    if shutil.which("davmail") is None:
        print("davmail: DavMail is not here; on Debian, apt install davmail.")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        count, wrong, met = asyncio.run(play(Path(folder)))
    for line in wrong:
        print(line)
    for name in met:
        print(f"as expected, {name}: {QUIRKS[name]}")
    print(f"davmail: {count} events, {len(wrong)} unexplained differences, {len(met)} known quirks")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
