"""Whether a calendar object matches a filter (RFC 4791 sections 9.7 and 9.9).

A component matches where one and the same component meets every condition; its time-range asks
its own instances, so a master does not answer for an instance that an override replaces. Where the
step limit of recurrence is reached the time counts as met: nothing is hidden for being costly.
"""

from collections.abc import Iterator

from gateway.errors import Refused
from gateway.model.component import CalendarObject, Component
from gateway.model.content_line import Property, split_list, unescape_text
from gateway.model.filter import CompFilter, ParamFilter, PropFilter
from gateway.model.local_time import parse_duration
from gateway.model.moment import Moments
from gateway.model.recurrence import ObjectTimes, compile_object
from gateway.model.timerange import DAY, MAX_INSTANT, MIN_INSTANT, Instant, TimeRange
from gateway.model.zone import Zone

SEVERAL_VALUES = frozenset({"CATEGORIES", "RESOURCES"})
DATES = frozenset(
    [
        "COMPLETED",
        "CREATED",
        "DTEND",
        "DTSTAMP",
        "DTSTART",
        "DUE",
        "EXDATE",
        "LAST-MODIFIED",
        "RDATE",
        "RECURRENCE-ID",
    ]
)
"""The properties of RFC 5545 whose values are dates or times, so that a time-range can ask them."""
MAX_DATES = 10_000
_FAR = MAX_INSTANT - MIN_INSTANT


class Matcher:
    """One object, asked by any number of filters; its times are compiled when first needed."""

    __slots__ = ("_moments", "_times", "_zone", "obj")

    def __init__(self, obj: CalendarObject, default_zone: Zone) -> None:
        self.obj = obj
        self._zone = default_zone
        self._times: ObjectTimes | None = None
        self._moments = Moments(obj.calendar, default_zone, lenient=True)

    @property
    def times(self) -> ObjectTimes:
        """The object's times."""
        if self._times is None:
            self._times = compile_object(self.obj, self._zone, lenient=True)
        return self._times

    def matches(self, asked: CompFilter) -> bool:
        """Tell whether the object meets the filter, whose outermost component is VCALENDAR."""
        found = asked.name == "VCALENDAR"
        if asked.is_not_defined or not found:
            return asked.is_not_defined and not found
        return self._meets(self.obj.calendar, asked, parent=None)

    def _comp(self, asked: CompFilter, owner: Component) -> bool:
        """Tell whether a component of that name in its owner meets all that is asked of it."""
        named = owner.inside(asked.name)
        if asked.is_not_defined:
            return not named
        return any(self._meets(item, asked, parent=owner) for item in named)

    def _meets(self, item: Component, asked: CompFilter, *, parent: Component | None) -> bool:
        return (
            all(self._prop(one, item) for one in asked.props)
            and (asked.time_range is None or self._takes_place(item, asked.time_range, parent))
            and all(self._comp(one, item) for one in asked.comps)
        )

    # --- properties and parameters -----------------------------------------------------------

    def _prop(self, asked: PropFilter, owner: Component) -> bool:
        named = owner.all(asked.name)
        if asked.is_not_defined:
            return not named
        return any(
            (asked.time_range is None or self._is_within(item, asked.time_range))
            and (asked.text_match is None or asked.text_match.matches(texts_of(item)))
            and all(_param(one, item) for one in asked.params)
            for item in named
        )

    def _is_within(self, item: Property, window: TimeRange) -> bool:
        """Tell whether a date or time of the property lies in the window; a date is a whole day."""
        for start, end in self._moments.each([item], MAX_DATES):
            low = start.instant
            high = max(low + DAY if start.is_date else low + 1, end or low)
            if low < window.end and high > window.start:
                return True
        return False

    # --- time --------------------------------------------------------------------------------

    def _takes_place(self, item: Component, window: TimeRange, parent: Component | None) -> bool:
        try:
            if item.name == "VALARM" and parent is not None:
                return self._goes_off(item, window, parent)
            return self._has_instance(item, window)
        except Refused:
            return True

    def _has_instance(self, item: Component, window: TimeRange) -> bool:
        return next(self._instances(item, window), None) is not None

    def _instances(self, item: Component, window: TimeRange) -> Iterator[tuple[Instant, Instant]]:
        found = self.times.occurrences(window, wanted=lambda component, _: component is item)
        return ((one.start, one.end) for one in found if one.component is item)

    def _goes_off(self, alarm: Component, window: TimeRange, parent: Component) -> bool:
        """Tell whether an alarm rings in the window: its trigger, or a repetition of it."""
        trigger = alarm.first("TRIGGER")
        if trigger is None:
            return False
        step, count = _repetition(alarm)
        try:
            at = self._moments.read(trigger).instant
        except (ValueError, OverflowError):
            pass
        else:
            return _rings(at, step, count, window)
        try:
            offset = parse_duration(trigger.value).nominal_seconds
        except ValueError:
            return False
        if not any(parent.first(name) for name in ("DTSTART", "DUE", "RECURRENCE-ID")):
            return False
        # The instances that can ring in the window start or end this much before or after it.
        low = max(MIN_INSTANT, window.start - offset - min(step * count, _FAR) - 1)
        high = min(MAX_INSTANT, window.end - offset + 1)
        if low >= high:
            return False
        at_end = trigger.param("RELATED").upper() == "END"
        return any(
            _rings((end if at_end else start) + offset, step, count, window)
            for start, end in self._instances(parent, TimeRange(low, high))
        )


def texts_of(item: Property) -> list[str]:
    """Return what the values of a property say, each by itself and the line as a whole."""
    whole = unescape_text(item.value)
    if item.name not in SEVERAL_VALUES or "," not in item.value:
        return [whole]
    return [*(unescape_text(value) for value in split_list(item.value)), whole]


def _param(asked: ParamFilter, owner: Property) -> bool:
    values = owner.params.get(asked.name)
    if asked.is_not_defined or values is None:
        return asked.is_not_defined and values is None
    return asked.text_match is None or asked.text_match.matches(list(values))


def _repetition(alarm: Component) -> tuple[int, int]:
    """Return the pause and the number of repetitions (RFC 5545 section 3.8.6.2), 0 without one."""
    repeat = alarm.value("REPEAT").strip()
    if not (repeat.isascii() and repeat.isdigit()):
        return 0, 0
    try:
        step = parse_duration(alarm.value("DURATION")).nominal_seconds
    except ValueError:
        return 0, 0
    return (step, int(repeat[:12])) if step > 0 else (0, 0)


def _rings(at: Instant, step: int, count: int, window: TimeRange) -> bool:
    """Tell whether one of `at`, `at + step`, … lies in the window, by division."""
    if at >= window.start or not step:
        return window.start <= at < window.end
    needed = -((at - window.start) // step)
    return needed <= count and at + needed * step < window.end
