"""CALDAV:calendar-data in a request (RFC 4791 section 9.6) into `gateway.model.calendar_data`."""

from gateway.dav.wire import xml
from gateway.dav.wire.names import caldav
from gateway.dav.wire.time_ranges import read_time_range
from gateway.dav.wire.xml import Element, MalformedError
from gateway.errors import Condition, Refused
from gateway.model.calendar_data import CalendarData, CompRequest
from gateway.model.timerange import TimeRange

CALENDAR_DATA = caldav("calendar-data")
_ALLPROP, _PROP = caldav("allprop"), caldav("prop")
_ALLCOMP, _COMP = caldav("allcomp"), caldav("comp")


def read_calendar_data(item: Element) -> CalendarData:
    """Read CALDAV:calendar-data; another format than ours breaks supported-calendar-data."""
    kind = (xml.attribute(item, "content-type") or "text/calendar").strip().lower()
    version = (xml.attribute(item, "version") or "2.0").strip()
    if kind != "text/calendar" or version != "2.0":
        raise Refused(Condition.SUPPORTED_CALENDAR_DATA, "Only iCalendar 2.0 is told.")
    expand = _window(item, "expand")
    recurrence_set = _window(item, "limit-recurrence-set")
    if expand and recurrence_set:
        raise MalformedError("Ask for expand or for limit-recurrence-set.")
    comp = xml.child(item, _COMP)
    if comp is not None and _name(comp) != "VCALENDAR":
        raise MalformedError("The outermost comp is VCALENDAR.")
    return CalendarData(
        comp=None if comp is None else _comp(comp),
        expand=expand,
        limit_recurrence_set=recurrence_set,
        limit_freebusy_set=_window(item, "limit-freebusy-set"),
    )


def _window(item: Element, local: str) -> TimeRange | None:
    found = xml.child(item, caldav(local))
    if found is None:
        return None
    return read_time_range(found, closed=True, broken=Condition.VALID_FILTER)


def _comp(item: Element) -> CompRequest:
    """Read CALDAV:comp, section 9.6.1; one without anything in it asks for all of it."""
    name = _name(item)
    kinds = {xml.name_of(child) for child in xml.children(item)}
    if _ALLPROP in kinds and _PROP in kinds:
        raise MalformedError("A comp names its properties or asks for all of them.")
    if _ALLCOMP in kinds and _COMP in kinds:
        raise MalformedError("A comp names its components or asks for all of them.")
    if not kinds:
        return CompRequest(name=name)
    props = {
        _name(child): xml.attribute(child, "novalue") == "yes"
        for child in xml.children(item, _PROP)
    }
    comps = {one.name: one for one in map(_comp, xml.children(item, _COMP))}
    return CompRequest(
        name=name,
        props=None if _ALLPROP in kinds else props,
        comps=None if _ALLCOMP in kinds else comps,
    )


def _name(item: Element) -> str:
    name = (xml.attribute(item, "name") or "").strip().upper()
    if not name:
        raise MalformedError("A comp and a prop of calendar-data have a name.")
    return name
