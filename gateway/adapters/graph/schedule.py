"""Busy time of somebody who shares nothing else, by getSchedule.

https://learn.microsoft.com/graph/api/calendar-getschedule: an error stands inside a good answer,
and means that nobody knows.
"""

from gateway.adapters.graph.client import INCOMPLETE, GraphClient
from gateway.adapters.graph.fields import Item, objects_of, read_time, text_of
from gateway.errors import AccessLost, Unavailable
from gateway.freebusy.busytime import BusyPeriod, BusyType, coalesce
from gateway.model.timerange import DAY, HOUR, TimeRange, format_rfc3339

CHUNK = 60 * DAY
SHORTEST = 6 * HOUR
TOO_MANY = "5006"
NOBODY = frozenset({"5009", "ErrorMailRecipientNotFound"})
TYPES = {
    "free": BusyType.FREE,
    "workingelsewhere": BusyType.FREE,
    "tentative": BusyType.TENTATIVE,
    "oof": BusyType.UNAVAILABLE,
}


async def busy_in(client: GraphClient, address: str, window: TimeRange) -> list[BusyPeriod]:
    """Return the busy time of a mailbox in a window; what is not told fails."""
    found: list[BusyPeriod] = []
    for start in range(window.start, window.end, CHUNK):
        found += await _chunk(client, address, TimeRange(start, min(start + CHUNK, window.end)))
    return coalesce(found, window)


async def _chunk(client: GraphClient, address: str, window: TimeRange) -> list[BusyPeriod]:
    body = {
        "schedules": [address],
        "startTime": {"dateTime": format_rfc3339(window.start)[:-1], "timeZone": "UTC"},
        "endTime": {"dateTime": format_rfc3339(window.end)[:-1], "timeZone": "UTC"},
        "availabilityViewInterval": 60,
    }
    answer = await client.read("me/calendar/getSchedule", body=body)
    told = objects_of(answer, "value")
    if len(told) != 1:
        raise Unavailable(INCOMPLETE)
    error = told[0].get("error")
    if error is None:
        return _periods(told[0])
    code = str(error.get("responseCode", "")) if isinstance(error, dict) else ""
    if code == TOO_MANY and window.seconds > SHORTEST:
        middle = window.start + window.seconds // 2
        first = await _chunk(client, address, TimeRange(window.start, middle))
        return first + await _chunk(client, address, TimeRange(middle, window.end))
    if code in NOBODY:
        raise AccessLost("Office 365 no longer knows this mailbox.")
    raise Unavailable("Office 365 cannot tell when this calendar is busy.")


def _periods(told: Item) -> list[BusyPeriod]:
    if not isinstance(told.get("scheduleItems"), list):
        raise Unavailable(INCOMPLETE)
    try:
        return [
            BusyPeriod(
                read_time(one.get("start")),
                read_time(one.get("end")),
                TYPES.get(text_of(one, "status").lower(), BusyType.BUSY),
            )
            for one in objects_of(told, "scheduleItems")
        ]
    except (ValueError, OverflowError) as error:
        raise Unavailable(INCOMPLETE) from error
