"""The JSON API as a client meets it: every answer is held against /api/openapi.json."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from aiohttp import ClientSession, web
from jsonschema import Draft202012Validator, FormatChecker

from gateway import ports
from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient
from gateway.adapters._shared import Shared
from gateway.adapters.registry import Registry
from gateway.model.principal import CredentialKind, Owner
from gateway.sandbox.ics_server import IcsServer
from gateway.services.claim import RateLimits
from gateway.services.registry import EdgeSettings, Services
from gateway.telemetry import Metrics
from gateway.web.app import build_app
from gateway.web.server import start_server
from tests.booking_desk import Desk, a_desk, closing
from tests.builders import an_event, an_owner
from tests.conftest import FakeClock
from tests.web_desk import services_of

API = "/api/v1"
FORMATS = FormatChecker(formats=())
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
METHODS = ("get", "put", "post", "patch", "delete")


@FORMATS.checks("date-time")
def is_instant(value: object) -> bool:
    """Tell whether a value is an RFC 3339 instant with an offset."""
    if not isinstance(value, str):
        return True
    try:
        return bool(RFC3339.fullmatch(value) and datetime.fromisoformat(value))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that the description allows."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The problem's code; empty for a success."""
        return self.body.get("code", "") if self.status >= 400 else ""

    @property
    def told(self) -> tuple[int, str]:
        """Status and code."""
        return self.status, self.code


Seen = tuple[str, int, str]
"""Operation, status, and the problem's code or nothing."""


class Judge(NamedTuple):
    """A schema, kept so that no other gets its identity, and what judges by it."""

    schema: dict[str, Any]
    validator: Draft202012Validator


VALIDATORS: dict[int, Judge] = {}
"""By the identity of the schema: making one costs more than most of what it judges."""


@cache
def described(text: str) -> dict[str, Any]:
    """Return the document of a text, the same one each time."""
    return json.loads(text)


@dataclass
class Description:
    """An OpenAPI document, and which of its answers were seen."""

    document: dict[str, Any]
    seen: set[Seen] = field(default_factory=set)

    def operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return path, method and operation of each."""
        return [
            (path, method, item[method])
            for path, item in self.document["paths"].items()
            for method in METHODS
            if method in item
        ]

    def promised(self) -> set[Seen]:
        """Return every answer that the document names."""
        return {
            (operation["operationId"], int(status), code)
            for _, _, operation in self.operations()
            for status, answer in operation["responses"].items()
            for code in codes_of(answer)
        }

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """Return the operation of a request; what is literal wins over `{id}`."""
        found = [
            (template.count("{"), operation)
            for template, its_method, operation in self.operations()
            if its_method == method.lower()
            and re.fullmatch(template.replace("{id}", "[^/]*"), path)
        ]
        assert found, f"{method} {path} is not described"
        return min(found, key=lambda one: one[0])[1]

    def body(self, method: str, path: str) -> dict[str, Any]:
        """Return the schema of what a request to this path carries."""
        content = self.operation(method, path)["requestBody"]["content"]
        schema: dict[str, Any] = content["application/json"]["schema"]
        return schema

    def hold(self, method: str, path: str, answer: web.Response | Any, data: bytes) -> Any:
        """Return the body of an answer that is exactly as described; fail for any other."""
        operation = self.operation(method, path)
        where = f"{method} {path}: {answer.status} {data[:300]!r}"
        described = operation["responses"].get(str(answer.status))
        assert described is not None, f"undescribed status: {where}"
        for name in described.get("headers", {}):
            assert name in answer.headers, f"{name} is missing: {where}"
        content = described.get("content")
        body = None
        if content is None:
            assert data == b"", where
        else:
            assert answer.content_type in content, where
            body = json.loads(data)
            self.validate(content[answer.content_type]["schema"], body, where)
        code = body["code"] if answer.status >= 400 else ""
        self.seen.add((operation["operationId"], answer.status, code))
        return body

    def validate(self, schema: dict[str, Any], body: Any, where: str) -> None:
        """Fail unless the body has the schema."""
        if id(schema) not in VALIDATORS:
            whole = {**schema, "components": self.document["components"]}
            VALIDATORS[id(schema)] = Judge(
                schema, Draft202012Validator(whole, format_checker=FORMATS)
            )
        wrong = [error.message for error in VALIDATORS[id(schema)].validator.iter_errors(body)]
        assert not wrong, f"{wrong}: {where}"


def codes_of(answer: dict[str, Any]) -> list[str]:
    """Return the codes that a described answer can have; one empty one for a success."""
    for content in answer.get("content", {}).values():
        for part in content["schema"].get("allOf", ()):
            if "code" in part.get("properties", {}):
                return part["properties"]["code"]["enum"]
    return [""]


@dataclass
class ApiDesk:
    """A running API with an owner, Jane, who has a token."""

    client: ClientSession
    app: web.Application
    services: Services
    desk: Desk
    description: Description
    token: str
    server: IcsServer

    def subscription(self, name: str) -> str:
        """Publish a calendar that can be connected; return its address."""
        self.server.calendars[name] = an_event("upstream@example.org", end="20261201T093000Z")
        return self.server.url(name)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """Send a request, as Jane if nothing else is said; hold the answer to the description."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.token}"
        if body is not None:
            options["json"] = body
        full = path if path.startswith("/api/") else API + path
        async with self.client.request(method, full, headers=sent, **options) as answer:
            data = await answer.read()
            found = self.description.hold(method, answer.url.path, answer, data)
            return Answer(answer.status, found, answer.headers)

    async def get(self, path: str, **query: str) -> Any:
        """Read something as Jane; return what it is."""
        answer = await self.call("GET", path, params=query)
        assert answer.status == 200, answer
        return answer.body

    async def token_of(self, owner: Owner) -> str:
        """Make a token."""
        _, secret = await self.services.owners.add_credential(
            owner.id, CredentialKind.API_TOKEN, "test"
        )
        return secret

    async def another(self, **values: Any) -> tuple[Owner, str]:
        """Make another owner, Bob, with a token."""
        bob = an_owner(**({"email": "bob@example.org", "name": "Bob"} | values))
        async with self.services.store.write() as tx:
            added = await tx.owners.add(bob, "hash")
        return added, await self.token_of(added)


@asynccontextmanager
async def api_desk(
    store: ports.Store, clock: FakeClock, owner: Owner, **options: Any
) -> AsyncIterator[ApiDesk]:
    """Serve the application over a store; Jane has a seat, calendars and a live page."""
    owner = replace(owner, seat=True)
    async with store.write() as tx:
        await tx.owners.update(owner)
    edge = options.pop("edge", EdgeSettings())
    client = GuardedClient(GuardOptions(allow_private=True))
    try:
        options.setdefault("sources", Registry(Shared(client=client, clock=clock)))
        options.setdefault("limits", RateLimits())
        async with (
            IcsServer() as server,
            closing(await a_desk(store, clock, owner, **options)) as desk,
            served(desk, edge, server) as opened,
        ):
            yield opened
    finally:
        await client.close()


@asynccontextmanager
async def served(desk: Desk, edge: EdgeSettings, server: IcsServer) -> AsyncIterator[ApiDesk]:
    """Serve the application over a booking desk."""
    services = services_of(desk, edge)
    app = build_app(services, Metrics(), metrics_for="none")
    serving = await start_server(app, "127.0.0.1", 0)
    try:
        async with ClientSession(f"http://127.0.0.1:{serving.port}") as client:
            async with client.get("/api/openapi.json") as answer:
                description = Description(described(await answer.text()))
            _, token = await services.owners.add_credential(
                desk.owner.id, CredentialKind.API_TOKEN, "test"
            )
            yield ApiDesk(client, app, services, desk, description, token, server)
    finally:
        await serving.stop()
