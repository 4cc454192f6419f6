"""What is asked of a CalDAV server, and reading its multistatus answers (RFC 4918 section 13)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from gateway.errors import Unavailable
from gateway.model.timerange import TimeRange, format_utc

DAV, CAL = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
CS, APPLE = "{http://calendarserver.org/ns/}", "{http://apple.com/ns/ical/}"
OK = 200
HEAD = '<?xml version="1.0" encoding="utf-8"?>'
SPACES = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" '
    'xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One DAV:response: a resource, its own status if it has one, its properties that are there."""

    href: str
    status: int
    props: dict[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a property's text."""
        found = self.props.get(name)
        return (found.text or "").strip() if found is not None else ""

    def hrefs(self, name: str) -> list[str]:
        """Return the hrefs inside a property."""
        found = self.props.get(name)
        if found is None:
            return []
        return [item.text.strip() for item in found.iter(f"{DAV}href") if item.text]

    def names(self, name: str) -> set[str]:
        """Return the names of all elements inside a property."""
        found = self.props.get(name)
        return set() if found is None else {item.tag for item in found.iter() if item is not found}


def propfind(*names: str) -> bytes:
    """Return a PROPFIND body for properties, given with the prefixes of SPACES."""
    props = "".join(f"<{name}/>" for name in names)
    return f"{HEAD}<D:propfind {SPACES}><D:prop>{props}</D:prop></D:propfind>".encode()


ETAGS = propfind("D:getetag", "D:resourcetype")
AT_ONCE = 50
"""How many objects one multiget asks for."""


def sync_collection(token: str) -> bytes:
    """Return a sync-collection report (RFC 6578 section 3.2)."""
    return (
        f"{HEAD}<D:sync-collection {SPACES}><D:sync-token>{escape(token)}</D:sync-token>"
        "<D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
    ).encode()


def multiget(hrefs: Sequence[str]) -> bytes:
    """Return a calendar-multiget report (RFC 4791 section 7.9)."""
    wanted = "".join(f"<D:href>{escape(href)}</D:href>" for href in hrefs)
    return (
        f"{HEAD}<C:calendar-multiget {SPACES}><D:prop><D:getetag/><C:calendar-data/></D:prop>"
        f"{wanted}</C:calendar-multiget>"
    ).encode()


def events_within(window: TimeRange) -> bytes:
    """Return a calendar-query for the events of a window (RFC 4791 section 7.8)."""
    return (
        f"{HEAD}<C:calendar-query {SPACES}><D:prop><D:getetag/><C:calendar-data/></D:prop>"
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f'<C:time-range start="{format_utc(window.start)}" end="{format_utc(window.end)}"/>'
        "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    ).encode()


def events_called(uid: str) -> bytes:
    """Return a calendar-query for the events that hold a text in their UID (section 7.8.6)."""
    return (
        f"{HEAD}<C:calendar-query {SPACES}><D:prop><D:getetag/><C:calendar-data/></D:prop>"
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f'<C:prop-filter name="UID"><C:text-match collation="i;octet">{escape(uid)}</C:text-match>'
        "</C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    ).encode()


def told(response: Any) -> Iterator[Told]:
    """Read the responses of a multistatus; a failed property of one that is there raises."""
    if response.tree is None or response.tree.tag != f"{DAV}multistatus":
        raise Unavailable("The server did not answer as a calendar server does.")
    for element in response.tree.iterchildren(f"{DAV}response"):
        href = element.findtext(f"{DAV}href") or ""
        props: dict[str, Any] = {}
        for propstat in element.iterchildren(f"{DAV}propstat"):
            if status_of(propstat) == OK:
                for prop in propstat.iterchildren(f"{DAV}prop"):
                    props.update((child.tag, child) for child in prop.iterchildren("*"))
        yield Told(href=href.strip(), status=status_of(element), props=props)


def status_of(element: Any) -> int:
    """Return the number in a DAV:status; none is 200."""
    parts = (element.findtext(f"{DAV}status") or "HTTP/1.1 200 OK").split()
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


def same_path(href: str) -> str:
    """Return what two spellings of one resource have in common."""
    return unquote(urlsplit(href).path).rstrip("/")
