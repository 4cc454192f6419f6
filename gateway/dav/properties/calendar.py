"""Properties of calendars: RFC 4791 section 5.2, RFC 7809, and Apple's for looks and changes."""

from collections.abc import Callable
from functools import lru_cache

from gateway.dav.properties.live import Facts, Live, Value
from gateway.dav.sync_token import sync_token
from gateway.dav.tree import CalendarResource, Kind, Resource
from gateway.dav.wire.names import apple, caldav, calendar_server, escape_text
from gateway.model.collection import Collection
from gateway.model.itip import PRODID
from gateway.model.objects import TYPES, Limits
from gateway.model.recurrence import MAX_INSTANCES
from gateway.model.timerange import MAX_INSTANT, MIN_INSTANT, format_utc
from gateway.model.zone_definition import zone_definition
from gateway.model.zones import zone

LIMITS = Limits()
COLLATIONS = ("i;ascii-casemap", "i;octet", "i;unicode-casemap")
"""What text-match compares with (RFC 4791 section 7.5.1, RFC 5051)."""
_DATA = '<C:calendar-data content-type="text/calendar" version="2.0"/>'


def _of(value: Callable[[Collection], str | None]) -> Value:
    """Return a value that only calendars have."""

    def told(resource: Resource, _facts: Facts) -> str | None:
        return value(resource.collection) if isinstance(resource, CalendarResource) else None

    return told


def _constant(inner: str) -> Value:
    return _of(lambda _collection: inner)


def _text(value: Callable[[Collection], str]) -> Value:
    """Return a value that is told where it is not empty."""
    return _of(lambda collection: escape_text(value(collection)) or None)


def _definition(collection: Collection) -> str:
    """Return the zone by definition, as it was set or as its name means (RFC 7809 section 5.2)."""
    if collection.time_zone_ics or not collection.time_zone:
        return collection.time_zone_ics
    return _defined(collection.time_zone)


@lru_cache(maxsize=256)
def _defined(name: str) -> str:
    found = zone(name)
    if found is None:
        return ""
    head = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n"
    return f"{head}{zone_definition(found).decode()}END:VCALENDAR\r\n"


def _components(collection: Collection) -> str:
    return "".join(f'<C:comp name="{name}"/>' for name in TYPES if name in collection.components)


def _component_sets(resource: Resource, _facts: Facts) -> str | None:
    if resource.kind is not Kind.HOME:
        return None
    sets = (f'<C:comp name="{name}"/>' for name in TYPES)
    return (
        f"<C:supported-calendar-component-set>{''.join(sets)}</C:supported-calendar-component-set>"
    )


def _transparency(collection: Collection) -> str:
    return "<C:opaque/>" if collection.selected else "<C:transparent/>"


PROPERTIES = (
    Live(name=caldav("supported-calendar-component-set"), value=_of(_components)),
    Live(name=caldav("supported-calendar-data"), value=_constant(_DATA)),
    Live(name=caldav("max-resource-size"), value=_constant(str(LIMITS.resource_size))),
    Live(name=caldav("min-date-time"), value=_constant(format_utc(MIN_INSTANT))),
    Live(name=caldav("max-date-time"), value=_constant(format_utc(MAX_INSTANT - 1))),
    Live(name=caldav("max-instances"), value=_constant(str(MAX_INSTANCES))),
    Live(name=caldav("max-attendees-per-instance"), value=_constant(str(LIMITS.attendees))),
    Live(
        name=caldav("supported-collation-set"),
        value=_constant(
            "".join(f"<C:supported-collation>{one}</C:supported-collation>" for one in COLLATIONS)
        ),
    ),
    Live(name=caldav("calendar-description"), value=_text(lambda one: one.description)),
    Live(name=caldav("calendar-timezone"), value=_text(_definition)),
    Live(name=caldav("calendar-timezone-id"), value=_text(lambda one: one.time_zone)),
    Live(name=caldav("schedule-calendar-transp"), value=_of(_transparency)),
    Live(name=apple("calendar-color"), value=_text(lambda one: one.color)),
    Live(name=apple("calendar-order"), value=_of(lambda one: str(one.order))),
    Live(name=calendar_server("getctag"), value=_of(lambda one: escape_text(sync_token(one)))),
    Live(name=caldav("supported-calendar-component-sets"), value=_component_sets),
)
