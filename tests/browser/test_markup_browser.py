"""Five hundred pieces of markup in every text of owners and visitors: a browser runs none (I 146).

Each page is opened once. What runs calls `hit`; what the page's policy had to stop counts as run.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page

from gateway.model.collection import Provider
from gateway.model.connection import Failure, Health
from gateway.model.feed import Visibility
from gateway.model.page import WEEKDAYS, Location, Question, QuestionType, SchedulingPage
from gateway.model.principal import CredentialKind, Owner
from gateway.model.timerange import DAY, HOUR, TimeRange
from tests.booking_desk import a_request
from tests.builders import a_booking, a_collection, a_connection, a_page
from tests.markup import CORPUS
from tests.owner_desk import PASSWORD, OwnerDesk, owner_desk

pytestmark = pytest.mark.browser
EACH = 11
"""Pieces for each of the bookings that a dashboard shows."""
LONGEST = 200
FOREIGN = """() => {
  const odd = [...document.querySelectorAll('*')].filter(one =>
    ['IFRAME', 'OBJECT', 'EMBED', 'BASE', 'STYLE', 'MATH', 'IMG', 'ANIMATE'].includes(one.tagName)
    || [...one.attributes].some(a => a.name.startsWith('on') || a.name === 'srcdoc'
      || (['href', 'action', 'src'].includes(a.name)
        && /^\\s*(javascript|data|vbscript):/i.test(a.value))));
  const links = [...document.querySelectorAll('[href], [action], [src]')].filter(one =>
    !/^mailto:[\\w.@]+$/.test(one.getAttribute('href') || '')
    && new URL(one.href || one.action || one.src, location).origin !== location.origin);
  return [...odd, ...links].map(one => one.outerHTML.slice(0, 200));
}"""


@dataclass
class Watch:
    """What went wrong in a window."""

    page: Page
    hits: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def look(self, address: str) -> None:
        """Open a page and look at what it is made of."""
        answer = await self.page.goto(address, wait_until="load")
        assert answer is not None
        assert answer.status == 200, address
        self.complaints += [f"{address}: {one}" for one in await self.page.evaluate(FOREIGN)]


@asynccontextmanager
async def watching(browser: Browser, origin: str) -> AsyncIterator[Watch]:
    """Give a window that hears of everything that runs, is stopped or is fetched elsewhere."""
    context = await browser.new_context(locale="en-GB")
    watch = Watch(await context.new_page())
    page = watch.page
    await page.expose_function("hit", lambda number: watch.hits.append(str(number)))
    page.on("console", lambda message: watch.complaints.append(message.text))
    page.on("pageerror", lambda error: watch.complaints.append(str(error)))
    page.on("dialog", lambda dialog: watch.hits.append(dialog.message))
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(origin) else watch.complaints.append(asked.url),
    )
    yield watch
    await context.close()


async def furnish(desk: OwnerDesk) -> tuple[Owner, SchedulingPage]:
    """Make Jane with a page, all of whose texts are markup."""
    jane = await desk.owner(name=CORPUS[3])
    await desk.calendar(jane)
    page = a_page(
        jane.id,
        id="pg_markup",
        slug="jane",
        title=CORPUS[1],
        description="\n".join(CORPUS),
        weekly_hours=dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),)),
        questions=tuple(questions()),
        location=Location(type="address", value=CORPUS[7]),
    )
    async with desk.services.store.write(owner_id=jane.id) as tx:
        await tx.pages.add(page)
    return jane, page


def heaps() -> list[str]:
    """Return the corpus in heaps that a name has room for."""
    found = [""]
    for piece in CORPUS:
        if len(found[-1]) + len(piece) >= LONGEST:
            found.append("")
        found[-1] += f"{piece} "
    return found


def questions() -> Iterator[Question]:
    """Yield questions of every kind, whose words are markup."""
    kinds = cycle(QuestionType)
    for number, (piece, kind) in enumerate(zip(heaps(), kinds, strict=False)):
        choices = CORPUS[number : number + 3] if kind is QuestionType.CHOICE else ()
        yield Question(id=f"q{number}", label=piece, type=kind, choices=choices)


async def book(desk: OwnerDesk, page: SchedulingPage) -> str:
    """Book, with markup for every answer; return the address of the booking."""
    start = (await visible(desk, page))[0]
    texts = {QuestionType.TEXT, QuestionType.LONG_TEXT}
    asked = [question for question in page.questions if question.type in texts]
    answers = {one.id: piece for one, piece in zip(asked, cycle(heaps()), strict=False)}
    wish = a_request(start, name=CORPUS[20], answers=answers)
    booking = await desk.services.bookings.book(page, wish)
    return desk.services.bookings.manage_url(booking)


async def visible(desk: OwnerDesk, page: SchedulingPage) -> list[int]:
    """Return the starts that the page offers in three days."""
    now = desk.services.clock.now()
    window = TimeRange(now + 2 * DAY, now + 5 * DAY)
    offer = await desk.services.bookings.slots(page, window, now, 30)
    return [slot.start for slot in offer.slots]


async def fill(desk: OwnerDesk, jane: Owner, page: SchedulingPage) -> None:
    """Give Jane bookings, pages, calendars, accounts, feeds and passwords of such names."""
    services, first = desk.services, desk.services.clock.now() // HOUR * HOUR + 9 * DAY
    lost = Health(last_success_at=1, failing_since=2, failure=Failure.ACCESS_LOST, strikes=2)
    async with services.store.write(owner_id=jane.id) as tx:
        for number, piece in enumerate(heaps()):
            await tx.pages.add(
                a_page(jane.id, id=f"pg_{number}", slug=f"jane/{number}", title=piece)
            )
            known = a_connection(jane.id, account=piece)
            await tx.connections.add(known)
            made = await tx.collections.add(
                a_collection(
                    jane.id,
                    connection_id=known.id,
                    provider=Provider.ICS,
                    name=f"c{number}",
                    display_name=piece,
                    description=piece,
                    color=piece[:30],
                )
            )
            await tx.collections.set_health(made.id, replace(lost, detail=piece))
        for at in range(0, len(CORPUS), EACH):
            pieces = CORPUS[at : at + EACH]
            await tx.bookings.add(
                a_booking(
                    jane.id,
                    start=first + at * HOUR,
                    page_id=page.id,
                    name=pieces[0],
                    email=f"{pieces[1]}@example.net",
                    answers={f"{piece} {piece}": piece for piece in pieces},
                    guests=pieces,
                )
            )
    for piece in CORPUS[:20]:
        await services.feeds.add(jane, label=piece, visibility=Visibility.FULL)
        await services.owners.add_credential(jane.id, CredentialKind.APP_PASSWORD, piece[:60])


def asked_for(page: str) -> Iterator[str]:
    """Yield addresses that hold markup themselves."""
    for at in (60, 300):
        piece = quote(CORPUS[at], safe="")
        yield f"{page}?tz={piece}&month={piece}&start={piece}&duration={piece}&name={piece}"
        yield f"/login?next={piece}&note={piece}"


async def test_no_markup_ever_runs(browser: Browser, data_dir: Path) -> None:
    """Nothing runs, nothing is fetched elsewhere, nothing had to be stopped by the policy."""
    assert len(set(CORPUS)) >= 500
    async with (
        owner_desk(data_dir) as desk,
        watching(browser, desk.url) as watch,
    ):
        jane, page = await furnish(desk)
        start = (await visible(desk, page))[-1]
        public = ["/meetings/jane", f"/meetings/jane?start={start}&duration=30"]
        for path in (*public, *asked_for("/meetings/jane")):
            await watch.look(f"{desk.url}{path}")
        await watch.look(await book(desk, page))
        await fill(desk, jane, page)
        await sign_in(watch.page, desk)
        async with desk.services.store.read() as tx:
            mails = await tx.mails.of_owner(jane.id)
            calendar = (await tx.collections.of_owner(jane.id))[-1].public_id
        private = [f"/dashboard/mails/{one.id}" for one in mails]
        for path in (*PRIVATE, *private, f"/settings/calendars/{calendar}"):
            await watch.look(f"{desk.url}{path}")

        assert watch.hits == []
        assert watch.complaints == []


PRIVATE = (
    "/dashboard",
    "/settings/calendar",
    "/settings/pages",
    "/settings/pages/pg_markup",
    "/settings/pages/pg_markup/explain",
    "/settings/feeds",
    "/settings/profile",
    "/settings/security",
)


async def sign_in(page: Page, desk: OwnerDesk) -> None:
    """Sign in as Jane."""
    await page.goto(f"{desk.url}/login")
    await page.fill("[name=email]", "jane@example.org")
    await page.fill("[name=password]", PASSWORD)
    await page.click("main button")
    await page.wait_for_url("**/dashboard")


async def test_the_watch_sees_markup_that_runs(browser: Browser) -> None:
    """The same eyes find what runs, is stopped or leads away on a page that escapes nothing."""
    async with watching(browser, "http://127.0.0.1") as watch:
        for piece in (
            "<img src=x onerror=hit(7)>",
            "<iframe src=javascript:parent.hit(8)></iframe>",
        ):
            assert piece.replace("7", "").replace("8", "") in plain(CORPUS)
            await watch.page.set_content(f"<p>{piece}</p>", wait_until="load")
        found = await watch.page.evaluate(FOREIGN)

        assert watch.hits == ["7", "8"]
        assert len(found) == 1


RUNNING = ("<img src=x onerror=hit(7)>", "<iframe src=javascript:parent.hit(8)></iframe>")


def plain(corpus: tuple[str, ...]) -> set[str]:
    """Return a corpus without its numbers."""
    return {re.sub(r"\d", "", piece) for piece in corpus}
