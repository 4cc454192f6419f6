"""Signing in and out: what a session is, whose form counts, where one may be sent on to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.bootstrap import open_gateway
from gateway.config import Config
from gateway.storage.cipher import new_key
from tests.owner_desk import PASSWORD, OwnerDesk, owner_desk
from tests.plain_browser import PlainBrowser

JANE = "jane@example.org"
COOKIE = "calgate"


@pytest.fixture
async def desk(data_dir: Path) -> AsyncIterator[OwnerDesk]:
    """Serve a gateway with Jane as its owner."""
    async with owner_desk(data_dir) as opened:
        await opened.owner(JANE)
        yield opened


@pytest.fixture
async def browser(desk: OwnerDesk) -> AsyncIterator[PlainBrowser]:
    """Give a browser in which nobody is signed in."""
    async with desk.browser() as opened:
        yield opened


async def test_a_password_costs_what_it_should(data_dir: Path) -> None:
    """A gateway hashes at the full cost unless whoever opens it says otherwise."""
    async with open_gateway(Config(data_dir=str(data_dir), key=new_key())) as gateway:
        jane = await gateway.services.owners.add(JANE, PASSWORD)
        async with gateway.services.store.read() as tx:
            stored = await tx.owners.password_hash(jane.id)

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_signing_in_leads_to_the_dashboard(browser: PlainBrowser) -> None:
    """Address and password open the dashboard, in any case of the address."""
    page = await browser.sign_in("Jane@Example.org", PASSWORD)

    assert (page.status, page.url.path) == (200, "/dashboard")


@pytest.mark.parametrize(
    "path", ["/dashboard", "/settings", "/settings/calendar", "/settings/pages/new"]
)
async def test_without_a_session_every_page_asks_for_one(browser: PlainBrowser, path: str) -> None:
    """A page of the owner's side sends a stranger to the sign-in."""
    page = await browser.open(path)

    assert (page.status, page.url.path) == (200, "/login")


async def test_after_signing_in_one_is_where_one_wanted_to_be(browser: PlainBrowser) -> None:
    """The way leads back to the page that asked for the sign-in."""
    asked = await browser.open("/settings/security?x=1")
    page = await browser.send(asked.form("/login"), email=JANE, password=PASSWORD)

    assert page.url.path_qs == "/settings/security?x=1"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/%5cevil.example",
        "/.//evil.example",
        "/%2f/evil.example",
        "///evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/dashboard\r\nSet-Cookie: a=b",
        "/ok@evil.example",
        "",
        "x" * 5000,
    ],
)
async def test_the_way_on_leads_nowhere_else(browser: PlainBrowser, wanted: str) -> None:
    """`next` only takes paths of this site; whatever else it says leads to the dashboard."""
    form = (await browser.open("/login")).form("/login")
    token = form.value("csrf") or ""
    fields = [("csrf", token), ("email", JANE), ("password", PASSWORD), ("next", wanted)]
    page = await browser.post("/login", fields, follow=False)

    assert page.status == 303
    assert page.headers["Location"] == "/dashboard"


async def test_a_wrong_password_and_an_unknown_address_look_the_same(
    browser: PlainBrowser,
) -> None:
    """Nobody learns from the sign-in who has an account."""
    wrong = await browser.sign_in(JANE, "wrong horse")
    unknown = await browser.sign_in("nobody@example.org", "wrong horse")

    assert wrong.status == unknown.status == 422
    assert wrong.text.replace(JANE, "") == unknown.text.replace("nobody@example.org", "")
    assert COOKIE not in browser.cookies()


async def test_the_password_is_never_sent_back(browser: PlainBrowser) -> None:
    """A failed sign-in keeps the address in the form, and not the password."""
    page = await browser.sign_in(JANE, "wrong horse")

    assert page.form("/login").value("email") == JANE
    assert "wrong horse" not in page.text


async def test_the_cookie_is_out_of_reach(browser: PlainBrowser, desk: OwnerDesk) -> None:
    """No script reads the session's cookie, and no other site's form carries it."""
    form = (await browser.open("/login")).form("/login")
    fields = [("csrf", form.value("csrf") or ""), ("email", JANE), ("password", PASSWORD)]
    page = await browser.post("/login", fields, follow=False)

    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def test_over_tls_the_cookie_is_pinned_to_the_host(data_dir: Path) -> None:
    """Where the gateway is public over TLS, the cookie is Secure and has the host prefix."""
    async with owner_desk(data_dir, public_url="https://127.0.0.1") as desk:
        await desk.owner(JANE)
        async with desk.browser() as browser:
            token = (await browser.open("/login")).form("/login").value("csrf") or ""
            page = await browser.post(
                "/login",
                [("csrf", token), ("email", JANE), ("password", PASSWORD)],
                follow=False,
                headers={"Cookie": f"calgate_form={token}"},
            )

    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-calgate=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))


async def test_a_planted_session_is_not_taken_over(browser: PlainBrowser) -> None:
    """Signing in makes a new session, whatever cookie the browser came with."""
    browser.session.cookie_jar.update_cookies({COOKIE: "planted"}, browser.base)
    await browser.sign_in(JANE, PASSWORD)

    assert browser.cookies()[COOKIE] != "planted"


async def test_signing_in_again_ends_the_session_before(
    browser: PlainBrowser, desk: OwnerDesk
) -> None:
    """Of two sign-ins in one browser only the second session lives."""
    form = (await browser.open("/login")).form("/login")
    await browser.send(form, email=JANE, password=PASSWORD)
    first = browser.cookies()[COOKIE]
    await browser.send(form, email=JANE, password=PASSWORD)

    assert browser.cookies()[COOKIE] != first
    assert await desk.services.owners.by_session(first) is None


async def test_signing_out_ends_the_session_on_the_server(
    browser: PlainBrowser, desk: OwnerDesk
) -> None:
    """The cookie that was signed out of opens nothing, even if it was kept."""
    page = await browser.sign_in(JANE, PASSWORD)
    secret = browser.cookies()[COOKIE]
    left = await browser.send(page.form("/logout"))

    assert left.url.path == "/login"
    assert COOKIE not in browser.cookies()
    browser.session.cookie_jar.update_cookies({COOKIE: secret}, browser.base)
    assert (await browser.open("/dashboard")).url.path == "/login"


async def test_nobody_is_signed_out_by_a_link(browser: PlainBrowser) -> None:
    """Signing out takes the form of the page."""
    await browser.sign_in(JANE, PASSWORD)

    assert (await browser.open("/logout")).status == 405
    assert (await browser.post("/logout", [])).status == 403
    assert (await browser.open("/dashboard")).url.path == "/dashboard"


@pytest.mark.parametrize("token", [None, "", "guess"])
async def test_the_sign_in_form_must_be_ours(browser: PlainBrowser, token: str | None) -> None:
    """Another site cannot sign its visitor in as somebody else."""
    await browser.open("/login")
    fields = [("email", JANE), ("password", PASSWORD)]
    page = await browser.post("/login", fields + ([("csrf", token)] if token is not None else []))

    assert page.status == 403
    assert COOKIE not in browser.cookies()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_from_another_site_is_refused(
    browser: PlainBrowser, headers: dict[str, str]
) -> None:
    """Even with the right token: what a browser says about the sender counts."""
    form = (await browser.sign_in(JANE, PASSWORD)).form("/logout")
    page = await browser.post("/logout", form.fields, headers=headers)

    assert page.status == 403


async def test_guessing_is_slowed(data_dir: Path) -> None:
    """At the limit the answer is 429 with the time to wait, for the right password too."""
    async with owner_desk(data_dir, failures=3) as desk, desk.browser() as browser:
        await desk.owner(JANE)
        for _ in range(3):
            assert (await browser.sign_in(JANE, "guess")).status == 422
        page = await browser.sign_in(JANE, PASSWORD)

    assert page.status == 429
    assert 0 < int(page.headers["Retry-After"]) <= 3600


async def test_pages_of_the_owner_are_kept_by_nobody(browser: PlainBrowser) -> None:
    """No cache keeps them, no frame shows them, no search engine has a reason to."""
    page = await browser.sign_in(JANE, PASSWORD)

    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


async def test_the_sign_in_speaks_the_readers_language(desk: OwnerDesk) -> None:
    """A Dutch browser is asked in Dutch."""
    async with desk.browser(language="nl-NL,nl;q=0.9") as browser:
        page = await browser.open("/login")

    assert '<html lang="nl">' in page.text
    assert "Wachtwoord" in page.text
