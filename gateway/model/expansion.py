"""Recurrence instances as components of their own, in UTC (RFC 4791 section 9.6.5).

What all instances of a component share is written once; only their times differ. An instance has
no rule and no zone, and where its object recurs its original start is its RECURRENCE-ID.
"""

from collections.abc import Iterator

from gateway.errors import Condition, Refused
from gateway.model.calendar_data import CalendarData, CompRequest, Room, select, selected_properties
from gateway.model.component import CalendarObject, Component, serialize
from gateway.model.content_line import Property
from gateway.model.filter import ALL_TIME
from gateway.model.local_time import format_day, format_wall
from gateway.model.moment import Moments
from gateway.model.occurrence import Occurrence
from gateway.model.recurrence import ObjectTimes
from gateway.model.timerange import DAY, Instant, TimeRange, format_utc
from gateway.model.zone import Zone

_TIMES = frozenset({"DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID"})
_RULES = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE"})
_ENDS = {"VEVENT": "DTEND", "VTODO": "DUE"}
_EVERYTHING = CompRequest(name="")


def expand(
    obj: CalendarObject, times: ObjectTimes, wanted: CalendarData, home: Zone, room: Room
) -> str:
    """Return the instances of an object that overlap `wanted.expand`, each by itself.

    More than there is room for are refused (number-of-matches-within-limits).
    """
    outer = wanted.comp or _EVERYTHING
    head = Component("VCALENDAR", selected_properties(obj.calendar, outer))
    begin, _, _ = serialize(head).decode().rpartition("END:")
    inner = _EVERYTHING if outer.comps is None else outer.comps.get(obj.component)
    parts: list[str] = []
    if inner is not None and wanted.expand is not None:
        parts += _instances(obj, times, inner, window=wanted.expand, home=home, room=room)
    return f"{begin}{''.join(parts)}END:VCALENDAR\r\n"


def _instances(
    obj: CalendarObject,
    times: ObjectTimes,
    inner: CompRequest,
    *,
    window: TimeRange,
    home: Zone,
    room: Room,
) -> Iterator[str]:
    moments = Moments(obj.calendar, home, lenient=True)
    known: dict[int, _Teller] = {}
    # What does not recur is told whenever it is; it may have no time at all.
    recurs = times.recurring or len(obj.members) > 1
    found = times.occurrences(window if recurs else ALL_TIME)
    if not recurs:
        found = iter([next(found, Occurrence(0, 0, obj.members[0], None, all_day=False))])
    try:
        for one in found:
            room.take()
            teller = known.get(id(one.component))
            if teller is None:
                teller = known[id(one.component)] = _Teller(one.component, moments, inner)
            yield teller.text(one)
    except Refused as error:
        raise Refused(Condition.NUMBER_OF_MATCHES, error.detail) from error


class _Teller:
    """Writes the instances of one component."""

    __slots__ = ("_before", "_end", "_form", "_home", "_key_form", "_named", "_rest", "_start")

    def __init__(self, item: Component, moments: Moments, wanted: CompRequest) -> None:
        self._home = moments.default_zone
        start, key = item.first("DTSTART"), item.first("RECURRENCE-ID")
        self._form = _form(start or key)
        self._key_form = _form(key or start)
        self._start = start is not None or (key is not None and item.name == "VEVENT")
        self._named = wanted.props
        end = _ENDS.get(item.name)
        self._end = (end, any(item.first(name) for name in (end, "DURATION"))) if end else None
        kept = [
            _in_utc(one, moments)
            for one in item.properties
            if one.name not in _TIMES and one.name not in _RULES
        ]
        told = select(Component(item.name, kept, item.components), wanted)
        self._before = f"BEGIN:{item.name}\r\n"
        self._rest = serialize(told).decode().removeprefix(self._before)

    def text(self, one: Occurrence) -> str:
        """Return one instance."""
        lines = [self._before]
        if one.recurrence_id is not None:
            lines.append(self._line("RECURRENCE-ID", one.recurrence_id, self._key_form))
        if self._start:
            lines.append(self._line("DTSTART", one.start, self._form))
        if self._end is not None:
            name, is_told = self._end
            usual = one.end == one.start or (one.all_day and one.end - one.start <= DAY)
            if is_told or (self._start and not usual):
                lines.append(self._line(name, one.end, self._form))
        lines.append(self._rest)
        return "".join(lines)

    def _line(self, name: str, instant: Instant, form: str) -> str:
        """Return a line, far shorter than a fold; nothing where the property is not wanted."""
        value_left_out = False if self._named is None else self._named.get(name)
        if value_left_out is None:
            return ""
        if form == "date":
            value = format_day(self._home.wall_of(instant) // DAY)
            name += ";VALUE=DATE"
        elif form == "floating":
            value = format_wall(self._home.wall_of(instant))
        else:
            value = format_utc(instant)
        return f"{name}:{'' if value_left_out else value}\r\n"


def _form(item: Property | None) -> str:
    """Return how a time is told: as a date, floating, or else in UTC."""
    if item is None or item.value.strip().upper().endswith("Z"):
        return "utc"
    if "T" not in item.value.upper():
        return "date"
    return "utc" if "TZID" in item.params else "floating"


def _in_utc(item: Property, moments: Moments) -> Property:
    """Return a property without reference to a time zone."""
    if "TZID" not in item.params:
        return item
    params = {name: values for name, values in item.params.items() if name != "TZID"}
    try:
        starts = [period.start for period in moments.each([item], 1_000)]
    except (ValueError, OverflowError):
        starts = []
    value = ",".join(format_utc(start.instant) for start in starts) or item.value
    return item._replace(params=params, value=value)
