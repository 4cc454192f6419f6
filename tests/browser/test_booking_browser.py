"""The booking pages in a real browser: narrow, no scripts, by keyboard, light, judged by axe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from gateway.model.booking import BookingState
from gateway.model.page import WEEKDAYS, Location, Question, QuestionType
from gateway.model.principal import Owner
from tests.browser.conftest import WIDTH, another_day, overflow, violations
from tests.owner_desk import OwnerDesk, owner_desk

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
TITLE = "Introduction"
ADDRESS = "/meetings/jane"
BUDGET = 30 * 1024
QUESTIONS = (
    Question(id="topic", label="What is it about?", required=True),
    Question(
        id="how",
        label="How did you find us?",
        type=QuestionType.CHOICE,
        choices=("Web", "Else"),
    ),
    Question(id="notes", label="Anything else?", type=QuestionType.LONG_TEXT),
)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(data_dir: Path) -> AsyncIterator[OwnerDesk]:
    """Serve a gateway with Jane, her calendar and her page."""
    async with owner_desk(data_dir) as opened:
        jane = await opened.owner("jane@example.org", name="Jane de Wit")
        await opened.calendar(jane)
        await opened.page(
            jane,
            TITLE,
            slug="jane",
            durations=(30, 60),
            description="A first talk about what you need.\nNo preparation needed.",
            weekly_hours=dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),)),
            questions=QUESTIONS,
            location=Location(type="phone", value="+31 20 123 4567"),
        )
        yield opened


async def jane_of(desk: OwnerDesk) -> Owner:
    """Return Jane."""
    async with desk.services.store.read() as tx:
        found = await tx.owners.by_email("jane@example.org")
    assert found is not None
    return found


@asynccontextmanager
async def window(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """Give a narrow window, English and in Amsterdam; nothing may complain in it."""
    known = {
        "viewport": {"width": WIDTH, "height": 640},
        "locale": "en-GB",
        "timezone_id": "Europe/Amsterdam",
    }
    context = await browser.new_context(**(known | options))
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        await context.close()
    assert [one for one in complaints if "status of 4" not in one] == []


async def fill(page: Page, *, name: str = "Vera Vos") -> None:
    """Fill in the details."""
    await page.get_by_role("textbox", name="Name").fill(name)
    await page.get_by_role("textbox", name="E-mail address").fill("vera@example.net")
    await page.get_by_label("What is it about?").fill("A garden")


async def book(page: Page, desk: OwnerDesk) -> None:
    """Choose a day and its third time, fill in the form and send it."""
    await page.goto(desk.url + ADDRESS)
    await another_day(page)
    await page.locator(".times a").nth(2).click()
    await fill(page)
    await page.get_by_role("button", name="Book this time").click()
    await page.get_by_role("heading", name="Your meeting is booked").wait_for()


async def test_a_booking_at_320_pixels_without_scripts(browser: Browser, desk: OwnerDesk) -> None:
    """From the first look to the confirmation and the cancellation, nothing needs a script."""
    async with window(browser, java_script_enabled=False) as page:
        await book(page, desk)
        bookings = await desk.services.bookings.of_owner((await jane_of(desk)).id)
        assert [(one.name, one.state) for one in bookings] == [("Vera Vos", BookingState.CONFIRMED)]
        (calendar,) = (await desk.calendars(await jane_of(desk))).values()
        assert len(await desk.services.objects.list(calendar)) == 1

        await page.locator("summary").click()
        await page.get_by_role("button", name="Yes, cancel it").click()
        await page.get_by_role("heading", name="This meeting is cancelled").wait_for()
        assert await desk.services.objects.list(calendar) == []


async def test_a_whole_booking_costs_under_30_kilobytes(browser: Browser, desk: OwnerDesk) -> None:
    """All that comes over the wire, headers, style, icon and script included."""
    async with window(browser) as page:
        client = await page.context.new_cdp_session(page)
        await client.send("Network.enable")
        received: list[float] = []
        client.on("Network.loadingFinished", lambda one: received.append(one["encodedDataLength"]))
        await book(page, desk)

        assert len(received) >= 5
        print(f"a whole booking: {sum(received):.0f} bytes in {len(received)} answers")
        assert sum(received) < BUDGET


async def test_a_booking_by_keyboard_alone(browser: Browser, desk: OwnerDesk) -> None:
    """Tab and Enter are enough, and the focus is always to be seen."""

    async def go(page: Page, selector: str) -> None:
        """Press Tab until the focus is on what a selector names; it shows wherever it is."""
        for _ in range(90):
            await page.keyboard.press("Tab")
            here, outline = await page.evaluate(
                "s => { const e = document.activeElement;"
                " return [e.matches(s), getComputedStyle(e).outlineStyle]; }",
                selector,
            )
            assert outline != "none"
            if here:
                return
        pytest.fail(f"the keyboard does not reach {selector}")

    async with window(browser) as page:
        await page.goto(f"{desk.url}{ADDRESS}?tz=Europe/Amsterdam")
        await go(page, "a[aria-label^='Later: ']")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**month=*")
        await go(page, ".month a:not([aria-current])")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**day=*")
        await go(page, ".times li:nth-child(2) a")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**start=*")
        for selector, text in (
            ("[name=name]", "Vera"),
            ("[name=email]", "vera@example.net"),
            ("[name='answers.topic']", "A garden"),
        ):
            await go(page, selector)
            await page.keyboard.type(text)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Your meeting is booked").wait_for()

        await go(page, "summary")
        await page.keyboard.press("Enter")
        await go(page, "button.danger")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="This meeting is cancelled").wait_for()


async def test_every_page_of_a_booking_is_narrow_and_accessible(
    browser: Browser, desk: OwnerDesk
) -> None:
    """From the times to the cancellation axe finds nothing, light and dark; nothing is cut off."""

    async def good(page: Page, where: str) -> None:
        assert await overflow(page) <= 0, where
        assert await violations(page, in_dark=True) == [], where

    async with window(browser, color_scheme="light") as page:
        await page.goto(f"{desk.url}{ADDRESS}?tz=Europe/Amsterdam")
        await good(page, "times")
        await another_day(page)
        await page.locator(".times a").first.click()
        await good(page, "details")
        await page.locator("summary").click()
        await page.get_by_role("button", name="Book this time").click()
        await page.get_by_role("alert").wait_for()
        await good(page, "errors")
        assert await page.evaluate("() => document.activeElement.id") == "errors"
        await fill(page, name="V" * 90)
        await page.get_by_role("button", name="Book this time").click()
        await page.get_by_role("heading", name="Your meeting is booked").wait_for()
        await good(page, "booked")
        await page.locator("summary").click()
        await good(page, "the question before the cancellation")
        await page.get_by_role("button", name="Yes, cancel it").click()
        await page.get_by_role("heading", name="This meeting is cancelled").wait_for()
        await good(page, "cancelled")


async def test_states_without_times_are_accessible(browser: Browser, desk: OwnerDesk) -> None:
    """Offline, without a free time, and with a lost calendar a page is as good as otherwise."""
    jane = await jane_of(desk)
    full = await desk.page(jane, "Full", slug="full", weekly_hours={})
    joe = await desk.owner("joe@example.org", name="Joe")
    await desk.page(joe, "Ask", slug="joe")
    async with window(browser) as page:
        for path in (f"/meetings/{full.slug}", "/meetings/joe"):
            await page.goto(desk.url + path)
            assert await violations(page) == [], path
            assert await overflow(page) <= 0, path
        await desk.lost_calendar(jane)
        await page.goto(desk.url + ADDRESS)
        assert await page.locator(".times a").count() == 0
        assert await violations(page) == []
        assert await overflow(page) <= 0


async def test_a_script_shows_the_visitors_own_zone(browser: Browser, desk: OwnerDesk) -> None:
    """With scripts the times are the visitor's at once; the owner's zone is nobody's guess."""
    async with window(browser, timezone_id="Asia/Tokyo") as page:
        await page.goto(desk.url + ADDRESS)
        await page.wait_for_url("**tz=Asia%2FTokyo*")

        assert await page.locator("#tz").input_value() == "Asia/Tokyo"


async def test_scripts_in_what_people_typed_never_run(browser: Browser, desk: OwnerDesk) -> None:
    """An owner's and a visitor's markup is text, on every page that shows it (I 146)."""
    hostile = (
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    )
    jane = await jane_of(desk)
    shown = (await desk.services.pages.of_owner(jane))[0].page
    await desk.services.pages.update(
        jane, replace(shown, title=hostile[:200], description=hostile * 3)
    )
    async with window(browser) as page:
        await page.goto(f"{desk.url}{ADDRESS}?tz=Europe/Amsterdam")
        assert "owned" not in (await page.title()).replace(hostile, "")
        await another_day(page)
        await page.locator(".times a").first.click()
        await fill(page, name=hostile[:190])
        await page.get_by_role("button", name="Book this time").click()
        await page.get_by_role("heading", name="Your meeting is booked").wait_for()

        assert await page.locator("img, main script").count() == 0
        assert hostile[:190] in await page.locator("dl").inner_text()
