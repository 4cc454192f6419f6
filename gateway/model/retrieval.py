"""Calendar objects told the way a client wants them (RFC 4791 section 9.6).

Partial retrieval, expansion, and the two limits. Expansion is counted in a `Room`, so no request
can make an answer endless.
"""

from collections.abc import Sequence

from gateway.model.calendar_data import CalendarData, Room, select
from gateway.model.component import CalendarObject, Component, serialize
from gateway.model.content_line import Property
from gateway.model.expansion import expand
from gateway.model.extent import read_extent
from gateway.model.moment import Moments
from gateway.model.recurrence import ObjectTimes
from gateway.model.timerange import TimeRange
from gateway.model.zone import Zone

MAX_DATES = 100_000


def retrieve(
    obj: CalendarObject, times: ObjectTimes, wanted: CalendarData, home: Zone, room: Room
) -> str:
    """Return the text of an object as it is wanted; `home` is the zone of floating times."""
    if wanted.expand and obj.component != "VFREEBUSY":
        return expand(obj, times, wanted, home, room)
    calendar = obj.calendar
    if wanted.limit_freebusy_set:
        calendar = _limit_freebusy(calendar, wanted.limit_freebusy_set, home)
    if wanted.limit_recurrence_set:
        calendar = _limit_recurrence(obj, calendar, times, wanted.limit_recurrence_set, home)
    if wanted.comp is not None:
        calendar = select(calendar, wanted.comp)
    return serialize(calendar).decode()


def _limit_recurrence(
    obj: CalendarObject,
    calendar: Component,
    times: ObjectTimes,
    window: TimeRange,
    home: Zone,
) -> Component:
    """Leave out the overrides that have no say in the window (section 9.6.6)."""
    overrides = [item for item in obj.members if item.first("RECURRENCE-ID")]
    if not overrides:
        return calendar
    moments = Moments(obj.calendar, home, lenient=True)
    longest = _longest(obj.members, moments)
    now = {id(one.component) for one in times.occurrences(window, wanted=_is_override)}
    dropped = {
        id(item)
        for item in overrides
        if id(item) not in now and not _stood_in(item, moments, window, longest)
    }
    return Component(
        calendar.name,
        calendar.properties,
        [item for item in calendar.components if id(item) not in dropped],
    )


def _is_override(item: Component, _has_length: bool) -> bool:  # noqa: FBT001 - a `Wanted`
    return item.first("RECURRENCE-ID") is not None


def _longest(members: Sequence[Component], moments: Moments) -> int:
    extents = (read_extent(moments, item) for item in members if not item.first("RECURRENCE-ID"))
    return max((one.end - one.start.instant for one in extents if one is not None), default=0)


def _stood_in(item: Component, moments: Moments, window: TimeRange, longest: int) -> bool:
    """Tell whether the instance that an override replaces would have been in the window."""
    replaced = item.first("RECURRENCE-ID")
    assert replaced is not None  # it was chosen by it
    start = moments.read(replaced).instant
    reaches = replaced.param("RANGE").upper() == "THISANDFUTURE"
    return start < window.end and (reaches or start + max(longest, 1) > window.start)


def _limit_freebusy(calendar: Component, window: TimeRange, home: Zone) -> Component:
    """Leave out the FREEBUSY periods outside the window (section 9.6.7)."""
    moments = Moments(calendar, home, lenient=True)
    components = [
        Component(item.name, _busy_within(item, moments, window), item.components)
        if item.name == "VFREEBUSY"
        else item
        for item in calendar.components
    ]
    return Component(calendar.name, calendar.properties, components)


def _busy_within(item: Component, moments: Moments, window: TimeRange) -> list[Property]:
    kept: list[Property] = []
    for one in item.properties:
        if one.name != "FREEBUSY":
            kept.append(one)
            continue
        values = [
            text
            for text in one.value.split(",")[:MAX_DATES]
            if any(
                period.start.instant < window.end
                and (period.end is None or period.end > window.start)
                for period in moments.each([one._replace(value=text)], 1)
            )
        ]
        if values:
            kept.append(one._replace(value=",".join(values)))
    return kept
