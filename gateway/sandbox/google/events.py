"""events.list, get and instances: full lists, sync tokens, pages, tombstones."""

import base64
import hashlib
import json
from datetime import datetime
from typing import Any

from gateway.model.timerange import (
    DAY,
    MAX_INSTANT,
    MIN_INSTANT,
    Instant,
    TimeRange,
    to_instant,
)
from gateway.sandbox.google.call import ApiError, Call, Json, not_found
from gateway.sandbox.google.expansion import home_of, instances, span_of
from gateway.sandbox.google.world import GoogleCalendar, World, rank

NOT_WITH_A_TOKEN = (
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
)
PARAMETER_SET = ("singleEvents", "showHiddenInvitations", "eventTypes")
USUALLY = {"singleEvents": "false", "showHiddenInvitations": "false"}
MAX_PAGE, USUAL_PAGE = 2500, 250
TOMBSTONE = ("kind", "etag", "id", "status", "recurringEventId", "originalStartTime")
WITHOUT_DETAILS = (
    *TOMBSTONE,
    "start",
    "end",
    "iCalUID",
    "visibility",
    "recurrence",
    "created",
    "updated",
)
EXPANDED = 2 * 366 * DAY
"""How far a series is expanded where a question has no end."""


def list_events(world: World, call: Call) -> Json:
    """Answer events.list."""
    calendar = world.calendar(call.path["calendarId"], call.email, "reader")
    size = min(call.number("maxResults", USUAL_PAGE, MAX_PAGE), world.page_size or MAX_PAGE)
    page = _decode(call.query.get("pageToken"), "pageToken")
    token = _sync_token(calendar, call)
    snapshot = int(page.get("snapshot", len(calendar.changes)))
    after = int(page.get("after", 0))
    if token is None:
        asked = (snapshot, sorted((k, v) for k, v in call.query.items() if k != "pageToken"))
        if not after or calendar.listed[0] != asked:
            calendar.listed = asked, _all(calendar, call)
        items = calendar.listed[1]
    else:
        items = _since(calendar, int(token["since"]), snapshot)
    answer = _head(world, calendar, call)
    if world.empty_pages and after and not page.get("empty"):
        following = {"snapshot": snapshot, "after": after, "empty": True}
        return answer | {"items": [], "nextPageToken": _encode(following)}
    chosen = items[after : after + size]
    answer["items"] = [_shown(item, calendar, call.email) for item in chosen]
    if after + size < len(items):
        answer["nextPageToken"] = _encode({"snapshot": snapshot, "after": after + size})
    elif "orderBy" not in call.query:
        facts = {"since": snapshot, "set": _parameters(call)}
        answer["nextSyncToken"] = _encode(facts)
    return answer


def get_event(world: World, call: Call) -> Json:
    """Answer events.get: deleted events are still told of, as cancelled."""
    calendar = world.calendar(call.path["calendarId"], call.email, "reader")
    return _shown(find(calendar, call.path["eventId"]), calendar, call.email, whole=True)


def list_instances(world: World, call: Call) -> Json:
    """Answer events.instances: every instance of a series in a window, a page at a time."""
    calendar = world.calendar(call.path["calendarId"], call.email, "reader")
    master = find(calendar, call.path["eventId"])
    if master["status"] == "cancelled" or not master.get("recurrence"):
        raise (
            not_found()
            if master["status"] == "cancelled"
            else ApiError(400, "invalid", "Not a recurring event.")
        )
    size = min(call.number("maxResults", USUAL_PAGE, MAX_PAGE), world.page_size or MAX_PAGE)
    start = span_of(master, home_of(calendar)).start
    window = _window(call, default=TimeRange(start - 366 * DAY, start + 10 * EXPANDED))
    found = [
        item
        for item in instances(master, calendar, window)
        if call.flag("showDeleted") or item["status"] != "cancelled"
    ]
    after = int(_decode(call.query.get("pageToken"), "pageToken").get("after", 0))
    answer = _head(world, calendar, call)
    answer["items"] = [_shown(one, calendar, call.email) for one in found[after : after + size]]
    if after + size < len(found):
        answer["nextPageToken"] = _encode({"after": after + size})
    return answer


def find(calendar: GoogleCalendar, event_id: str) -> Json:
    """Return an event or an instance of a series, deleted ones too; 404 for what never was."""
    item = calendar.events.get(event_id)
    if item is not None:
        return item
    master_id, _, stamp = event_id.rpartition("_")
    master = calendar.events.get(master_id)
    if master is None or not master.get("recurrence") or not stamp[:8].isdigit():
        raise not_found()
    moment = to_instant(datetime.fromisoformat(stamp if "T" in stamp else f"{stamp}T000000Z"))
    for one in instances(master, calendar, TimeRange(moment - DAY, moment + 2 * DAY)):
        if one["id"] == event_id:
            return one
    raise not_found()


# --- lists ---------------------------------------------------------------------------------------


def _all(calendar: GoogleCalendar, call: Call) -> list[Json]:
    """Return a full list, in an order that means nothing: exceptions may precede their master."""
    single, deleted = call.flag("singleEvents"), call.flag("showDeleted")
    order = call.query.get("orderBy")
    if order == "startTime" and not single:
        raise ApiError(400, "badRequest", "The requested ordering is not available.")
    unbounded = TimeRange(MIN_INSTANT, MAX_INSTANT)
    window = _window(call, default=unbounded)
    found: list[Json] = []
    for item in calendar.events.values():
        if single and item.get("recurrence") and item["status"] != "cancelled":
            end = min(window.end, max(window.start, _earliest(calendar)) + EXPANDED)
            expanded = TimeRange(min(window.start, end), end)
            found += [
                one
                for one in instances(item, calendar, expanded)
                if deleted or one["status"] != "cancelled"
            ]
        elif single and _has_master(item, calendar):
            continue
        elif _is_listed(item, calendar, window, deleted=deleted, single=single):
            found.append(item)
    found = [item for item in found if _matches(item, call)]
    if order == "startTime":
        return sorted(found, key=lambda one: span_of(one, home_of(calendar)).start)
    return sorted(found, key=lambda one: hashlib.sha1(one["id"].encode()).digest())  # noqa: S324 - a shuffle


def _earliest(calendar: GoogleCalendar) -> Instant:
    starts = [
        span_of(item, home_of(calendar)).start
        for item in calendar.events.values()
        if "start" in item
    ]
    return min(starts, default=0)


def _has_master(item: Json, calendar: GoogleCalendar) -> bool:
    master = calendar.events.get(item.get("recurringEventId", ""))
    return master is not None and bool(master.get("recurrence"))


def _is_listed(
    item: Json, calendar: GoogleCalendar, window: TimeRange, *, deleted: bool, single: bool
) -> bool:
    if item["status"] == "cancelled":
        # A cancelled instance of a series that lives is always told.
        master = calendar.events.get(item.get("recurringEventId", ""))
        lives = master is not None and master["status"] != "cancelled"
        return deleted or (lives and not single)
    if window.start == MIN_INSTANT and window.end == MAX_INSTANT:
        return True
    if item.get("recurrence"):
        return any(True for _ in instances(item, calendar, window))
    span = span_of(item, home_of(calendar))
    return span.start < window.end and window.start < max(span.end, span.start + 1)


def _matches(item: Json, call: Call) -> bool:
    if "iCalUID" in call.query:
        # A tombstone has no UID, so nobody finds it by one.
        known = item["status"] != "cancelled" and item.get("iCalUID") == call.query["iCalUID"]
        if not known:
            return False
    kinds = call.query.getall("eventTypes", [])
    if kinds and item.get("eventType", "default") not in kinds:
        return False
    if "updatedMin" in call.query and item.get("updated", "") < call.query["updatedMin"]:
        return False
    private = item.get("extendedProperties", {}).get("private", {})
    wanted = call.query.getall("privateExtendedProperty", [])
    return all(private.get(one.partition("=")[0]) == one.partition("=")[2] for one in wanted)


def _since(calendar: GoogleCalendar, since: int, snapshot: int) -> list[Json]:
    changed = dict.fromkeys(reversed(calendar.changes[since:snapshot]))
    return [calendar.events[one] for one in reversed(changed) if one in calendar.events]


def _window(call: Call, *, default: TimeRange) -> TimeRange:
    ends = []
    for name, usual in (("timeMin", default.start), ("timeMax", default.end)):
        try:
            moment = datetime.fromisoformat(call.query[name]) if name in call.query else None
        except ValueError as error:
            raise ApiError(400, "badRequest", "Bad Request") from error
        if moment is not None and moment.tzinfo is None:
            raise ApiError(400, "badRequest", "Bad Request")
        ends.append(usual if moment is None else to_instant(moment))
    if ends[1] <= ends[0]:
        raise ApiError(400, "timeRangeEmpty", "The specified time range is empty.")
    return TimeRange(ends[0], ends[1])


# --- tokens --------------------------------------------------------------------------------------


def _sync_token(calendar: GoogleCalendar, call: Call) -> Json | None:
    text = call.query.get("syncToken")
    if text is None:
        return None
    wrong = [name for name in NOT_WITH_A_TOKEN if name in call.query]
    if wrong or call.query.get("showDeleted") == "false":
        raise ApiError(
            400,
            "syncTokenWithRequestParameters",
            f"Sync token cannot be used with other request parameters: {', '.join(wrong)}.",
        )
    token = _decode(text, "syncToken")
    if token.get("set") != _parameters(call) or "since" not in token:
        raise ApiError(400, "badRequest", "The sync token belongs to other parameters.")
    if int(token["since"]) < calendar.forgotten:
        raise ApiError(
            410,
            "fullSyncRequired",
            "Sync token is no longer valid, a full sync is required.",
            domain="calendar",
        )
    return token


def _parameters(call: Call) -> list[list[str]]:
    return [[name, *call.query.getall(name, [USUALLY.get(name, "")])] for name in PARAMETER_SET]


def _encode(facts: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(facts).encode()).decode()


def _decode(text: str | None, name: str) -> Json:
    if text is None:
        return {}
    try:
        facts: Any = json.loads(base64.urlsafe_b64decode(text.encode()))
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise ApiError(400, "invalid", f"Invalid {name} value.")
    return facts


# --- what is shown -------------------------------------------------------------------------------


def _head(world: World, calendar: GoogleCalendar, call: Call) -> Json:
    return {
        "kind": "calendar#events",
        "etag": f'"p{len(calendar.changes):x}"',
        "summary": calendar.summary,
        "description": "",
        "updated": world.next_stamp(),
        "timeZone": calendar.time_zone,
        "accessRole": calendar.roles[call.email],
        "defaultReminders": calendar.reminders,
    }


def _shown(item: Json, calendar: GoogleCalendar, email: str, *, whole: bool = False) -> Json:
    if item["status"] == "cancelled" and not whole:
        return {name: item[name] for name in TOMBSTONE if name in item}
    hidden = item.get("visibility") in {"private", "confidential"}
    if hidden and rank(calendar.roles[email]) < rank("writer"):
        return {name: item[name] for name in WITHOUT_DETAILS if name in item}
    return item
