"""The `caldav` package's client over our wire: its sign-in and its XML, none of its sockets.

Law: only what is plainly a WebDAV answer reaches the package; a sign-in page, half a document or
one with a document type is a failure here, in one sentence that repeats nothing of it.
"""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from caldav.davclient import DAVClient
from caldav.lib.error import DAVError
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from gateway.adapters._http import Answer, GuardedClient, retry_after
from gateway.adapters._requests import GuardedTransport, guarded_session
from gateway.errors import AccessLost, SignInNeeded, Unavailable
from gateway.ports import Clock

T = TypeVar("T")

NO_SENSE = "The server's answer makes no sense."
REFUSED = "The server does not accept this user name and password."
ELSEWHERE = "The server sends us on to another server; give that server's address."
# Its messages hold whole requests and answers, which are somebody's calendar.
logging.getLogger("caldav").setLevel(logging.CRITICAL)


class NoDav(Unavailable):
    """Something answered, and it is no calendar server: another path may be."""


class DavTransport(GuardedTransport):
    """Keeps from the package what is no WebDAV answer."""

    def __init__(self, client: GuardedClient, clock: Clock) -> None:
        super().__init__(client, follow=True)
        self._clock = clock

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:  # type: ignore[override]
        """Send, then fail on what only a broken or busy server says."""
        response = super().send(request, **settings)
        answer = self.last
        assert answer is not None, "a sent request has an answer"
        if answer.status == HTTPStatus.UNAUTHORIZED and _host(answer.url) != _host(request.url):
            # The password was not taken along, so this is no word about it.
            raise Unavailable(ELSEWHERE)
        if answer.status in {429, 503}:
            raise Unavailable(
                "The server asks us to come back later.",
                retry_after(answer.headers, self._clock.now()),
            )
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"The server answered with status {answer.status}.")
        if answer.status == HTTPStatus.MULTI_STATUS:
            _check_xml(answer)
        else:
            # The package would take any body for XML; what is needed of this one is in `last`.
            response._content = b""  # noqa: SLF001 - see _requests.py
        return response


class DavClient(DAVClient):  # type: ignore[misc]
    """A client for one account; the session that the package makes for itself is never used."""

    auth: AuthBase | None

    def __init__(self, url: str, username: str, password: str, transport: DavTransport) -> None:
        super().__init__(url, username=username, password=password, enable_rfc6764=False)
        self.session: Any = guarded_session(transport)
        self.transport = transport

    def build_auth_object(self, auth_types: list[str] | None = None) -> None:
        """Sign in by Digest or Basic, with the classes of the session that is used."""
        chosen = self._select_auth_type(auth_types)
        if chosen == "digest":
            self.auth = HTTPDigestAuth(self.username, self.password)
        elif chosen == "basic":
            self.auth = HTTPBasicAuth(self.username.encode(), self.password.encode())

    def ask(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        expected: tuple[int, ...] = (207,),
    ) -> Any:
        """Return the package's answer to a request; a status that is not expected raises."""
        response = explained(lambda: self.request(url, method, body, headers or {}), self.transport)
        if response.status not in expected:
            check_status(response.status)
        return response


def explained(work: Callable[[], T], transport: DavTransport) -> T:
    """Do something with the package; its errors become ours."""
    try:
        return work()
    except DAVError as error:
        answer = transport.last
        if answer is not None and answer.status >= HTTPStatus.BAD_REQUEST:
            check_status(answer.status)
        raise Unavailable(NO_SENSE) from error
    except NotImplementedError as error:
        raise SignInNeeded(
            "The server offers no way to sign in with a user name and password."
        ) from error
    except (requests.RequestException, ValueError, AttributeError, AssertionError) as error:
        raise Unavailable(NO_SENSE) from error
    except SyntaxError as error:  # what the XML parser raises
        raise Unavailable(NO_SENSE) from error


def check_status(status: int) -> None:
    """Raise what a status means for the account."""
    if status == HTTPStatus.UNAUTHORIZED:
        raise SignInNeeded(REFUSED)
    if status == HTTPStatus.FORBIDDEN:
        raise AccessLost("The server denies access to this calendar.")
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise AccessLost("The calendar is no longer at this address.")
    if status < HTTPStatus.BAD_REQUEST:
        raise NoDav("The server did not answer as a calendar server does.")
    raise NoDav(f"The server answered with status {status}.")


def _host(url: object) -> str | None:
    return urlsplit(str(url)).hostname


def _check_xml(answer: Answer) -> None:
    # Two bytes a character would hide a document type from the search below.
    head = answer.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith(b"<") or b"\0" in head[:4] or b"<!" in _without_cdata(head):
        raise Unavailable(NO_SENSE)


def _without_cdata(body: bytes) -> bytes:
    """Return the body without the two harmless things that begin with `<!`."""
    if b"<!" not in body:
        return b""
    return body.replace(b"<![CDATA[", b"").replace(b"<!--", b"")
