"""Google's own client on our wire: one wire a call, in a thread, its bytes sent by the loop.

Law: a token is renewed once for a call that was answered 401, here and nowhere else; an answer that
is no JSON object is no answer; deadline, size and trust are the guarded client's (docs/adr/0010).
"""

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol, TypeAlias

from yarl import URL

from gateway.adapters._http import GuardedClient, Target, retry_after
from gateway.adapters._shared import Endpoint
from gateway.adapters._threads import CURRENT
from gateway.adapters.google.answers import NO_ANSWER, GoogleRefusal, reason_of
from gateway.errors import Unavailable
from gateway.ports import Clock, TokenSource

Json: TypeAlias = dict[str, Any]
Service: TypeAlias = Any
"""What the discovery document describes; the library makes its methods while it runs."""
Ask: TypeAlias = Callable[[Service], "Request"]

SECONDS = 40.0
"""How long one call may take, its place in the queue included."""
ATTEMPTS = 3
FIRST_WAIT = 0.25
LONGEST_WAIT = 2
"""What asks for a longer wait ends the read; the next tick comes anyway."""
USER_AGENT = "calgate"


class Request(Protocol):
    """A request of Google's client (googleapiclient.http.HttpRequest)."""

    headers: dict[str, str]

    def execute(self, *, http: object) -> Any:
        """Send it and return the decoded answer."""


class GoogleClient:
    """Asks the Calendar API for one account."""

    def __init__(
        self,
        endpoint: Endpoint,
        guarded: GuardedClient,
        tokens: TokenSource,
        clock: Clock,
        *,
        account: str,
    ) -> None:
        self._root = endpoint.url.rstrip("/") + "/"
        self._guarded = guarded.configured(ca_file=endpoint.ca_file)
        self._tokens = tokens
        self._clock = clock
        self._gate = f"google {account}"

    async def read(self, ask: Ask) -> Json:
        """Ask a question; what fails in passing is asked again at once, a few times."""
        for attempt in range(ATTEMPTS):
            try:
                return await self.call(ask)
            except GoogleRefusal as refusal:
                last = attempt == ATTEMPTS - 1
                if last or not refusal.is_passing or (refusal.wait or 0) > LONGEST_WAIT:
                    raise
                wait = refusal.wait or FIRST_WAIT * 2**attempt
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        raise AssertionError("the last attempt returns or raises")

    async def call(self, ask: Ask, *, headers: Mapping[str, str] | None = None) -> Json:
        """Send one request; raise GoogleRefusal for what is no success."""
        token = await self._tokens.access_token()
        try:
            return await self._send(ask, token, headers or {})
        except GoogleRefusal as refusal:
            if refusal.status != 401:  # noqa: PLR2004 - Unauthorized
                raise
        token = await self._tokens.access_token(rejected=token)
        return await self._send(ask, token, headers or {})

    async def close(self) -> None:
        """Nothing of its own: other accounts ask by the same connections."""

    async def _send(self, ask: Ask, token: str, headers: Mapping[str, str]) -> Json:
        more = {**headers, "Authorization": f"Bearer {token}", "User-Agent": USER_AGENT}
        return await self._guarded.threads.run(
            self._gate, lambda: self._execute(ask, more), seconds=SECONDS
        )

    def _execute(self, ask: Ask, headers: Mapping[str, str]) -> Json:
        # Loading the library takes a tenth of a second that only those who use Google shall spend.
        from googleapiclient.errors import Error, HttpError  # noqa: PLC0415 - see above

        wire = _Wire(self._guarded)
        request = ask(_service(self._root))
        request.headers.update(headers)
        try:
            answer = request.execute(http=wire)
        except HttpError as error:
            told = {"Retry-After": error.resp.get("retry-after", "")}
            wait = retry_after(told, self._clock.now())
            raise GoogleRefusal(error.status_code, reason_of(error.error_details), wait) from error
        except (Error, ValueError) as error:
            raise GoogleRefusal(NO_ANSWER) from error
        if wire.status == 204:  # noqa: PLR2004 - No Content
            return {}
        if isinstance(answer, dict):
            return answer
        raise GoogleRefusal(NO_ANSWER)


class _Wire:
    """An `httplib2.Http` whose requests go by the guarded client, on the loop."""

    def __init__(self, guarded: GuardedClient) -> None:
        self._guarded = guarded
        self.status = 0

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_settings: Any,
    ) -> tuple[Any, bytes]:
        """Send a request from the thread of a call; the answer is an `httplib2.Response`."""
        from httplib2 import Response  # noqa: PLC0415 - see GoogleClient._execute

        call = CURRENT.get(None)
        if call is None:
            raise Unavailable("A request was made outside of a call.")
        answer = call.wait_for(
            self._guarded.request(
                method,
                Target(url=URL(uri, encoded=True)),
                headers={**(headers or {}), "Accept-Encoding": "gzip"},
                body=body.encode() if isinstance(body, str) else body,
                follow=False,
            )
        )
        self.status = answer.status
        told = {name: value for name, value in answer.headers.items() if name != "Content-Encoding"}
        return Response({**told, "status": str(answer.status)}), answer.body

    def close(self) -> None:
        """Nothing of its own."""


class _Methods:
    """The API's methods at one address, each made once: they build requests and send nothing.

    What must not be shared between threads is an Http (docs/adr/0010); these have none.
    """

    def __init__(self, root: str) -> None:
        from googleapiclient.discovery import build_from_document  # noqa: PLC0415 - see _execute
        from googleapiclient.discovery_cache import get_static_doc  # noqa: PLC0415 - see _execute

        # What it warns of is in the failure that we raise and log ourselves.
        logging.getLogger("googleapiclient.http").setLevel(logging.ERROR)
        document = {**json.loads(get_static_doc("calendar", "v3")), "rootUrl": root}
        made = build_from_document(document, http=_Nowhere())
        names = ("calendarList", "events", "freebusy", "channels")
        self._resources = {name: getattr(made, name)() for name in names}

    def __getattr__(self, name: str) -> Callable[[], Any]:
        resource = self._resources[name]
        return lambda: resource


class _Nowhere:
    """The Http of methods that nobody sends with."""

    def request(self, *_told: Any, **_settings: Any) -> tuple[Any, bytes]:
        """Refuse: a request is sent with the wire of its call."""
        raise Unavailable("A request was made outside of a call.")


_service = cache(_Methods)
