"""Signing in at the simulated Google: consent, codes, tokens, identity, and taking it back."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from gateway.sandbox.google import GoogleServer

ANA = "ana@example.com"
BACK = "https://gateway.example/oauth/google/callback"
SCOPES = "openid https://www.googleapis.com/auth/calendar.readonly"
VERIFIER = "v" * 50
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
ASKED = {
    "client_id": "sandbox",
    "redirect_uri": BACK,
    "response_type": "code",
    "scope": SCOPES,
    "state": "st",
    "access_type": "offline",
    "prompt": "consent",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
EXCHANGE = {
    "grant_type": "authorization_code",
    "redirect_uri": BACK,
    "code_verifier": VERIFIER,
    "client_id": "sandbox",
    "client_secret": "secret",
}


@pytest.fixture
async def google() -> AsyncIterator[GoogleServer]:
    """Run a server with Ana."""
    async with GoogleServer() as server:
        server.world.add_account(ANA)
        yield server


class Browser:
    """Somebody's browser and a client's back channel."""

    def __init__(self, google: GoogleServer) -> None:
        self.url = google.url

    async def answer(self, *, ticked: list[str], answer: str = "allow", **asked: str) -> str:
        """Answer the consent page; return the address it leads to."""
        form = [("email", ANA), ("answer", answer), *(("scope", one) for one in ticked)]
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.url}/o/oauth2/v2/auth",
                params=ASKED | asked,
                data=form,
                allow_redirects=False,
            ) as response,
        ):
            assert response.status == 302
            return response.headers["Location"]

    async def code(self, **asked: str) -> str:
        """Allow everything; return the code."""
        location = await self.answer(ticked=SCOPES.split(), **asked)
        return parse_qs(urlsplit(location).query)["code"][0]

    async def token(self, auth: str = "", **form: str) -> tuple[int, dict[str, str]]:
        """Ask the token endpoint."""
        headers = {"Authorization": auth} if auth else {}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.url}/token", data=form) as response,
        ):
            return response.status, await response.json()


@pytest.fixture
def browser(google: GoogleServer) -> Browser:
    """Return Ana's browser."""
    return Browser(google)


async def test_the_page_says_who_asks_for_what(google: GoogleServer) -> None:
    """Accounts and one box a scope; a client nobody knows gets no page."""
    async with aiohttp.ClientSession() as session:
        url = f"{google.url}/o/oauth2/v2/auth"
        async with session.get(url, params=ASKED) as response:
            page = await response.text()
        async with session.get(url, params={**ASKED, "client_id": "nobody"}) as response:
            assert response.status == 400

    assert page.count("type='checkbox'") == 2
    assert ANA in page


async def test_a_code_becomes_tokens_once(browser: Browser) -> None:
    """With its verifier a code gives access, refresh and identity; a second time nothing."""
    code = await browser.code()
    status, tokens = await browser.token(**EXCHANGE, code=code)
    again, refusal = await browser.token(**EXCHANGE, code=code)
    claims = json.loads(base64.urlsafe_b64decode(tokens["id_token"].split(".")[1] + "=="))

    assert status == 200
    assert claims["email"] == ANA
    assert claims["aud"] == "sandbox"
    assert {"access_token", "refresh_token", "expires_in", "scope"} <= set(tokens)
    assert (again, refusal["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"code_verifier": "other"}, 400, "invalid_grant"),
        ({"redirect_uri": BACK + "/"}, 400, "redirect_uri_mismatch"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_what_does_not_fit_gives_no_token(
    browser: Browser, wrong: dict[str, str], status: int, error: str
) -> None:
    """PKCE, the address and the client's secret must be the same as before."""
    answered, refusal = await browser.token(**{**EXCHANGE, "code": await browser.code()} | wrong)

    assert (answered, refusal["error"]) == (status, error)


async def test_a_client_may_sign_in_with_basic(browser: Browser) -> None:
    """RFC 6749 section 2.3.1: id and secret in a header."""
    form = {name: value for name, value in EXCHANGE.items() if not name.startswith("client")}
    basic = "Basic " + base64.b64encode(b"sandbox:secret").decode()

    assert (await browser.token(basic, **form, code=await browser.code()))[0] == 200


async def test_no_is_an_answer(browser: Browser) -> None:
    """Cancel leads back with access_denied and the state."""
    location = await browser.answer(ticked=[], answer="deny")

    assert parse_qs(urlsplit(location).query) == {"state": ["st"], "error": ["access_denied"]}


async def test_a_box_can_be_unticked(browser: Browser) -> None:
    """The token says which scopes were given."""
    location = await browser.answer(ticked=[])
    code = parse_qs(urlsplit(location).query)["code"][0]
    _, tokens = await browser.token(**EXCHANGE, code=code)

    assert tokens["scope"] == "openid"


async def test_a_second_refresh_token_needs_a_new_consent(browser: Browser) -> None:
    """Without prompt=consent the second sign-in gives access only."""
    await browser.token(**EXCHANGE, code=await browser.code())
    _, tokens = await browser.token(**EXCHANGE, code=await browser.code(prompt="none"))

    assert "refresh_token" not in tokens


async def test_refreshing_ends_with_the_grant(google: GoogleServer, browser: Browser) -> None:
    """A refresh token gives access until it is revoked; then invalid_grant."""
    _, tokens = await browser.token(**EXCHANGE, code=await browser.code())
    refresh = {name: EXCHANGE[name] for name in ("client_id", "client_secret")} | {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
    }
    good, _ = await browser.token(**refresh)
    async with aiohttp.ClientSession() as session:
        who = {"Authorization": f"Bearer {tokens['access_token']}"}
        async with session.get(f"{google.url}/oauth2/v3/userinfo", headers=who) as response:
            assert (await response.json())["email"] == ANA
        form = {"token": tokens["refresh_token"]}
        async with session.post(f"{google.url}/revoke", data=form) as response:
            assert response.status == 200
        async with session.get(f"{google.url}/oauth2/v3/userinfo", headers=who) as response:
            assert response.status == 401
    bad, refusal = await browser.token(**refresh)

    assert (good, bad, refusal["error"]) == (200, 400, "invalid_grant")
