"""calendarList, calendars and freeBusy: which calendars there are, and when they are busy."""

import base64
from datetime import datetime

from gateway.model.timerange import DAY, TimeRange, format_rfc3339, to_instant
from gateway.sandbox.google.call import ApiError, Call, Json
from gateway.sandbox.google.expansion import busy_spans
from gateway.sandbox.google.world import GoogleCalendar, World

MAX_PAGE, USUAL_PAGE = 250, 100
MAX_CALENDARS = 50
MAX_RANGE = 90 * DAY


def list_calendars(world: World, call: Call) -> Json:
    """Answer calendarList.list, a page at a time."""
    account = world.accounts[call.email]
    if not account.uses_calendar:
        raise ApiError(
            403,
            "notACalendarUser",
            "The user must be signed up for Google Calendar.",
            domain="calendar",
        )
    found = [one for one in world.calendars.values() if _role(one, call.email) != "none"]
    size = min(call.number("maxResults", USUAL_PAGE, MAX_PAGE), world.page_size or MAX_PAGE)
    after = _offset(call)
    answer: Json = {
        "kind": "calendar#calendarList",
        "etag": '"calendars"',
        "items": [_entry(one, call.email) for one in found[after : after + size]],
    }
    if after + size < len(found):
        token = base64.urlsafe_b64encode(str(after + size).encode()).decode()
        answer["nextPageToken"] = token
    else:
        answer["nextSyncToken"] = "calendars-1"
    return answer


def get_listed(world: World, call: Call) -> Json:
    """Answer calendarList.get."""
    return _entry(world.calendar(call.path["calendarId"], call.email, "freeBusyReader"), call.email)


def get_calendar(world: World, call: Call) -> Json:
    """Answer calendars.get."""
    calendar = world.calendar(call.path["calendarId"], call.email, "reader")
    return {
        "kind": "calendar#calendar",
        "etag": '"calendar"',
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }


def query_freebusy(world: World, call: Call) -> Json:
    """Answer freebusy.query: 200 also where a calendar cannot be told, with its error in it."""
    try:
        low = to_instant(datetime.fromisoformat(str(call.body.get("timeMin", ""))))
        high = to_instant(datetime.fromisoformat(str(call.body.get("timeMax", ""))))
    except ValueError as error:
        raise ApiError(400, "badRequest", "Bad Request") from error
    if high <= low:
        raise ApiError(400, "timeRangeEmpty", "The specified time range is empty.")
    if high - low > MAX_RANGE:
        raise ApiError(400, "timeRangeTooLong", "The requested time range is too long.")
    items = [one for one in call.body.get("items", []) if isinstance(one, dict)]
    if len(items) > MAX_CALENDARS:
        raise ApiError(400, "tooManyCalendarsRequested", "Too many calendars requested.")
    window = TimeRange(low, high)
    return {
        "kind": "calendar#freeBusy",
        "timeMin": format_rfc3339(low),
        "timeMax": format_rfc3339(high),
        "calendars": {
            str(one.get("id")): _busy(world, str(one.get("id")), call.email, window)
            for one in items
        },
    }


def _busy(world: World, calendar_id: str, email: str, window: TimeRange) -> Json:
    try:
        calendar = world.calendar(calendar_id, email, "freeBusyReader")
    except ApiError:
        return {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
    merged: list[tuple[int, int]] = []
    for start, end in busy_spans(calendar, window):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return {
        "busy": [
            {"start": format_rfc3339(start), "end": format_rfc3339(end)} for start, end in merged
        ]
    }


def _entry(calendar: GoogleCalendar, email: str) -> Json:
    entry: Json = {
        "kind": "calendar#calendarListEntry",
        "etag": '"entry"',
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "colorId": "14",
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "selected": True,
        "accessRole": _role(calendar, email),
        "defaultReminders": calendar.reminders,
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }
    return entry | ({"primary": True} if calendar.id == email else {})


def _role(calendar: GoogleCalendar, email: str) -> str:
    return calendar.roles.get(email, "none")


def _offset(call: Call) -> int:
    text = call.query.get("pageToken")
    if text is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(text.encode()))
    except ValueError as error:
        raise ApiError(400, "invalid", "Invalid pageToken value.") from error
