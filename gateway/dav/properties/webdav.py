"""Properties of RFC 4918 section 15, and those of RFC 3253, 5995 and 6578 that say what is here."""

from collections.abc import Mapping
from email.utils import format_datetime
from types import MappingProxyType

from gateway.dav.properties.live import Facts, Live
from gateway.dav.sync_token import sync_token
from gateway.dav.tree import CalendarResource, Kind, ObjectResource, Resource
from gateway.dav.wire.names import caldav, dav, element, escape_text, href
from gateway.model.timerange import format_rfc3339, to_datetime

_TYPES = {
    Kind.PRINCIPAL: "<D:principal/>",
    Kind.CALENDAR: "<D:collection/><C:calendar/>",
    Kind.INBOX: "<D:collection/><C:schedule-inbox/>",
    Kind.OUTBOX: "<D:collection/><C:schedule-outbox/>",
    Kind.OBJECT: "",
}
_NAMES = {Kind.INBOX: "Inbox", Kind.OUTBOX: "Outbox", Kind.MERGED: "All calendars"}

ADD_MEMBER = ";add-member"
"""The name in a calendar that takes new members by POST (RFC 5995)."""
_EVERYWHERE = (dav("acl-principal-prop-set"), dav("expand-property"))
_OBJECTS = (caldav("calendar-query"), caldav("calendar-multiget"))
_BUSY = (caldav("free-busy-query"),)
_PRINCIPALS = (
    dav("principal-match"),
    dav("principal-property-search"),
    dav("principal-search-property-set"),
)
REPORTS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.ROOT: (*_PRINCIPALS, *_EVERYWHERE),
        Kind.PRINCIPALS: (*_PRINCIPALS, *_EVERYWHERE),
        Kind.PRINCIPAL: (*_PRINCIPALS, *_EVERYWHERE),
        Kind.CALENDARS: _EVERYWHERE,
        Kind.HOME: (*_OBJECTS, *_BUSY, dav("principal-match"), *_EVERYWHERE),
        Kind.CALENDAR: (*_OBJECTS, *_BUSY, dav("sync-collection"), *_EVERYWHERE),
        Kind.OBJECT: (*_OBJECTS, *_EVERYWHERE),
        Kind.INBOX: _EVERYWHERE,
        Kind.OUTBOX: _EVERYWHERE,
        Kind.MERGED: (*_BUSY, *_EVERYWHERE),
    }
)
"""The reports each kind of resource answers, by Clark name; a test holds `app.py` to it."""


def _resource_type(resource: Resource, _facts: Facts) -> str:
    return _TYPES.get(resource.kind, "<D:collection/>")


def _display_name(resource: Resource, facts: Facts) -> str | None:
    if isinstance(resource, CalendarResource):
        return escape_text(resource.collection.display_name) or None
    if resource.kind in (Kind.PRINCIPAL, Kind.HOME):
        return escape_text(facts.owner.name)
    return _NAMES.get(resource.kind)


def _etag(resource: Resource, _facts: Facts) -> str | None:
    return escape_text(resource.record.etag) if isinstance(resource, ObjectResource) else None


def content_type(resource: ObjectResource) -> str:
    """Return the media type of an object, with its component as RFC 5545 section 8.1 has it."""
    return f"text/calendar; charset=utf-8; component={resource.record.component.lower()}"


def _content_type(resource: Resource, _facts: Facts) -> str | None:
    if isinstance(resource, CalendarResource):
        return "text/calendar; charset=utf-8"
    return content_type(resource) if isinstance(resource, ObjectResource) else None


def _content_length(resource: Resource, _facts: Facts) -> str | None:
    return str(resource.record.size) if isinstance(resource, ObjectResource) else None


def _created(resource: Resource, _facts: Facts) -> str | None:
    if isinstance(resource, ObjectResource):
        return format_rfc3339(resource.record.created_at)
    if isinstance(resource, CalendarResource):
        return format_rfc3339(resource.collection.created_at)
    return None


def _modified(resource: Resource, _facts: Facts) -> str | None:
    if not isinstance(resource, ObjectResource):
        return None
    return format_datetime(to_datetime(resource.record.modified_at), usegmt=True)


def _sync_token(resource: Resource, _facts: Facts) -> str | None:
    return sync_token(resource.collection) if isinstance(resource, CalendarResource) else None


def _reports(resource: Resource, _facts: Facts) -> str:
    return "".join(
        f"<D:supported-report><D:report>{element(name)}</D:report></D:supported-report>"
        for name in REPORTS.get(resource.kind, ())
    )


def _add_member(resource: Resource, _facts: Facts) -> str | None:
    if isinstance(resource, CalendarResource) and resource.collection.is_local:
        return href(resource.href + ADD_MEMBER)
    return None


PROPERTIES = (
    Live(name=dav("resourcetype"), value=_resource_type, in_allprop=True),
    Live(name=dav("displayname"), value=_display_name, in_allprop=True),
    Live(name=dav("getetag"), value=_etag, in_allprop=True),
    Live(name=dav("getcontenttype"), value=_content_type, in_allprop=True),
    Live(name=dav("getcontentlength"), value=_content_length, in_allprop=True),
    Live(name=dav("creationdate"), value=_created, in_allprop=True),
    Live(name=dav("getlastmodified"), value=_modified, in_allprop=True),
    Live(name=dav("sync-token"), value=_sync_token),
    Live(name=dav("supported-report-set"), value=_reports),
    Live(name=dav("add-member"), value=_add_member),
)
