"""Secrets and people's words while everything fails, at the most talkative log level (K 169-175).

One gateway runs as its users run it. Its providers and its mail host repeat all that they hear,
with line breaks and orders for terminals in between; then its database breaks under it.
"""

import asyncio
import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import ClientSession, encode_basic_auth

from gateway.bootstrap import Gateway, open_gateway
from gateway.config import load
from gateway.model.collection import Provider, Role
from gateway.model.connection import Health
from gateway.model.feed import Visibility
from gateway.model.grant import Grant
from gateway.model.page import WEEKDAYS, SchedulingPage
from gateway.model.principal import CredentialKind, Owner
from gateway.model.timerange import DAY, HOUR, format_rfc3339
from gateway.services.sync import secret_of
from gateway.storage import schema
from tests.booking_desk import a_request
from tests.builders import a_collection, a_connection, an_event
from tests.canaries import Canaries, Echo, MailHost, echoing, found_in, refusing_mail_host
from tests.forked import ForkedServed
from tests.plain_browser import PlainBrowser
from tests.raw_http import request, talk
from tests.served import Served
from tests.visitor_desk import QUESTIONS

JANE = "jane@example.org"
PATIENCE = 60
ANSI = "\x1b[31m"


@dataclass
class Told:
    """What came out of the gateway: its log, its answers, its files."""

    canaries: Canaries
    own: Canaries = field(default_factory=Canaries)
    page: str = ""
    log: bytes = b""
    answers: list[tuple[str, int, bytes]] = field(default_factory=list)
    files: bytes = b""
    heard: set[str] = field(default_factory=set)


def configuration(echo: Echo, mail_port: int, canaries: Canaries) -> str:
    """Return the configuration: every provider is the echo, the mail host is ours."""
    secret = canaries.secret
    return f"""
[mail]
host = "127.0.0.1"
port = {mail_port}
username = "calendar"
password = "{secret("smtp password")}"
[providers.google]
client_id = "id"
client_secret = "{secret("client secret")}"
api_url = "{echo.url}/google"
token_url = "{echo.url}/token"
revoke_url = "{echo.url}/revoke"
[sync]
poll_seconds = 1
[limits]
bookings_per_address_per_hour = 0
bookings_per_email_per_day = 0
[security]
allow_private_networks = true
"""


async def furnish(gateway: Gateway, echo: Echo, told: Told) -> None:
    """Make Jane with a calendar, an event, a page, a booking, a feed, and broken sources."""
    canaries, own = told.canaries, told.own
    services, secret, text = gateway.services, canaries.secret, canaries.text
    jane = await services.owners.add(
        JANE, secret("web password"), name="Jane", time_zone="UTC", seat=True
    )
    add = services.owners.add_credential
    await add(jane.id, CredentialKind.APP_PASSWORD, "a", secret=secret("app password"))
    await add(jane.id, CredentialKind.API_TOKEN, "b", secret=secret("api token"))
    home = await services.objects.create_collection(jane, name="home")
    event = an_event(
        summary=text("event summary"), description=text("event text"), location=text("place")
    )
    await services.objects.put(jane, home, "event.ics", event)
    _, token = await services.feeds.add(jane, label="all", visibility=Visibility.FULL)
    own.hidden["feed token"] = token
    await book(gateway, jane, canaries, own)
    told.page = (await page_of_otto(gateway)).id
    await connect(gateway, jane, echo, canaries)


async def book(gateway: Gateway, jane: Owner, canaries: Canaries, own: Canaries) -> None:
    """Make Jane's page and a booking on it."""
    services, text = gateway.services, canaries.text
    page = await a_page(gateway, jane)
    start = services.clock.now() // HOUR * HOUR + 2 * DAY
    answers = {"topic": text("booking answer")}
    wish = a_request(start, name=text("visitor name"), answers=answers)
    booking = await services.bookings.book(page, wish)
    own.hidden["manage token"] = services.bookings.manage_url(booking).rsplit("/", 1)[1]


async def page_of_otto(gateway: Gateway) -> SchedulingPage:
    """Make a page that can be booked whatever becomes of Jane's sources."""
    otto = await gateway.services.owners.add("otto@example.org", "correct horse battery")
    await gateway.services.objects.create_collection(otto, name="home")
    return await a_page(gateway, otto)


async def a_page(gateway: Gateway, owner: Owner) -> SchedulingPage:
    """Make a page that is always open."""
    pages = gateway.services.pages
    hours = dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),))
    slug = owner.email.partition("@")[0]
    draft = replace(pages.draft(owner, "Intro"), slug=slug, weekly_hours=hours)
    return (await pages.create(owner, replace(draft, questions=QUESTIONS))).page


async def connect(gateway: Gateway, jane: Owner, echo: Echo, canaries: Canaries) -> None:
    """Connect four sources, none of which works."""
    services, secret = gateway.services, canaries.secret
    host = echo.url.removeprefix("http://")
    grant = Grant(
        subject="1",
        email="ana@example.com",
        access_token=secret("access token"),
        refresh_token=secret("refresh token"),
        expires_at=services.clock.now() + 30 * DAY,
    )
    late = Grant(subject="2", email="b@example.com", refresh_token=secret("other refresh token"))
    exchange = {
        "address": "jane@corp.example",
        "password": secret("exchange password"),
        "url": f"{echo.url}/ews/exchange.asmx",
        "auth": "basic",
    }
    caldav = {
        "url": f"{echo.url}/dav/",
        "username": "jane",
        "password": secret("caldav password"),
    }
    subscription = f"http://jane:{secret('ics password')}@{host}/{secret('ics path')}.ics"
    secrets = [
        (Provider.GOOGLE, grant.encode()),
        (Provider.GOOGLE, late.encode()),
        (Provider.EXCHANGE, json.dumps(exchange).encode()),
        (Provider.CALDAV, json.dumps(caldav).encode()),
        (Provider.ICS, subscription.encode()),
    ]
    async with services.store.write(owner_id=jane.id) as tx:
        for number, (provider, plain) in enumerate(secrets):
            made = a_connection(jane.id, provider=provider.value, account=f"account {number}")
            await tx.connections.add(made)
            sealed = services.cipher.seal(plain, bound_to=secret_of(made.id))
            await tx.connections.set_secret(made.id, sealed)
            collection = await tx.collections.add(
                a_collection(
                    jane.id,
                    connection_id=made.id,
                    provider=provider,
                    upstream_id=f"{echo.url}/dav/work/",
                    role=Role.OWNER,
                    name=f"source-{number}",
                )
            )
            await tx.collections.set_health(collection.id, Health(last_success_at=1))


class Visit:
    """Uses a gateway in every way, and keeps what it answers."""

    def __init__(self, node: Served, told: Told) -> None:
        self.node, self.told = node, told

    async def everywhere(self, browser: PlainBrowser, when: str) -> None:
        """Ask for everything, with each secret where it belongs, and with junk."""
        secret, text, own = self.told.canaries.secret, self.told.canaries.text, self.told.own
        basic = {"Authorization": encode_basic_auth(JANE, secret("app password"))}
        bearer = {"Authorization": f"Bearer {secret('api token')}"}
        event = an_event("b@example.org", summary=text("put summary"))
        # Each time another one: what was booked before things broke is not refused for that.
        start = int(time.time()) // HOUR * HOUR + (3 + len(self.told.answers)) * HOUR
        wish = {
            "start": format_rfc3339(start),
            "duration": 30,
            "time_zone": "UTC",
            "name": text("second visitor"),
            "email": f"{text('address')}@example.net",
            "answers": {"topic": text("second answer")},
        }
        async with ClientSession() as session:
            for method, path, options in (
                ("PROPFIND", f"/dav/calendars/{JANE}/home/", {"headers": basic}),
                ("PUT", f"/dav/calendars/{JANE}/home/b.ics", {"headers": basic, "data": event}),
                ("GET", f"/feeds/{own.hidden['feed token']}.ics", {}),
                ("GET", f"/meetings/b/{own.hidden['manage token']}", {}),
                ("GET", "/api/v1/calendars", {"headers": bearer}),
                ("GET", "/api/v1/bookings", {"headers": bearer}),
                ("POST", f"/api/v1/pages/{self.told.page}/bookings", {"json": wish}),
                ("GET", "/meetings/jane", {}),
                ("GET", "/metrics", {}),
            ):
                async with session.request(method, self.node.url + path, **options) as answer:
                    kept = (f"{when} {method} {path}", answer.status, await answer.read())
                    self.told.answers.append(kept)
        for path in ("/dashboard", "/settings/calendar", "/settings/security"):
            shown = await browser.open(path)
            self.told.answers.append((f"{when} {path}", shown.status, shown.text.encode()))

    async def sign_in(self, when: str) -> None:
        """Sign in anew."""
        async with PlainBrowser(self.node.url) as browser:
            form = (await browser.open("/login")).form("/login")
            password = self.told.canaries.secret("web password")
            shown = await browser.send(form, email=JANE, password=password)
            self.told.answers.append((f"{when} /login", shown.status, shown.text.encode()))

    async def junk(self) -> None:
        """Send what would forge lines of a log, in every place that a log might repeat."""
        name = f"jane{ANSI}%0d%0aINJECTED event=forged"
        wrong = encode_basic_auth(name, "wrong")
        for target in ("/login", f"/meetings/b/x%0d%0aINJECTED{ANSI}", "/feeds/%E2%80%A8INJECTED"):
            lines = (f"User-Agent: {ANSI}INJECTED", f"X-Forwarded-For: {ANSI}", "Accept: INJECTED")
            await talk(self.node.port, request("GET", target, *lines, host="127.0.0.1"))
        raw = request("PROPFIND", "/dav/", f"Authorization: {wrong}", host="127.0.0.1")
        await talk(self.node.port, raw)


def refuse_writes(database: sqlite3.Connection, table: str) -> None:
    """Have a table take nothing new, as on a disk that is full."""
    for verb in ("INSERT", "UPDATE"):
        database.execute(
            f'CREATE TRIGGER "no_{verb}_{table}" BEFORE {verb} ON "{table}"'
            " BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )


def take_away(database: sqlite3.Connection, table: str) -> None:
    """Have no such table any more."""
    database.execute(f'ALTER TABLE "{table}" RENAME TO "gone_{table}"')


def broken(path: Path, by: Callable[[sqlite3.Connection, str], None]) -> None:
    """Break every table under a running gateway."""
    with closing(sqlite3.connect(path, timeout=30)) as database, database:
        for table in reversed(schema.metadata.sorted_tables):
            by(database, table.name)


async def until(done: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "this should have happened by now"
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run a gateway through all of it, once for all these tests."""
    return asyncio.run(run(tmp_path_factory.mktemp("canaries")))


async def run(folder: Path) -> Told:
    """Run a gateway through all of it."""
    told = Told(canaries=Canaries())
    async with echoing() as echo, refusing_mail_host() as mail:
        extra = configuration(echo, mail.port, told.canaries)
        node = ForkedServed(folder, extra=extra, level="DEBUG").prepare()
        async with open_gateway(load(node.config)) as gateway:
            await furnish(gateway, echo, told)
        await asyncio.to_thread(node.start)
        try:
            await watch(node, echo, mail, told)
        finally:
            await asyncio.to_thread(node.stop)
        told.heard = {path.split("/")[1] for path in echo.paths}
    told.log = node.log.read_bytes()
    return told


async def watch(node: Served, echo: Echo, mail: MailHost, told: Told) -> None:
    """Use the gateway while its sources fail, keep its files, break its database, use it again."""
    visit = Visit(node, told)
    async with PlainBrowser(node.url) as browser:
        await browser.sign_in(JANE, told.canaries.secret("web password"))
        cookies = {f"cookie {name}": value for name, value in browser.cookies().items()}
        told.own.hidden |= cookies
        await visit.everywhere(browser, "before")
        await visit.junk()
        wanted = ("/google", "/ews", "/dav", "/token", "/canary")
        await until(lambda: all(any(p.startswith(w) for p in echo.paths) for w in wanted))
        await until(lambda: mail.refused)
        files = [path for path in (node.folder / "var").iterdir() if path.name != "key"]
        told.files = b"".join(path.read_bytes() for path in files)
        for when, by in (("full", refuse_writes), ("broken", take_away)):
            broken(node.folder / "var" / "calgate.db", by)
            await visit.everywhere(browser, when)
            await visit.sign_in(when)


def test_it_all_happened(told: Told) -> None:
    """The sources were asked, the database broke, both were logged: what follows means something.

    Each canary that is looked for was in the gateway's hands.
    """
    failed = Counter(what.split()[0] for what, status, _ in told.answers if status >= 500)
    logged = told.log.decode()

    assert {"google", "ews", "dav", "token"} <= told.heard
    assert failed["before"] == 0
    assert failed["full"] >= 3, told.answers
    assert failed["broken"] >= 8
    assert "no such table" in logged
    assert "INSERT INTO booking" in logged
    assert '"level": "debug"' in logged
    assert len(told.canaries.hidden) >= 11


def test_no_secret_is_logged(told: Told) -> None:
    """Neither secrets nor what people wrote stand in the log, however they are encoded."""
    everything = told.canaries.hidden | told.canaries.private | told.own.hidden

    assert found_in(told.log, everything) == set()


def test_no_error_tells_a_secret(told: Told) -> None:
    """No answer but those that show it to its owner holds a secret or a person's words."""
    failed = b"".join(body for what, status, body in told.answers if status >= 400)
    metrics = b"".join(body for what, _, body in told.answers if what.endswith("/metrics"))
    every = b"".join(body for _, _, body in told.answers)

    assert found_in(failed + metrics, told.canaries.hidden | told.canaries.private) == set()
    assert found_in(failed + metrics, told.own.hidden) == set()
    assert found_in(every, told.canaries.hidden) == set()


def test_no_secret_is_stored_in_the_clear(told: Told) -> None:
    """The database and what lies beside it hold secrets hashed or sealed only."""
    assert found_in(told.files, told.canaries.private) != set()
    assert found_in(told.files, told.canaries.hidden | told.own.hidden) == set()


def test_one_event_is_one_line(told: Told) -> None:
    """Every line of the log is one whole event: nobody outside can add or colour one."""
    lines = told.log.decode().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    others = [line for line in lines if not line.startswith("{")]

    assert len(events) > 10
    assert [line for line in others if not re.fullmatch(r"calgate answers at \S+", line)] == []
    assert b"never retrieved" not in told.log
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", told.log)
    assert {event["event"] for event in events if "forged" in event["event"]} == set()
