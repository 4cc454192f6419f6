"""Microsoft's sign-in: the consent page, the token endpoint with its AADSTS errors, discovery."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import urlencode

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from gateway.sandbox.microsoft.call import Json
from gateway.sandbox.microsoft.world import ACCESS_SECONDS, TENANT, Code, Grant, World
from gateway.sandbox.signing import signing_key

CODE_SECONDS = 600
OPENID = frozenset({"openid", "profile", "email", "offline_access"})
AADSTS = {
    "invalid_grant": 70000,
    "interaction_required": 50076,
    "consent_required": 65001,
    "login_required": 50058,
    "invalid_client": 7000215,
    "unsupported_grant_type": 70003,
    "invalid_request": 900144,
}


class Refusal(Exception):
    """An error of the token endpoint."""

    def __init__(self, error: str, *, code: int = 0, suberror: str = "") -> None:
        super().__init__(error)
        number = code or AADSTS.get(error, 90000)
        self.status = 401 if error == "invalid_client" else 400
        self.body: Json = {
            "error": error,
            "error_description": f"AADSTS{number}: canary-internal.",
            "error_codes": [number],
            "correlation_id": "0",
        } | ({"suberror": suberror} if suberror else {})


@dataclass
class Login:
    """The endpoints of an authority; `clients` maps a client's id to its secret."""

    world: World
    root: str = ""
    clients: dict[str, str] = field(default_factory=lambda: {"sandbox": "secret"})

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses under any tenant."""
        return [
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
            web.get("/{tenant}/discovery/v2.0/keys", self._keys),
            web.get("/{tenant}/oauth2/v2.0/authorize", self._authorize),
            web.post("/{tenant}/oauth2/v2.0/authorize", self._decide),
        ]

    async def _configuration(self, request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        base = f"{self.root}/{tenant}"
        named = TENANT if tenant == TENANT else "{tenantid}"
        return web.json_response(
            {
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "issuer": f"{self.root}/{named}/v2.0",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "response_types_supported": ["code", "id_token"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "subject_types_supported": ["pairwise"],
                "scopes_supported": sorted(OPENID),
            }
        )

    async def _keys(self, request: web.Request) -> web.Response:
        del request
        numbers = signing_key("microsoft").public_key().public_numbers()
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "sandbox"}
        return web.json_response(
            {"keys": [key | {"n": _number(numbers.n), "e": _number(numbers.e)}]}
        )

    # --- consent ---------------------------------------------------------------------------------

    async def _authorize(self, request: web.Request) -> web.Response:
        problem = self._problem(request)
        if problem:
            return web.Response(status=400, text=problem)
        return web.Response(text=self._page(request), content_type="text/html")

    def _problem(self, request: web.Request) -> str:
        query = request.query
        if query.get("client_id") not in self.clients:
            return "AADSTS700016: Application was not found in the directory.\n"
        if not query.get("redirect_uri", "").startswith(("http://", "https://")):
            return "AADSTS50011: The redirect URI does not match.\n"
        if query.get("response_type") != "code":
            return "AADSTS900144: The request must contain response_type.\n"
        return ""

    def _page(self, request: web.Request) -> str:
        query = request.query
        hint = query.get("login_hint", "")
        accounts = "".join(
            f"<option value='{escape(address)}'{' selected' if address == hint else ''}>"
            f"{escape(mailbox.name)} ({escape(address)})</option>"
            for address, mailbox in self.world.mailboxes.items()
        )
        scopes = "".join(f"<li>{escape(one)}</li>" for one in query.get("scope", "").split())
        return (
            "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>"
            "<title>Sign in - Simulated Microsoft</title></head><body><main>"
            "<h1>Permissions requested</h1>"
            f"<p>{escape(query['client_id'])} would like to:</p><ul>{scopes}</ul>"
            f"<form method='post' action='?{escape(request.query_string)}'>"
            f"<p><label>Account <select name='account'>{accounts}</select></label></p>"
            "<button name='answer' value='accept'>Accept</button> "
            "<button name='answer' value='cancel'>Cancel</button></form></main></body></html>"
        )

    async def _decide(self, request: web.Request) -> web.Response:
        query, form = request.query, await request.post()
        problem = self._problem(request)
        address = str(form.get("account", ""))
        if problem or address not in self.world.mailboxes:
            return web.Response(status=400, text=problem or "AADSTS50034: No such account.\n")
        answer = {"state": query.get("state", "")}
        if form.get("answer") != "accept":
            answer |= {"error": "access_denied", "error_description": "AADSTS65004: Declined."}
        else:
            answer["code"] = self._code(query, address)
        mode = query.get("response_mode", "query")
        if mode == "form_post":
            fields = "".join(
                f"<input type='hidden' name='{name}' value='{escape(value)}'>"
                for name, value in answer.items()
            )
            text = (
                "<!DOCTYPE html><html lang='en'><title>Continue</title>"
                f"<form method='post' action='{escape(query['redirect_uri'])}'>{fields}"
                "<button>Continue</button></form></html>"
            )
            return web.Response(text=text, content_type="text/html")
        separator = "&" if "?" in query["redirect_uri"] else "?"
        location = f"{query['redirect_uri']}{separator}{urlencode(answer)}"
        return web.Response(status=302, headers={"Location": location})

    def _code(self, query: Mapping[str, str], address: str) -> str:
        get = query.get
        code = "0.A" + secrets.token_urlsafe(48)
        scopes = frozenset((get("scope") or "").split()) - self.world.hidden_scopes
        self.world.codes[code] = Code(
            address=address,
            client_id=query["client_id"],
            redirect_uri=query["redirect_uri"],
            scopes=scopes,
            challenge=get("code_challenge") or "",
            nonce=get("nonce") or "",
            expires=self.world.now() + CODE_SECONDS,
        )
        return code

    # --- tokens ----------------------------------------------------------------------------------

    async def token(self, request: web.Request) -> Json:
        """Answer the token endpoint: a code or a refresh token for access."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        client_id = form.get("client_id", "")
        known = self.clients.get(client_id, "")
        if not known or not hmac.compare_digest(
            known.encode(), form.get("client_secret", "").encode()
        ):
            raise Refusal("invalid_client")
        if form.get("grant_type") == "authorization_code":
            return self._exchange(form, client_id)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form, client_id)
        raise Refusal("unsupported_grant_type")

    def _exchange(self, form: dict[str, str], client_id: str) -> Json:
        code = self.world.codes.pop(form.get("code", ""), None)
        if code is None or code.client_id != client_id or code.expires < self.world.now():
            raise Refusal("invalid_grant", code=54005)
        if code.redirect_uri != form.get("redirect_uri"):
            raise Refusal("invalid_grant", code=50011)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if code.challenge and code.challenge != _text(verifier):
            raise Refusal("invalid_grant", code=501481)
        grant = self.world.grant(code.address, code.scopes, client_id=client_id)
        return self._answer(grant) | self._identity(grant, code.nonce)

    def _refresh(self, form: dict[str, str], client_id: str) -> Json:
        if self.world.refuses_refresh:
            raise Refusal(self.world.refuses_refresh, code=50173)
        grant = self.world.grants.get(form.get("refresh_token", ""))
        if grant is None or grant.client_id != client_id:
            raise Refusal("invalid_grant", code=700082)
        # Rotation: the used one is no good any more.
        del self.world.grants[grant.refresh_token]
        grant.refresh_token = f"0.A{secrets.token_urlsafe(32)}"
        self.world.grants[grant.refresh_token] = grant
        return self._answer(grant) | self._identity(grant, "")

    def _answer(self, grant: Grant) -> Json:
        answer: Json = {
            "token_type": "Bearer",
            "scope": " ".join(sorted(grant.scopes - OPENID)),
            "expires_in": int(ACCESS_SECONDS) - 1,
            "ext_expires_in": int(ACCESS_SECONDS) - 1,
            "access_token": self.world.access_token(grant),
        }
        if "offline_access" in grant.scopes:
            answer["refresh_token"] = grant.refresh_token
        return answer

    def _identity(self, grant: Grant, nonce: str) -> Json:
        if "openid" not in grant.scopes:
            return {}
        mailbox, now = self.world.mailboxes[grant.address], int(self.world.now())
        claims = {
            "iss": f"{self.root}/{TENANT}/v2.0",
            "aud": grant.client_id,
            "sub": f"{mailbox.object_id}-{grant.client_id}",
            "oid": mailbox.object_id,
            "tid": TENANT,
            "name": mailbox.name,
            "preferred_username": mailbox.address,
            "email": mailbox.address,
            "iat": now,
            "nbf": now,
            "exp": now + int(ACCESS_SECONDS),
            "ver": "2.0",
            **({"nonce": nonce} if nonce else {}),
        }
        head = {"alg": "RS256", "kid": "sandbox", "typ": "JWT"}
        signed = f"{_text(json.dumps(head).encode())}.{_text(json.dumps(claims).encode())}"
        signature = signing_key("microsoft").sign(
            signed.encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        information = _text(json.dumps({"uid": mailbox.object_id, "utid": TENANT}).encode())
        return {"id_token": f"{signed}.{_text(signature)}", "client_info": information}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))
