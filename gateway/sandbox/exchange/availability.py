"""GetUserAvailability: when other people are busy, told in the zone of the question."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.mailbox import Mailbox
from gateway.sandbox.exchange.occurrences import DAYS, instances, spans
from gateway.sandbox.exchange.soap import SPACES, EwsError, M, Request, T, failure, success
from gateway.sandbox.exchange.zones import Turn, local_by

MOST_DAYS, MOST_PEOPLE, MOST_EVENTS = 62, 100, 1000
DIGITS = {"Free": "0", "Tentative": "1", "Busy": "2", "OOF": "3", "WorkingElsewhere": "4"}
NO_DATA = "4"
OPERATION = "GetUserAvailability"
LAST = 5


class Busy(NamedTuple):
    """A time at which somebody is busy."""

    start: datetime
    end: datetime
    kind: str


class Clock(NamedTuple):
    """The zone of a question: an offset and its yearly changes."""

    standard: timedelta
    turns: tuple[Turn, ...]

    def local(self, when: datetime) -> datetime:
        """Return what it shows."""
        return local_by(self.turns, self.standard, when)

    def instant(self, wall: datetime) -> datetime:
        """Return when it shows that."""
        guess = wall.replace(tzinfo=UTC) - self.standard
        return guess - (self.local(guess) - wall)


def get_user_availability(mailbox: Mailbox, request: Request) -> str:
    """Tell of each mailbox when it is busy; what is wrong with one stands in its own answer."""
    zone = request.body.find(f"{T}TimeZone")
    options = request.body.find(f"{T}FreeBusyViewOptions")
    people = request.children("MailboxDataArray")
    order = [one.tag for one in request.body]
    wanted = [f"{T}TimeZone", f"{M}MailboxDataArray", f"{T}FreeBusyViewOptions"]
    if zone is None or options is None or order != wanted or len(people) > MOST_PEOPLE:
        raise EwsError("ErrorSchemaValidation", "The request failed schema validation.")
    clock = _clock(zone)
    low, high = (
        clock.instant(datetime.fromisoformat(options.findtext(f"{T}TimeWindow/{T}{name}", "")))
        for name in ("StartTime", "EndTime")
    )
    told = "".join(
        f"<m:FreeBusyResponse>{_answer(mailbox, one, options, clock, (low, high))}"
        "</m:FreeBusyResponse>"
        for one in people
    )
    return (
        f"<m:{OPERATION}Response {SPACES}><m:FreeBusyResponseArray>{told}"
        f"</m:FreeBusyResponseArray></m:{OPERATION}Response>"
    )


def _answer(
    mailbox: Mailbox,
    person: ET.Element,
    options: ET.Element,
    clock: Clock,
    window: tuple[datetime, datetime],
) -> str:
    address = person.findtext(f"{T}Email/{T}Address", "")
    try:
        busy = _busy(_found(mailbox, address), window)
        view = _view(busy, options, clock, window)
    except EwsError as error:
        return _named(failure(OPERATION, error))
    return _named(success(OPERATION, "")) + view


def _named(message: str) -> str:
    """Return a message under the name that it has in this operation alone."""
    return message.replace(f"m:{OPERATION}ResponseMessage", "m:ResponseMessage")


def _found(mailbox: Mailbox, address: str) -> Mailbox:
    try:
        found = mailbox.of(address)
    except EwsError as error:
        told = "Unable to resolve e-mail address to an Active Directory object."
        raise EwsError("ErrorMailRecipientNotFound", told) from error
    if found.busy_error:
        raise EwsError(found.busy_error)
    return found


def _busy(mailbox: Mailbox, window: tuple[datetime, datetime]) -> list[Busy]:
    if (window[1] - window[0]).days > MOST_DAYS:
        raise EwsError("ErrorTimeIntervalTooBig", "The requested time window is too long.")
    found = sorted(_each(mailbox, window))
    if len(found) > MOST_EVENTS:
        raise EwsError("ErrorResultSetTooBig", "The result set contains too many calendar entries.")
    return found


def _each(mailbox: Mailbox, window: tuple[datetime, datetime]) -> Iterator[Busy]:
    low, high = window
    for item in mailbox.calendar.items.values():
        kind = item.findtext(f"{T}LegacyFreeBusyStatus", "Busy")
        for start, end in instances(item, low, high):
            yield Busy(start, end, kind)
        for one in mailbox.exceptions_of(item):
            start, end = spans(one)
            if start < high and end > low:
                yield Busy(start, end, one.findtext(f"{T}LegacyFreeBusyStatus", "Busy"))


def _view(
    busy: Sequence[Busy], options: ET.Element, clock: Clock, window: tuple[datetime, datetime]
) -> str:
    kind = options.findtext(f"{T}RequestedView", "")
    merged = events = ""
    if kind.endswith(("Merged", "MergedOnly")):
        step = timedelta(minutes=int(options.findtext(f"{T}MergedFreeBusyIntervalInMinutes", "30")))
        merged = f"<t:MergedFreeBusy>{_digits(busy, window, step)}</t:MergedFreeBusy>"
    if kind != "MergedOnly" and busy:
        events = "".join(
            f"<t:CalendarEvent><t:StartTime>{clock.local(one.start).isoformat()}</t:StartTime>"
            f"<t:EndTime>{clock.local(one.end).isoformat()}</t:EndTime>"
            f"<t:BusyType>{one.kind}</t:BusyType></t:CalendarEvent>"
            for one in busy
        )
        events = f"<t:CalendarEventArray>{events}</t:CalendarEventArray>"
    return (
        f"<m:FreeBusyView><t:FreeBusyViewType>{kind}</t:FreeBusyViewType>"
        f"{merged}{events}</m:FreeBusyView>"
    )


def _digits(busy: Sequence[Busy], window: tuple[datetime, datetime], step: timedelta) -> str:
    low, high = window
    digits = ["0"] * -(-(high - low) // step)
    for one in busy:
        digit = DIGITS.get(one.kind, NO_DATA)
        first = max(0, (one.start - low) // step)
        last = min(len(digits), -(-(one.end - low) // step))
        for place in range(first, last):
            digits[place] = max(digits[place], digit)
    return "".join(digits)


def _clock(zone: ET.Element) -> Clock:
    """Read a SerializableTimeZone; one whose parts are not in order is refused by the schema."""
    bias = int(zone.findtext(f"{T}Bias", ""))
    parts = [zone.find(f"{T}{name}") for name in ("StandardTime", "DaylightTime")]
    if [one.tag for one in zone[1:]] != [f"{T}StandardTime", f"{T}DaylightTime"]:
        raise EwsError("ErrorSchemaValidation", "The request failed schema validation.")
    offsets = [-timedelta(minutes=bias + _number(one, "Bias")) for one in parts if one is not None]
    standard, daylight = offsets
    if standard == daylight:
        return Clock(standard, ())
    turns = (
        _turn(parts[0], before=daylight, after=standard),
        _turn(parts[1], before=standard, after=daylight),
    )
    return Clock(standard, turns)


def _turn(part: ET.Element | None, *, before: timedelta, after: timedelta) -> Turn:
    assert part is not None, "both are there"
    week, hour = (
        _number(part, "DayOrder"),
        datetime.fromisoformat(f"2000-01-01T{part.findtext(f'{T}Time', '00:00:00')}"),
    )
    return Turn(
        month=_number(part, "Month"),
        week=-1 if week == LAST else week,
        weekday=DAYS.index(part.findtext(f"{T}DayOfWeek", "Sunday")),
        at=timedelta(hours=hour.hour, minutes=hour.minute),
        before=before,
        after=after,
    )


def _number(part: ET.Element | None, name: str) -> int:
    """Return a number of a change; months and weeks that do not exist are refused."""
    found = part.findtext(f"{T}{name}") if part is not None else None
    number = int(found) if found is not None else 0
    if found is None or (number == 0 and name in {"Month", "DayOrder"}):
        raise EwsError("ErrorInvalidArgument", f"The time zone's {name} is not valid.")
    return number


AVAILABILITY = {f"{OPERATION}Request": get_user_availability}
