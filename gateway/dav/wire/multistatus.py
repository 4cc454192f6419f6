"""Answers in XML (RFC 4918 sections 13 and 14), made by joining text: no tree is ever built.

Law: every fragment handed in is XML already, escaped where it was made (`names.text`,
`names.element`, `names.href`); prefixes are those of `names.PREFIXES`, declared on the root.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from gateway.dav.wire.names import (
    CALDAV,
    CALENDAR_SERVER_DETAIL,
    DECLARED,
    PREFIXES,
    element,
    escape_text,
    href,
    text,
)
from gateway.errors import Condition

CONTENT_TYPE = "application/xml"
DETAIL = f"{{{CALENDAR_SERVER_DETAIL}}}error-description"
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_STATUS = {
    int(status): f"<D:status>HTTP/1.1 {int(status)} {status.phrase}</D:status>"
    for status in HTTPStatus
}
_DAV_CONDITIONS = {
    Condition.RESOURCE_MUST_BE_NULL,
    Condition.SUPPORTED_REPORT,
    Condition.VALID_SYNC_TOKEN,
    Condition.NUMBER_OF_MATCHES,
    Condition.NEED_PRIVILEGES,
    Condition.CANNOT_MODIFY_PROTECTED,
    Condition.PROPFIND_FINITE_DEPTH,
    Condition.NO_EXTERNAL_ENTITIES,
    Condition.VALID_RESOURCETYPE,
    Condition.QUOTA_NOT_EXCEEDED,
}


@dataclass(frozen=True, slots=True)
class PropStat:
    """`DAV:propstat` (section 14.22): properties that share a status.

    `props` is the content of `DAV:prop`, `error` the content of `DAV:error`, both XML already.
    """

    status: int
    props: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """`DAV:response` (section 14.24): propstats, or one status for the whole resource.

    `href` is a path as it goes on the wire, percent-encoded, not yet XML.
    """

    href: str
    propstats: tuple[PropStat, ...] = ()
    status: int | None = None
    error: str = ""

    def xml(self) -> str:
        """Return the element."""
        parts = "".join(map(propstat_xml, self.propstats))
        whole = "" if self.status is None else _STATUS[self.status] + _error(self.error)
        return f"<D:response>{href(self.href)}{parts}{whole}</D:response>"


def propstat_xml(found: PropStat) -> str:
    """Return the element."""
    return (
        f"<D:propstat><D:prop>{found.props}</D:prop>{_STATUS[found.status]}"
        f"{_error(found.error)}</D:propstat>"
    )


def multistatus(responses: Iterable[Response | str], *, sync_token: str | None = None) -> bytes:
    """Return `DAV:multistatus` (section 14.16); a response may be given as XML that was kept.

    `sync_token` is what RFC 6578 section 6.4 adds.
    """
    parts = [one if isinstance(one, str) else one.xml() for one in responses]
    if sync_token is not None:
        parts.append(f"<D:sync-token>{escape_text(sync_token)}</D:sync-token>")
    return document("multistatus", "".join(parts))


def document(local: str, inner: str, *, namespace: str = "DAV:") -> bytes:
    """Return a whole answer whose root is an element of one of our namespaces."""
    root = f"{PREFIXES[namespace]}:{local}"
    return f"{_HEAD}<{root}{DECLARED}>{inner}</{root}>".encode()


def condition_name(condition: Condition) -> str:
    """Return the Clark name of a precondition: each in the namespace of its RFC."""
    namespace = "DAV:" if condition in _DAV_CONDITIONS else CALDAV
    return f"{{{namespace}}}{condition.value}"


def condition_xml(condition: Condition, *, hrefs: Iterable[str] = (), inner: str = "") -> str:
    """Return a precondition's element, with hrefs in it where the RFC asks for them."""
    return element(condition_name(condition), "".join(map(href, hrefs)) + inner)


def error_body(condition: str, detail: str) -> bytes:
    """Return `DAV:error` (section 14.5): the condition's element, and a sentence for people."""
    told = text(DETAIL, detail) if detail else ""
    return document("error", condition + told)


def _error(inner: str) -> str:
    return f"<D:error>{inner}</D:error>" if inner else ""
