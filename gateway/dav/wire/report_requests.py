"""The bodies of REPORTs on calendars, one frozen value per root element."""

from dataclasses import dataclass

from gateway.dav.wire import xml
from gateway.dav.wire.calendar_data import CALENDAR_DATA, read_calendar_data
from gateway.dav.wire.filters import read_filter
from gateway.dav.wire.names import caldav, dav
from gateway.dav.wire.requests import MAX_VALUE, PropRequest, read_prop_request
from gateway.dav.wire.time_ranges import read_time_range
from gateway.dav.wire.xml import Element, MalformedError
from gateway.errors import Condition, Refused
from gateway.model.calendar_data import CalendarData
from gateway.model.component import parse
from gateway.model.filter import CompFilter
from gateway.model.moment import Moments
from gateway.model.timerange import TimeRange
from gateway.model.zone import UTC_ZONE, Zone
from gateway.model.zones import zone

MAX_DIGITS = 9
CALENDAR_QUERY = caldav("calendar-query")
CALENDAR_MULTIGET = caldav("calendar-multiget")
FREE_BUSY_QUERY = caldav("free-busy-query")
SYNC_COLLECTION = dav("sync-collection")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarQuery:
    """CALDAV:calendar-query, RFC 4791 section 9.5.

    `zone` is that of CALDAV:timezone (section 9.8) or CALDAV:timezone-id (RFC 7809 section 5.3.1):
    floating times are told in it. `limit` is the most resources the client takes.
    """

    wanted: PropRequest
    data: CalendarData
    filter: CompFilter
    zone: Zone | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarMultiget:
    """CALDAV:calendar-multiget, RFC 4791 section 9.10; hrefs as they were sent, each once."""

    wanted: PropRequest
    data: CalendarData
    hrefs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeBusyQuery:
    """CALDAV:free-busy-query, RFC 4791 section 9.11."""

    window: TimeRange


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCollection:
    """DAV:sync-collection, RFC 6578 section 6.1; an empty token asks for everything."""

    wanted: PropRequest
    data: CalendarData
    token: str
    limit: int | None = None


def read_calendar_query(root: Element) -> CalendarQuery:
    """Read CALDAV:calendar-query."""
    filters = list(xml.children(root, caldav("filter")))
    if len(filters) != 1:
        raise Refused(Condition.VALID_FILTER, "A calendar-query has one filter.")
    wanted = _wanted(root)
    return CalendarQuery(
        wanted=wanted,
        data=_data(wanted),
        filter=read_filter(filters[0]),
        zone=_zone(root),
        limit=_limit(root),
    )


def read_calendar_multiget(root: Element) -> CalendarMultiget:
    """Read CALDAV:calendar-multiget."""
    wanted = _wanted(root)
    hrefs = (xml.text_of(item).strip() for item in xml.children(root, dav("href")))
    unique = tuple(dict.fromkeys(hrefs))
    if not unique:
        raise MalformedError("A calendar-multiget names at least one href.")
    return CalendarMultiget(wanted=wanted, data=_data(wanted), hrefs=unique)


def read_free_busy_query(root: Element) -> FreeBusyQuery:
    """Read CALDAV:free-busy-query."""
    ranges = list(xml.children(root, caldav("time-range")))
    if len(ranges) != 1:
        raise Refused(Condition.VALID_FILTER, "A free-busy-query has one time-range.")
    window = read_time_range(ranges[0], closed=True, broken=Condition.VALID_FILTER)
    return FreeBusyQuery(window=window)


def read_sync_collection(root: Element) -> SyncCollection:
    """Read DAV:sync-collection; without a sync-level it is 1 (an older draft had Depth instead)."""
    token = xml.child(root, dav("sync-token"))
    if token is None:
        raise MalformedError("A sync-collection has a sync-token, empty the first time.")
    level = xml.child(root, dav("sync-level"))
    # A calendar holds no collections, so both levels tell the same.
    if level is not None and xml.text_of(level).strip() not in ("1", "infinite", "infinity"):
        raise MalformedError("A sync-level is 1 or infinite.")
    wanted = _wanted(root)
    return SyncCollection(
        wanted=wanted, data=_data(wanted), token=xml.text_of(token).strip(), limit=_limit(root)
    )


def _wanted(root: Element) -> PropRequest:
    return read_prop_request(root) or PropRequest()


def _data(wanted: PropRequest) -> CalendarData:
    for item in wanted.elements:
        if xml.name_of(item) == CALENDAR_DATA:
            return read_calendar_data(item)
    return CalendarData()


def _limit(root: Element) -> int | None:
    """Read DAV:limit (RFC 5323 section 5.17), or its sister in CalDAV's namespace."""
    for namespace in (dav, caldav):
        limit = xml.child(root, namespace("limit"))
        if limit is None:
            continue
        found = xml.child(limit, namespace("nresults"))
        text = "" if found is None else xml.text_of(found).strip()
        if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
            raise MalformedError("A limit has nresults, a number.")
        if int(text) == 0:
            raise Refused(Condition.NUMBER_OF_MATCHES, "Nothing can be told in no results.")
        return int(text)
    return None


def _zone(root: Element) -> Zone | None:
    named, told = xml.child(root, caldav("timezone-id")), xml.child(root, caldav("timezone"))
    if named is not None and told is not None:
        raise MalformedError("Give a timezone or a timezone-id.")
    if named is not None:
        found = zone(xml.text_of(named))
        if found is None:
            raise Refused(Condition.VALID_TIMEZONE, "There is no time zone of this name.")
        return found
    return None if told is None else _zone_of(xml.text_of(told))


def _zone_of(text: str) -> Zone:
    """Return the zone of an iCalendar object with one VTIMEZONE (RFC 4791 section 9.8)."""
    if len(text) > MAX_VALUE:
        raise Refused(Condition.VALID_CALENDAR_DATA, f"A timezone has at most {MAX_VALUE:,} bytes.")
    calendar = parse(text.strip().replace("\r\n", "\n").encode())
    definitions = calendar.inside("VTIMEZONE")
    if len(definitions) != 1:
        raise Refused(Condition.VALID_CALENDAR_DATA, "A timezone holds one VTIMEZONE.")
    try:
        return Moments(calendar, UTC_ZONE, lenient=False).zone(definitions[0].value("TZID"))
    except (ValueError, OverflowError) as error:
        raise Refused(Condition.VALID_CALENDAR_DATA, str(error)) from error
