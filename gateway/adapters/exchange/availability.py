"""Busy time of somebody who shares nothing else, by GetUserAvailability (in a worker thread).

What goes wrong with a mailbox stands inside a good answer, and means that nobody knows. A view
tells events, or digits for equal pieces of the window, or nothing at all, which is not "free".
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from exchangelib import errors as ews

from gateway.adapters.exchange.account import Account
from gateway.adapters.exchange.fields import M, children_of, read_instant, text_of
from gateway.adapters.exchange.messages import MERGED_MINUTES, get_availability
from gateway.errors import AccessLost, Unavailable
from gateway.freebusy.busytime import BusyPeriod, BusyType, coalesce
from gateway.model.timerange import DAY, HOUR, MINUTE, TimeRange

CHUNK = 60 * DAY
"""Servers take 62 days at most."""
SHORTEST = 6 * HOUR
TOO_MUCH = (
    ews.ErrorTimeIntervalTooBig,
    ews.ErrorResultSetTooBig,
    ews.ErrorFreeBusyGenerationFailed,
)
NOBODY = (ews.ErrorMailRecipientNotFound,)
DENIED = (ews.ErrorNoFreeBusyAccess,)
NOT_KNOWN = "The server cannot tell when this calendar is busy."
WITH_EVENTS = frozenset({"FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged"})
STEP = MERGED_MINUTES * MINUTE
TYPES = {
    "Free": BusyType.FREE,
    "WorkingElsewhere": BusyType.FREE,
    "Tentative": BusyType.TENTATIVE,
    "OOF": BusyType.UNAVAILABLE,
}
DIGITS = {"0": BusyType.FREE, "1": BusyType.TENTATIVE, "3": BusyType.UNAVAILABLE}
"""What a digit says; every other one, "no data" among them, is busy."""


def busy_in(account: Account, address: str, window: TimeRange) -> list[BusyPeriod]:
    """Return the busy time of a mailbox in a window; what is not told fails."""
    # Digits stand for whole pieces of the window, so that it begins and ends with one.
    low, high = window.start - window.start % STEP, window.end + -window.end % STEP
    found: list[BusyPeriod] = []
    for start in range(low, high, CHUNK):
        found += _chunk(account, address, TimeRange(start, min(start + CHUNK, high)))
    return coalesce(found, window)


def _chunk(account: Account, address: str, window: TimeRange) -> list[BusyPeriod]:
    rows = account.ask("GetUserAvailability", get_availability(address, window))
    if len(rows) != 1:
        raise Unavailable(NOT_KNOWN)
    (row,) = rows
    if isinstance(row, TOO_MUCH) and window.seconds > SHORTEST:
        middle = window.start + window.seconds // 2 // STEP * STEP
        first = _chunk(account, address, TimeRange(window.start, middle))
        return first + _chunk(account, address, TimeRange(middle, window.end))
    if isinstance(row, NOBODY):
        raise AccessLost("The server no longer knows this mailbox.")
    if isinstance(row, DENIED):
        raise AccessLost("The server does not show when this mailbox is busy.")
    if isinstance(row, Exception):
        raise Unavailable(NOT_KNOWN) from row
    try:
        return list(_told(row.find(f"{M}FreeBusyView"), window))
    except (ValueError, OverflowError) as error:
        raise Unavailable(NOT_KNOWN) from error


def _told(view: Any, window: TimeRange) -> Iterator[BusyPeriod]:
    """Yield what a view tells; one that tells nothing is ValueError."""
    kind, digits = text_of(view, "FreeBusyViewType"), text_of(view, "MergedFreeBusy")
    pieces = list(_pieces(digits, window)) if digits else []
    if kind in WITH_EVENTS:
        events = [_event(one) for one in children_of(view, "CalendarEventArray")]
        yield from events
        # "No data" has no event; "working elsewhere", which shares its digit, has one.
        unknown = (one for digit, one in pieces if digit not in "0123")
        yield from (one for one in unknown if not any(_meet(one, known) for known in events))
    elif kind == "MergedOnly" and pieces:
        yield from (one for _, one in pieces)
    else:
        raise ValueError("no view")


def _pieces(digits: str, window: TimeRange) -> Iterator[tuple[str, BusyPeriod]]:
    """Yield runs of equal digits; too few of them, or nothing but "no data", is ValueError."""
    if len(digits) * STEP != window.seconds or not set(digits) & set("0123"):
        raise ValueError("not the whole window")
    at = window.start
    for digit, run in groupby(digits):
        length = sum(1 for _ in run) * STEP
        yield digit, BusyPeriod(at, at + length, DIGITS.get(digit, BusyType.BUSY))
        at += length


def _event(one: Any) -> BusyPeriod:
    # Times are in the zone of the question, which is UTC.
    start, end = read_instant(text_of(one, "StartTime")), read_instant(text_of(one, "EndTime"))
    if end < start:
        raise ValueError("it ends before it begins")
    return BusyPeriod(start, end, TYPES.get(text_of(one, "BusyType"), BusyType.BUSY))


def _meet(one: BusyPeriod, other: BusyPeriod) -> bool:
    return one.start < other.end and other.start < one.end
