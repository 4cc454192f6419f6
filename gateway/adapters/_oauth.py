"""Consent (OAuth 2.0 with PKCE and OpenID Connect): what every provider's dialect shares.

Law: a token endpoint is asked once per question, with a bound on time and size, over a connection
whose certificate is checked; what it says is never repeated to people, a secret never to a log.
"""

import asyncio
import base64
import binascii
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import structlog

from gateway.adapters._certificates import trusting
from gateway.adapters._http import retry_after
from gateway.errors import NotRegistered, SignInNeeded, Unavailable
from gateway.model.grant import Grant
from gateway.model.timerange import DAY, MINUTE, Instant
from gateway.ports import Clock, ConsentRequest

MAX_BYTES = 256 * 1024
MAX_SECONDS = 15.0
SKEW = 5 * MINUTE
"""How far a provider's clock may be off (RFC 7519 section 4.1.4)."""
SHORTEST, ASSUMED, LONGEST = 30, 5 * MINUTE, DAY
"""Seconds an access token is believed to live: at least, where nothing is said, and at most."""

SIGN_IN_AGAIN = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required"}
)
"""Errors that only the account's owner can mend, at the consent screen."""
OUR_FAULT = frozenset(
    {
        "invalid_client",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_request",
        "invalid_scope",
        "redirect_uri_mismatch",
        "deleted_client",
        "org_internal",
    }
)
"""Errors that only whoever runs the gateway can mend (RFC 6749 section 5.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The OAuth client of this gateway at a provider, and the provider's addresses."""

    title: str
    client_id: str
    client_secret: str
    auth_url: str
    token_url: str
    revoke_url: str = ""
    ca_file: str = ""
    scopes: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What a token endpoint answered: a JSON object, or an empty one."""

    status: int
    body: Mapping[str, Any]
    wait: int | None = None


class TokenEndpoint:
    """Asks one provider's token endpoint; its sessions live as long as a question."""

    def __init__(self, registration: Registration, clock: Clock) -> None:
        self.registration = registration
        self.clock = clock
        self._log = structlog.get_logger("gateway.oauth")

    def authorize_url(self, asked: ConsentRequest) -> str:
        """Return the address of the consent screen (RFC 6749 section 4.1.1, RFC 7636)."""
        known = self.registration
        query = {
            "client_id": known.client_id,
            "response_type": "code",
            "redirect_uri": asked.redirect_uri,
            "scope": " ".join(known.scopes),
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": asked.challenge,
            "code_challenge_method": "S256",
            **known.extra,
        }
        if asked.login_hint:
            query["login_hint"] = asked.login_hint
        return f"{known.auth_url}?{urlencode(query)}"

    async def tokens(self, **fields: str) -> Mapping[str, Any]:
        """Ask for tokens; raise what the answer means (see ports.Consent)."""
        known = self.registration
        told = await self.post(
            known.token_url,
            {"client_id": known.client_id, "client_secret": known.client_secret, **fields},
        )
        if told.status == 200 and isinstance(told.body.get("access_token"), str):  # noqa: PLR2004 - OK
            return told.body
        raise self._meaning(told)

    def _meaning(self, told: Told) -> Exception:
        title = self.registration.title
        error = text_of(told.body, "error")
        if error in SIGN_IN_AGAIN:
            return SignInNeeded(f"{title} wants you to sign in again.")
        if error in OUR_FAULT or told.status in {401, 403}:
            name = error if error in OUR_FAULT else "refused"
            self._log.error("oauth.not_registered", provider=title, error=name)
            return NotRegistered(
                f"{title} does not accept this gateway ({name}). Whoever runs it must look at "
                "its client id and secret."
            )
        sentence = f"The sign-in service of {title} does not answer as it should."
        return Unavailable(sentence, told.wait)

    async def post(self, url: str, fields: Mapping[str, str]) -> Told:
        """Send a form; raise Unavailable where no answer comes within bounds."""
        title = self.registration.title
        try:
            async with asyncio.timeout(MAX_SECONDS), self._session() as session:
                return await self._ask(session, url, fields)
        except TimeoutError as error:
            raise Unavailable(f"The sign-in service of {title} did not answer in time.") from error
        except ssl.SSLError as error:
            raise Unavailable(f"The certificate of {title} is not trusted.") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise Unavailable(f"The certificate of {title} is not trusted.") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"The sign-in service of {title} cannot be reached.") from error

    async def _ask(
        self, session: aiohttp.ClientSession, url: str, fields: Mapping[str, str]
    ) -> Told:
        async with session.post(url, data=dict(fields), allow_redirects=False) as response:
            raw = await response.content.read(MAX_BYTES + 1)
            while len(raw) <= MAX_BYTES and not response.content.at_eof():
                raw += await response.content.read(MAX_BYTES + 1 - len(raw))
            wait = retry_after(response.headers, self.clock.now())
            return Told(response.status, _object(raw), wait)

    def _session(self) -> aiohttp.ClientSession:
        trusted = trusting(self.registration.ca_file, alone=True)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers={"Accept": "application/json", "User-Agent": "calgate"},
        )

    def expiry(self, told: Mapping[str, Any]) -> Instant:
        """Return when an access token ends; nonsense is neither "for ever" nor a failure."""
        try:
            seconds = int(float(told.get("expires_in", ASSUMED)))
        except (TypeError, ValueError, OverflowError):
            seconds = ASSUMED
        return self.clock.now() + min(max(seconds, SHORTEST), LONGEST)

    def claims(self, told: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """Return who the id token names (OpenID Connect Core section 3.1.3.7).

        It came straight from the token endpoint over a checked connection, so its signature says
        nothing more; that it is for us, for this sign-in and for now still counts.
        """
        claims = _payload(told.get("id_token"))
        audience = claims.get("aud")
        ours = self.registration.client_id in (
            audience if isinstance(audience, list) else [audience]
        )
        ends = claims.get("exp")
        alive = isinstance(ends, int | float) and ends > self.clock.now() - SKEW
        if not (ours and alive and claims.get("nonce") == nonce):
            raise Unavailable(f"{self.registration.title} did not say who signed in.")
        return claims

    @property
    def origin(self) -> str:
        """Where the consent screen lives."""
        parts = urlsplit(self.registration.auth_url)
        return f"{parts.scheme}://{parts.netloc}"


def renewed(grant: Grant, told: Mapping[str, Any], *, until: Instant) -> Grant:
    """Return a grant with the tokens of an answer.

    Scopes that it does not name are as asked for (RFC 6749 section 5.1); a refresh token that does
    not come stays.
    """
    refresh = told.get("refresh_token")
    return Grant(
        subject=grant.subject,
        email=grant.email,
        scopes=scopes_of(told) or grant.scopes,
        access_token=str(told["access_token"]),
        refresh_token=refresh if isinstance(refresh, str) and refresh else grant.refresh_token,
        expires_at=until,
    )


def scopes_of(told: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes that an answer names."""
    found = told.get("scope")
    return frozenset(found.split()) if isinstance(found, str) else frozenset()


def text_of(claims: Mapping[str, Any], *names: str) -> str:
    """Return the first claim that is a text."""
    for name in names:
        found = claims.get(name)
        if isinstance(found, str) and found:
            return found
    return ""


def _payload(token: object) -> Mapping[str, Any]:
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:  # noqa: PLR2004 - header, payload and signature (RFC 7515 section 3.1)
        return {}
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except (binascii.Error, ValueError):
        return {}
    return _object(raw)


def _object(raw: bytes) -> Mapping[str, Any]:
    if len(raw) > MAX_BYTES:
        return {}
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
