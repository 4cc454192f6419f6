"""Consent at Google: https://developers.google.com/identity/protocols/oauth2/web-server."""

from collections.abc import Mapping
from typing import Any

from gateway.adapters._oauth import Registration, TokenEndpoint, renewed, text_of
from gateway.errors import SignInNeeded, Unavailable
from gateway.model.grant import Grant
from gateway.ports import Clock, ConsentRequest

PREFIX = "https://www.googleapis.com/auth/"
SCOPES = (
    "openid",
    f"{PREFIX}userinfo.email",
    f"{PREFIX}calendar.readonly",
    f"{PREFIX}calendar.events.owned",
)
"""The least with which calendars can be listed and read, and one's own be written to."""
READS = frozenset({f"{PREFIX}calendar.readonly", f"{PREFIX}calendar"})
WRITES = frozenset(
    {f"{PREFIX}calendar.events.owned", f"{PREFIX}calendar.events", f"{PREFIX}calendar"}
)
SEES_CALENDARS = "See and download any calendar you can access using your Google Calendar"
CHANGES_EVENTS = "See, create, change, and delete events on Google calendars you own"
"""The boxes of Google's consent screen, in its own words."""
ISSUER = "accounts.google.com"
GONE = frozenset({400, 200})
"""Answers after which a token does not work: revoked now, or unknown already."""


class GoogleConsent:
    """Implements ports.Consent for Google Workspace and Gmail accounts."""

    title = "Google"

    def __init__(
        self,
        clock: Clock,
        *,
        client_id: str,
        client_secret: str,
        auth_url: str,
        token_url: str,
        revoke_url: str,
        ca_file: str = "",
    ) -> None:
        registration = Registration(
            title=self.title,
            client_id=client_id,
            client_secret=client_secret,
            auth_url=auth_url,
            token_url=token_url,
            revoke_url=revoke_url,
            ca_file=ca_file,
            scopes=SCOPES,
            # Without a new consent, or without "offline", no refresh token comes.
            extra={
                "access_type": "offline",
                "prompt": "consent select_account",
                "include_granted_scopes": "true",
            },
        )
        self._endpoint = TokenEndpoint(registration, clock)

    @property
    def origin(self) -> str:
        """Where the consent screen lives."""
        return self._endpoint.origin

    def authorize_url(self, asked: ConsentRequest) -> str:
        """Return the address of the consent screen."""
        return self._endpoint.authorize_url(asked)

    async def exchange(self, code: str, *, verifier: str, nonce: str, redirect_uri: str) -> Grant:
        """Trade a code for tokens, and see whose they are."""
        told = await self._endpoint.tokens(
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
        )
        return self._granted(told, nonce)

    def _granted(self, told: Mapping[str, Any], nonce: str) -> Grant:
        claims = self._endpoint.claims(told, nonce)
        subject = text_of(claims, "sub")
        if not subject or not self._is_issuer(text_of(claims, "iss")):
            raise Unavailable("Google did not say who signed in.")
        email = text_of(claims, "email") or subject
        who = Grant(subject=subject, email=email, scopes=frozenset(SCOPES))
        return renewed(who, told, until=self._endpoint.expiry(told))

    def _is_issuer(self, issuer: str) -> bool:
        return issuer in {ISSUER, f"https://{ISSUER}", self.origin}

    async def refresh(self, grant: Grant) -> Grant:
        """Fetch another access token."""
        if not grant.refresh_token:
            raise SignInNeeded("Google wants you to sign in again.")
        told = await self._endpoint.tokens(
            grant_type="refresh_token", refresh_token=grant.refresh_token
        )
        return renewed(grant, told, until=self._endpoint.expiry(told))

    async def revoke(self, grant: Grant) -> None:
        """End the grant at Google; its access tokens go with it."""
        told = await self._endpoint.post(
            self._endpoint.registration.revoke_url, {"token": grant.refresh_token}
        )
        if told.status not in GONE:
            raise Unavailable("Google does not take the consent back right now.", told.wait)

    def missing(self, grant: Grant) -> tuple[str, ...]:
        """Name the boxes that were not ticked."""
        reads = () if grant.scopes & READS else (SEES_CALENDARS,)
        return reads + (() if grant.scopes & WRITES else (CHANGES_EVENTS,))
