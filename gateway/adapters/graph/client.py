"""One mailbox's calls to Graph: tokens, preferences, pages, and how often it may be asked.

Law: only a JSON object is an answer; a page without its end is nothing; a link is followed as it
is, and only to where Graph is, for the token goes with it (docs/adr/0011).
"""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote, urlencode

from yarl import URL

from gateway.adapters._gates import Gate
from gateway.adapters._http import Answer, GuardedClient, Target, Unreachable, retry_after
from gateway.adapters._shared import Endpoint
from gateway.adapters.graph.answers import LATER, NO_ANSWER, GraphRefusal
from gateway.adapters.graph.fields import text_of
from gateway.errors import Unavailable
from gateway.ports import Clock, TokenSource

AT_ONCE = 4
"""How many calls Graph takes from an application for one mailbox at a time."""
ATTEMPTS = 3
FIRST_WAIT, LONGEST_WAIT = 0.2, 5
PAGE = 200
MAX_PAGES = 1_000
NO_CONTENT = frozenset({202, 204})
INCOMPLETE = "The answer of Office 365 was incomplete."

Json = dict[str, Any]
P = ParamSpec("P")
T = TypeVar("T")


def told(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a refusal of Graph come out as one of the three failures of a port."""

    @wraps(work)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await work(*args, **kwargs)
        except GraphRefusal as refusal:
            raise refusal.as_failure() from refusal

    return wrapped


def path(*parts: str, **query: str | int) -> str:
    """Return a path below the root, its parts escaped; `_` in a name of the query is `$`."""
    asked = {name.replace("_", "$", 1): value for name, value in query.items()}
    text = "/".join(quote(part, safe="") for part in parts)
    return f"{text}?{urlencode(asked, quote_via=quote)}" if asked else text


class GraphClient:
    """Sends requests for one account; raises GraphRefusal, Unavailable or SignInNeeded."""

    def __init__(
        self,
        endpoint: Endpoint,
        guarded: GuardedClient,
        tokens: TokenSource,
        clock: Clock,
        *,
        gate: Gate,
    ) -> None:
        self._root = URL(endpoint.url.rstrip("/") + "/")
        self._guarded = guarded.configured(ca_file=endpoint.ca_file)
        self._tokens = tokens
        self._clock = clock
        self._gate = gate

    async def read(self, where: str, *, body: Json | None = None) -> Json:
        """Ask a question; what fails in passing is asked again at once, a few times."""
        for attempt in range(ATTEMPTS):
            try:
                return await self.call("GET" if body is None else "POST", where, body=body)
            except GraphRefusal as refusal:
                last = attempt == ATTEMPTS - 1
                if last or not refusal.is_passing or (refusal.wait or 0) > LONGEST_WAIT:
                    raise
                wait = refusal.wait or FIRST_WAIT * 2**attempt
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        raise AssertionError("the last attempt returns or raises")

    async def pages(self, where: str) -> AsyncIterator[Json]:
        """Yield the pages of a list, the last one included."""
        seen: set[str] = set()
        while True:
            page = await self.read(where)
            if not isinstance(page.get("value"), list):
                raise Unavailable(INCOMPLETE)
            yield page
            where = text_of(page, "@odata.nextLink")
            if not where:
                return
            if where in seen or len(seen) >= MAX_PAGES:
                raise Unavailable("The answer of Office 365 has no end.")
            seen.add(where)

    async def call(
        self, method: str, where: str, *, body: Json | None = None, if_match: str = ""
    ) -> Json:
        """Send one request; raise GraphRefusal for what is no success."""
        token = await self._tokens.access_token()
        try:
            return await self._send(method, where, token, body, if_match)
        except GraphRefusal as refusal:
            if refusal.status != 401:  # noqa: PLR2004 - Unauthorized
                raise
        token = await self._tokens.access_token(rejected=token)
        return await self._send(method, where, token, body, if_match)

    async def write(
        self, method: str, where: str, *, body: Json | None = None, if_match: str = ""
    ) -> Json:
        """Send a write once; what broke off on the way is an unclear answer."""
        try:
            return await self.call(method, where, body=body, if_match=if_match)
        except Unreachable:
            raise  # nothing was sent
        except Unavailable as error:
            raise GraphRefusal(NO_ANSWER) from error

    async def close(self) -> None:
        """Nothing of its own: other accounts ask by the same connections."""

    async def _send(
        self, method: str, where: str, token: str, body: Json | None, if_match: str
    ) -> Json:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Prefer": (
                'IdType="ImmutableId", outlook.timezone="UTC", '
                f'outlook.body-content-type="text", odata.maxpagesize={PAGE}'
            ),
            "client-request-id": str(uuid.uuid4()),
        }
        if if_match:
            headers["If-Match"] = if_match
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        target = self._target(where)
        self._gate.check(self._clock.now(), LATER)
        async with self._gate.slots:
            answer = await self._guarded.request(
                method, target, headers=headers, body=data, follow=False
            )
        return self._read(answer)

    def _target(self, where: str) -> Target:
        url = self._root.join(URL(where, encoded=True))
        if url.origin() != self._root.origin() or not url.path.startswith(self._root.path):
            raise Unavailable("Office 365 sends us to an address that is not its own.")
        return Target(url=url)

    def _read(self, answer: Answer) -> Json:
        found = _object(answer)
        status = answer.status
        if 200 <= status < 300:  # noqa: PLR2004 - success
            if status in NO_CONTENT and not answer.body:
                return {}
            if found is None:
                raise GraphRefusal(NO_ANSWER)
            return found
        refusal = GraphRefusal(
            status if status >= 400 else NO_ANSWER,  # noqa: PLR2004 - a redirect is no answer
            text_of(found, "error", "code"),
            retry_after(answer.headers, self._clock.now()),
        )
        if refusal.is_rate and (refusal.wait or 0) > LONGEST_WAIT:
            self._gate.close_for(refusal.wait or 0, self._clock.now())
        raise refusal


def _object(answer: Answer) -> Json | None:
    if "json" not in answer.headers.get("Content-Type", ""):
        return None
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
