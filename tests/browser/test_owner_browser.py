"""The owner's side in a real browser: narrow, by keyboard, without scripts, judged by axe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from gateway.model.booking import BookingState
from gateway.model.contact import Contact
from gateway.model.feed import Visibility
from gateway.model.principal import CredentialKind, Owner
from gateway.model.timerange import HOUR
from gateway.services.meetings import MeetingWish
from tests.browser.conftest import WIDTH, overflow, violations
from tests.owner_desk import PASSWORD, OwnerDesk, owner_desk

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
JANE = "jane@example.org"
TAB = "/settings/calendar"
PAGES = (
    "/dashboard",
    TAB,
    f"{TAB}/connect",
    f"{TAB}/connect/caldav",
    f"{TAB}/connect/exchange",
    f"{TAB}/connect/ics",
    f"{TAB}/connect/local",
    "/settings/calendars/{calendar}",
    "/settings/pages",
    "/settings/pages/new",
    "/settings/pages/{page}",
    "/settings/pages/{page}/explain",
    "/settings/feeds",
    "/settings/profile",
    "/settings/security",
    "/contacts",
    "/contacts/{contact}",
    "/contacts/{contact}/meeting",
    "/contacts/meetings/{meeting}/move",
)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(data_dir: Path) -> AsyncIterator[OwnerDesk]:
    """Serve a gateway with Jane as its owner."""
    async with owner_desk(data_dir) as opened:
        await opened.owner(JANE)
        yield opened


@asynccontextmanager
async def signed_in(browser: Browser, desk: OwnerDesk, **options: Any) -> AsyncIterator[Page]:
    """Give a narrow window in which Jane is signed in; nothing may complain in it."""
    known = {"viewport": {"width": WIDTH, "height": 640}, "locale": "en-GB"} | options
    context = await browser.new_context(**known)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await page.goto(f"{desk.url}/login")
    await page.get_by_label("E-mail address").fill(JANE)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/dashboard")
    try:
        yield page
    finally:
        await context.close()
    # A refused form is told by its status, which the browser logs; anything else is a fault.
    assert [one for one in complaints if "status of 4" not in one] == []


async def fill(desk: OwnerDesk, jane: Owner) -> dict[str, str]:
    """Give Jane something of everything; return the ids that addresses need."""
    calendar = await desk.calendar(jane)
    await desk.lost_calendar(jane, "A calendar with a name that is rather long")
    page = await desk.page(jane, "A page with a title that is rather long as well")
    first = await desk.booking(jane, page, state=BookingState.REQUESTED, name="V" * 60)
    await desk.booking(
        jane, page, state=BookingState.CONFIRMED, start=first.start + HOUR, end=first.end + HOUR
    )
    await desk.services.feeds.add(jane, label="Family", visibility=Visibility.TITLE)
    await desk.services.owners.add_credential(jane.id, CredentialKind.APP_PASSWORD, "Telephone")
    who = Contact(id="", owner_id=jane.id, email=f"{'c' * 60}@example.net")
    contact = await desk.services.contacts.add(jane, who)
    # A calendar is lost, so its owner has to mean it.
    known = {"contact_id": contact.id, "start": first.start + 2 * HOUR, "duration": 30}
    wish = MeetingWish(**known, title="T" * 90, despite_busy=True)
    made = await desk.services.meetings.make(jane, wish)
    ids = {"calendar": calendar.public_id, "page": page.id, "contact": contact.id}
    return ids | {"meeting": made.id}


async def jane_of(desk: OwnerDesk) -> Owner:
    """Return Jane."""
    async with desk.services.store.read() as tx:
        found = await tx.owners.by_email(JANE)
    assert found is not None
    return found


@pytest.mark.timeout(300)  # eighteen pages, each judged twice by axe
async def test_every_page_is_narrow_and_accessible(browser: Browser, desk: OwnerDesk) -> None:
    """At 320 pixels nothing is cut off; axe finds nothing against WCAG 2.2 AA, light and dark."""
    ids = await fill(desk, await jane_of(desk))
    async with signed_in(browser, desk, color_scheme="light") as page:
        for path in PAGES:
            await page.goto(desk.url + path.format(**ids))

            assert await overflow(page) <= 0, path
            assert await violations(page, in_dark=True) == [], path


async def test_an_empty_owners_side_is_accessible(browser: Browser, desk: OwnerDesk) -> None:
    """First steps and empty lists are as good as full ones."""
    async with signed_in(browser, desk) as page:
        for path in ("/dashboard", TAB, "/settings/pages", "/settings/feeds"):
            await page.goto(desk.url + path)

            assert await violations(page) == [], path


async def test_questions_that_ask_first_are_accessible(browser: Browser, desk: OwnerDesk) -> None:
    """Opened, the question before a cancellation fits the screen and passes axe."""
    await fill(desk, await jane_of(desk))
    async with signed_in(browser, desk) as page:
        for question in await page.locator("details > summary").all():
            await question.click()

        assert await page.get_by_role("button", name="Cancel this meeting").first.is_visible()
        assert await overflow(page) <= 0
        assert await violations(page) == []


async def test_the_sign_in_is_accessible(browser: Browser, desk: OwnerDesk) -> None:
    """The door has no step, not even after a wrong password, which takes the focus."""
    context = await browser.new_context(viewport={"width": WIDTH, "height": 640})
    page = await context.new_page()
    await page.goto(f"{desk.url}/login")
    assert await violations(page) == []
    await page.get_by_label("E-mail address").fill(JANE)
    await page.get_by_label("Password").fill("wrong")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").wait_for()

    assert await page.evaluate("() => document.activeElement.id") == "errors"
    assert await violations(page) == []
    assert await overflow(page) <= 0
    await context.close()


async def test_a_calendar_is_removed_with_the_keyboard(browser: Browser, desk: OwnerDesk) -> None:
    """The X is a button with the calendar's name; then Save, all without a mouse (S26)."""
    jane = await jane_of(desk)
    await desk.calendar(jane, "Work")
    await desk.calendar(jane, "Private")
    async with signed_in(browser, desk) as page:
        await page.goto(desk.url + TAB)
        await page.get_by_role("button", name="Remove Private", exact=True).focus()
        await page.keyboard.press("Enter")
        await page.get_by_text("Not saved yet.").wait_for()
        assert (await desk.calendars(jane))["Private"].selected
        await page.get_by_label("Meetings URL").focus()
        await page.keyboard.press("Enter")
        await page.get_by_text("Your changes are saved.").wait_for()

    calendars = await desk.calendars(jane)
    assert (calendars["Work"].selected, calendars["Private"].selected) == (True, False)


async def test_the_keyboard_reaches_everything_and_is_seen(
    browser: Browser, desk: OwnerDesk
) -> None:
    """Tab goes from the skip link to Save; wherever the focus is, it shows and is on screen."""
    await desk.calendar(await jane_of(desk))
    async with signed_in(browser, desk) as page:
        await page.goto(desk.url + TAB)
        names = []
        for _ in range(60):
            await page.keyboard.press("Tab")
            name, outline = await page.evaluate(
                "() => { const e = document.activeElement;"
                " return [e.textContent.trim() || e.name || '',"
                " getComputedStyle(e).outlineStyle]; }"
            )
            names.append(name)
            assert outline != "none", name
            if name == "Save":
                break

    assert names[0] == "Skip to the content"
    assert names[-1] == "Save"


async def test_a_page_is_made_without_scripts(browser: Browser, desk: OwnerDesk) -> None:
    """With scripts off a page is made, refused with a sentence, corrected and found again."""
    async with signed_in(browser, desk, java_script_enabled=False) as page:
        await page.get_by_role("link", name="Create scheduling page").first.click()
        await page.get_by_label("Title").fill("Intro")
        await page.get_by_label("Wednesday").fill("from nine")
        await page.get_by_role("button", name="Save").last.click()
        assert "Write hours like 09:00-12:30" in await page.locator("#e-hours_wed").inner_text()
        await page.get_by_label("Wednesday").fill("9-12, 13-17")
        await page.get_by_role("button", name="Save").last.click()
        await page.get_by_text("The page was made.").wait_for()

        assert await page.get_by_label("Wednesday").input_value() == "09:00-12:00, 13:00-17:00"


async def test_errors_take_the_focus_and_lead_to_their_fields(
    browser: Browser, desk: OwnerDesk
) -> None:
    """After a refusal the summary has the focus, and its links go to the fields."""
    async with signed_in(browser, desk) as page:
        await page.goto(f"{desk.url}/settings/pages/new")
        await page.get_by_label("Title").fill("Intro")
        await page.get_by_label("Days ahead").fill("x")
        await page.get_by_role("button", name="Save").last.click()
        await page.get_by_role("alert").wait_for()
        assert await page.evaluate("() => document.activeElement.id") == "errors"
        await page.get_by_role("link", name="Days ahead").click()

        assert await page.evaluate("() => document.activeElement.name") == "horizon_days"
        assert await violations(page) == []
