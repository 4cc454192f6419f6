"""Signing in at the simulated Microsoft by the gateway's own consent: codes, rotation, no."""

import base64
import hashlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from gateway.adapters.oauth_microsoft import MicrosoftConsent
from gateway.bootstrap import SystemClock
from gateway.errors import CalgateError, SignInNeeded, Unavailable
from gateway.model.grant import Grant
from gateway.ports import ConsentRequest
from gateway.sandbox.microsoft import Fault, MicrosoftServer

LEA = "lea@contoso.example"
BACK = "https://gateway.example/oauth/microsoft/callback"
VERIFIER = "v" * 50
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


@pytest.fixture
async def microsoft() -> AsyncIterator[MicrosoftServer]:
    """Run a server with Lea."""
    async with MicrosoftServer() as server:
        server.world.add_mailbox(LEA, name="Lea")
        yield server


def consent(server: MicrosoftServer, secret: str = "secret") -> MicrosoftConsent:
    """Return the gateway's consent at this server."""
    return MicrosoftConsent(
        SystemClock(),
        client_id="sandbox",
        client_secret=secret,
        authority=server.authority,
        graph_url=server.graph_url,
    )


async def answered(server: MicrosoftServer, answer: str = "accept") -> dict[str, str]:
    """Answer the consent page as Lea; return what the browser brings back."""
    asked = ConsentRequest(redirect_uri=BACK, state="st", nonce="no", challenge=CHALLENGE)
    address = consent(server).authorize_url(asked)
    async with aiohttp.ClientSession() as session:
        async with session.get(address) as page:
            assert "Permissions requested" in await page.text()
        form = {"account": LEA, "answer": answer}
        async with session.post(address, data=form, allow_redirects=False) as response:
            assert response.status == 302
            return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


async def granted(server: MicrosoftServer, verifier: str = VERIFIER) -> Grant:
    """Go through consent and exchange the code."""
    back = await answered(server)
    return await consent(server).exchange(
        back["code"], verifier=verifier, nonce="no", redirect_uri=BACK
    )


async def test_a_consent_ends_in_tokens_that_graph_takes(microsoft: MicrosoftServer) -> None:
    """State comes back, the identity is Lea's, and the access token reads her calendars."""
    assert (await answered(microsoft))["state"] == "st"
    grant = await granted(microsoft)

    assert grant.email == LEA
    assert consent(microsoft).missing(grant) == ()
    headers = {"Authorization": f"Bearer {grant.access_token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{microsoft.graph_url}/me") as answer,
    ):
        assert (await answer.json())["mail"] == LEA


async def test_a_refusal_comes_back_as_one(microsoft: MicrosoftServer) -> None:
    """Cancel gives no code."""
    back = await answered(microsoft, "cancel")

    assert back["error"] == "access_denied"
    assert "code" not in back


async def test_a_code_is_good_once_and_for_its_verifier(microsoft: MicrosoftServer) -> None:
    """PKCE and single use are held."""
    back = await answered(microsoft)
    told = {"nonce": "no", "redirect_uri": BACK}
    with pytest.raises(SignInNeeded):
        await consent(microsoft).exchange(back["code"], verifier="w" * 50, **told)
    with pytest.raises(SignInNeeded):
        await consent(microsoft).exchange(back["code"], verifier=VERIFIER, **told)


async def test_refresh_tokens_rotate(microsoft: MicrosoftServer) -> None:
    """Each renewal brings another one, and the used one is no good any more."""
    first = await granted(microsoft)
    second = await consent(microsoft).refresh(first)
    third = await consent(microsoft).refresh(second)

    assert len({one.refresh_token for one in (first, second, third)}) == 3
    with pytest.raises(SignInNeeded):
        await consent(microsoft).refresh(first)


@pytest.mark.parametrize("error", ["invalid_grant", "interaction_required", "consent_required"])
async def test_what_only_the_owner_can_mend_wants_a_sign_in(
    microsoft: MicrosoftServer, error: str
) -> None:
    """A changed password, a policy, a consent taken back."""
    grant = await granted(microsoft)
    microsoft.world.refuses_refresh = error
    with pytest.raises(SignInNeeded) as raised:
        await consent(microsoft).refresh(grant)

    assert "canary" not in str(raised.value)


async def test_a_wrong_secret_is_nobodys_sign_in(microsoft: MicrosoftServer) -> None:
    """The operator's fault signs no owner out."""
    grant = await granted(microsoft)
    with pytest.raises(CalgateError) as raised:
        await consent(microsoft, "wrong").refresh(grant)

    assert not isinstance(raised.value, SignInNeeded)


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"drop": "before"}, {"status": 503, "html": True}], ids=str
)
async def test_a_broken_token_endpoint_passes(
    microsoft: MicrosoftServer, fault: dict[str, object]
) -> None:
    """What fails there for now is no lost consent."""
    grant = await granted(microsoft)
    microsoft.break_with(Fault(route="login.token", **fault))
    with pytest.raises(Unavailable):
        await consent(microsoft).refresh(grant)
    microsoft.break_with()

    assert (await consent(microsoft).refresh(grant)).access_token != grant.access_token


async def test_a_scope_that_was_not_given_is_named(microsoft: MicrosoftServer) -> None:
    """An administrator may leave some out; reading alone is not enough."""
    microsoft.world.hidden_scopes = frozenset({"Calendars.ReadWrite"})
    grant = await granted(microsoft)

    assert consent(microsoft).missing(grant) != ()


async def test_the_discovery_document_names_every_endpoint(microsoft: MicrosoftServer) -> None:
    """Libraries that begin there find the token endpoint and the keys."""
    async with aiohttp.ClientSession() as session:
        where = f"{microsoft.authority}/v2.0/.well-known/openid-configuration"
        async with session.get(where) as answer:
            found = await answer.json()
        async with session.get(found["jwks_uri"]) as answer:
            keys = await answer.json()

    assert found["token_endpoint"] == f"{microsoft.authority}/oauth2/v2.0/token"
    assert keys["keys"][0]["kty"] == "RSA"
