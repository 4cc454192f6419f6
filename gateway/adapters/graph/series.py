"""A series as Graph keeps it: the master with what was changed and what was cancelled.

Occurrences come from a delta as skeletons without subject or state, so the master is asked for
everything; a mailbox that does not tell its exceptions has its instances counted instead.
"""

from collections.abc import Iterable, Iterator

from gateway.adapters.graph.client import INCOMPLETE, GraphClient, Json, path
from gateway.adapters.graph.fields import Item, objects_of, read_stamp, read_time, text_of
from gateway.adapters.graph.normalise import is_master, render, series_zone
from gateway.errors import Unavailable
from gateway.model.local_time import date_of
from gateway.model.objects import read_one
from gateway.model.recurrence import compile_object
from gateway.model.timerange import DAY, TimeRange, format_rfc3339
from gateway.model.zone import Zone

FIELDS = (
    "id,iCalUId,type,seriesMasterId,subject,body,start,end,originalStartTimeZone,"
    "originalEndTimeZone,isAllDay,isCancelled,isOrganizer,showAs,sensitivity,importance,categories,"
    "location,locations,recurrence,responseStatus,attendees,organizer,onlineMeeting,"
    "onlineMeetingUrl,webLink,isReminderOn,reminderMinutesBeforeStart,createdDateTime,"
    "lastModifiedDateTime,cancelledOccurrences,transactionId"
)
PAGE = 500


async def read_series(
    client: GraphClient, master_id: str, window: TimeRange, home: Zone
) -> tuple[Json, list[Item]]:
    """Return a master and its exceptions."""
    master = await client.read(
        path("me", "events", master_id, _select=FIELDS, _expand="exceptionOccurrences")
    )
    if text_of(master, "id") != master_id:
        raise Unavailable(INCOMPLETE)
    if not is_master(master):
        return master, []
    lists = [master.get(name) for name in ("exceptionOccurrences", "cancelledOccurrences")]
    if all(isinstance(one, list) for one in lists):
        return master, objects_of(master, "exceptionOccurrences")
    return await _counted(client, master, window, home)


async def _counted(
    client: GraphClient, master: Json, window: TimeRange, home: Zone
) -> tuple[Json, list[Item]]:
    """Find exceptions among the instances of the window, and which instances are missing there."""
    where = path(
        "me",
        "events",
        text_of(master, "id"),
        "instances",
        startDateTime=format_rfc3339(window.start),
        endDateTime=format_rfc3339(window.end),
        _top=PAGE,
    )
    instances: list[Item] = []
    async for page in client.pages(where):
        instances += objects_of(page, "value")
    exceptions = [one for one in instances if text_of(one, "type").lower() == "exception"]
    try:
        missing = _missing(master, instances, window, home)
    except (ValueError, OverflowError):
        missing = []  # what cannot be counted stays busy
    return {**master, "cancelledOccurrences": missing}, exceptions


def _missing(master: Json, instances: Iterable[Item], window: TimeRange, home: Zone) -> list[str]:
    """Return the days that the rule has inside the window and the instances have not."""
    data = render(master, (), home).data
    assert data is not None, "render gives bytes"
    there = {key for one in instances for key in _keys(one)}
    times = compile_object(read_one(data), home, lenient=True)
    where = series_zone(master, home)
    missing = []
    # An instance at the very edge may be inside for Graph and outside for us, or the other way.
    for one in times.occurrences(TimeRange(window.start + DAY, window.end - DAY)):
        day = date_of(where.wall_of(one.start) // DAY).isoformat()
        if one.start not in there and day not in there:
            missing.append(f"OID.{text_of(master, 'id')}.{day}")
    return missing


def _keys(instance: Item) -> Iterator[int | str]:
    """Yield what an instance stands for: the instant or the day that it was meant for."""
    told = text_of(instance, "originalStart")
    day = text_of(instance, "occurrenceId").rpartition(".")[2]
    if day:
        yield day
    if told:
        yield read_stamp(told)
    if not day and not told:
        yield read_time(instance.get("start"))
