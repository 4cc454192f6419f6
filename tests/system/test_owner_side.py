"""The owner's side: whose it is, feeds, profile and security, through its forms."""

import pytest

from gateway.model.booking import BookingState
from gateway.model.feed import Visibility
from gateway.model.principal import CredentialKind, Owner
from tests.owner_desk import PASSWORD, OwnerDesk
from tests.plain_browser import PlainBrowser, ShownForm, ShownPage

TAB = "/settings/calendar"
OTHER = "john@example.org"


CHANGES = (
    TAB,
    f"{TAB}/connect/ics",
    f"{TAB}/connect/local",
    "/settings/connections/cn_x/check",
    "/settings/connections/cn_x/disconnect",
    "/settings/calendars/cal_x",
    "/settings/calendars/cal_x/remove",
    "/settings/pages/new",
    "/settings/pages/pg_x",
    "/settings/pages/pg_x/remove",
    "/settings/feeds",
    "/settings/feeds/fd_x/show",
    "/settings/feeds/fd_x/revoke",
    "/settings/profile",
    "/settings/security/password",
    "/settings/security/sessions",
    "/settings/security/app-passwords",
    "/settings/security/api-tokens",
    "/settings/security/credentials/cr_x/remove",
    "/dashboard/bookings/bk_x/accept",
    "/dashboard/bookings/bk_x/decline",
    "/dashboard/bookings/bk_x/cancel",
)


@pytest.mark.parametrize("path", CHANGES)
async def test_a_change_needs_the_forms_token(browser: PlainBrowser, path: str) -> None:
    """Without the session's token, or with a wrong one, nothing is changed: 403."""
    assert (await browser.post(path, [])).status == 403
    assert (await browser.post(path, [("csrf", "guess")])).status == 403


@pytest.mark.parametrize("path", CHANGES)
async def test_a_change_needs_a_session(desk: OwnerDesk, jane: Owner, path: str) -> None:
    """A stranger's form leads to the sign-in and does nothing else."""
    async with desk.browser() as browser:
        page = await browser.post(path, [("csrf", "x")], follow=False)

    assert page.status == 303
    assert page.headers["Location"].startswith("/login")


@pytest.mark.parametrize("path", [path for path in CHANGES if "_x" in path])
async def test_what_is_not_there_is_404(browser: PlainBrowser, path: str) -> None:
    """An id that does not exist is 404."""
    token = (await browser.open("/dashboard")).form("/logout").value("csrf") or ""

    assert (await browser.post(path, [("csrf", token)])).status == 404


async def test_what_is_anothers_is_404(desk: OwnerDesk, browser: PlainBrowser) -> None:
    """Every id of another owner's is as good as not there, and stays as it was."""
    john = await desk.owner(OTHER)
    calendar = await desk.calendar(john)
    lost = await desk.lost_calendar(john)
    page = await desk.page(john, "Johns page")
    booking = await desk.booking(john, page, state=BookingState.REQUESTED)
    feed, _ = await desk.services.feeds.add(john, label="x", visibility=Visibility.BUSY)
    credential, _ = await desk.services.owners.add_credential(
        john.id, CredentialKind.API_TOKEN, "x"
    )
    token = (await browser.open("/dashboard")).form("/logout").value("csrf") or ""
    paths = [
        f"/settings/calendars/{calendar.public_id}",
        f"/settings/calendars/{calendar.public_id}/remove",
        f"/settings/connections/{lost.connection_id}/check",
        f"/settings/connections/{lost.connection_id}/disconnect",
        f"/settings/pages/{page.id}",
        f"/settings/pages/{page.id}/remove",
        f"/settings/feeds/{feed.id}/show",
        f"/settings/feeds/{feed.id}/revoke",
        f"/settings/security/credentials/{credential.id}/remove",
        f"/dashboard/bookings/{booking.id}/accept",
        f"/dashboard/bookings/{booking.id}/decline",
        f"/dashboard/bookings/{booking.id}/cancel",
    ]

    answers = {path: (await browser.post(path, [("csrf", token)])).status for path in paths}
    assert answers == dict.fromkeys(paths, 404)
    assert (await desk.services.bookings.get(john.id, booking.id)).state == booking.state
    assert len(await desk.calendars(john)) == 2
    assert await desk.services.pages.get(john, page.id)


async def test_another_owners_page_cannot_be_read(desk: OwnerDesk, browser: PlainBrowser) -> None:
    """The editor of another's page and the page of another's calendar are 404."""
    john = await desk.owner(OTHER)
    page, calendar = await desk.page(john, "Johns page"), await desk.calendar(john)

    assert (await browser.open(f"/settings/pages/{page.id}")).status == 404
    assert (await browser.open(f"/settings/calendars/{calendar.public_id}")).status == 404


async def new_feed(browser: PlainBrowser, **values: str) -> ShownPage:
    """Make a feed through the form."""
    form = (await browser.open("/settings/feeds")).form("/settings/feeds")
    return await browser.send(form, **({"label": "Family"} | values))


async def test_a_feeds_address_is_shown_and_works(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """The answer holds the secret address; the list does not."""
    await desk.calendar(jane)
    shown = await new_feed(browser, visibility="title")
    address = shown.text.split('id="s-events" class="code" value="')[1].split('"')[0]
    feed = await browser.open(address.removeprefix(desk.url))

    assert feed.status == 200
    assert feed.text.startswith("BEGIN:VCALENDAR")
    assert address not in (await browser.open("/settings/feeds")).text
    [stored] = await desk.services.feeds.list(jane.id)
    assert stored.visibility is Visibility.TITLE


async def test_a_feed_is_shown_again_when_asked(browser: PlainBrowser) -> None:
    """Show address tells the same address as the first time."""
    first = await new_feed(browser)
    address = first.text.split('id="s-events" class="code" value="')[1].split('"')[0]
    listed = await browser.open("/settings/feeds")
    form = next(one for one in listed.forms if one.action.endswith("/show"))

    assert address in (await browser.send(form)).text


async def test_a_revoked_feed_is_dead(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """Revoke ends the address at once."""
    first = await new_feed(browser)
    address = first.text.split('id="s-events" class="code" value="')[1].split('"')[0]
    form = next(one for one in first.forms if one.action.endswith("/revoke"))
    await browser.send(form)

    assert (await browser.open(address.removeprefix(desk.url))).status == 404


async def test_a_feed_of_some_calendars_holds_those(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """The chosen calendars are the feed's; another's are refused."""
    calendar = await desk.calendar(jane)
    await new_feed(browser, which="some", calendars=calendar.public_id)
    [feed] = await desk.services.feeds.list(jane.id)
    assert feed.calendars == (calendar.public_id,)
    foreign = await desk.calendar(await desk.owner(OTHER))

    refused = await new_feed(browser, which="some", calendars=foreign.public_id)
    assert refused.status == 422


async def test_the_language_changes_with_the_profile(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """The saved language is that of the pages, whatever the browser says."""
    path = "/settings/profile"
    page = await browser.send((await browser.open(path)).form(path), locale="nl", name="Jane Doe")

    assert '<html lang="nl">' in page.text
    assert (await desk.fresh(jane)).name == "Jane Doe"


async def test_a_bad_profile_is_said(browser: PlainBrowser) -> None:
    """An unknown zone is said beside its field."""
    path = "/settings/profile"
    page = await browser.send((await browser.open(path)).form(path), time_zone="Mars/Olympus")

    assert page.status == 422
    assert 'id="e-time_zone"' in page.text


async def test_an_app_password_is_shown_once(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """The answer holds the password, it works, and no page shows it again."""
    path = "/settings/security/app-passwords"
    form = (await browser.open("/settings/security")).form(path)
    shown = await browser.send(form, label="Telephone")
    secret = shown.text.split('id="s-app_password" class="code" value="')[1].split('"')[0]

    known = await desk.services.owners.authenticate_app_password(jane.email, secret, "")
    assert known is not None
    again = await browser.open("/settings/security")
    assert "Telephone" in again.text
    assert secret not in again.text


async def test_an_api_token_is_made_and_removed(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """A token works until it is removed, and not a moment longer."""
    form = (await browser.open("/settings/security")).form("/settings/security/api-tokens")
    shown = await browser.send(form, label="Script")
    secret = shown.text.split('id="s-api_token" class="code" value="')[1].split('"')[0]
    assert await desk.services.owners.authenticate_api_token(secret)
    await browser.send(_removal(shown))

    assert await desk.services.owners.authenticate_api_token(secret) is None


def _removal(page: ShownPage) -> ShownForm:
    return next(one for one in page.forms if one.action.endswith("/remove"))


async def test_a_credential_needs_a_label(browser: PlainBrowser) -> None:
    """Without a label the form says so, beside the right one of the two fields."""
    form = (await browser.open("/settings/security")).form("/settings/security/api-tokens")
    page = await browser.send(form, label="  ")

    assert page.status == 422
    assert 'id="e-label-api_token"' in page.text


async def test_the_password_is_changed(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """The new one signs in, every other browser is signed out, this one is not."""
    async with desk.signed_in(jane.email) as other:
        before = browser.cookies()["calgate"]
        form = (await browser.open("/settings/security")).form("/settings/security/password")
        new = "a brand new one"
        page = await browser.send(form, old=PASSWORD, new=new, again=new)

        assert "Your password is changed." in page.text
        assert browser.cookies()["calgate"] != before
        assert (await other.open("/dashboard")).url.path == "/login"
    assert await desk.services.owners.sign_in(jane.email, new, "") is not None


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (("wrong", "a brand new one", "a brand new one"), "old"),
        ((PASSWORD, "short", "short"), "new"),
        ((PASSWORD, "a brand new one", "another"), "again"),
    ],
)
async def test_a_password_that_cannot_be_changed_is_said(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, sent: tuple[str, str, str], field: str
) -> None:
    """What is wrong is said beside its field; the old password goes on working."""
    old, new, again = sent
    form = (await browser.open("/settings/security")).form("/settings/security/password")
    page = await browser.send(form, old=old, new=new, again=again)

    assert page.status == 422
    assert f'id="e-{field}"' in page.text
    assert await desk.services.owners.sign_in(jane.email, PASSWORD, "") is not None


async def test_other_browsers_are_signed_out(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Only the browser that asked stays signed in."""
    async with desk.signed_in(jane.email) as other:
        form = (await browser.open("/settings/security")).form("/settings/security/sessions")
        await browser.send(form)

        assert (await other.open("/dashboard")).url.path == "/login"
    assert (await browser.open("/dashboard")).url.path == "/dashboard"
