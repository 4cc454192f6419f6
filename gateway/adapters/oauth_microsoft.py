"""Consent at Microsoft: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow."""

from urllib.parse import urlsplit

from gateway.adapters._oauth import Registration, TokenEndpoint, renewed, text_of
from gateway.errors import SignInNeeded, Unavailable
from gateway.model.grant import Grant
from gateway.ports import Clock, ConsentRequest

OPENID = ("openid", "profile", "email", "offline_access")
GRAPH = ("User.Read", "MailboxSettings.Read", "Calendars.ReadWrite", "Calendars.ReadWrite.Shared")
PUBLIC = "graph.microsoft.com"
NATIONAL = frozenset(
    {"graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
)
"""Clouds whose scopes carry the address of their own Graph."""
WRITES = "calendars.readwrite"
CHANGES_CALENDARS = "Have full access to your calendars"
"""The line of Microsoft's consent screen, in its own words."""


class MicrosoftConsent:
    """Implements ports.Consent for work, school and personal Microsoft accounts."""

    title = "Office 365"

    def __init__(
        self,
        clock: Clock,
        *,
        client_id: str,
        client_secret: str,
        authority: str,
        graph_url: str,
        ca_file: str = "",
    ) -> None:
        base = f"{authority.rstrip('/')}/oauth2/v2.0"
        host = urlsplit(graph_url).hostname or PUBLIC
        prefix = f"https://{host}/" if host in NATIONAL else ""
        registration = Registration(
            title=self.title,
            client_id=client_id,
            client_secret=client_secret,
            auth_url=f"{base}/authorize",
            token_url=f"{base}/token",
            ca_file=ca_file,
            scopes=OPENID + tuple(prefix + scope for scope in GRAPH),
            extra={"response_mode": "query", "prompt": "select_account"},
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
            scope=self._scope,
        )
        claims = self._endpoint.claims(told, nonce)
        # An object id is unique within its tenant only, and both stay for good.
        tenant, person = text_of(claims, "tid"), text_of(claims, "oid", "sub")
        subject = f"{tenant}.{person}"
        issuer = f"{self.origin}/{tenant}/v2.0"
        if not (tenant and person and text_of(claims, "iss") == issuer):
            raise Unavailable("Microsoft did not say who signed in.")
        email = text_of(claims, "preferred_username", "email", "upn") or subject
        asked = frozenset(self._endpoint.registration.scopes)
        who = Grant(subject=subject, email=email, scopes=asked)
        return renewed(who, told, until=self._endpoint.expiry(told))

    async def refresh(self, grant: Grant) -> Grant:
        """Fetch another access token; the refresh token is a new one each time."""
        if not grant.refresh_token:
            raise SignInNeeded("Office 365 wants you to sign in again.")
        told = await self._endpoint.tokens(
            grant_type="refresh_token", refresh_token=grant.refresh_token, scope=self._scope
        )
        return renewed(grant, told, until=self._endpoint.expiry(told))

    async def revoke(self, grant: Grant) -> None:
        """Do nothing: Microsoft has no way for an application to end its own consent."""

    def missing(self, grant: Grant) -> tuple[str, ...]:
        """Name what was not allowed."""
        granted = {scope.rpartition("/")[2].lower() for scope in grant.scopes}
        return () if WRITES in granted else (CHANGES_CALENDARS,)

    @property
    def _scope(self) -> str:
        return " ".join(self._endpoint.registration.scopes)
