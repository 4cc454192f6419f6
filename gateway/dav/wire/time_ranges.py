"""`start` and `end` of a request's elements (RFC 4791 section 9.9): UTC, in order, in range."""

import re

from gateway.dav.wire import xml
from gateway.dav.wire.xml import Element
from gateway.errors import Condition, Refused
from gateway.model.filter import ALL_TIME
from gateway.model.local_time import parse_wall
from gateway.model.timerange import Instant, TimeRange

_UTC = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def read_time_range(item: Element, *, closed: bool, broken: Condition) -> TimeRange:
    """Read the attributes of an element; `closed` wants both of them.

    What makes no sense breaks the precondition given; a date that no object can have breaks
    min-date-time or max-date-time.
    """
    start, end = xml.attribute(item, "start"), xml.attribute(item, "end")
    missing = (start is None or end is None) if closed else (start is None and end is None)
    if missing:
        wanted = "start and end" if closed else "start, end or both"
        raise Refused(broken, f"{_local(item)} has {wanted}.")
    low = ALL_TIME.start if start is None else _instant(item, "start", start, broken)
    high = ALL_TIME.end if end is None else _instant(item, "end", end, broken)
    if low >= high:
        raise Refused(broken, f"{_local(item)} ends before it starts, or when it does.")
    return TimeRange(low, high)


def _instant(item: Element, name: str, text: str, broken: Condition) -> Instant:
    try:
        if not _UTC.fullmatch(text.strip()):
            raise ValueError(text)  # noqa: TRY301 - the same sentence for both ways to be wrong
        instant = parse_wall(text).wall
    except ValueError:
        sentence = f"The {name} of {_local(item)} is a UTC time such as 20261201T090000Z."
        raise Refused(broken, sentence) from None
    if instant < ALL_TIME.start:
        raise Refused(Condition.MIN_DATE_TIME, f"The {name} is before the year 1900.")
    if instant > ALL_TIME.end:
        raise Refused(Condition.MAX_DATE_TIME, f"The {name} is after the year 2199.")
    return instant


def _local(item: Element) -> str:
    return xml.name_of(item).rpartition("}")[2]
