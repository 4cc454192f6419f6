"""Connecting an account in a real browser, by the labels an owner reads, then booking into it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from gateway.config import Microsoft, Providers
from gateway.model.page import WEEKDAYS
from gateway.model.principal import Owner
from gateway.sandbox.google import GoogleServer
from gateway.sandbox.microsoft import MicrosoftServer
from tests.browser.conftest import WIDTH, another_day, overflow, violations
from tests.connecting import registration
from tests.owner_desk import PASSWORD, OwnerDesk, owner_desk

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
GMAIL, OFFICE = "jane@gmail.example", "jane@office.example"


@dataclass
class Registered:
    """A gateway that is registered with both providers."""

    desk: OwnerDesk
    jane: Owner
    google: GoogleServer
    microsoft: MicrosoftServer

    def written(self, provider: str) -> list[str]:
        """Return the calendars that events were made in, by the provider's own log."""
        world = self.google.world if provider == "google" else self.microsoft.world
        making = ("events.insert", "events.create")
        return [
            str(one["calendar"])
            for one in world.log
            if one.get("effect") and one["route"] in making
        ]


@pytest_asyncio.fixture(loop_scope="session")
async def registered(data_dir: Path) -> AsyncIterator[Registered]:
    """Run the gateway, both providers, and an owner with a page and no calendar."""
    async with GoogleServer() as google, MicrosoftServer() as microsoft:
        google.world.add_account(GMAIL, name="Jane")
        google.world.add_calendar("team@group.example", {GMAIL: "owner"}, summary="Team")
        microsoft.world.add_mailbox(OFFICE, name="Jane")
        providers = Providers(
            google=registration(google),
            microsoft=Microsoft(
                client_id="sandbox",
                client_secret="secret",
                authority=microsoft.authority,
                graph_url=microsoft.graph_url,
            ),
        )
        async with owner_desk(data_dir, providers=providers) as desk:
            jane = await desk.owner()
            hours = dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),))
            await desk.page(jane, "Introduction", slug="jane", weekly_hours=hours)
            yield Registered(desk, jane, google, microsoft)


async def sign_in(page: Page, desk: OwnerDesk) -> None:
    """Sign in as Jane."""
    await page.goto(f"{desk.url}/login")
    await page.get_by_label("E-mail").fill("jane@example.org")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


async def judged(page: Page) -> None:
    """Hold a page to its width and to WCAG."""
    assert await overflow(page) <= 0
    assert await violations(page) == []


@pytest.mark.parametrize(
    ("provider", "card", "name", "allow"),
    [
        ("google", "Google / Gmail", "Google", "Allow"),
        ("microsoft", "Office 365", "Office 365", "Accept"),
    ],
)
async def test_an_account_is_connected_and_booked_into(
    browser: Browser, registered: Registered, provider: str, card: str, name: str, allow: str
) -> None:
    """Settings, General, Calendar, Connect, provider, Connect, review, Accept, in order (S07)."""
    desk = registered.desk
    context = await browser.new_context(
        viewport={"width": WIDTH, "height": 640}, java_script_enabled=True, locale="en-GB"
    )
    page = await context.new_page()
    await sign_in(page, desk)
    await page.get_by_role("link", name="Settings").click()
    await page.get_by_role("link", name="General").click()
    await page.get_by_role("link", name="Calendar", exact=True).click()
    await page.get_by_role("link", name="Connect your calendar").click()
    await judged(page)
    await page.get_by_role("link", name=card).click()
    await judged(page)
    await page.get_by_role("link", name="Connect your calendar", exact=True).last.click()
    await page.get_by_text(
        "It may create or change calendars, and update single events."
    ).wait_for()
    await judged(page)
    assert registered.google.world.log == registered.microsoft.world.log == []
    await page.get_by_role("button", name=f"Accept and connect to {name}").click()
    await page.get_by_role("button", name=allow).click()
    await page.wait_for_url("**/dashboard*")
    await page.get_by_role("link", name="Create scheduling page").first.wait_for()

    await page.goto(f"{desk.url}/meetings/jane?tz=Europe/Amsterdam")
    await another_day(page)
    await page.locator(".times a").nth(2).click()
    await page.get_by_role("textbox", name="Name").fill("Vera Vos")
    await page.get_by_role("textbox", name="E-mail address").fill("vera@example.net")
    await page.get_by_role("button", name="Book this time").click()
    await page.get_by_role("heading", name="Your meeting is booked").wait_for()
    await context.close()

    async with desk.services.store.read() as tx:
        owner = await tx.owners.get(registered.jane.id)
        default = await tx.collections.get(owner.default_collection_id)
    assert default is not None
    world = registered.google.world if provider == "google" else registered.microsoft.world
    assert len(registered.written(provider)) == 1
    assert len(world.live(default.upstream_id)) == 1


async def test_the_calendar_tab_with_an_account_is_sound(
    browser: Browser, registered: Registered
) -> None:
    """With a connected account the tab fits 320 pixels and passes axe; Sign in again is there."""
    desk = registered.desk
    context = await browser.new_context(viewport={"width": WIDTH, "height": 640})
    page = await context.new_page()
    await sign_in(page, desk)
    await page.goto(f"{desk.url}/settings/calendar/connect/google/review")
    await page.get_by_role("button", name="Accept and connect").click()
    await page.get_by_role("button", name="Allow").click()
    await page.wait_for_url("**/dashboard*")
    await page.goto(f"{desk.url}/settings/calendar")
    await page.get_by_role("link", name=f"Sign in again {GMAIL}").wait_for()
    await judged(page)
    await context.close()
