"""“Find my server” (MS-OXDSCLI), done so that it gives no password away.

Only over https; only at the mail domain and names below it, never at `autodiscover.` before a top
level; a password only to a host that asked for one; an answer that names a server elsewhere is told
to the owner, who may type it in.
"""

from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

import dns.exception
import dns.resolver
import requests
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from requests.auth import AuthBase

from gateway.adapters._http import GuardedClient
from gateway.adapters._requests import GuardedTransport, guarded_session
from gateway.adapters.exchange.account import NOT_HERE, OFFICE_365, Account, checked_url
from gateway.adapters.exchange.wire import BoundNtlm, Utf8Basic
from gateway.errors import Unavailable

PATH = "/autodiscover/autodiscover.xml"
SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook"
ANSWER = f"{{{SCHEMA}/responseschema/2006a}}"
NOT_FOUND = "The server could not be found from the e-mail address; enter its address."
MAX_ROUNDS = 5
DNS_SECONDS = 3.0


def find_url(account: Account, client: GuardedClient, fixed: str) -> str:
    """Return the EWS address of an account's mailbox; `fixed` is the administrator's own."""
    address = account.options.address
    domain = address.rpartition("@")[2].lower().rstrip(".")
    if domain in OFFICE_365 or domain.endswith(".onmicrosoft.com"):
        raise Unavailable(NOT_HERE)
    if not fixed and "." not in domain:
        raise Unavailable(NOT_FOUND)
    for candidate in [fixed] if fixed else list(_candidates(domain)):
        found = _asked(account, client, candidate)
        if found:
            return _trusted(found, domain, client, fixed=bool(fixed))
    raise Unavailable(NOT_FOUND)


def _candidates(domain: str) -> Iterator[str]:
    yield f"https://autodiscover.{domain}{PATH}"
    yield f"https://{domain}{PATH}"
    host = _srv(domain)
    if host and (host == domain or host.endswith(f".{domain}")):
        yield f"https://{host}{PATH}"


def _srv(domain: str) -> str:
    try:
        answer = dns.resolver.resolve(f"_autodiscover._tcp.{domain}", "SRV", lifetime=DNS_SECONDS)
    except (dns.exception.DNSException, OSError):
        return ""
    found = sorted(answer, key=lambda record: (record.priority, -record.weight))
    return str(found[0].target).rstrip(".").lower() if found and found[0].port == 443 else ""  # noqa: PLR2004 - https


def _asked(account: Account, client: GuardedClient, url: str) -> str:
    """Ask one place; return what it says, or nothing where it says nothing."""
    session = guarded_session(GuardedTransport(client, follow=False))
    try:
        checked_url(url, client)
        wanted = _post(session, url, account.options.address, None)
    except (Unavailable, requests.RequestException):
        return ""  # nothing there, or nothing that may be asked
    if wanted.status_code != HTTPStatus.UNAUTHORIZED:
        return ""  # nobody asked for a password, so nobody gets one
    account.begin()
    try:
        return _told(account, session, url, wanted)
    except (Unavailable, requests.RequestException):
        return ""
    finally:
        account.given_up()


def _told(account: Account, session: requests.Session, url: str, wanted: requests.Response) -> str:
    address = account.options.address
    for _ in range(MAX_ROUNDS):
        signed = _post(session, url, address, _sign_in(account, wanted))
        if signed.status_code == HTTPStatus.UNAUTHORIZED:
            raise account.refused(wanted.headers.get("WWW-Authenticate", ""))
        if signed.status_code != HTTPStatus.OK:
            return ""
        account.accepted()
        found, address = _read(signed.content)
        if found:
            return found
        if not address or address.rpartition("@")[2] not in url:
            return ""
    return ""


def _post(
    session: requests.Session, url: str, address: str, auth: AuthBase | None
) -> requests.Response:
    safe = address.replace("&", "").replace("<", "")
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{SCHEMA}/requestschema/2006">'
        f"<Request><EMailAddress>{safe}</EMailAddress><AcceptableResponseSchema>"
        f"{SCHEMA}/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
    )
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    return session.post(url, data=body.encode(), headers=headers, auth=auth, allow_redirects=False)


def _sign_in(account: Account, wanted: requests.Response) -> AuthBase:
    options = account.options
    told = wanted.headers.get("WWW-Authenticate", "").lower()
    username = options.username or options.address
    if "ntlm" in told or "negotiate" in told:
        return BoundNtlm(username, options.password)
    return Utf8Basic(username, options.password)


def _read(body: bytes) -> tuple[str, str]:
    """Return the EWS address, or the e-mail address to ask for instead."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (SyntaxError, ValueError, DefusedXmlException):
        return "", ""
    urls = [(one.text or "").strip() for one in root.iter(f"{ANSWER}EwsUrl")]
    redirects = [(one.text or "").strip() for one in root.iter(f"{ANSWER}RedirectAddr")]
    return (urls[0] if urls else ""), (redirects[0] if redirects else "")


def _trusted(url: str, domain: str, client: GuardedClient, *, fixed: bool) -> str:
    host = (urlsplit(url).hostname or "").lower()
    checked = checked_url(url, client)
    if not fixed and host != domain and not host.endswith(f".{domain}"):
        raise Unavailable(
            f"The mail domain names a server elsewhere, {host[:100]}; if that is right, enter it."
        )
    return checked
