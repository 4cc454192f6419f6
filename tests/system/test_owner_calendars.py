"""The Calendar tab and connecting: nothing changes but by Save, and only what is one's own."""

from dataclasses import replace

import pytest

from gateway.model.principal import Indexing, Owner
from gateway.sandbox.ics_server import IcsServer
from tests.owner_desk import OwnerDesk
from tests.plain_browser import PlainBrowser, ShownPage

TAB = "/settings/calendar"
OTHER = "john@example.org"


async def save(browser: PlainBrowser, **values: str) -> ShownPage:
    """Open the Calendar tab, change some of its fields and press Save."""
    form = (await browser.open(TAB)).form(TAB)
    return await browser.send(form, ("do", "save"), **values)


async def test_settings_begin_with_the_calendar_tab(browser: PlainBrowser) -> None:
    """`/settings` is the Calendar tab."""
    assert (await browser.open("/settings")).url.path == TAB


async def test_the_x_changes_nothing_until_save(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """X takes a calendar out of the form; Save takes it out of the selection (S24, S26)."""
    calendar = await desk.calendar(jane)
    form = (await browser.open(TAB)).form(TAB)
    assert ("remove", calendar.public_id) in form.buttons
    shown = await browser.send(form, ("remove", calendar.public_id))

    assert "Not saved yet." in shown.text
    assert (await desk.calendars(jane))["Work"].selected
    await browser.send(shown.form(TAB), ("do", "save"))
    assert not (await desk.calendars(jane))["Work"].selected


async def test_a_calendar_is_added_with_save(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Add puts a calendar into the form; Save selects it."""
    calendar = await desk.calendar(jane)
    await desk.services.objects.update_collection(jane, replace(calendar, selected=False))
    form = (await browser.open(TAB)).form(TAB)
    shown = await browser.send(form, ("do", "add"), add=calendar.public_id)
    assert not (await desk.calendars(jane))["Work"].selected
    saved = await browser.send(shown.form(TAB), ("do", "save"))

    assert "Your changes are saved." in saved.text
    assert (await desk.calendars(jane))["Work"].selected


async def test_the_enter_key_saves(browser: PlainBrowser, desk: OwnerDesk, jane: Owner) -> None:
    """The first button of the form, which Enter presses, is Save and no X."""
    await desk.calendar(jane)

    assert (await browser.open(TAB)).form(TAB).buttons[0] == ("do", "save")


async def test_anothers_calendar_cannot_be_selected(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """A calendar of another account is refused with 422, and nothing is saved (S27)."""
    calendar = await desk.calendar(await desk.owner(OTHER))
    form = (await browser.open(TAB)).form(TAB)
    form.fields += [("selected", calendar.public_id)]
    page = await browser.send(form, ("do", "save"), meetings_url="changed")

    assert page.status == 422
    assert (await desk.fresh(jane)).settings.meetings_url == ""


async def test_anothers_calendar_cannot_be_the_default(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Bookings never go to a calendar of another account."""
    await desk.calendar(jane)
    calendar = await desk.calendar(await desk.owner(OTHER), "Johns")
    page = await save(browser, default_calendar=calendar.public_id)

    assert page.status == 422
    assert (await desk.fresh(jane)).default_collection_id != calendar.id


async def test_the_default_calendar_is_chosen(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Save makes the chosen calendar the one that bookings go to; none is offline."""
    await desk.calendar(jane)
    private = await desk.calendar(jane, "Private")
    await save(browser, default_calendar=private.public_id)
    assert (await desk.fresh(jane)).default_collection_id == private.id
    await save(browser, default_calendar="")

    assert (await desk.fresh(jane)).default_collection_id is None


async def test_settings_are_saved(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """Meetings URL, default page, domain and indexing are stored as chosen."""
    await desk.page(jane)
    second = await desk.page(jane, "Second")
    await save(
        browser,
        meetings_url="jane",
        default_page=second.id,
        domain="meet.example.org",
        indexing="public",
        robots_extra="User-agent: x\r\nDisallow: /",
    )

    settings = (await desk.fresh(jane)).settings
    assert settings.meetings_url == "jane"
    assert settings.default_page == second.id
    assert settings.domain == "meet.example.org"
    assert settings.indexing is Indexing.PUBLIC
    assert settings.robots_extra == "User-agent: x\nDisallow: /"


@pytest.mark.parametrize(
    "wrong",
    [
        ("meetings_url", "Not a slug!", "Use the letters a to z"),
        ("meetings_url", "settings", "reserved"),
        ("domain", "evil.example", "Choose one of the listed domains."),
        ("default_page", "pg_none", "Choose one of your live pages."),
        ("robots_extra", "x" * 10_001, "At most 10000 characters"),
    ],
)
async def test_a_bad_setting_is_said_beside_its_field(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, wrong: tuple[str, str, str]
) -> None:
    """What is wrong is said, what was typed is kept in the form, and nothing is stored."""
    field, value, words = wrong
    page = await save(browser, **{"indexing": "public", field: value})

    assert page.status == 422
    assert words in page.text
    assert f'href="#f-{field}"' in page.text
    assert (await desk.fresh(jane)).settings.indexing is Indexing.HIDDEN


async def test_anothers_meetings_url_is_taken(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """A meetings URL under which another's pages are is a conflict (S38)."""
    await desk.page(await desk.owner(OTHER), slug="john")
    page = await save(browser, meetings_url="john")

    assert page.status == 409
    assert (await desk.fresh(jane)).settings.meetings_url == ""


async def test_without_a_seat_the_address_is_read_only(desk: OwnerDesk) -> None:
    """The fields are shown and cannot be changed; a changed one is 403 (S19)."""
    john = await desk.owner(OTHER, seat=False)
    await desk.page(john)
    async with desk.signed_in(OTHER) as browser:
        form = (await browser.open(TAB)).form(TAB)
        assert form.value("default_page") is None
        refused = await browser.send(form, ("do", "save"), meetings_url="john2")
        allowed = await browser.send(form, ("do", "save"), indexing="noindex")

    assert refused.status == 403
    assert allowed.status == 200
    settings = (await desk.fresh(john)).settings
    assert (settings.meetings_url, settings.indexing) == ("", Indexing.NOINDEX)


async def test_a_form_that_is_not_whole_deselects_nothing(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Only a form that carries the selection can empty it."""
    await desk.calendar(jane)
    token = (await browser.open(TAB)).form(TAB).value("csrf") or ""
    await browser.post(TAB, [("csrf", token), ("indexing", "public")])

    assert (await desk.calendars(jane))["Work"].selected


async def test_a_lost_calendar_is_marked_in_words(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """The tab says since when there is no access, in text and not by colour alone (S32)."""
    await desk.lost_calendar(jane)

    assert "No access since" in (await browser.open(TAB)).text


EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nX-WR-CALNAME:Club\r\n"
    b"BEGIN:VEVENT\r\nUID:1@example.org\r\nDTSTAMP:20261101T000000Z\r\n"
    b"DTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:Row\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)


async def connect(browser: PlainBrowser, url: str, name: str = "") -> ShownPage:
    """Connect a subscription through its form."""
    form = (await browser.open(f"{TAB}/connect/ics")).form(f"{TAB}/connect/ics")
    return await browser.send(form, url=url, name=name)


async def test_a_subscription_is_connected(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Its address is read, the calendar is selected, and the way leads to the dashboard (S08)."""
    async with IcsServer() as server:
        server.calendars["club"] = EVENT
        page = await connect(browser, server.url("club"), "Rowing")

    assert page.url.path == "/dashboard"
    assert (await desk.calendars(jane))["Rowing"].selected


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://example.org/a.ics", "http://127.0.0.1:1/a.ics", "https://[::1"]
)
async def test_an_address_without_a_calendar_is_refused(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, url: str
) -> None:
    """The form says what is wrong beside the address, and nothing is connected."""
    page = await connect(browser, url)

    assert page.status == 422
    assert 'id="e-url"' in page.text
    assert await desk.calendars(jane) == {}


async def test_the_same_address_is_connected_once(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """A second time is refused with a sentence."""
    async with IcsServer() as server:
        server.calendars["club"] = EVENT
        await connect(browser, server.url("club"))
        page = await connect(browser, server.url("club"))

    assert page.status == 422
    assert "This calendar is connected already." in page.text


async def test_the_address_is_not_shown_again(browser: PlainBrowser) -> None:
    """The secret part of a subscription's address is on no page."""
    async with IcsServer() as server:
        server.calendars["secretpath"] = EVENT
        await connect(browser, server.url("secretpath"))

    for path in ("/dashboard", TAB, "/settings/feeds"):
        assert "secretpath" not in (await browser.open(path)).text


async def test_a_calendar_is_checked_now(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Check now reads the source at once, and what came of it is shown."""
    async with IcsServer() as server:
        server.calendars["club"] = EVENT
        await connect(browser, server.url("club"), "Rowing")
        [connection] = await desk.services.connections.list(jane.id)
        path = f"/settings/connections/{connection.connection.id}/check"
        page = await browser.send((await browser.open(TAB)).form(path))

    assert "The calendar was read just now." in page.text


async def test_a_source_is_disconnected(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Disconnect removes the calendar, so that it blocks nothing any more (S31)."""
    lost = await desk.lost_calendar(jane)
    path = f"/settings/connections/{lost.connection_id}/disconnect"
    await browser.send((await browser.open(TAB)).form(path))

    assert await desk.calendars(jane) == {}


async def test_a_local_calendar_is_made(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """A calendar made here is selected and, being the first, the default."""
    path = f"{TAB}/connect/local"
    form = (await browser.open(path)).form(path)
    await browser.send(form, name="Home", time_zone="europe/paris")

    made = (await desk.calendars(jane))["Home"]
    assert made.selected
    assert made.time_zone == "Europe/Paris"
    assert (await desk.fresh(jane)).default_collection_id == made.id


async def test_a_calendars_rules_are_saved(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Which events block is chosen per calendar; a box without a tick does not."""
    calendar = await desk.calendar(jane)
    path = f"/settings/calendars/{calendar.public_id}"
    form = (await browser.open(path)).form(path)
    form.fields = [one for one in form.fields if one[0] != "tentative_blocks"]
    await browser.send(form, name="Office")

    saved = (await desk.calendars(jane))["Office"]
    assert not saved.rules.tentative_blocks
    assert saved.rules.all_day_blocks


async def test_a_local_calendar_is_removed(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Removing the default calendar puts the owner offline."""
    calendar = await desk.calendar(jane)
    path = f"/settings/calendars/{calendar.public_id}"
    await browser.send((await browser.open(path)).form(f"{path}/remove"))

    assert await desk.calendars(jane) == {}
    assert (await desk.fresh(jane)).default_collection_id is None
