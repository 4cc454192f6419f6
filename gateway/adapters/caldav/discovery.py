"""From an address to an account's calendars (RFC 6764 section 6, RFC 4791 section 6.2.1)."""

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from gateway.adapters.caldav.client import DavClient, NoDav
from gateway.adapters.caldav.multistatus import APPLE, CAL, DAV, Told, propfind, same_path, told
from gateway.errors import AccessLost, Unavailable
from gateway.model.collection import Role
from gateway.model.zones import zone
from gateway.ports import UpstreamCalendar

WELL_KNOWN = "/.well-known/caldav"
NOTHING_HERE = "There is no calendar account at this address."
FOREIGN = "The server names a calendar on another server; give that server's address."
MAX_CALENDARS = 200
# iCloud keeps every account on a host of its own and says so in the home set.
ONE_HOUSE = (".icloud.com",)
ABOUT = propfind(
    "D:current-user-principal", "C:calendar-home-set", "D:resourcetype", "D:displayname"
)
WHO = propfind("D:current-user-principal")
ADDRESSES = propfind("C:calendar-user-address-set")
HOME = propfind("C:calendar-home-set", "C:schedule-inbox-URL")
DEFAULT = propfind("C:schedule-default-calendar-URL")
CALENDARS = propfind(
    "D:resourcetype",
    "D:displayname",
    "D:current-user-privilege-set",
    "C:supported-calendar-component-set",
    "C:calendar-timezone",
    "C:calendar-timezone-id",
    "A:calendar-color",
)
WRITES = {f"{DAV}all", f"{DAV}write", f"{DAV}write-content", f"{DAV}bind"}
OWNS = {f"{DAV}all", f"{DAV}write-acl"}
READS = {f"{DAV}all", f"{DAV}read"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    homes: tuple[str, ...]
    inbox: str = ""


def find_calendars(client: DavClient, address: str) -> list[UpstreamCalendar]:
    """Return the calendars that hold events, the account's default first."""
    account = _account(client, address)
    default = _default(client, account.inbox)
    found: dict[str, UpstreamCalendar] = {}
    for home in account.homes:
        response = client.ask("PROPFIND", home, CALENDARS, {"Depth": "1"})
        for one in told(response):
            url = _joined(home, one.href, address)
            if _is_calendar(one) and len(found) < MAX_CALENDARS:
                found.setdefault(same_path(url), _calendar(one, url))
    if not found:
        raise Unavailable(NOTHING_HERE)
    return _with_primary(list(found.values()), default)


def user_addresses(client: DavClient, calendar: str, address: str) -> list[str]:
    """Return what the signed-in user goes by (RFC 6638 section 2.4.1), if the server has a word."""
    try:
        for one in told(client.ask("PROPFIND", calendar, WHO, {"Depth": "0"})):
            for href in one.hrefs(f"{DAV}current-user-principal")[:1]:
                principal = _joined(calendar, href, address)
                response = client.ask("PROPFIND", principal, ADDRESSES, {"Depth": "0"})
                return [
                    found
                    for who in told(response)
                    for found in who.hrefs(f"{CAL}calendar-user-address-set")
                ]
    except (AccessLost, NoDav):
        pass  # a server that knows no principals
    return []


def _account(client: DavClient, address: str) -> _Account:
    """Look at the address, then where RFC 6764 section 5 says that servers begin."""
    first: AccessLost | NoDav | None = None
    for start in dict.fromkeys((address, urljoin(address, WELL_KNOWN), urljoin(address, "/"))):
        try:
            account = _account_at(client, start, address)
        except (AccessLost, NoDav) as error:
            first = first or error
            continue
        if account is not None:
            return account
    if first is not None:
        raise type(first)(f"{NOTHING_HERE} {first.detail}")
    raise Unavailable(NOTHING_HERE)


def _account_at(client: DavClient, start: str, address: str) -> _Account | None:
    response = client.ask("PROPFIND", start, ABOUT, {"Depth": "0"})
    # The address may have been a redirect: hrefs count from where the answer came from.
    base = str(client.transport.last.url) if client.transport.last else start
    _check_house(base, address)
    here = next(iter(told(response)), None)
    if here is None:
        return None
    homes = here.hrefs(f"{CAL}calendar-home-set")
    principals = here.hrefs(f"{DAV}current-user-principal")
    inbox = ""
    if principals:
        principal = _joined(base, principals[0], address)
        more = next(iter(told(client.ask("PROPFIND", principal, HOME, {"Depth": "0"}))), None)
        if more is not None:
            homes = more.hrefs(f"{CAL}calendar-home-set") or homes
            inboxes = more.hrefs(f"{CAL}schedule-inbox-URL")
            inbox = _joined(principal, inboxes[0], address) if inboxes else ""
    if not homes and _is_calendar(here):
        homes = [base]
    if not homes:
        return None
    return _Account(homes=tuple(_joined(base, home, address) for home in homes), inbox=inbox)


def _default(client: DavClient, inbox: str) -> str:
    """Return the path of the default calendar (RFC 6638 section 9.2), if the server has a word."""
    if not inbox:
        return ""
    try:
        response = client.ask("PROPFIND", inbox, DEFAULT, {"Depth": "0"})
    except (AccessLost, Unavailable):
        return ""
    hrefs = [
        href for one in told(response) for href in one.hrefs(f"{CAL}schedule-default-calendar-URL")
    ]
    return same_path(hrefs[0]) if hrefs else ""


def _is_calendar(one: Told) -> bool:
    if f"{CAL}calendar" not in one.names(f"{DAV}resourcetype"):
        return False
    rights = one.props.get(f"{DAV}current-user-privilege-set")
    if rights is not None and not one.names(f"{DAV}current-user-privilege-set") & READS:
        return False
    kinds = one.props.get(f"{CAL}supported-calendar-component-set")
    names = [] if kinds is None else [item.get("name", "").upper() for item in kinds.iter()]
    return kinds is None or "VEVENT" in names or not any(names)


def _calendar(one: Told, url: str) -> UpstreamCalendar:
    color = one.text(f"{APPLE}calendar-color")
    return UpstreamCalendar(
        upstream_id=url,
        name=one.text(f"{DAV}displayname") or same_path(url).rpartition("/")[2],
        time_zone=_zone_of(one),
        color=color[:7] if color.startswith("#") else "",
        role=_role(one).value,
    )


def _role(one: Told) -> Role:
    # A server that says nothing of rights refuses a write if it must; it is tried.
    if f"{DAV}current-user-privilege-set" not in one.props:
        return Role.WRITER
    rights = one.names(f"{DAV}current-user-privilege-set")
    if rights & OWNS:
        return Role.OWNER
    return Role.WRITER if rights & WRITES else Role.READER


def _zone_of(one: Told) -> str:
    """Return the calendar's zone: by its name (RFC 7809), else that of its definition."""
    named = one.text(f"{CAL}calendar-timezone-id")
    if named and zone(named):
        return named
    for line in one.text(f"{CAL}calendar-timezone").splitlines():
        name, _, value = line.partition(":")
        if name.strip().upper() == "TZID" and zone(value):
            return value.strip()
    return ""


def _with_primary(found: list[UpstreamCalendar], default: str) -> list[UpstreamCalendar]:
    """Mark one calendar and put it first: the server's default, else the first writable one."""
    named = [one for one in found if default and same_path(one.upstream_id) == default]
    writable = [one for one in found if one.role in (Role.OWNER, Role.WRITER)]
    first = next(iter(named or writable), None)
    if first is None:
        return found
    primary = UpstreamCalendar(
        upstream_id=first.upstream_id,
        name=first.name,
        time_zone=first.time_zone,
        color=first.color,
        role=first.role,
        is_primary=True,
    )
    return [primary, *(one for one in found if one is not first)]


def _joined(base: str, href: str, address: str) -> str:
    try:
        url = urljoin(base, href)
    except ValueError as error:
        raise Unavailable(FOREIGN) from error
    _check_house(url, address)
    return url


def _check_house(url: str, address: str) -> None:
    """Refuse to take the password to a server that the owner did not name."""
    named, asked = urlsplit(address), urlsplit(url)
    if asked.scheme == named.scheme and asked.netloc == named.netloc:
        return
    host, home = asked.hostname or "", named.hostname or ""
    inside = host.endswith(f".{home}") or any(
        host.endswith(house) and home.endswith(house) for house in ONE_HOUSE
    )
    same_port = asked.port in (None, 443)
    if host == home and named.scheme == "http" and asked.scheme == "https" and same_port:
        return
    if not (inside and asked.scheme == "https" and same_port):
        raise Unavailable(FOREIGN)
