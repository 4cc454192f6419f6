"""calendarView/delta: rounds over a window that is baked into the token, skeletons, `@removed`."""

import base64
import json
from collections.abc import Iterator

from gateway.model.timerange import TimeRange
from gateway.sandbox.microsoft.call import Call, GraphError, Json
from gateway.sandbox.microsoft.events import show, window_of
from gateway.sandbox.microsoft.times import home_of, meets, occurrences
from gateway.sandbox.microsoft.world import GraphCalendar, World

USUAL_PAGE, MAX_PAGE = 50, 500
SKELETON = ("@odata.etag", "id", "type", "seriesMasterId", "start", "end")
NOT_HERE = frozenset({"$select", "$filter", "$expand", "$orderby", "$search"})


def delta(world: World, call: Call) -> Json:
    """Answer a round: a first one with everything, later ones with what changed since."""
    calendar = world.calendar(call.path["calendarId"], call.address)
    if NOT_HERE & call.query.keys():
        raise GraphError(400, "ErrorInvalidUrlQuery", "The query is not supported.")
    facts = _facts(call)
    if facts is None:
        window = window_of(call)
        facts = {"low": window.start, "high": window.end, "since": -1, "after": 0}
    elif facts.get("calendar") != calendar.id:
        raise GraphError(400, "ErrorInvalidUrlQuery", "The token is malformed.")
    elif int(facts["until"] if "until" in facts else facts["since"]) < calendar.forgotten:
        raise GraphError(410, "SyncStateNotFound", "The sync state is not found.")
    # All pages of a round are of one moment.
    facts.setdefault("until", len(calendar.changes))
    window = TimeRange(int(facts["low"]), int(facts["high"]))
    rows = list(_rows(world, calendar, window, facts, call))
    size = int(call.prefer.get("odata.maxpagesize") or USUAL_PAGE)
    size = min(size, MAX_PAGE, world.page_size or MAX_PAGE)
    after = int(facts["after"])
    link = f"{call.root}/me/calendars/{calendar.id}/calendarView/delta"
    facts["calendar"] = calendar.id
    if world.empty_pages and after and not facts.get("empty"):
        facts["empty"] = True
        return {"value": [], "@odata.nextLink": f"{link}?$skiptoken={_encode(facts)}"}
    facts.pop("empty", None)
    answer: Json = {"value": rows[after : after + size]}
    if after + size < len(rows):
        facts["after"] = after + size
        answer["@odata.nextLink"] = f"{link}?$skiptoken={_encode(facts)}"
    else:
        facts |= {"since": facts.pop("until"), "after": 0}
        answer["@odata.deltaLink"] = f"{link}?$deltatoken={_encode(facts)}"
    return answer


def _facts(call: Call) -> Json | None:
    for name in ("$skiptoken", "$deltatoken"):
        if name in call.query:
            return dict(_decode(call.query[name]))
    return None


def _rows(
    world: World, calendar: GraphCalendar, window: TimeRange, facts: Json, call: Call
) -> Iterator[Json]:
    since = int(facts["since"])
    if since < 0:
        for item in list(calendar.events.values()):
            yield from _told(world, calendar, item, window, call, outside=False)
        return
    for name in dict.fromkeys(calendar.changes[since : int(facts["until"])]):
        known = calendar.events.get(name)
        if known is not None:
            yield from _told(world, calendar, known, window, call, outside=True)
        elif name:
            yield _removed(name.removeprefix("-"))


def _told(
    world: World,
    calendar: GraphCalendar,
    item: Json,
    window: TimeRange,
    call: Call,
    *,
    outside: bool,
) -> Iterator[Json]:
    if item.get("recurrence"):
        found = list(_series(world, calendar, item, window, call))
    elif item.get("seriesMasterId") and not outside:
        return  # of a first round it comes with its master
    else:
        inside = meets(item, home_of(world, calendar), window)
        found = [show(item, call)] if inside else []
    yield from found
    if not found and outside:
        # What was only touched outside the window is told as if it were deleted.
        yield _removed(item["id"])


def _series(
    world: World, calendar: GraphCalendar, master: Json, window: TimeRange, call: Call
) -> Iterator[Json]:
    found = list(occurrences(master, calendar, home_of(world, calendar), window))
    if found and world.masters_in_delta:
        yield show(master, call)
    for one in found:
        shown = show(one, call)
        if one["type"] == "occurrence":
            shown = {name: shown[name] for name in SKELETON if name in shown}
            shown["@odata.type"] = "#microsoft.graph.event"
        yield shown


def _removed(name: str) -> Json:
    return {
        "@odata.type": "#microsoft.graph.event",
        "id": name,
        "@removed": {"reason": "deleted"},
    }


def _encode(facts: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(facts).encode()).rstrip(b"=").decode()


def _decode(text: str) -> Json:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError as error:
        raise GraphError(400, "ErrorInvalidUrlQuery", "The token is malformed.") from error
    if not isinstance(found, dict):
        raise GraphError(400, "ErrorInvalidUrlQuery", "The token is malformed.")
    return found
