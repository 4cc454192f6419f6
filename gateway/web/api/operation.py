"""An operation of the API: one row of the route table, from which routes and OpenAPI are made."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from gateway.errors import CalgateError, Invalid
from gateway.model.principal import Owner
from gateway.services.registry import Services
from gateway.web.api.auth import signed_in
from gateway.web.api.json_body import read_object
from gateway.web.api.problems import HEADERS, Problem, ProblemError, answer, problem_of

PREFIX = "/api/v1"
OPEN = {"Access-Control-Allow-Origin": "*"}
"""For what any site may read: it is the same for everybody, and no cookie is looked at."""
IDENTIFIER = "[A-Za-z0-9_-]{1,64}"
MAX_QUERY = 500
"""Characters of a query parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: who asks (None where anybody may), what for, and with what body."""

    services: Services
    request: web.Request
    owner: Owner | None
    body: Any = None

    @property
    def me(self) -> Owner:
        """The signed-in owner; an operation that is not public always has one."""
        assert self.owner is not None
        return self.owner

    @property
    def id(self) -> str:
        """The `{id}` of the path."""
        return self.request.match_info["id"]

    @property
    def key(self) -> str | None:
        """The Idempotency-Key, None where there is none; two of them are wrong."""
        keys = self.request.headers.getall(KEY.name, [])
        if len(keys) > 1:
            raise Invalid({KEY.name: "Send one key."})
        return keys[0] if keys else None

    def query(self, name: str) -> str:
        """Return a query parameter, empty where it is absent; a doubled or huge one is wrong."""
        values = self.request.query.getall(name, [])
        if len(values) > 1 or any(len(value) > MAX_QUERY for value in values):
            raise Invalid({name: "Give this once, and short."})
        return values[0] if values else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter or header of an operation."""

    name: str
    about: str
    required: bool = False
    where: str = "query"
    kind: str = "string"
    pattern: str = ""
    example: str = ""


KEY = Parameter(
    name="Idempotency-Key",
    about="1 to 255 visible ASCII characters, kept for at least 24 hours.",
    where="header",
    pattern="^[!-~]{1,255}$",
    example="2b1f6c1e-6a0f-4f0a-9c56-3f7d0e6f0a11",
)
Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Method and path under /api/v1, what it takes and gives, and who may.

    `gives` is the type of the answer, None for 204; `failures` are the codes of problems beside
    those that every operation of its kind can have.
    """

    name: str
    method: str
    path: str
    about: str
    handler: Handler
    takes: type | None = None
    gives: Any = None
    status: int = 200
    parameters: tuple[Parameter, ...] = ()
    public: bool = False
    failures: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """The path as the router wants it."""
        return PREFIX + self.path.replace("{id}", "{id:" + IDENTIFIER + "}")

    @property
    def shape(self) -> str:
        """The path as a regular expression; only what has an id's form counts as one."""
        return PREFIX + self.path.replace("{id}", IDENTIFIER)

    def route(self, services: Services) -> web.RouteDef:
        """Return the route: sign-in, body, handler, answer, and every failure as a problem."""

        async def handle(request: web.Request) -> web.Response:
            found = await respond(request)
            if self.public and self.method == "GET":
                found.headers.update(OPEN)
            return found

        async def respond(request: web.Request) -> web.Response:
            try:
                owner = None if self.public else await signed_in(services, request)
                body = await self._body(request)
                found = await self.handler(
                    Call(services=services, request=request, owner=owner, body=body)
                )
            except CalgateError as error:
                return answer(problem_of(error))
            except ProblemError as error:
                return answer(error.problem)
            except web.HTTPRequestEntityTooLarge:
                return answer(
                    Problem(status=413, code="too_large", detail="The body is too large.")
                )
            return self._answer(found)

        # A route for GET answers HEAD too, as everywhere.
        make = web.get if self.method == "GET" else partial(web.route, self.method)
        return make(self.pattern, handle)

    async def _body(self, request: web.Request) -> Any:
        if self.takes is None:
            return None
        value = await read_object(request)
        try:
            return msgspec.convert(value, self.takes)
        except msgspec.ValidationError as error:
            raise Invalid(_fields(error)) from None

    def _answer(self, found: Any) -> web.Response:
        if self.gives is None:
            return web.Response(status=204, headers=HEADERS)
        return web.Response(
            status=self.status,
            body=msgspec.json.encode(found),
            content_type="application/json",
            headers=HEADERS,
        )


def _fields(error: msgspec.ValidationError) -> dict[str, str]:
    """Return the wrong member and what is wrong with it; the input itself is not repeated.

    msgspec says `Expected …, got … - at `$.durations[0]``, or names a member in the sentence.
    """
    sentence, _, path = str(error).partition(" - at `")
    steps = path.rstrip("`").removeprefix("$").strip(".")
    member = steps.partition(".")[0].partition("[")[0]
    if "field `" in sentence:
        named = sentence.partition("field `")[2].partition("`")[0]
        member = member or named
    return {(member or "body")[:100]: sentence[:300] + "."}
