"""The wire below libraries that speak through `requests`: every byte goes by the guarded client.

Law: such a library opens no socket of its own. Its session sends through this transport, which
hands the request to the loop; outside of a `Threads` call there is no way out at all (ADR 0013).
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, cast

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from gateway.adapters._http import Answer, GuardedClient, read_url
from gateway.adapters._threads import CURRENT
from gateway.errors import Unavailable

OF_THE_CONNECTION = frozenset(
    {"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"}
)


class ReadBody(BytesIO):
    """A body that is all here, with what the libraries ask of a connection behind it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.certificate = answer.certificate

    def release_conn(self) -> None:
        """Nothing is held: the guarded client has its connection back."""


class GuardedTransport(BaseAdapter):
    """A `requests` transport over the guarded client."""

    def __init__(self, client: GuardedClient, *, follow: bool) -> None:
        super().__init__()
        self._client = client
        self._follow = follow
        self.last: Answer | None = None

    def send(self, request: requests.PreparedRequest, **_settings: Any) -> requests.Response:  # type: ignore[override]
        """Send from the thread of a call; limits, trust and ways are ours, not the arguments'."""
        call = CURRENT.get(None)
        if call is None:
            raise Unavailable("A request was made outside of a call.")
        body = request.body
        target = read_url(request.url or "", self._client.options)
        answer = call.wait_for(
            self._client.request(
                request.method or "GET",
                target,
                headers={**_text(request.headers), "Accept-Encoding": "gzip, deflate"},
                body=body.encode() if isinstance(body, str) else cast("bytes | None", body),
                follow=self._follow,
            )
        )
        self.last = answer
        return _response(self, request, answer)

    def close(self) -> None:
        """Nothing of its own: the client is closed by whoever made it."""


class GuardedSession(requests.Session):
    """A session that follows nothing: where redirects are followed, the guarded client does it."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return nowhere to go."""
        del resp


def guarded_session(transport: GuardedTransport) -> requests.Session:
    """Return a session that knows no other way out, no proxies, no netrc and no cookies."""
    session = GuardedSession()
    session.trust_env = False
    session.adapters.clear()
    session.mount("https://", transport)
    session.mount("http://", transport)
    return session


def _text(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    return {
        name: value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in headers.items()
    }


def _response(
    transport: GuardedTransport, request: requests.PreparedRequest, answer: Answer
) -> requests.Response:
    response: Any = requests.Response()
    response.status_code = answer.status
    # A name that comes twice is one with a comma (RFC 9110 section 5.3); the body is decoded.
    response.headers = CaseInsensitiveDict(
        {
            name: ", ".join(answer.headers.getall(name))
            for name in answer.headers
            if name.lower() not in OF_THE_CONNECTION
        }
    )
    response.encoding = get_encoding_from_headers(response.headers)
    response.raw = ReadBody(answer)
    response._content = answer.body  # noqa: SLF001 - there is no public way to hand a body over
    response._content_consumed = True  # noqa: SLF001 - as above
    response.url = str(answer.url)
    response.reason = answer.reason
    response.request = request
    response.connection = transport
    made: requests.Response = response
    return made
