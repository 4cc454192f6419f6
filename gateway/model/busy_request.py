"""A VFREEBUSY REQUEST (RFC 5546 section 3.3.2): who asks whom about which time, and the answers."""

from dataclasses import dataclass

from gateway.errors import Condition, Refused
from gateway.model.component import Component, parse
from gateway.model.moment import Moments
from gateway.model.timerange import TimeRange
from gateway.model.zone import UTC_ZONE

MAX_ATTENDEES = 100
"""Calendar users one request may ask about."""
SUCCESS = "2.0;Success"
INVALID_USER = "3.7;Invalid calendar user"
UNAVAILABLE = "5.1;Service unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyRequest:
    """What is asked; addresses are calendar user addresses as they were written, each once."""

    uid: str
    organizer: str
    attendees: tuple[str, ...]
    window: TimeRange


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyAnswer:
    """What is told of one attendee (RFC 6638 section 5.2): a status, perhaps with a REPLY."""

    attendee: str
    status: str
    reply: bytes = b""


def read_busy_request(data: bytes) -> BusyRequest:
    """Read a message.

    What is no calendar breaks valid-calendar-data, what is no such message breaks
    valid-scheduling-message.
    """
    calendar = parse(data)
    if calendar.value("METHOD").strip().upper() != "REQUEST":
        raise _invalid("Only METHOD:REQUEST is answered here.")
    asked = [item for item in calendar.components if item.name != "VTIMEZONE"]
    if len(asked) != 1 or asked[0].name != "VFREEBUSY":
        raise _invalid("A request for busy time holds one VFREEBUSY.")
    (item,) = asked
    for name in ("UID", "DTSTAMP", "DTSTART", "DTEND", "ORGANIZER"):
        if len(item.all(name)) != 1:
            raise _invalid(f"A request for busy time has one {name}.")
    attendees = tuple(dict.fromkeys(one.value.strip() for one in item.all("ATTENDEE")))
    if not attendees:
        raise _invalid("A request for busy time names at least one ATTENDEE.")
    if len(attendees) > MAX_ATTENDEES:
        raise Refused(Condition.MAX_ATTENDEES, f"More than {MAX_ATTENDEES} attendees.")
    return BusyRequest(
        uid=item.text("UID"),
        organizer=item.value("ORGANIZER").strip(),
        attendees=attendees,
        window=_window(calendar, item),
    )


def _window(calendar: Component, item: Component) -> TimeRange:
    moments = Moments(calendar, UTC_ZONE, lenient=False)
    start, end = item.first("DTSTART"), item.first("DTEND")
    assert start is not None  # both were counted
    assert end is not None
    try:
        low, high = moments.read(start).instant, moments.read(end).instant
    except (ValueError, OverflowError) as error:
        raise _invalid(str(error)) from error
    if low >= high:
        raise _invalid("DTEND comes after DTSTART.")
    return TimeRange(low, high)


def _invalid(sentence: str) -> Refused:
    return Refused(Condition.VALID_SCHEDULING_MESSAGE, sentence)
