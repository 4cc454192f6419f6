"""Reading events: get, list with filters, calendarView, instances."""

import re
from collections.abc import Sequence
from urllib.parse import urlencode

from gateway.model.timerange import DAY, Instant, TimeRange
from gateway.sandbox.microsoft.call import Call, GraphError, Json, item_not_found
from gateway.sandbox.microsoft.times import (
    home_of,
    instant_of,
    meets,
    occurrences,
    read_moment,
    shown_in,
)
from gateway.sandbox.microsoft.world import GraphCalendar, World

USUAL_PAGE, MAX_PAGE = 10, 1000
LONGEST_VIEW = 5 * 366 * DAY
_MARK = re.compile(
    r"singleValueExtendedProperties/Any\(ep:\s*ep/id eq '((?:[^']|'')*)' and "
    r"ep/value eq '((?:[^']|'')*)'\)",
    re.IGNORECASE,
)
_EQUAL = re.compile(r"(iCalUId|transactionId|type) eq '((?:[^']|'')*)'", re.IGNORECASE)
MUTABLE = "AAMkMUTABLE-"
"""What stands before an id that does not survive a move."""


def get_event(world: World, call: Call) -> Json:
    """Answer GET /me/events/{id}."""
    calendar, item = find(world, call)
    shown = show(item, call)
    if item.get("recurrence") and world.tells_cancelled:
        if "cancelledOccurrences" in call.query.get("$select", ""):
            shown["cancelledOccurrences"] = item.get("cancelledOccurrences", [])
        if "exceptionOccurrences" in call.query.get("$expand", ""):
            shown["exceptionOccurrences"] = [
                show(one, call)
                for one in calendar.events.values()
                if one.get("seriesMasterId") == item["id"]
            ]
    return shown


def list_events(world: World, call: Call) -> Json:
    """Answer GET /me/calendars/{id}/events: masters and singles, filtered."""
    calendar = world.calendar(call.path["calendarId"], call.address)
    found = [
        item
        for item in calendar.events.values()
        if item.get("type") in {"singleInstance", "seriesMaster"}
    ]
    asked = call.query.get("$filter", "")
    if asked:
        keep = _Filter(world, asked)
        found = [item for item in found if keep(item)]
    rows = [_with_marks(item, show(item, call), call) for item in found]
    return paged(world, call, f"calendars/{calendar.id}/events", rows)


def view(world: World, call: Call) -> Json:
    """Answer GET /me/calendars/{id}/calendarView: everything in a window, in full."""
    calendar = world.calendar(call.path["calendarId"], call.address)
    rows = [show(item, call) for item in in_view(world, calendar, window_of(call))]
    return paged(world, call, f"calendars/{calendar.id}/calendarView", rows)


def instances(world: World, call: Call) -> Json:
    """Answer GET /me/events/{id}/instances."""
    calendar, item = find(world, call)
    if not item.get("recurrence"):
        raise GraphError(400, "ErrorInvalidRequest", "Not a series.")
    home = home_of(world, calendar)
    rows = [show(one, call) for one in occurrences(item, calendar, home, window_of(call))]
    return paged(world, call, f"events/{item['id']}/instances", rows)


# --- shared --------------------------------------------------------------------------------------


def find(world: World, call: Call, *, writing: bool = False) -> tuple[GraphCalendar, Json]:
    """Return an event of any calendar of the account by the kind of id that was asked for."""
    wanted = call.path["eventId"]
    if not call.immutable:
        wanted = wanted.removeprefix(MUTABLE)
    elif wanted.startswith(MUTABLE):
        raise GraphError(400, "ErrorInvalidIdMalformed", "The id is malformed.")
    for calendar in world.seen_by(call.address):
        if wanted in calendar.events:
            return world.calendar(calendar.id, call.address, writing=writing), calendar.events[
                wanted
            ]
    raise item_not_found()


def show(item: Json, call: Call) -> Json:
    """Return an event as this caller prefers it."""
    made = shown_in(item, call.prefer.get("outlook.timezone", "UTC"))
    for name in ("cancelledOccurrences", "singleValueExtendedProperties"):
        made.pop(name, None)
    body = made.get("body")
    if call.prefer.get("outlook.body-content-type") == "text" and isinstance(body, dict):
        text = re.sub(r"<[^>]*>", " ", str(body.get("content", "")))
        made["body"] = {"contentType": "text", "content": text}
    for name in ("id", "seriesMasterId"):
        if made.get(name):
            made[name] = id_shown(made[name], immutable=call.immutable)
    return made


def id_shown(event_id: str, *, immutable: bool) -> str:
    """Return an id of the kind that was asked for."""
    return event_id if immutable else MUTABLE + event_id


def in_view(world: World, calendar: GraphCalendar, window: TimeRange) -> Sequence[Json]:
    """Return what calendarView shows: singles, occurrences and exceptions."""
    home = home_of(world, calendar)
    found: list[Json] = []
    for item in calendar.events.values():
        if item.get("recurrence"):
            found += occurrences(item, calendar, home, window)
        elif not item.get("seriesMasterId") and meets(item, home, window):
            found.append(item)
    return found


def window_of(call: Call) -> TimeRange:
    """Return the window of a view."""
    if "startDateTime" not in call.query or "endDateTime" not in call.query:
        raise GraphError(400, "ErrorInvalidParameter", "startDateTime and endDateTime are needed.")
    low = _moment(call, "startDateTime")
    high = _moment(call, "endDateTime")
    if high < low:
        raise GraphError(400, "ErrorInvalidTimeInterval", "The end is before the start.")
    if high - low > LONGEST_VIEW:
        raise GraphError(504, "UnknownError", "The request took too long.")
    return TimeRange(low, high)


def _moment(call: Call, name: str) -> Instant:
    return read_moment(call.query[name], name)


def paged(world: World, call: Call, path: str, rows: Sequence[Json]) -> Json:
    """Return a page of rows with the link to the next one."""
    size = int(call.prefer.get("odata.maxpagesize") or call.query.get("$top") or USUAL_PAGE)
    size = min(size, MAX_PAGE, world.page_size or MAX_PAGE)
    after = int(call.query.get("$skip", 0))
    answer: Json = {"value": list(rows[after : after + size])}
    if after + size < len(rows):
        more = {name: value for name, value in call.query.items() if name != "$skip"}
        answer["@odata.nextLink"] = (
            f"{call.root}/me/{path}?{urlencode(more | {'$skip': after + size}, safe='$')}"
        )
    return answer


def _with_marks(item: Json, shown: Json, call: Call) -> Json:
    if "singleValueExtendedProperties" in call.query.get("$expand", ""):
        shown["singleValueExtendedProperties"] = item.get("singleValueExtendedProperties", [])
    return shown


class _Filter:
    def __init__(self, world: World, text: str) -> None:
        self._mark, self._equal = _MARK.fullmatch(text), _EQUAL.fullmatch(text)
        if self._mark is None and self._equal is None:
            raise GraphError(400, "ErrorInvalidUrlQueryFilter", "The filter is invalid.")
        self._seen_until = world.now() - world.search_lag

    def __call__(self, item: Json) -> bool:
        if instant_of({"dateTime": item["createdDateTime"][:26]}) > self._seen_until:
            return False
        if self._equal is not None:
            value = self._equal[2].replace("''", "'")
            return str(item.get(self._equal[1])) == value
        assert self._mark is not None
        wanted = [self._mark[1].replace("''", "'"), self._mark[2].replace("''", "'")]
        marks = item.get("singleValueExtendedProperties", [])
        return any([one.get("id"), one.get("value")] == wanted for one in marks)
