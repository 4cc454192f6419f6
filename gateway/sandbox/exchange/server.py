"""The simulated Exchange as a server: sign-in, faults on demand, operations, autodiscover, a log.

`POST /ews/exchange.asmx` in any case; `PUT /control/trouble` takes a JSON object with the fields of
Trouble, `DELETE` mends it, `GET /control/log` tells what came. The log only grows.
"""

import asyncio
import base64
import binascii
import contextlib
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from gateway.sandbox.exchange import ntlm
from gateway.sandbox.exchange.autodiscover import pox_answer
from gateway.sandbox.exchange.availability import AVAILABILITY
from gateway.sandbox.exchange.folders import FOLDERS
from gateway.sandbox.exchange.mailbox import Mailbox, Person
from gateway.sandbox.exchange.people import PEOPLE
from gateway.sandbox.exchange.reading import READING
from gateway.sandbox.exchange.soap import (
    EwsError,
    Request,
    envelope,
    fault,
    knows,
    read_request,
    schema_of,
)
from gateway.sandbox.exchange.writing import WRITING
from gateway.sandbox.faults import LOGIN_PAGE, Fault, spoiled
from gateway.sandbox.served import Served

OPERATIONS = {**READING, **WRITING, **FOLDERS, **PEOPLE, **AVAILABILITY}
XML = "text/xml; charset=utf-8"


class Trouble(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong: as with any server, and besides a response code for one operation or all.

    `drops_after` does what was asked and then drops the connection, `holds_after` answers so many
    seconds later; `only` names the operation that is meant, of all if empty; `back_off` goes with
    ErrorServerBusy, in milliseconds; `body` is answered in place of the true answer.
    """

    code: str = ""
    only: str = ""
    back_off: int = 0
    drops_after: bool = False
    holds_after: float = 0.0
    cas_error: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Logged:
    """One request: who signed in, what was asked, what was answered."""

    user: str
    operation: str
    status: int


@dataclass
class ExchangeServer(Served):
    """One server on loopback with its mailboxes."""

    version: str = "Exchange2016"
    methods: tuple[str, ...] = ("NTLM", "Basic")
    mailboxes: list[Mailbox] = field(default_factory=list)
    trouble: Trouble | None = None
    tls: ssl.SSLContext | None = None
    certificate: bytes = b""
    """Its own, in DER: NTLM is then bound to it (Extended Protection, the default since 2019)."""
    ews_url: str = ""
    """What autodiscover says; its own address if empty."""
    redirect_address: str = ""
    log: list[Logged] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Every refused sign-in, by its user name."""
    port: int = 0
    _signed_in: dict[object, Person] = field(default_factory=dict)
    _nonces: dict[object, bytes] = field(default_factory=dict)

    def application(self) -> web.Application:
        """Return the server and what breaks it."""
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_route("PUT", "/control/trouble", self._break)
        app.router.add_route("DELETE", "/control/trouble", self._mend)
        app.router.add_route("GET", "/control/log", self._tell_log)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    @property
    def url(self) -> str:
        """Return its EWS address."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}/EWS/Exchange.asmx"

    def add(self, address: str, password: str, *, user: str = "") -> Mailbox:
        """Make a person with an empty mailbox."""
        name = user or address.partition("@")[0]
        person = Person(address=address, user=name, password=password)
        self.mailboxes.append(Mailbox(person, self.mailboxes))
        return self.mailboxes[-1]

    def asked(self, operation: str) -> int:
        """Return how often an operation was asked for by somebody signed in."""
        return sum(one.operation == operation for one in self.log)

    def sign_out(self) -> None:
        """End every sign-in."""
        self._signed_in.clear()

    # --- control

    async def _break(self, request: web.Request) -> web.Response:
        try:
            self.trouble = msgspec.json.decode(await request.read(), type=Trouble)
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=f"{error}\n")
        return web.Response(status=204)

    async def _mend(self, _request: web.Request) -> web.Response:
        self.trouble = None
        return web.Response(status=204)

    async def _tell_log(self, _request: web.Request) -> web.Response:
        lines = [
            {"user": one.user, "operation": one.operation, "status": one.status} for one in self.log
        ]
        return web.Response(body=msgspec.json.encode(lines), content_type="application/json")

    # --- requests

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lower()
        if path not in {"/ews/exchange.asmx", "/autodiscover/autodiscover.xml"}:
            return web.Response(status=404, text="Not found\n")
        data = await request.read()
        trouble = self.trouble
        if trouble is not None and not trouble.only:
            await asyncio.sleep(trouble.delay)
            answer = _broken(trouble)
            if answer is not None:
                self.log.append(Logged("", "", answer.status))
                return answer
        person = self._person(request)
        if isinstance(person, web.Response):
            return person
        if request.method != "POST":
            return web.Response(status=405)
        if path.startswith("/autodiscover"):
            self.log.append(Logged(person.user, "Autodiscover", 200))
            url = self.ews_url or self.url
            text = pox_answer(data, url=url, redirect=self.redirect_address)
            return web.Response(body=text, headers={"Content-Type": XML})
        return await self._answer(request, person, data)

    async def _answer(
        self, request: web.Request, person: Person, data: bytes
    ) -> web.StreamResponse:
        try:
            asked = read_request(data)
        except ValueError:
            return web.Response(status=400, text="Bad Request\n")
        mailbox = next(one for one in self.mailboxes if one.person is person)
        status, schema, body = self._done(mailbox, asked)
        self.log.append(Logged(person.user, asked.operation, status))
        content = envelope(self.version, schema, body)
        trouble = self.trouble
        concerns = trouble is not None and trouble.only in {"", asked.operation}
        if trouble is not None and concerns:
            await asyncio.sleep(trouble.holds_after)
            if trouble.drops_after and request.transport is not None:
                request.transport.abort()
            if trouble.spoils_the_body:
                return await spoiled(request, trouble, content, XML, status=status)
            if trouble.body:
                content = trouble.body.encode()
            if trouble.truncate >= 0:
                content = content[: trouble.truncate]
        return web.Response(status=status, body=content, headers={"Content-Type": XML})

    def _done(self, mailbox: Mailbox, asked: Request) -> tuple[int, str, str]:
        schema = asked.schema if knows(self.version, asked.schema) else schema_of(self.version)
        try:
            return 200, schema, self._operation(asked)(mailbox, asked)
        except EwsError as error:
            return 500, schema, fault(error)

    def _operation(self, asked: Request) -> Callable[[Mailbox, Request], str]:
        trouble = self.trouble
        if not knows(self.version, asked.schema):
            raise EwsError("ErrorInvalidServerVersion", "The specified server version is invalid.")
        if trouble is not None and trouble.code and trouble.only in {"", asked.operation}:
            raise EwsError(trouble.code, back_off=trouble.back_off)
        operation = OPERATIONS.get(asked.operation)
        if operation is None:
            raise EwsError("ErrorInvalidRequest", "The request is invalid.")
        return operation

    # --- sign-in

    def _person(self, request: web.Request) -> Person | web.Response:
        connection = request.transport
        method, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            known = self._signed_in.get(connection)
            return known or self._refusal()
        try:
            raw = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return self._refusal()
        if method == "Basic" and "Basic" in self.methods:
            name, _, password = raw.decode("utf-8", "replace").partition(":")
            found = self._called(name)
            if found is not None and secrets.compare_digest(
                found.password.encode(), password.encode()
            ):
                return found
            self.refused.append(name)
            return self._refusal()
        if method in {"NTLM", "Negotiate"} and method in self.methods:
            return self._by_ntlm(connection, method, raw)
        return self._refusal()

    def _by_ntlm(self, connection: object, method: str, token: bytes) -> Person | web.Response:
        if ntlm.kind_of(token) == 1:
            nonce = self._nonces[connection] = secrets.token_bytes(8)
            headers = {"WWW-Authenticate": f"{method} {ntlm.challenge(nonce)}"}
            return web.Response(status=401, headers=headers)
        nonce = self._nonces.pop(connection, b"")
        with contextlib.suppress(Exception):
            _, name = ntlm.names_in(token)
            found = self._called(name)
            bound = not self.certificate or (
                ntlm.bindings_in(token) == ntlm.bindings_of(self.certificate)
            )
            right = found is not None and ntlm.answers(token, nonce, found.password)
            if nonce and bound and right and found is not None:
                self._signed_in[connection] = found
                return found
            self.refused.append(name)
        return self._refusal()

    def _called(self, name: str) -> Person | None:
        return next((one.person for one in self.mailboxes if one.person.is_called(name)), None)

    def _refusal(self) -> web.Response:
        response = web.Response(status=401, text="canary-internal\n")
        for method in self.methods:
            told = 'Basic realm="mail.example.org"' if method == "Basic" else method
            response.headers.add("WWW-Authenticate", told)
        return response


def _broken(trouble: Trouble) -> web.Response | None:
    if trouble.redirect:
        return web.Response(status=302, headers={"Location": trouble.redirect})
    if trouble.html:
        return web.Response(body=LOGIN_PAGE, content_type="text/html")
    if trouble.status:
        headers = {"X-CasErrorCode": trouble.cas_error} if trouble.cas_error else {}
        if trouble.retry_after:
            headers["Retry-After"] = trouble.retry_after
        return web.Response(status=trouble.status, headers=headers, text="canary-internal\n")
    return None
