"""events.insert, patch, update, delete and import, with the quirks of ids that clients choose."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from gateway.sandbox.google.call import ApiError, Call, Json
from gateway.sandbox.google.events import find
from gateway.sandbox.google.expansion import home_of, instant_of, is_date
from gateway.sandbox.google.world import GoogleCalendar, World

VALID_ID = re.compile(r"[a-v0-9]{5,1024}")
READ_ONLY = frozenset(
    {
        "kind",
        "etag",
        "id",
        "created",
        "updated",
        "creator",
        "htmlLink",
        "iCalUID",
        "recurringEventId",
    }
)


def insert(world: World, call: Call) -> Json:
    """Answer events.insert; an id stays taken for ever, also when its event was deleted."""
    calendar = world.calendar(call.path["calendarId"], call.email, "writer")
    body = dict(call.body)
    chosen = body.get("id")
    if chosen is not None:
        if not isinstance(chosen, str) or not VALID_ID.fullmatch(chosen):
            raise ApiError(400, "invalid", "Invalid resource id value.")
        if "iCalUID" in body:
            raise ApiError(400, "invalid", "Only one of id and iCalUID may be given.")
        if chosen in calendar.events:
            raise ApiError(409, "duplicate", "The requested identifier already exists.")
    body["id"] = chosen or secrets.token_hex(13)
    _check_times(body, calendar)
    made = world.put(calendar.id, _completed(world, body, call, calendar))
    _mail(world, call, made, "invitation")
    return made


def import_event(world: World, call: Call) -> Json:
    """Answer events.import: a private copy of an event that has a UID already."""
    calendar = world.calendar(call.path["calendarId"], call.email, "writer")
    body = dict(call.body)
    if not body.get("iCalUID"):
        raise ApiError(400, "required", "Missing required field: iCalUID")
    _check_times(body, calendar)
    body["id"] = "_" + secrets.token_hex(13)
    return world.put(calendar.id, _completed(world, body, call, calendar) | {"privateCopy": True})


def patch(world: World, call: Call) -> Json:
    """Answer events.patch: objects are merged, arrays replaced, null removes."""
    return _change(world, call, merge=True)


def update(world: World, call: Call) -> Json:
    """Answer events.update: what is not sent is gone."""
    return _change(world, call, merge=False)


def delete(world: World, call: Call) -> Json:
    """Answer events.delete: 410 for what is deleted already, 404 for what never was."""
    calendar = world.calendar(call.path["calendarId"], call.email, "writer")
    item = find(calendar, call.path["eventId"])
    if item["status"] == "cancelled":
        raise ApiError(410, "deleted", "Resource has been deleted")
    _check_etag(call, item)
    _mail(world, call, item, "cancellation")
    if item["id"] in calendar.events and not item.get("recurringEventId"):
        world.remove(calendar.id, item["id"])
    else:
        kept = ("id", "recurringEventId", "originalStartTime")
        cancelled = {name: item[name] for name in kept} | {"status": "cancelled"}
        world.put(calendar.id, cancelled)
    return {}


def _change(world: World, call: Call, *, merge: bool) -> Json:
    calendar = world.calendar(call.path["calendarId"], call.email, "writer")
    item = find(calendar, call.path["eventId"])
    _check_etag(call, item)
    if item["status"] == "cancelled" and call.body.get("status") != "confirmed":
        raise ApiError(403, "forbidden", "Forbidden")
    body = {name: value for name, value in call.body.items() if name not in READ_ONLY}
    if not merge:
        kept = {name: item[name] for name in READ_ONLY if name in item}
        changed = {**kept, **body}
    else:
        changed = _merged(item, body)
    changed["sequence"] = item.get("sequence", 0) + 1
    changed["updated"] = world.next_stamp()
    changed.setdefault("status", "confirmed")
    if "originalStartTime" in item:
        changed["originalStartTime"] = item["originalStartTime"]
    _check_times(changed, calendar)
    _mail(world, call, changed, "update")
    return world.put(calendar.id, changed)


def _mail(world: World, call: Call, item: Json, about: str) -> None:
    """Mail the attendees if the caller wants that; otherwise nobody hears of it."""
    if call.query.get("sendUpdates", "none") in {"all", "externalOnly"}:
        others = (one["email"] for one in item.get("attendees", ()) if not one.get("self"))
        world.mails += [(about, address) for address in others]


def _merged(item: Mapping[str, Any], body: Mapping[str, Any]) -> Json:
    made = dict(item)
    for name, value in body.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, dict) and isinstance(made.get(name), dict):
            made[name] = _merged(made[name], value)
        else:
            made[name] = value
    return made


def _check_etag(call: Call, item: Json) -> None:
    if call.if_match not in {"", "*", item["etag"]}:
        raise ApiError(412, "conditionNotMet", "Precondition Failed")


def _check_times(body: Json, calendar: GoogleCalendar) -> None:
    start, end = body.get("start"), body.get("end")
    if not isinstance(start, dict) or not isinstance(end, dict):
        which = "end" if isinstance(start, dict) else "start"
        raise ApiError(400, "required", f"Missing {which} time.")
    if is_date(start) is not is_date(end) or (start.get("date") and start.get("dateTime")):
        raise ApiError(400, "invalid", "Invalid start time.")
    if body.get("recurrence") and not is_date(start) and not start.get("timeZone"):
        raise ApiError(400, "required", "Missing time zone definition for start time.")
    try:
        home = home_of(calendar)
        empty = instant_of(end, home) < instant_of(start, home)
    except (KeyError, ValueError, AttributeError) as error:
        raise ApiError(400, "invalid", "Invalid value for: Invalid format") from error
    if empty:
        raise ApiError(400, "timeRangeEmpty", "The specified time range is empty.")


def _completed(world: World, body: Json, call: Call, calendar: GoogleCalendar) -> Json:
    own = {"email": call.email, "self": True}
    shown = {"email": calendar.id, "displayName": calendar.summary, "self": True}
    stamp = world.next_stamp()
    attendees = [
        {
            "responseStatus": "needsAction",
            **one,
            **({"self": True} if one.get("email") == calendar.id else {}),
        }
        for one in body.get("attendees", [])
    ]
    return {
        "eventType": "default",
        "reminders": {"useDefault": True},
        **body,
        **({"attendees": attendees} if attendees else {}),
        **_conference(body, call),
        "status": body.get("status", "confirmed"),
        "sequence": 0,
        "created": stamp,
        "updated": stamp,
        "creator": own,
        "organizer": own if calendar.id == call.email else shown,
        "htmlLink": f"https://www.google.com/calendar/event?eid={body['id']}",
    }


def _conference(body: Json, call: Call) -> Json:
    wanted = body.get("conferenceData", {}).get("createRequest")
    if not wanted or call.query.get("conferenceDataVersion") != "1":
        return {"conferenceData": None} if "conferenceData" in body else {}
    link = f"https://meet.google.com/{wanted.get('requestId', '')[:10]}"
    return {
        "hangoutLink": link,
        "conferenceData": {
            "createRequest": {**wanted, "status": {"statusCode": "success"}},
            "entryPoints": [{"entryPointType": "video", "uri": link}],
        },
    }
