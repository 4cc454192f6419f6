"""A provider's token endpoint as a real HTTP server: codes, PKCE, rotation, faults, and a log."""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.services.consent import challenge_of

CLIENT, SECRET = "client-1", "client-secret-canary"
SCOPES = (
    "openid https://www.googleapis.com/auth/userinfo.email "
    "https://www.googleapis.com/auth/calendar.readonly "
    "https://www.googleapis.com/auth/calendar.events.owned"
)


@dataclass
class Code:
    """A code as the consent screen would have given it out."""

    challenge: str
    nonce: str
    redirect_uri: str
    subject: str = "sub-1"
    email: str = "jane@gmail.example"
    scope: str = SCOPES
    offline: bool = True
    claims: dict[str, Any] = field(default_factory=dict)


class TokenEndpoint:
    """`answers` are given instead of the true ones, first come first served."""

    def __init__(self) -> None:
        self.codes: dict[str, Code] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.answers: list[tuple[int, str]] = []
        self.log: list[tuple[str, dict[str, str]]] = []
        self.rotates = False
        self.expires_in: Any = 3600
        self.pause = 0.0
        self.open = asyncio.Event()
        """While it is not set, answers are held back, after their effect."""
        self.open.set()
        self.now = 0
        self._made = 0
        self._server: TestServer | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_post("/common/oauth2/v2.0/token", self._token)
        app.router.add_post("/revoke", self._revoke)
        self._server = TestServer(app)
        await self._server.start_server()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server
        await self._server.close()

    def url(self, path: str = "") -> str:
        """Return an address of the endpoint."""
        assert self._server
        return str(self._server.make_url(path or "/")).rstrip("/")

    @property
    def asked(self) -> list[str]:
        """What was asked for, in order."""
        return [fields.get("grant_type", path) for path, fields in self.log]

    def hand_out(self, token: str, subject: str = "sub-1") -> str:
        """Know a refresh token."""
        self.refresh_tokens[token] = subject
        return token

    async def _token(self, request: web.Request) -> web.Response:
        fields = {key: str(value) for key, value in (await request.post()).items()}
        self.log.append((request.path, fields))
        await asyncio.sleep(self.pause)
        answer = self._answer(request, fields)
        await self.open.wait()
        return answer

    def _answer(self, request: web.Request, fields: dict[str, str]) -> web.Response:
        if self.answers:
            status, text = self.answers.pop(0)
            return web.Response(status=status, text=text, content_type="application/json")
        if (fields.get("client_id"), fields.get("client_secret")) != (CLIENT, SECRET):
            return _refused(401, "invalid_client")
        if fields.get("grant_type") == "refresh_token":
            return self._refreshed(fields)
        is_google = request.path == "/token"
        issuer = "https://accounts.google.com" if is_google else f"{self.url()}/tenant-1/v2.0"
        return self._exchanged(fields, issuer)

    def _refreshed(self, fields: dict[str, str]) -> web.Response:
        subject = self.refresh_tokens.get(fields.get("refresh_token", ""))
        if subject is None:
            return _refused(400, "invalid_grant")
        told = self._tokens()
        if self.rotates:
            del self.refresh_tokens[fields["refresh_token"]]
            told["refresh_token"] = self.hand_out(f"refresh-{self._made}", subject)
        return web.json_response(told)

    def _exchanged(self, fields: dict[str, str], issuer: str) -> web.Response:
        code = self.codes.pop(fields.get("code", ""), None)
        if (
            code is None
            or code.challenge != challenge_of(fields.get("code_verifier", "-"))
            or code.redirect_uri != fields.get("redirect_uri")
        ):
            return _refused(400, "invalid_grant")
        claims = {
            "iss": issuer,
            "aud": CLIENT,
            "exp": self.now + 3600,
            "nonce": code.nonce,
            "sub": code.subject,
            "oid": code.subject,
            "tid": "tenant-1",
            "email": code.email,
            "preferred_username": code.email,
        } | code.claims
        told = self._tokens() | {"scope": code.scope, "id_token": _token(claims)}
        if code.offline:
            told["refresh_token"] = self.hand_out(f"refresh-{self._made}", code.subject)
        return web.json_response(told)

    def _tokens(self) -> dict[str, Any]:
        self._made += 1
        return {
            "access_token": f"access-{self._made}",
            "token_type": "Bearer",
            "expires_in": self.expires_in,
        }

    async def _revoke(self, request: web.Request) -> web.Response:
        fields = {key: str(value) for key, value in (await request.post()).items()}
        self.log.append(("/revoke", fields))
        if self.answers:
            status, text = self.answers.pop(0)
            return web.Response(status=status, text=text)
        known = self.refresh_tokens.pop(fields.get("token", ""), None)
        return web.Response(status=200 if known else 400, text="{}")


def _refused(status: int, error: str) -> web.Response:
    return web.json_response({"error": error, "error_description": "canary"}, status=status)


def _token(claims: dict[str, Any]) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"
