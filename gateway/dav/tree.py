"""Paths and what is at them: the resources below `/dav/`.

Law: a path of another owner and a path of nobody are the same NotFound. A path with and without a
slash at its end is the same resource, and so are `@` and `%40`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote, urlsplit

from gateway.errors import NotFound
from gateway.model.collection import Collection, ObjectRecord
from gateway.model.principal import Owner
from gateway.ports import Transaction

ROOT = "/dav/"
WELL_KNOWN = "/.well-known/caldav"
INBOX, OUTBOX, MERGED = "inbox", "outbox", "merged"
RESERVED = frozenset({INBOX, OUTBOX, MERGED})
"""Names in a home set that no calendar can have."""
_SAFE = "@:!$&'()*+,=~"
_HOME_DEPTH, _CALENDAR_DEPTH, _OBJECT_DEPTH = 2, 3, 4


class Kind(StrEnum):
    """The kinds of resource."""

    ROOT = "root"
    PRINCIPALS = "principals"
    PRINCIPAL = "principal"
    CALENDARS = "calendars"
    HOME = "home"
    CALENDAR = "calendar"
    OBJECT = "object"
    INBOX = "inbox"
    OUTBOX = "outbox"
    MERGED = "merged"


_SPECIAL = {INBOX: Kind.INBOX, OUTBOX: Kind.OUTBOX, MERGED: Kind.MERGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path names, whether or not it is there; names are decoded.

    `calendar` is the name in the home set, `name` that of an object in a calendar.
    """

    kind: Kind
    email: str = ""
    calendar: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something that is there; `href` is its path as it goes on the wire."""

    kind: Kind
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarResource(Resource):
    """A calendar collection (RFC 4791 section 4.2)."""

    collection: Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResource(Resource):
    """A calendar object resource (RFC 4791 section 4.1); `record.data` may be left out (`b""`)."""

    collection: Collection
    record: ObjectRecord


# --- paths -------------------------------------------------------------------------------------


def read_path(path: str) -> Target:
    """Return what a percent-encoded path names; NotFound for what can never be there."""
    segments = path.split("/")
    if len(segments) < 2 or segments[0] or segments[1] != "dav":  # noqa: PLR2004 - "/dav"
        raise NotFound("resource")
    parts = [_decoded(segment) for segment in segments[2:]]
    if parts and not parts[-1]:
        parts.pop()
    if not all(parts):
        raise NotFound("resource")
    if not parts:
        return Target(kind=Kind.ROOT)
    if parts[0] == "principals":
        return _principal(parts)
    if parts[0] == "calendars":
        return _calendar(parts)
    raise NotFound("resource")


def read_href(href: str, host: str) -> Target:
    """Return what an href or Destination names: a path, or a URL of this very host.

    NotFound where it is on another host or makes no sense.
    """
    if not is_of_host(href, host):
        raise NotFound("resource")
    parts = urlsplit(href.strip())
    if parts.query or parts.fragment or not parts.path.startswith("/"):
        raise NotFound("resource")
    return read_path(parts.path)


def is_of_host(href: str, host: str) -> bool:
    """Tell whether an href is a path, or a URL of this very host."""
    try:
        parts = urlsplit(href.strip())
    except ValueError:
        return False
    if not parts.scheme and not parts.netloc:
        return True
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _decoded(segment: str) -> str:
    try:
        text = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise NotFound("resource") from None
    if text in (".", "..") or "/" in text:
        raise NotFound("resource")
    return text


def _principal(parts: list[str]) -> Target:
    if len(parts) > _HOME_DEPTH:
        raise NotFound("resource")
    if len(parts) == 1:
        return Target(kind=Kind.PRINCIPALS)
    return Target(kind=Kind.PRINCIPAL, email=parts[1].lower())


def _calendar(parts: list[str]) -> Target:
    if len(parts) == 1:
        return Target(kind=Kind.CALENDARS)
    email = parts[1].lower()
    if len(parts) == _HOME_DEPTH:
        return Target(kind=Kind.HOME, email=email)
    special = _SPECIAL.get(parts[2])
    if len(parts) == _CALENDAR_DEPTH:
        return Target(kind=special or Kind.CALENDAR, email=email, calendar=parts[2])
    if len(parts) == _OBJECT_DEPTH and special is None:
        return Target(kind=Kind.OBJECT, email=email, calendar=parts[2], name=parts[3])
    raise NotFound("resource")


# --- hrefs -------------------------------------------------------------------------------------


def segment(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe=_SAFE)


PRINCIPALS = f"{ROOT}principals/"
CALENDARS = f"{ROOT}calendars/"


def principal_href(owner: Owner) -> str:
    """Return the path of an owner's principal."""
    return f"{PRINCIPALS}{segment(owner.email)}/"


def home_href(owner: Owner) -> str:
    """Return the path of an owner's calendar home set (RFC 4791 section 6.2.1)."""
    return f"{CALENDARS}{segment(owner.email)}/"


def calendar_href(owner: Owner, collection: Collection) -> str:
    """Return the path of a calendar."""
    return f"{home_href(owner)}{segment(collection.name)}/"


def object_href(owner: Owner, collection: Collection, name: str) -> str:
    """Return the path of an object."""
    return f"{calendar_href(owner, collection)}{segment(name)}"


# --- resources ---------------------------------------------------------------------------------


def calendar_resource(owner: Owner, collection: Collection) -> CalendarResource:
    """Return a calendar as a resource."""
    return CalendarResource(
        kind=Kind.CALENDAR, href=calendar_href(owner, collection), collection=collection
    )


def object_resource(parent: CalendarResource, record: ObjectRecord) -> ObjectResource:
    """Return an object of a calendar as a resource."""
    return ObjectResource(
        kind=Kind.OBJECT,
        href=parent.href + segment(record.name),
        collection=parent.collection,
        record=record,
    )


async def find(tx: Transaction, owner: Owner, target: Target) -> Resource:
    """Return what is at a path for this owner, or raise NotFound."""
    if target.email and target.email != owner.email:
        raise NotFound("resource")
    if target.kind not in (Kind.CALENDAR, Kind.OBJECT):
        return Resource(kind=target.kind, href=_href(owner, target))
    collection = await tx.collections.by_name(owner.id, target.calendar)
    if collection is None:
        raise NotFound("resource")
    calendar = calendar_resource(owner, collection)
    if target.kind is Kind.CALENDAR:
        return calendar
    record = await tx.objects.get(collection.id, target.name)
    if record is None:
        raise NotFound("resource")
    return object_resource(calendar, record)


def _href(owner: Owner, target: Target) -> str:
    fixed = {Kind.ROOT: ROOT, Kind.PRINCIPALS: PRINCIPALS, Kind.CALENDARS: CALENDARS}
    if target.kind in fixed:
        return fixed[target.kind]
    if target.kind is Kind.PRINCIPAL:
        return principal_href(owner)
    if target.kind is Kind.HOME:
        return home_href(owner)
    return f"{home_href(owner)}{target.kind.value}/"


async def members(tx: Transaction, owner: Owner, resource: Resource) -> Sequence[Resource]:
    """Return what is directly in a collection; objects come without their data."""
    match resource.kind:
        case Kind.ROOT:
            targets = [Target(kind=Kind.PRINCIPALS), Target(kind=Kind.CALENDARS)]
        case Kind.PRINCIPALS:
            targets = [Target(kind=Kind.PRINCIPAL)]
        case Kind.CALENDARS:
            targets = [Target(kind=Kind.HOME)]
        case Kind.HOME:
            calendars = await tx.collections.of_owner(owner.id)
            special = [Target(kind=kind) for kind in (Kind.INBOX, Kind.OUTBOX, Kind.MERGED)]
            found = [Resource(kind=one.kind, href=_href(owner, one)) for one in special]
            return [*(calendar_resource(owner, one) for one in calendars), *found]
        case _:
            if not isinstance(resource, CalendarResource):
                return []
            headers = await tx.objects.headers(resource.collection.id)
            return [object_resource(resource, record) for record in headers]
    return [Resource(kind=one.kind, href=_href(owner, one)) for one in targets]
