"""Connecting an account at another CalDAV server: form and command, down to busy time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.peers import PASSWORD, USER
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, HOUR, TimeRange, format_utc
from tests.builders import an_event
from tests.owner_desk import OwnerDesk
from tests.plain_browser import PlainBrowser, ShownPage
from tests.served import Served
from tests.upstreams import CaldavSource, Peers, open_source

FORM = "/settings/calendar/connect/caldav"


@pytest.fixture
async def source(peers: Peers) -> AsyncIterator[CaldavSource]:
    """Run somebody else's server with an empty calendar."""
    async with open_source("radicale", peers) as made:
        assert isinstance(made, CaldavSource)
        yield made


async def connect(browser: PlainBrowser, **values: str) -> ShownPage:
    """Connect an account through its form."""
    return await browser.send((await browser.open(FORM)).form(FORM), **values)


async def test_an_account_is_connected_and_makes_busy(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, source: CaldavSource
) -> None:
    """The way leads to the dashboard; the calendar is default, selected, and its events block."""
    start = (desk.services.clock.now() // HOUR) * HOUR + DAY
    event = an_event("busy", start=format_utc(start), end=format_utc(start + HOUR))
    await source.put("busy", event)
    page = await connect(browser, **source.options)

    assert page.url.path == "/dashboard"
    work = (await desk.calendars(jane))["Work"]
    assert work.selected
    assert (await desk.fresh(jane)).default_collection_id == work.id
    async with desk.services.store.read() as tx:
        busy = (await tx.index.busy([work.id], TimeRange(start - HOUR, start + 2 * HOUR)))[work.id]
    assert [(one.start, one.end) for one in busy] == [(start, start + HOUR)]


async def test_what_is_wrong_stands_beside_its_field(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, source: CaldavSource
) -> None:
    """A refused password is told at the password, which is not shown again; nothing is kept."""
    page = await connect(browser, **(source.options | {"password": "canary-password"}))

    assert page.status == 422
    assert 'id="e-password"' in page.text
    assert "canary-password" not in page.text
    assert await desk.calendars(jane) == {}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": ""}, "url"),
        ({"username": ""}, "username"),
        ({"username": "a:b"}, "username"),
        ({"password": ""}, "password"),
        ({"url": "http://127.0.0.1:1/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
    ],
    ids=str,
)
async def test_a_bad_field_is_named(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, values: dict[str, str], field: str
) -> None:
    """Every wrong field is 422 with a sentence beside it, and nothing is kept."""
    known = {"url": "https://cloud.example.org", "username": USER, "password": PASSWORD}
    page = await connect(browser, **(known | values))

    assert page.status == 422
    assert f'id="e-{field}"' in page.text
    assert await desk.calendars(jane) == {}


async def test_an_account_is_connected_once(
    browser: PlainBrowser, desk: OwnerDesk, jane: Owner, source: CaldavSource
) -> None:
    """A second time is refused with a sentence."""
    await connect(browser, **source.options)
    page = await connect(browser, **source.options)

    assert page.status == 422
    assert "This calendar is connected already." in page.text
    assert len(await desk.calendars(jane)) == 1


async def test_the_password_is_shown_and_stored_nowhere(
    browser: PlainBrowser, desk: OwnerDesk, jane: Owner, source: CaldavSource, data_dir: Path
) -> None:
    """No page holds the password, and no file of the database does."""
    await connect(browser, **source.options)

    for path in ("/dashboard", "/settings/calendar"):
        assert PASSWORD not in (await browser.open(path)).text
    for file in data_dir.iterdir():
        assert PASSWORD.encode() not in file.read_bytes()


async def test_the_command_connects_and_reads(tmp_path: Path, source: CaldavSource) -> None:
    """`connect caldav` prints the connection's id last; `sync` reads it again."""
    served = Served(tmp_path, extra="[security]\nallow_private_networks = true").prepare()

    def work() -> str:
        served.cli("user", "add", "jane@example.org", "--password-stdin", stdin="long enough pw\n")
        words = ("connect", "caldav", "jane@example.org", source.options["url"])
        printed = served.cli(*words, "--username", USER, "--password-stdin", stdin=f"{PASSWORD}\n")
        return printed.split()[-1] + " " + served.cli("sync", "jane@example.org")

    told = await asyncio.to_thread(work)
    assert told.startswith("cn_")
    assert "Work" in told
