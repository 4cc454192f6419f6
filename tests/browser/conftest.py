"""A headless Chromium, the system's: one for all tests that run on the session's loop."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

WIDTH = 320
"""The narrowest screen that everything must fit (WCAG 2.2, 1.4.10)."""
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that a colour scheme can break: the two see the same document."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def chromium() -> str:
    """Return where Chromium is; skip, or with REQUIRE_ALL=1 fail, where it is not."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    found = found or shutil.which("google-chrome")
    if found:
        return found
    sentence = "Chromium is not on this system"
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"{sentence}, and REQUIRE_ALL=1 allows no skipping")
    pytest.skip(sentence)


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Browser:
    """Give a browser: a test marked `asyncio(loop_scope="session")` shares one, which is cheap."""
    marker = request.node.get_closest_marker("asyncio")
    shared = marker is not None and marker.kwargs.get("loop_scope") == "session"
    found: Browser = request.getfixturevalue("shared_browser" if shared else "own_browser")
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_browser() -> AsyncIterator[Browser]:
    """Run a browser until the session ends; it belongs to one loop."""
    async with running() as browser:
        yield browser


@pytest.fixture
async def own_browser() -> AsyncIterator[Browser]:
    """Run a browser for one test."""
    async with running() as browser:
        yield browser


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    """Run a browser."""
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def violations(page: Page, *, in_dark: bool = False) -> list[str]:
    """Return what axe finds against WCAG 2.2 A and AA on a page; `in_dark` in its dark colours too.

    Both schemes see the same document, so the second is judged by the rules it can break.
    """
    # Run inside the tools' own world: the page's policy lets no foreign script in.
    script = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    await page.evaluate(script)
    found = await judged(page, {"type": "tag", "values": RULES})
    if in_dark:
        # Without motion the colours change at once.
        await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        assert await page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
        found += await judged(page, {"type": "rule", "values": COLOURS})
        await page.emulate_media(color_scheme="light")
    return found


async def judged(page: Page, rules: dict[str, object]) -> list[str]:
    """Return what axe, which the page has, finds by some rules."""
    # What it found to be well stays where it is: that is a megabyte for each page.
    script = """async wanted => {
        const found = await axe.run({runOnly: wanted, resultTypes: ["violations"]});
        return found.violations.flatMap(one => one.nodes.map(
            node => `${one.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
    }"""
    found: list[str] = await page.evaluate(script, rules)
    return found


async def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    script = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(await page.evaluate(script))


async def another_day(page: Page) -> None:
    """Choose the second free day of next month, which is there on the last of this one too."""
    await page.locator("a[aria-label^='Later: ']").click()
    await page.locator(".month a").nth(1).click()
