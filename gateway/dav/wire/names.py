"""Element names: a Clark name `{namespace}local` inside, a fixed prefix on the wire.

Law: every answer declares the prefixes below once, on its root element. What has another namespace
declares its own.
"""

import re
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

DAV = "DAV:"
CALDAV = "urn:ietf:params:xml:ns:caldav"
CALENDAR_SERVER = "http://calendarserver.org/ns/"
APPLE_ICAL = "http://apple.com/ns/ical/"
CALENDAR_SERVER_DETAIL = "http://twistedmatrix.com/xml_namespace/dav/"
"""Where the element for a sentence in `DAV:error` lives that Apple's server made known."""

PREFIXES = {
    DAV: "D",
    CALDAV: "C",
    CALENDAR_SERVER: "CS",
    APPLE_ICAL: "A",
    CALENDAR_SERVER_DETAIL: "T",
}
DECLARED = "".join(f' xmlns:{prefix}="{namespace}"' for namespace, prefix in PREFIXES.items())
"""The attributes of a root element that declare every prefix."""


def dav(local: str) -> str:
    """Return a Clark name in `DAV:` (RFC 4918)."""
    return f"{{{DAV}}}{local}"


def caldav(local: str) -> str:
    """Return a Clark name in CalDAV's namespace (RFC 4791)."""
    return f"{{{CALDAV}}}{local}"


def calendar_server(local: str) -> str:
    """Return a Clark name in the namespace of Apple's calendar server extensions."""
    return f"{{{CALENDAR_SERVER}}}{local}"


def apple(local: str) -> str:
    """Return a Clark name in the namespace of Apple's calendar properties."""
    return f"{{{APPLE_ICAL}}}{local}"


def split(name: str) -> tuple[str, str]:
    """Return the namespace (empty for none) and the local part of a Clark name."""
    if not name.startswith("{"):
        return "", name
    namespace, _, local = name[1:].rpartition("}")
    return namespace, local


def element(name: str, inner: str = "") -> str:
    """Return an element with its content, which is XML already; an empty one is closed at once."""
    start, end = _tags(name)
    return f"<{start}>{inner}</{end}>" if inner else f"<{start}/>"


def text(name: str, value: str) -> str:
    """Return an element that holds text."""
    return element(name, escape_text(value))


def href(path: str) -> str:
    """Return a `DAV:href` (RFC 4918 section 14.7)."""
    return f"<D:href>{escape_text(path)}</D:href>"


def escape_text(value: str) -> str:
    """Return text as XML; a carriage return survives, what XML cannot hold becomes U+FFFD."""
    if value.isprintable() and "<" not in value and "&" not in value and ">" not in value:
        return value
    if _NOT_XML.search(value):
        value = _NOT_XML.sub("\ufffd", value)
    return escape(value, {"\r": "&#13;"})


@lru_cache(maxsize=1024)
def _tags(name: str) -> tuple[str, str]:
    namespace, local = split(name)
    prefix = PREFIXES.get(namespace)
    if prefix is not None:
        return f"{prefix}:{local}", f"{prefix}:{local}"
    if not namespace:
        return local, local
    return f"X:{local} xmlns:X={quoteattr(namespace)}", f"X:{local}"


_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
