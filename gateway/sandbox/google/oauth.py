"""Google's sign-in: the consent page, the token endpoint, revocation, and who somebody is."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import unquote, urlencode

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from gateway.sandbox.google.call import Json
from gateway.sandbox.google.world import ACCESS_SECONDS, Code, Grant, World
from gateway.sandbox.signing import signing_key

CODE_SECONDS = 600
ISSUER = "https://accounts.google.com"


class Refusal(Exception):
    """An error of RFC 6749 section 5.2."""

    def __init__(self, status: int, error: str, description: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description or error}


@dataclass
class OAuth:
    """The endpoints; `clients` maps a client's id to its secret."""

    world: World
    clients: dict[str, str] = field(default_factory=lambda: {"sandbox": "secret"})

    # --- consent ---------------------------------------------------------------------------------

    async def authorize(self, request: web.Request) -> web.Response:
        """Show who asks for what; each scope has a box of its own."""
        query = request.query
        problem = self._problem(query.get("client_id", ""), query.get("redirect_uri", ""))
        if problem or query.get("response_type") != "code":
            return web.Response(status=400, text=problem or "Error 400: invalid_request\n")
        return web.Response(text=self._page(request), content_type="text/html")

    def _problem(self, client_id: str, redirect_uri: str) -> str:
        if client_id not in self.clients:
            return "Error 401: invalid_client\n"
        if not redirect_uri.startswith(("http://", "https://")):
            return "Error 400: redirect_uri_mismatch\n"
        return ""

    def _page(self, request: web.Request) -> str:
        query = request.query
        hint = query.get("login_hint", "")
        accounts = "".join(
            f"<option value='{escape(email)}'{' selected' if email == hint else ''}>"
            f"{escape(account.name)} ({escape(email)})</option>"
            for email, account in self.world.accounts.items()
        )
        boxes = "".join(
            f"<li><label><input type='checkbox' name='scope' value='{escape(scope)}'"
            f"{'' if scope in self.world.hidden_scopes else ' checked'}> {escape(scope)}"
            "</label></li>"
            for scope in query.get("scope", "").split()
        )
        return (
            "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>"
            "<title>Sign in - Simulated Google</title></head><body><main>"
            f"<h1>{escape(query['client_id'])} wants to access your Simulated Google Account</h1>"
            f"<form method='post' action='?{escape(request.query_string)}'>"
            f"<p><label>Account <select name='email'>{accounts}</select></label></p>"
            f"<ul>{boxes}</ul><button name='answer' value='allow'>Allow</button> "
            "<button name='answer' value='deny'>Cancel</button></form></main></body></html>"
        )

    async def decide(self, request: web.Request) -> web.Response:
        """Take the answer back to the client with a code, or with access_denied."""
        query, form = request.query, await request.post()
        problem = self._problem(query.get("client_id", ""), query.get("redirect_uri", ""))
        email = str(form.get("email", ""))
        if problem or email not in self.world.accounts:
            return web.Response(status=400, text=problem or "Error 400: no such account\n")
        answer = {"state": query.get("state", "")}
        if form.get("answer") != "allow":
            answer["error"] = "access_denied"
        else:
            asked = set(query.get("scope", "").split())
            ticked = {str(one) for one in form.getall("scope", [])} & asked
            answer["code"] = self._code(query, email, frozenset(ticked | (asked & {"openid"})))
            answer["scope"] = " ".join(sorted(ticked))
        separator = "&" if "?" in query["redirect_uri"] else "?"
        location = f"{query['redirect_uri']}{separator}{urlencode(answer)}"
        return web.Response(status=302, headers={"Location": location})

    def _code(self, query: Mapping[str, str], email: str, scopes: frozenset[str]) -> str:
        get = query.get
        client_id = query["client_id"]
        earlier = [
            one
            for one in self.world.grants.values()
            if one.email == email and one.client_id == client_id
        ]
        if get("include_granted_scopes") == "true":
            scopes = scopes.union(*(one.scopes for one in earlier))
        wants_consent = "consent" in (get("prompt") or "").split()
        code = "4/" + secrets.token_urlsafe(32)
        self.world.codes[code] = Code(
            email=email,
            client_id=client_id,
            redirect_uri=query["redirect_uri"],
            scopes=scopes,
            challenge=get("code_challenge") or "",
            # Without a new consent no second refresh token is given.
            offline=get("access_type") == "offline" and (wants_consent or not earlier),
            nonce=get("nonce") or "",
            expires=self.world.now() + CODE_SECONDS,
        )
        return code

    # --- tokens ----------------------------------------------------------------------------------

    async def token(self, request: web.Request) -> Json:
        """Answer the token endpoint: a code or a refresh token for access."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        client_id = self._client(request, form)
        if form.get("grant_type") == "authorization_code":
            return self._exchange(form, client_id)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form, client_id)
        raise Refusal(400, "unsupported_grant_type")

    def _client(self, request: web.Request, form: dict[str, str]) -> str:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        header = request.headers.get("Authorization", "")
        if header.startswith("Basic "):
            told = base64.b64decode(header[6:]).decode().partition(":")
            client_id, secret = unquote(told[0]), unquote(told[2])
        known = self.clients.get(client_id)
        if known is None or not hmac.compare_digest(known.encode(), secret.encode()):
            raise Refusal(401, "invalid_client", "The OAuth client was not found.")
        return client_id

    def _exchange(self, form: dict[str, str], client_id: str) -> Json:
        code = self.world.codes.pop(form.get("code", ""), None)
        if code is None or code.client_id != client_id or code.expires < self.world.now():
            raise Refusal(400, "invalid_grant", "Bad Request")
        if code.redirect_uri != form.get("redirect_uri"):
            raise Refusal(400, "redirect_uri_mismatch", "Bad Request")
        if code.challenge and code.challenge != _challenge(form.get("code_verifier", "")):
            raise Refusal(400, "invalid_grant", "Missing or invalid code verifier.")
        grant = self.world.grant(code.email, code.scopes, client_id=client_id)
        answer = self._answer(grant)
        if code.offline:
            answer["refresh_token"] = grant.refresh_token
        if "openid" in grant.scopes:
            answer["id_token"] = self._id_token(grant, code.nonce)
        return answer

    def _refresh(self, form: dict[str, str], client_id: str) -> Json:
        if self.world.refuses_refresh:
            raise Refusal(400, self.world.refuses_refresh, "Token has been expired or revoked.")
        grant = self.world.grants.get(form.get("refresh_token", ""))
        if grant is None or grant.client_id != client_id:
            raise Refusal(400, "invalid_grant", "Token has been expired or revoked.")
        return self._answer(grant)

    def _answer(self, grant: Grant) -> Json:
        return {
            "access_token": self.world.access_token(grant),
            "expires_in": ACCESS_SECONDS - 1,
            "scope": " ".join(sorted(grant.scopes)),
            "token_type": "Bearer",
        }

    async def revoke(self, request: web.Request) -> Json:
        """Take a refresh or access token back, and with it the whole grant."""
        token = str((await request.post()).get("token", request.query.get("token", "")))
        grant = self.world.grants.get(token) or self.world.grant_of(token)
        if grant is None:
            raise Refusal(400, "invalid_token", "Token expired or revoked")
        del self.world.grants[grant.refresh_token]
        return {}

    # --- identity --------------------------------------------------------------------------------

    def userinfo(self, grant: Grant) -> Json:
        """Answer who somebody is."""
        account = self.world.accounts[grant.email]
        return {"sub": account.sub, "email": account.email, "email_verified": True}

    def tokeninfo(self, token: str) -> Json:
        """Answer what a token stands for."""
        grant = self.world.grant_of(token)
        if grant is None:
            raise Refusal(400, "invalid_token", "Invalid Value")
        return {
            "aud": grant.client_id,
            "sub": self.world.accounts[grant.email].sub,
            "scope": " ".join(sorted(grant.scopes)),
            "expires_in": str(int(grant.access_tokens[token] - self.world.now())),
            "email": grant.email,
        }

    def certs(self) -> Json:
        """Answer with the key that signs identities, as a JWK set."""
        numbers = signing_key("google").public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "kid": "sandbox",
                    "n": _number(numbers.n),
                    "e": _number(numbers.e),
                }
            ]
        }

    def _id_token(self, grant: Grant, nonce: str) -> str:
        account, now = self.world.accounts[grant.email], int(self.world.now())
        claims = {
            "iss": ISSUER,
            "aud": grant.client_id,
            "azp": grant.client_id,
            "sub": account.sub,
            "email": account.email,
            "email_verified": True,
            "iat": now,
            "exp": now + ACCESS_SECONDS,
            **({"nonce": nonce} if nonce else {}),
        }
        head = {"alg": "RS256", "kid": "sandbox", "typ": "JWT"}
        signed = f"{_text(json.dumps(head).encode())}.{_text(json.dumps(claims).encode())}"
        signature = signing_key("google").sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_text(signature)}"


def _challenge(verifier: str) -> str:
    return _text(hashlib.sha256(verifier.encode()).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))
