"""Changes of a calendar's properties: PROPPATCH (RFC 4918 section 9.2), MKCALENDAR, MKCOL.

Law: all or nothing. `plan` only says what would become of a calendar; with one failure nothing may
be stored, and every other property of the request depends on the one that failed (424).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.dav.properties.table import LIVE
from gateway.dav.wire import xml
from gateway.dav.wire.multistatus import PropStat, condition_xml
from gateway.dav.wire.names import apple, caldav, dav, element
from gateway.dav.wire.requests import MAX_VALUE, PropertyChange
from gateway.errors import Condition, Refused
from gateway.model.collection import Collection
from gateway.model.component import parse
from gateway.model.objects import TYPES
from gateway.model.zones import iana_zone, zone_from_vtimezone

MAX_NAME = 255
MAX_DESCRIPTION = 16 * 1024
MAX_COLOR = 64
MAX_ORDER = 2**31
MAX_DEAD = 200
MAX_PROPERTY_NAME = 512
OK, FAILED_DEPENDENCY = 200, 424


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why one property cannot be changed; `error` is the content of `DAV:error`."""

    status: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a request makes of a calendar; `dead` maps Clark names to XML, None removes."""

    collection: Collection
    dead: Mapping[str, str | None]
    names: tuple[str, ...]
    failed: Mapping[str, Failed] = field(default_factory=dict)

    def propstats(self) -> tuple[PropStat, ...]:
        """Return what is told of each property, in order (RFC 4918 section 9.2.1)."""
        return told(self.names, self.failed)


def refused(condition: Condition) -> Failed:
    """Return the failure of a property that breaks a named rule."""
    return Failed(status=403, error=condition_xml(condition))


def told(names: Sequence[str], failed: Mapping[str, Failed]) -> tuple[PropStat, ...]:
    """Return propstats: every property is set, or each failed one says why and the others wait."""
    if not failed:
        return (PropStat(OK, "".join(map(element, names))),)
    others = [name for name in names if name not in failed]
    parts = [PropStat(one.status, element(name), one.error) for name, one in failed.items()]
    if others:
        parts.append(PropStat(FAILED_DEPENDENCY, "".join(map(element, others))))
    return tuple(parts)


def plan(
    collection: Collection,
    changes: Sequence[PropertyChange],
    *,
    dead: Mapping[str, str],
    zone_of_owner: str,
    is_new: bool = False,
) -> Plan:
    """Return what these changes make of a calendar that has these dead properties.

    A calendar without a zone has its owner's. What a calendar is for is said when it is made.
    """
    changed: dict[str, str | None] = {}
    failed: dict[str, Failed] = {}
    for change in changes:
        setter = SETTERS.get(change.name) or (FIRST.get(change.name) if is_new else None)
        try:
            if setter is not None:
                collection = setter(collection, change, zone_of_owner)
            else:
                changed[change.name] = _dead(change)
        except Refused as error:
            failed[change.name] = refused(error.condition)
        except _TooMuchError:
            failed[change.name] = Failed(status=507)
    kept = {name for name, value in {**dead, **changed}.items() if value is not None}
    if len(kept) > MAX_DEAD:
        failed |= {name: Failed(status=507) for name in changed if name not in dead}
    names = tuple(dict.fromkeys(change.name for change in changes))
    return Plan(collection=collection, dead=changed, names=names, failed=failed)


class _TooMuchError(Exception):
    """A value is larger than what is kept (507)."""


def _dead(change: PropertyChange) -> str | None:
    if change.name in LIVE:
        raise Refused(Condition.CANNOT_MODIFY_PROTECTED, "The server keeps this property.")
    if change.element is None:
        return None
    value = xml.whole_xml(change.element)
    if len(value) > MAX_VALUE or len(change.name) > MAX_PROPERTY_NAME:
        raise _TooMuchError
    return value


# --- live properties that can be set -----------------------------------------------------------

Setter = Callable[[Collection, PropertyChange, str], Collection]


def _limited(text: str, limit: int) -> str:
    if len(text) > limit:
        raise _TooMuchError
    return text


def _display_name(collection: Collection, change: PropertyChange, _zone: str) -> Collection:
    # A name is one line wherever it is shown.
    return replace(collection, display_name=_limited(" ".join(change.text.split()), MAX_NAME))


def _description(collection: Collection, change: PropertyChange, _zone: str) -> Collection:
    return replace(collection, description=_limited(change.text, MAX_DESCRIPTION))


def _color(collection: Collection, change: PropertyChange, _zone: str) -> Collection:
    return replace(collection, color=_limited(change.text, MAX_COLOR))


def _order(collection: Collection, change: PropertyChange, _zone: str) -> Collection:
    digits = change.text.removeprefix("-")
    if change.element is None or not change.text:
        return replace(collection, order=0)
    if not (digits.isascii() and digits.isdigit() and int(digits[:11]) < MAX_ORDER):
        raise Refused(Condition.CANNOT_MODIFY_PROTECTED, "An order is a whole number.")
    return replace(collection, order=int(change.text))


def _transparency(collection: Collection, change: PropertyChange, _zone: str) -> Collection:
    """Select or deselect (RFC 6638 section 9.1): a transparent calendar decides nothing."""
    wants_none = (
        change.element is not None and xml.child(change.element, caldav("transparent")) is not None
    )
    return replace(collection, selected=not wants_none)


def _time_zone(collection: Collection, change: PropertyChange, zone_of_owner: str) -> Collection:
    """Set the zone by definition (RFC 4791 section 5.2.2): one VCALENDAR with one VTIMEZONE."""
    if change.element is None or not change.text:
        return replace(collection, time_zone=zone_of_owner, time_zone_ics="")
    text = _limited(xml.text_of(change.element).strip(), MAX_VALUE)
    zones = parse(text.encode()).components
    if len(zones) != 1 or zones[0].name != "VTIMEZONE":
        raise Refused(Condition.VALID_CALENDAR_DATA, "A time zone is one VTIMEZONE.")
    try:
        found = zone_from_vtimezone(zones[0], lenient=False)
    except (ValueError, OverflowError) as error:
        raise Refused(Condition.VALID_CALENDAR_DATA, str(error)) from error
    if found is None:
        raise Refused(Condition.VALID_CALENDAR_DATA, "The time zone has no offsets.")
    known = iana_zone(zones[0].text("TZID"))
    return replace(collection, time_zone=known.name if known else "", time_zone_ics=text)


def _time_zone_id(collection: Collection, change: PropertyChange, zone_of_owner: str) -> Collection:
    """Set the zone by name (RFC 7809 section 5.2)."""
    if change.element is None or not change.text:
        return replace(collection, time_zone=zone_of_owner, time_zone_ics="")
    known = iana_zone(change.text)
    if known is None:
        raise Refused(Condition.VALID_TIMEZONE, "There is no such time zone.")
    return replace(collection, time_zone=known.name, time_zone_ics="")


def _components(collection: Collection, change: PropertyChange, _zone: str) -> Collection:
    """Say what the calendar takes (RFC 4791 section 5.2.3)."""
    items = xml.children(change.element, caldav("comp")) if change.element is not None else ()
    wanted = {(xml.attribute(one, "name") or "").upper() for one in items}
    if not wanted or not wanted <= set(TYPES):
        raise Refused(Condition.SUPPORTED_CALENDAR_COMPONENT, f"Calendars take {', '.join(TYPES)}.")
    return replace(collection, components=frozenset(wanted))


SETTERS: Mapping[str, Setter] = {
    dav("displayname"): _display_name,
    caldav("calendar-description"): _description,
    caldav("calendar-timezone"): _time_zone,
    caldav("calendar-timezone-id"): _time_zone_id,
    caldav("schedule-calendar-transp"): _transparency,
    apple("calendar-color"): _color,
    apple("calendar-order"): _order,
}
FIRST: Mapping[str, Setter] = {caldav("supported-calendar-component-set"): _components}
"""What can be set only while a calendar is made."""
