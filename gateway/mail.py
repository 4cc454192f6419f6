"""Hands messages to the mail host over SMTP: implements ports.Mailer.

Law: the password and the mail go out in the clear only where the configuration says so; with
`starttls` a host that does not offer it, or shows a wrong certificate, gets nothing.
"""

import ssl
from collections.abc import Callable
from email.utils import parseaddr

import aiosmtplib

from gateway.errors import AccessLost, Unavailable

TIMEOUT = 15.0
PERMANENT = 500
IMPLICIT_TLS = 465
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SmtpMailer:
    """One connection for each mail, broken off after fifteen seconds without an answer."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        sender: str,
        starttls: bool = False,
        username: str = "",
        password: str = "",
        trusted: Callable[[], ssl.SSLContext],
        timeout: float = TIMEOUT,
    ) -> None:
        self._host = host
        self._port = port
        self._sender = parseaddr(sender)[1]
        self._starttls = starttls
        self._username = username
        self._password = password
        self._trusted = trusted
        self._timeout = timeout

    async def send(self, recipient: str, raw: bytes) -> None:
        """Send one message to one recipient; raise Unavailable (again) or AccessLost (never)."""
        if self._username and not self._is_private():
            raise Unavailable("The mail password would go out in the clear; set mail.starttls.")
        client = self._client()
        try:
            async with client:
                if self._username:
                    await client.login(self._username, self._password)
                await client.sendmail(self._sender, [recipient], raw)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _answer(error.recipients[0].code, error.recipients[0].message) from error
        except aiosmtplib.SMTPDataError as error:
            raise _answer(error.code, error.message) from error
        except aiosmtplib.SMTPResponseException as error:
            # The host refuses us, not this mail: it waits until somebody mends that.
            raise Unavailable(f"The mail host refuses to talk to us ({error.code}).") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise Unavailable(f"The mail host cannot be used: {type(error).__name__}.") from error

    def _client(self) -> aiosmtplib.SMTP:
        is_tls = self._port == IMPLICIT_TLS
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            timeout=self._timeout,
            use_tls=is_tls,
            start_tls=self._starttls and not is_tls,
            tls_context=self._trusted() if is_tls or self._starttls else None,
        )

    def _is_private(self) -> bool:
        """Tell whether nobody on the way can read what is sent."""
        return self._starttls or self._port == IMPLICIT_TLS or self._host in LOOPBACK


def _answer(code: int, text: str) -> Unavailable | AccessLost:
    """Return the failure an SMTP reply means (RFC 5321 section 4.2.1): 5yz is for good."""
    line = " ".join(text.split())[:200]
    detail = f"The mail host says {code} {line}"
    return AccessLost(detail) if code >= PERMANENT else Unavailable(detail)
