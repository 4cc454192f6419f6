"""Storms: many visitors at once against gateways that run, and what must be true afterwards.

The checker knows only what a client can know: what it sent, when, what was answered, and what the
gateways say afterwards.
"""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, encode_basic_auth

from gateway.bootstrap import open_gateway
from gateway.config import load
from gateway.model.principal import CredentialKind
from tests import postgresql
from tests.forked import ForkedServed
from tests.served import Served

JANE = "jane@example.org"
MINUTE = timedelta(minutes=1)
LIMITS_OFF = "[limits]\nbookings_per_address_per_hour = 0\nbookings_per_email_per_day = 0\n"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PAGES = (
    {"title": "Plain", "durations": [30, 60], "step": 15},
    {"title": "Wide", "durations": [30], "step": 15, "buffer_before": 10, "buffer_after": 20},
)
STARTS = 9
"""How many starts, a quarter of an hour apart, one round fights for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page as the storm knows it."""

    id: str
    before: timedelta
    after: timedelta
    durations: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One request to book: `status` 0 means that no answer came."""

    page: Page
    start: datetime
    end: datetime
    sent: float = 0.0
    status: int = 0
    code: str = ""
    booking: str = ""

    def conflicts(self, other: "Attempt") -> bool:
        """Apply the Conflict rule of two bookings."""
        return (
            self.start - self.page.before < other.end and other.start < self.end + self.page.after
        ) or (
            other.start - other.page.before < self.end and self.start < other.end + other.page.after
        )


@dataclass(slots=True, kw_only=True)
class Put:
    """One event put by a client; `done` is when its success was known."""

    start: datetime
    end: datetime
    done: float = float("inf")
    status: int = 0


@dataclass(slots=True, kw_only=True)
class Site:
    """Running gateways of one owner over one database."""

    nodes: list[Served]
    engine: str
    password: str
    token: str
    pages: list[Page] = field(default_factory=list)

    def day(self, number: int) -> datetime:
        """Return the first contested start of a round: each round has a day of its own."""
        tomorrow = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
        return tomorrow + timedelta(days=2 + number)


@contextmanager
def site(folder: Path, engine: str) -> Iterator[Site]:
    """Run one gateway on SQLite, or two on one PostgreSQL, with Jane and her two pages."""
    if engine == "sqlite":
        with _running(folder, engine, [LIMITS_OFF]) as opened:
            yield opened
        return
    with postgresql.server() as url:
        extra = f'[database]\nurl = "{url}"\n{LIMITS_OFF}'
        with _running(folder, engine, [extra, extra]) as opened:
            yield opened


@contextmanager
def _running(folder: Path, engine: str, extras: Sequence[str]) -> Iterator[Site]:
    nodes = [
        ForkedServed(folder, extra=extra, node=f"node{number}").prepare()
        for number, extra in enumerate(extras)
    ]
    password, token = asyncio.run(_make_owner(nodes[0]))
    opened = Site(nodes=nodes, engine=engine, password=password, token=token)
    try:
        for node in nodes:
            node.start()
        asyncio.run(_make_pages(opened))
        yield opened
    finally:
        for node in nodes:
            node.stop()


async def _make_owner(node: Served) -> tuple[str, str]:
    """Make Jane and her calendar here, where nothing has to be started for it."""
    async with open_gateway(load(node.config)) as gateway:
        owners = gateway.services.owners
        jane = await owners.add(JANE, "correct horse battery", name="Jane", time_zone="UTC")
        await gateway.services.objects.create_collection(jane, name="calendar")
        _, password = await owners.add_credential(jane.id, CredentialKind.APP_PASSWORD, "storm")
        _, token = await owners.add_credential(jane.id, CredentialKind.API_TOKEN, "storm")
    return password, token


def _session(opened: Site) -> ClientSession:
    return ClientSession(
        connector=TCPConnector(limit=0),
        timeout=ClientTimeout(total=60),
        headers={"Authorization": f"Bearer {opened.token}"},
    )


async def _make_pages(opened: Site) -> None:
    async with _session(opened) as session:
        for values in PAGES:
            hours = {day: [["00:00", "24:00"]] for day in DAYS}
            body = {"time_zone": "UTC", "horizon_days": 365, "weekly_hours": hours, **values}
            url = f"{opened.nodes[0].url}/api/v1/pages"
            async with session.post(url, json=body) as answer:
                made = await answer.json()
                assert answer.status == 201, made
            opened.pages.append(
                Page(
                    id=made["id"],
                    before=made["buffer_before"] * MINUTE,
                    after=made["buffer_after"] * MINUTE,
                    durations=tuple(made["durations"]),
                )
            )


# --- the storm


@dataclass(slots=True, kw_only=True)
class Storm:
    """What was sent in one round, and what came back."""

    attempts: list[Attempt]
    puts: list[Put]
    seconds: float = 0.0

    @property
    def answers(self) -> Counter[str]:
        """Count the answers."""
        return Counter(f"{one.status} {one.code}".strip() for one in self.attempts)

    @property
    def won(self) -> list[Attempt]:
        """Return the attempts that were told they are booked."""
        return [one for one in self.attempts if one.status == 201]


def plan(
    opened: Site,
    dice: random.Random,
    *,
    visitors: int,
    puts: int,
    round_: int,
    starts: int = STARTS,
) -> Storm:
    """Return a round: who wants what; every pair of neighbours is in each other's way."""
    first = opened.day(round_)

    def start() -> datetime:
        return first + dice.randrange(starts) * 15 * MINUTE

    attempts = []
    for _ in range(visitors):
        page, begin = dice.choice(opened.pages), start()
        length = dice.choice(page.durations) * MINUTE
        attempts.append(Attempt(page=page, start=begin, end=begin + length))
    events = [Put(start=begin, end=begin + 20 * MINUTE) for begin in (start() for _ in range(puts))]
    return Storm(attempts=attempts, puts=events)


async def blow(opened: Site, storm: Storm, dice: random.Random, *, spread: float = 0.0) -> None:
    """Send everything at once, or spread over some seconds, to the nodes in turn."""
    started = time.monotonic()
    async with _session(opened) as session:
        work = [
            _book(session, opened.nodes[number % len(opened.nodes)], one, dice.random() * spread)
            for number, one in enumerate(storm.attempts)
        ]
        work += [
            _put(session, opened, number, one, dice.random() * spread)
            for number, one in enumerate(storm.puts)
        ]
        await asyncio.gather(*work)
    storm.seconds = time.monotonic() - started


async def _book(session: ClientSession, node: Served, one: Attempt, wait: float) -> None:
    await asyncio.sleep(wait)
    body = {
        "start": one.start.isoformat(),
        "duration": (one.end - one.start) // MINUTE,
        "time_zone": "Europe/Amsterdam",
        "name": "Vera",
        "email": "vera@example.net",
        "answers": {},
        "guests": [],
    }
    one.sent = time.monotonic()
    url = f"{node.url}/api/v1/pages/{one.page.id}/bookings"
    try:
        async with session.post(url, json=body) as answer:
            told = await answer.json()
            one.status, one.code = answer.status, told.get("code", "")
            if answer.status == 201:
                one.booking = told["id"]
                one.code = told["state"]
    except (TimeoutError, ClientError, OSError, ValueError):
        one.status = 0


async def _put(session: ClientSession, opened: Site, number: int, one: Put, wait: float) -> None:
    await asyncio.sleep(wait)
    node = opened.nodes[number % len(opened.nodes)]
    uid = f"{one.start:%d%H%M}-{number}@client"
    data = "\r\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//example.org//storm//EN",
            "BEGIN:VEVENT",
            f"UID:{uid}",
            "DTSTAMP:20260101T000000Z",
            f"DTSTART:{one.start:%Y%m%dT%H%M%SZ}",
            f"DTEND:{one.end:%Y%m%dT%H%M%SZ}",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )
    url = f"{await default_url(session, opened, node)}client-{one.start:%m%d%H%M}-{number}.ics"
    headers = _dav_headers(opened) | {"Content-Type": "text/calendar"}
    async with session.put(url, data=data, headers=headers) as answer:
        one.status = answer.status
        one.done = time.monotonic()


def _dav_headers(opened: Site) -> dict[str, str]:
    return {"Authorization": encode_basic_auth(JANE, opened.password)}


async def default_url(session: ClientSession, opened: Site, node: Served) -> str:
    """Return the address of the default calendar, as a client finds it in the home set."""
    home = f"/dav/calendars/{JANE}/"
    async with session.request(
        "PROPFIND", node.url + home, headers=_dav_headers(opened) | {"Depth": "1"}
    ) as answer:
        text = await answer.text()
    kinds = {"inbox/", "outbox/", "merged/", ""}
    hrefs = [href for href in re.findall(r"<[^>]*href>([^<]*)</", text) if href.startswith(home)]
    (found,) = {href for href in hrefs if href.removeprefix(home) not in kinds}
    return node.url + found


# --- what must be true afterwards


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the checker found; every number but the first two must be nothing."""

    confirmed: int = 0
    unfinished: int = 0
    overlaps: int = 0
    twice: int = 0
    lost: int = 0
    events_missing: int = 0
    events_extra: int = 0
    over_known_events: int = 0
    refused_though_free: int = 0
    odd_answers: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> dict[str, Any]:
        """Return what should not be."""
        counts = {
            name: getattr(self, name)
            for name in Verdict.__slots__
            if name not in ("confirmed", "unfinished", "odd_answers")
        }
        found = {name: count for name, count in counts.items() if count}
        return found | ({"odd_answers": dict(self.odd_answers)} if self.odd_answers else {})


async def judge(opened: Site, storm: Storm, *, node: int = 0, killed: bool = False) -> Verdict:
    """Ask the gateway what there is now, and hold it against what was answered."""
    verdict = Verdict()
    async with _session(opened) as session:
        url = f"{opened.nodes[node].url}/api/v1"
        first = min(one.start for one in storm.attempts) - timedelta(hours=4)
        window = {"from": first.isoformat(), "to": (first + timedelta(hours=20)).isoformat()}
        async with session.get(f"{url}/bookings", params=window) as answer:
            listed = await answer.json()
        names = await _names(session, opened, opened.nodes[node])
        blocking = {
            one["id"]: one
            for one in listed
            if one["state"] in ("held", "writing", "pending", "confirmed")
        }
        confirmed = {key for key, one in blocking.items() if one["state"] == "confirmed"}
        verdict.confirmed = len(confirmed)
        verdict.unfinished = len(blocking) - len(confirmed)
        kept = [_attempt(opened, one) for one in blocking.values()]
        verdict.overlaps = sum(a.conflicts(b) for a, b in combinations(kept, 2))
        starts = Counter(one.start for one in storm.won)
        verdict.twice = sum(count > 1 for count in starts.values())
        verdict.lost = sum(
            one.booking not in confirmed for one in storm.won if one.code == "confirmed"
        )
        events = Counter(name for name in names if name.startswith("bk_"))
        verdict.events_missing = sum(events[f"{key}.ics"] != 1 for key in confirmed)
        mine = {f"{one['id']}.ics" for one in listed}
        verdict.events_extra = sum(
            name in mine and name.removesuffix(".ics") not in confirmed for name in events
        )
        verdict.over_known_events = sum(
            put.done < one.sent
            and one.start - one.page.before < put.end
            and put.start < one.end + one.page.after
            for one in storm.won
            for put in storm.puts
        )
        if not killed:
            verdict.odd_answers = Counter(
                f"{one.status} {one.code}"
                for one in storm.attempts
                if (one.status, one.code) not in ((201, "confirmed"), (409, "slot_taken"))
            )
            if not storm.puts:
                verdict.refused_though_free = await _spurious(session, url, storm)
    return verdict


def _attempt(opened: Site, one: dict[str, Any]) -> Attempt:
    page = next(page for page in opened.pages if page.id == one["page"])
    start, end = (datetime.fromisoformat(one[key]) for key in ("start", "end"))
    return Attempt(page=page, start=start, end=end)


async def _names(session: ClientSession, opened: Site, node: Served) -> list[str]:
    url = await default_url(session, opened, node)
    async with session.request(
        "PROPFIND", url, headers=_dav_headers(opened) | {"Depth": "1"}
    ) as answer:
        text = await answer.text()
    return [href.rsplit("/", 1)[1] for href in re.findall(r"<[^>]*href>([^<]*\.ics)</", text)]


async def _spurious(session: ClientSession, url: str, storm: Storm) -> int:
    """Count the attempts that were refused although their time is free now."""
    free: dict[tuple[str, int], set[datetime]] = {}
    for one in storm.attempts:
        key = (one.page.id, (one.end - one.start) // MINUTE)
        if key in free:
            continue
        day = one.start.date().isoformat()
        query = {"from": day, "to": day, "tz": "UTC", "duration": str(key[1])}
        async with session.get(f"{url}/pages/{key[0]}/slots", params=query) as answer:
            slots = (await answer.json())["slots"]
        free[key] = {datetime.fromisoformat(slot["start"]) for slot in slots}
    return sum(
        one.status == 409 and one.start in free[one.page.id, (one.end - one.start) // MINUTE]
        for one in storm.attempts
    )
