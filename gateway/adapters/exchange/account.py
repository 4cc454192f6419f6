"""One account at an Exchange server, as blocking calls: where it is, how to sign in, what it says.

Everything here runs in a thread of a `Threads` call. After a refusal nothing more is sent: a tick
over five calendars tries a wrong password once, not five times.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec
from exchangelib.errors import UnauthorizedError

from gateway.adapters._http import GuardedClient, read_url, retry_after
from gateway.adapters._requests import guarded_session
from gateway.adapters._threads import CURRENT
from gateway.adapters.exchange.errors import SENT_ON, explained
from gateway.adapters.exchange.wire import (
    BASIC,
    FIRST_SCHEMA,
    MINIMUM,
    NTLM,
    SPACES,
    ExchangeTransport,
    GuardedProtocol,
    Operation,
)
from gateway.errors import AccessLost, RefusedOnce, SignInNeeded, TooOld, Unavailable, UpstreamError
from gateway.model.timerange import HOUR, MINUTE
from gateway.ports import Clock, SignIns, SignInTry

PATH = "/EWS/Exchange.asmx"
VERSIONS = {
    "": FIRST_SCHEMA,
    "2010": "Exchange2010_SP2",
    "2013": "Exchange2013",
    "2016": "Exchange2016",
    "2019": "Exchange2016",
    "SE": "Exchange2016",
}
"""What an owner may say of the server's version; its own word counts after the first answer."""
NAMES = {(14, 0): "Exchange 2010", (14, 1): "Exchange 2010 SP1", (8, 0): "Exchange 2007"}
OFFICE_365 = ("office365.com", "outlook.com", "office.com", "hotmail.com", "live.com", "msn.com")
NOT_HERE = (
    "This is Exchange Online, which is connected with “Connect Office 365” and not as Exchange."
)
APP_PASSWORD = "With two-factor authentication it wants an app password."  # noqa: S105 - a sentence
METHODS = ("NTLM", "Negotiate", "Basic", "Bearer")
REFUSED = "The server does not accept this user name and password"
PROBE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    f"<m:GetFolder {SPACES}/></s:Body></s:Envelope>"
)
TRIED_ONCE = "The server refused the sign-in once; it is tried again in five minutes."
AGAIN_AFTER = 5 * MINUTE


class ExchangeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an owner gives, and what was found out when it was proved (`auth`, `url`)."""

    address: str
    password: str
    username: str = ""
    url: str = ""
    version: str = ""
    auth: str = ""
    time_zone: str = ""
    ca: str = ""


class Account:
    """Speaks to one mailbox; `entered` says that somebody has just typed the password."""

    def __init__(
        self, options: ExchangeOptions, client: GuardedClient, clock: Clock, sign_ins: SignIns
    ) -> None:
        self.options = options
        self.transport = ExchangeTransport(client)
        self.entered = False
        self._client, self._clock, self._sign_ins = client, clock, sign_ins
        self._protocol: GuardedProtocol | None = None
        self._failure: UpstreamError | None = None
        self._trying: SignInTry | None = None
        self._signed_in: SignInTry | None = None
        self.offered: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Return the server's name."""
        return urlsplit(self.options.url).netloc.lower()

    def ask(self, operation: str, content: str, **attributes: str) -> list[Any]:
        """Send one operation; return an element or an exception for each message."""
        if self._failure is not None:
            raise self._failure
        protocol = self._opened()
        if self._signed_in is None:
            self.begin()
        try:
            rows = Operation.called(operation)(protocol=protocol).ask(content, **attributes)
        except UnauthorizedError as error:
            self._failure = self._refused(for_good="locked out" in str(error))
            raise self._failure from None
        except Exception as error:
            raise self._explained(error) from error
        else:
            self.accepted()
        finally:
            self.given_up()
        if protocol.build < MINIMUM:
            self._failure = too_old(protocol.build)
            raise self._failure
        return rows

    def one(self, operation: str, content: str, **attributes: str) -> Any:
        """Send an operation that has one message; an error in it raises."""
        rows = self.ask(operation, content, **attributes)
        if len(rows) != 1:
            raise Unavailable("The server's answer makes no sense.")
        return self.checked(rows[0])

    def checked(self, row: Any) -> Any:
        """Return a message, or raise what stands in its place."""
        if isinstance(row, Exception):
            raise self._explained(row) from row
        return row

    def use(self, username: str) -> None:
        """Sign in under another user name, anew."""
        self.close()
        self.hang_up()
        self._protocol = self._failure = self._signed_in = None
        self.options = msgspec.structs.replace(self.options, username=username)

    def hang_up(self) -> None:
        """Drop the connection: NTLM may have signed it in, and the next to use it is not that."""
        CURRENT.get().wait_for(self._client.close())

    def close(self) -> None:
        """Let go of the sessions."""
        if self._protocol is not None:
            self._protocol.close()

    def probe(self) -> None:
        """Ask without a password how the server wants to be signed in to, and choose."""
        self.hang_up()
        session = guarded_session(self.transport)
        response = session.post(
            self.options.url, data=PROBE, headers={"Content-Type": "text/xml; charset=utf-8"}
        )
        if response.is_redirect:
            raise Unavailable(SENT_ON)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            raise self._explained(ValueError("no sign-in")) from None
        self.offered = offers(response.headers.get("WWW-Authenticate", ""))
        # The better one that is there: a server's wish for less is not asked for.
        if {"NTLM", "Negotiate"} & set(self.offered):
            auth = NTLM
        elif "Basic" in self.offered:
            auth = BASIC
        else:
            raise SignInNeeded(
                f"The server takes no user name and password (it offers {self._offer()})."
            )
        self.options = msgspec.structs.replace(self.options, auth=auth)

    def begin(self) -> None:
        """Say that the password will be sent; raise where it was refused too often."""
        options = self.options
        self._trying = CURRENT.get().wait_for(
            self._sign_ins.begin(
                account_of(options.address, options.username),
                options.password,
                entered=self.entered,
            )
        )

    def accepted(self) -> None:
        """Say that the password was right."""
        if self._trying is not None:
            CURRENT.get().wait_for(self._sign_ins.accepted(self._trying))
            self._signed_in, self._trying = self._trying, None

    def given_up(self) -> None:
        """Say that a try under way met no answer."""
        one, self._trying = self._trying, None
        if one is not None:
            self._sign_ins.given_up(one)

    def refused(self, told: str) -> SignInNeeded:
        """Remember a refusal by autodiscover; return what to say of it."""
        self.offered = offers(told)
        self._count(for_good=False)
        return SignInNeeded(f"{REFUSED} (it offers {self._offer()}). {APP_PASSWORD}", HOUR)

    def _opened(self) -> GuardedProtocol:
        if self._protocol is None:
            options = self.options
            self._protocol = GuardedProtocol.made(
                options.url,
                options.auth,
                username=options.username,
                password=options.password,
                schema=VERSIONS.get(options.version, FIRST_SCHEMA),
                transport=self.transport,
            )
        return self._protocol

    def _count(self, *, for_good: bool) -> int:
        # It counts although the one who asked may have given up waiting.
        one = self._trying or self._signed_in
        assert one is not None, "a refusal follows a try"
        self._trying = self._signed_in = None
        return CURRENT.get().see_through(self._sign_ins.refused(one, for_good=for_good))

    def _refused(self, *, for_good: bool) -> UpstreamError:
        count = self._count(for_good=for_good)
        if for_good:
            return SignInNeeded("The account is locked at the server.", HOUR)
        if count == 1 and not self.entered:
            return RefusedOnce(TRIED_ONCE, AGAIN_AFTER)
        return SignInNeeded(f"{REFUSED} (it offers {self._offer()}). {APP_PASSWORD}", HOUR)

    def _offer(self) -> str:
        names: Sequence[str] = self.offered or (self.options.auth,)
        return ", ".join(names) or "nothing that we know"

    def _explained(self, error: Exception) -> UpstreamError:
        last = self.transport.last
        wait = retry_after(last.headers, self._clock.now()) if last is not None else None
        return explained(error, last, wait)


def account_of(address: str, username: str) -> str:
    r"""Return what a refused password counts for: the mailbox, and whom it was sent in as.

    A UPN and its first part are one name to a directory; `DOMAIN\user` may be another person.
    """
    name = username if "\\" in username else (username or address).partition("@")[0]
    return f"{address.lower()}\0{name.lower()}"


def offers(told: str) -> tuple[str, ...]:
    """Return the sign-in methods that a WWW-Authenticate header offers."""
    words = told.lower()
    return tuple(name for name in METHODS if name.lower() in words)


def too_old(build: tuple[int, int]) -> AccessLost:
    """Return the refusal of a server that is older than what is supported (S13)."""
    name = NAMES.get(build, f"version {build[0]}.{build[1]}")
    return TooOld(f"The server is {name}; Exchange 2010 SP2 or later is needed.")


def completed(url: str) -> str:
    """Return the address of the service for whatever of it an owner typed."""
    text = url.strip()
    if "://" not in text:
        text = f"https://{text}"
    parts = urlsplit(text)
    path = parts.path if parts.path.lower().endswith(".asmx") else PATH
    return f"{parts.scheme}://{parts.netloc}{path}"


def checked_url(url: str, client: GuardedClient) -> str:
    """Return an address that may be signed in to; raise Unavailable with a sentence."""
    target = read_url(url, client.options)
    host = (target.url.host or "").rstrip(".").lower()
    if any(host == name or host.endswith(f".{name}") for name in OFFICE_365):
        raise Unavailable(NOT_HERE)
    if target.url.scheme != "https" and not client.options.allow_private:
        raise Unavailable("The address of an Exchange server begins with https://.")
    return str(target.url)
