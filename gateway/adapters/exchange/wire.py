"""exchangelib's protocol over our wire: its sessions, sign-in and SOAP, none of its sockets.

Law: FailFast always, for its other policy tries a refused password again and again. Its cache of
protocols is passed by, since two accounts must not share what the first one set.
"""

import logging
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

import exchangelib
import requests
from exchangelib import Configuration, Credentials, FailFast
from exchangelib.protocol import BaseProtocol, Protocol
from exchangelib.services.common import EWSService
from exchangelib.transport import AUTH_TYPE_MAP
from exchangelib.util import MNS, to_xml
from exchangelib.version import Build, Version
from requests.adapters import BaseAdapter
from requests.auth import HTTPBasicAuth
from requests_ntlm import HttpNtlmAuth
from requests_ntlm.requests_ntlm import _get_certificate_hash

from gateway.adapters._http import GuardedClient
from gateway.adapters._requests import GuardedTransport, ReadBody, guarded_session
from gateway.errors import Unavailable

NTLM, BASIC = exchangelib.NTLM, exchangelib.BASIC
FIRST_SCHEMA = "Exchange2010_SP2"
MINIMUM = (14, 2)
PAGE = "The server answers with a web page instead of calendar data; it may want another sign-in."
HALF = "The server's answer was incomplete."
SPACES = (
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" '
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
)
# Its messages hold whole requests and answers, which are somebody's calendar.
logging.getLogger("exchangelib").setLevel(logging.CRITICAL)


class ExchangeTransport(GuardedTransport):
    """Keeps from the package what is no answer of Exchange: its XML parser would mend it."""

    def __init__(self, client: GuardedClient) -> None:
        super().__init__(client, follow=False)

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:  # type: ignore[override]
        """Send, then fail on sign-in pages, half answers and document types."""
        response = super().send(request, **settings)
        answer = self.last
        assert answer is not None, "a sent request has an answer"
        if answer.status == HTTPStatus.OK and not _is_envelope(answer.body):
            page = answer.body.lstrip()[:1] == b"<" and b"nvelope" not in answer.body[:2000]
            raise Unavailable(PAGE if page else HALF)
        return response


def _is_envelope(body: bytes) -> bool:
    end = body.rstrip()[-40:]
    return b"<!DOCTYPE" not in body[:2000] and end.endswith((b":Envelope>", b"</Envelope>"))


class NoWayOut(BaseAdapter):
    """The transport of sessions that are not ours: it refuses."""

    def __init__(self, **_settings: Any) -> None:
        super().__init__()

    def send(self, request: requests.PreparedRequest, **_settings: Any) -> requests.Response:  # type: ignore[override]
        """Refuse."""
        del request
        raise Unavailable("A request was made outside of a call.")

    def close(self) -> None:
        """Nothing to close."""


# Whatever of the package opens a session by itself gets no further than this.
BaseProtocol.HTTP_ADAPTER_CLS = NoWayOut


class BoundNtlm(HttpNtlmAuth):  # type: ignore[misc]
    """NTLM with the channel binding taken from our wire (Extended Protection asks for it)."""

    def _get_server_cert(self, response: requests.Response) -> bytes | None:
        body = response.raw
        certificate = body.certificate if isinstance(body, ReadBody) else None
        return _get_certificate_hash(certificate) if certificate else None


class Utf8Basic(HTTPBasicAuth):
    """Basic sign-in in UTF-8 (RFC 7617 section 2.1)."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username.encode(), password.encode())


AUTH_TYPE_MAP[NTLM] = BoundNtlm
AUTH_TYPE_MAP[BASIC] = Utf8Basic


class GuardedProtocol(Protocol):  # type: ignore[misc]
    """A protocol whose sessions send through one guarded transport."""

    def __init__(self, config: Configuration, transport: GuardedTransport) -> None:
        super().__init__(config=config)
        self._transport = transport

    @classmethod
    def made(
        cls,
        url: str,
        auth: str,
        *,
        username: str,
        password: str,
        schema: str,
        transport: GuardedTransport,
    ) -> "GuardedProtocol":
        """Make one for an account, outside of the package's cache."""
        config = Configuration(
            service_endpoint=url,
            credentials=Credentials(username, password),
            auth_type=auth,
            # The oldest build that is welcome; the first answer says what it really is.
            version=Version(build=Build(*MINIMUM), api_version=schema),
            retry_policy=FailFast(),
            max_connections=1,
        )
        protocol: GuardedProtocol = object.__new__(cls)
        protocol.__init__(config, transport)  # type: ignore[misc]
        return protocol

    def raw_session(self, prefix: str, **_settings: Any) -> requests.Session:
        """Return a session that knows the guarded transport only."""
        del prefix
        session = guarded_session(self._transport)
        session.headers.update({"Content-Type": "text/xml; charset=utf-8", "User-Agent": "calgate"})
        return session

    @property
    def build(self) -> tuple[int, int]:
        """Return the server's version, as its last answer said it."""
        found = self.config.version.build
        return found.major_version, found.minor_version


class Operation(EWSService):  # type: ignore[misc]
    """One operation by its name: messages in, response messages or exceptions out."""

    # An error of one item is a row of the answer like any other.
    ERRORS_TO_CATCH_IN_RESPONSE = (exchangelib.errors.ResponseMessageError,)
    WARNINGS_TO_CATCH_IN_RESPONSE = (exchangelib.errors.ResponseMessageError,)

    @classmethod
    def called(cls, name: str) -> type["Operation"]:
        """Return the operation of a name."""
        base = Availability if name == Availability.SERVICE_NAME else cls
        return type(name, (base,), {"SERVICE_NAME": name})

    @classmethod
    def _element_name(cls) -> str:
        return str(cls.SERVICE_NAME)

    @classmethod
    def _get_elements_in_container(cls, container: Any) -> list[Any]:
        return [container]

    def ask(self, content: str, **attributes: str) -> list[Any]:
        """Send the operation with its content; return an element or an exception per message."""
        told = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
        name = self._element_name()
        text = f"<m:{name} {SPACES}{told}>{content}</m:{name}>"
        return list(self._get_elements(payload=to_xml(text.encode()).getroot()))


class Availability(Operation):
    """The one operation whose answers are wrapped otherwise, with its message inside of each."""

    SERVICE_NAME = "GetUserAvailability"

    @classmethod
    def _element_name(cls) -> str:
        return f"{cls.SERVICE_NAME}Request"

    @staticmethod
    def _response_messages_tag() -> str:
        return f"{{{MNS}}}FreeBusyResponseArray"

    @classmethod
    def _response_message_tag(cls) -> str:
        return f"{{{MNS}}}FreeBusyResponse"

    def _get_elements_in_response(self, response: Iterable[Any]) -> Iterator[Any]:
        for one in response:
            message = one.find(f"{{{MNS}}}ResponseMessage")
            if message is None:
                raise Unavailable(HALF)
            found = self._get_element_container(message)
            yield found if isinstance(found, Exception) else one
