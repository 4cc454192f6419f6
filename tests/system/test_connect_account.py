"""Connecting an account from its button to the first booking, against a simulated Google."""

from dataclasses import replace
from hashlib import sha256
from html import unescape
from urllib.parse import urlencode

import pytest

from gateway.model.connection import HealthState
from gateway.web.i18n import LOCALES, SOURCE, translate
from gateway.web.settings.disclosure import TEXT, VERSION
from tests.connecting import CALLBACK, GOOGLE, JANE, TAB, Connecting


async def test_an_account_is_connected_and_read(connecting: Connecting) -> None:
    """From Accept over Google to the dashboard, where a page can be made (S07, S08)."""
    page = await connecting.connect()

    assert page.url.path == "/dashboard"
    assert "The calendar is connected." in page.text
    assert "Create scheduling page" in page.text
    calendars = await connecting.desk.calendars(connecting.jane)
    now = connecting.desk.services.clock.now()
    assert {name: one.selected for name, one in calendars.items()} == {JANE: True, "Team": False}
    assert all(one.state(now) is HealthState.WORKING for one in calendars.values())
    owner = await connecting.desk.fresh(connecting.jane)
    assert owner.default_collection_id == calendars[JANE].id


async def test_the_callback_answers_see_other(connecting: Connecting) -> None:
    """303 to the dashboard, so that going back never sends the code again."""
    answer = await connecting.answer(await connecting.accept(), follow=False)
    back = await connecting.browser.open(
        answer.headers["Location"].removeprefix(connecting.desk.url), follow=False
    )

    assert back.status == 303
    assert back.headers["Location"].startswith("/dashboard")


async def test_nothing_goes_out_before_accept(connecting: Connecting) -> None:
    """Reading what will come and the disclosure asks Google nothing (S09)."""
    await connecting.browser.open(GOOGLE)
    await connecting.review()

    assert connecting.google.world.log == []


@pytest.mark.parametrize("locale", LOCALES)
async def test_the_disclosure_stands_above_accept(connecting: Connecting, locale: str) -> None:
    """In every language the whole text stands above the button, translated (S09)."""
    async with connecting.desk.browser(language=locale) as browser:
        await browser.sign_in("jane@example.org", "correct horse battery")
        async with connecting.desk.services.store.write() as tx:
            await tx.owners.update(replace(connecting.jane, locale=locale))
        text = unescape((await browser.open(f"{GOOGLE}/review")).text)
    button = text.index(
        translate(locale, "Accept and connect to %(provider)s") % {"provider": "Google"}
    )
    for sentence in TEXT:
        shown = translate(locale, sentence)
        assert (shown != sentence) == (locale != SOURCE), f"{locale} lacks the disclosure"
        assert text.index(shown) < button


def test_a_changed_disclosure_is_another_version() -> None:
    """The log says which text was accepted, so a text and its version change together."""
    known = {"2026-11-27": "db765519964e"}
    digest = sha256("\n".join(TEXT).encode()).hexdigest()

    assert digest.startswith(known[VERSION]), f"this text is new: give it a version ({digest[:12]})"


async def test_another_text_than_was_read_is_not_accepted(connecting: Connecting) -> None:
    """Accept under an older text shows the new one and goes nowhere."""
    form = (await connecting.review()).form(f"{GOOGLE}/review")
    page = await connecting.browser.send(form, version="2020-01-01")

    assert page.url.path == f"{GOOGLE}/review"
    assert connecting.google.world.log == []


async def test_the_dialog_lists_what_works(connecting: Connecting) -> None:
    """Google, where this gateway is registered there, and no provider where it is not (S06)."""
    text = (await connecting.browser.open(f"{TAB}/connect")).text

    assert "Google / Gmail" in text
    assert "Office 365" not in text
    assert (await connecting.browser.open(f"{TAB}/connect/microsoft")).status == 404
    assert (await connecting.browser.open(f"{TAB}/connect/microsoft/review")).status == 404


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"code": "x"},
        {"state": "1", "code": "x"},
        {"state": "x" * 32, "code": "x"},
        {"state": "x" * 5000, "code": "x"},
        {"state": "x" * 32, "error": "access_denied"},
        {"state": "\r\nSet-Cookie: a=b", "code": "x"},
    ],
)
async def test_a_strange_callback_is_refused(connecting: Connecting, query: dict[str, str]) -> None:
    """400, and not one call to the token endpoint."""
    page = await connecting.browser.open(f"{CALLBACK}?{urlencode(query)}")

    assert page.status == 400
    assert connecting.token_calls() == 0


async def test_a_callback_in_another_browser_is_refused(connecting: Connecting) -> None:
    """An attacker's good code and state connect nothing in a victim's browser."""
    answer = await connecting.answer(await connecting.accept(), follow=False)
    path = answer.headers["Location"].removeprefix(connecting.desk.url)
    async with connecting.desk.browser() as stranger:
        assert (await stranger.open(path)).status == 400
    await connecting.desk.owner("john@example.org")
    async with connecting.desk.signed_in("john@example.org") as victim:
        assert (await victim.open(path)).status == 400

    assert connecting.token_calls() == 0
    assert await connecting.desk.calendars(connecting.jane) == {}


async def test_a_doubled_state_is_refused(connecting: Connecting) -> None:
    """A second state beside the right one makes both worthless."""
    answer = await connecting.answer(await connecting.accept(), follow=False)
    path = answer.headers["Location"].removeprefix(connecting.desk.url)

    assert (await connecting.browser.open(f"{path}&state=other")).status == 400
    assert connecting.token_calls() == 0


async def test_a_callback_is_good_once(connecting: Connecting) -> None:
    """The same address again is 400; the connection of the first time works on."""
    answer = await connecting.answer(await connecting.accept(), follow=False)
    path = answer.headers["Location"].removeprefix(connecting.desk.url)
    await connecting.browser.open(path)

    assert (await connecting.browser.open(path)).status == 400
    assert connecting.token_calls() == 1


async def test_who_says_no_reads_so(connecting: Connecting) -> None:
    """Cancel at Google connects nothing and says so; what Google wrote is not shown."""
    page = await connecting.answer(await connecting.accept(), "deny")

    assert page.status == 422
    assert "You did not allow access" in page.text
    assert await connecting.desk.calendars(connecting.jane) == {}


async def test_an_errors_text_is_never_markup(connecting: Connecting) -> None:
    """`error_description` is not repeated."""
    state = (await connecting.accept()).url.query["state"]
    query = urlencode({"state": state, "error": "x", "error_description": "<script>alert(1)"})
    page = await connecting.browser.open(f"{CALLBACK}?{query}")

    assert page.status == 422
    assert "alert(1)" not in page.text


async def test_an_unticked_box_is_named(connecting: Connecting) -> None:
    """The page says, in Google's words, which box it was; nothing is connected."""
    page = await connecting.answer(await connecting.accept(), leave="calendar.events.owned")

    assert page.status == 422
    assert "See, create, change, and delete events on Google calendars you own" in page.text
    assert await connecting.desk.calendars(connecting.jane) == {}


async def test_a_dead_consent_is_renewed(connecting: Connecting) -> None:
    """Revoked at Google: no access, one mail with the way back; signing in again mends it (S31)."""
    await connecting.connect()
    [state] = await connecting.desk.services.connections.list(connecting.jane.id)
    connecting.google.world.revoke(JANE)
    services = connecting.desk.services
    await services.connections.check(connecting.jane.id, state.connection.id)
    tab = await connecting.browser.open(TAB)
    assert "No access since" in tab.text
    assert "Google wants you to sign in again." in tab.text
    async with services.store.read() as tx:
        [mail] = await tx.mails.of_owner(connecting.jane.id)
    assert mail.subject == "Please sign in again to Google"

    path = f"/settings/connections/{state.connection.id}/reconnect"
    page = await connecting.answer(await connecting.accept(path))
    assert page.url.path == "/dashboard"
    assert "No access since" not in (await connecting.browser.open(TAB)).text
    assert len(await services.connections.list(connecting.jane.id)) == 1


async def test_another_account_is_asked_about(connecting: Connecting) -> None:
    """Renewing as somebody else is 409 with both accounts named, and nothing changes."""
    await connecting.connect()
    [state] = await connecting.desk.services.connections.list(connecting.jane.id)
    consent = await connecting.accept(f"/settings/connections/{state.connection.id}/reconnect")
    [form] = consent.forms
    form.fields = [
        (name, "john@gmail.example" if name == "email" else value) for name, value in form.fields
    ]
    page = await connecting.answer(consent)

    assert page.status == 409
    assert JANE in page.text
    assert "john@gmail.example" in page.text
    [after] = await connecting.desk.services.connections.list(connecting.jane.id)
    assert after.connection == state.connection


async def test_disconnecting_revokes(connecting: Connecting) -> None:
    """Disconnect removes the calendars at once; Google is told by the worker."""
    await connecting.connect()
    tab = await connecting.browser.open(TAB)
    [state] = await connecting.desk.services.connections.list(connecting.jane.id)
    await connecting.browser.send(
        tab.form(f"/settings/connections/{state.connection.id}/disconnect")
    )

    assert await connecting.desk.calendars(connecting.jane) == {}
    async with connecting.desk.services.store.read() as tx:
        assert await tx.outbox.waiting() == 1


async def test_anothers_connection_is_not_there(connecting: Connecting) -> None:
    """Another owner's reconnect page looks like one that does not exist."""
    await connecting.connect()
    [state] = await connecting.desk.services.connections.list(connecting.jane.id)
    await connecting.desk.owner("john@example.org")
    async with connecting.desk.signed_in("john@example.org") as john:
        page = await john.open(f"/settings/connections/{state.connection.id}/reconnect")
        none = await john.open("/settings/connections/cn_none/reconnect")

    assert (page.status, page.text) == (404, none.text)


async def test_a_link_of_the_command_line_leads_to_the_disclosure(connecting: Connecting) -> None:
    """Its owner, signed in, reads the disclosure there; Accept uses it up."""
    link = await connecting.desk.services.consent.link(connecting.jane, "google")
    path = link.removeprefix(connecting.desk.url)
    page = await connecting.answer(await connecting.accept(path))

    assert page.url.path == "/dashboard"
    assert (await connecting.browser.open(path)).status == 404
