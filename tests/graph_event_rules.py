"""The field rules of Graph's events: each function yields what breaks one (pure)."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from gateway.model.zones import zone
from gateway.sandbox.microsoft.events import MUTABLE

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z")
MARK = re.compile(r"String \{[0-9A-Fa-f-]{36}\} Name \S+")
WEEK = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
PLACES = {"first", "second", "third", "fourth", "last"}
RESPONSES = {
    *("none", "organizer", "tentativelyAccepted", "accepted", "declined", "notResponded"),
}
TYPES = {"singleInstance", "seriesMaster", "exception", "occurrence"}
ENUMS: Mapping[str, set[str]] = {
    "type": TYPES,
    "showAs": {"free", "tentative", "busy", "oof", "workingElsewhere", "unknown"},
    "sensitivity": {"normal", "personal", "private", "confidential"},
    "importance": {"low", "normal", "high"},
}
BOOLEANS = {
    *("isAllDay", "isCancelled", "isOrganizer", "isOnlineMeeting", "isDraft", "isReminderOn"),
    *("hideAttendees", "responseRequested", "hasAttachments", "allowNewTimeProposals"),
}
TEXTS = {
    *("subject", "transactionId", "uid", "originalStartTimeZone", "originalEndTimeZone"),
    *("changeKey", "webLink", "bodyPreview", "onlineMeetingUrl", "onlineMeetingProvider"),
    *("occurrenceId", "originalStart", "@odata.type", "seriesMasterId", "iCalUId", "id"),
}
OTHERS = {
    *("@odata.etag", "start", "end", "recurrence", "attendees", "organizer", "body", "location"),
    *("locations", "categories", "reminderMinutesBeforeStart", "responseStatus", "onlineMeeting"),
    *("createdDateTime", "lastModifiedDateTime", "singleValueExtendedProperties"),
    *("cancelledOccurrences", "exceptionOccurrences"),
}
SKELETON = {"@odata.type", "@odata.etag", "id", "type", "seriesMasterId", "start", "end"}
NEEDED: Mapping[str, tuple[str, ...]] = {
    "daily": (),
    "weekly": ("daysOfWeek",),
    "absoluteMonthly": ("dayOfMonth",),
    "relativeMonthly": ("daysOfWeek", "index"),
    "absoluteYearly": ("dayOfMonth", "month"),
    "relativeYearly": ("daysOfWeek", "index", "month"),
}

Json = Mapping[str, Any]


def event_faults(event: Json, prefer: Mapping[str, str]) -> Iterator[str]:
    """Hold a whole event against the rules (specs: an event's fields, recurrence, ids)."""
    yield from id_faults(event, prefer)
    yield from _time_faults(event, prefer)
    for name, value in event.items():
        yield from _field_faults(name, value)
    for name in ("id", "iCalUId", "changeKey"):
        if not event.get(name):
            yield f"{name} is missing"
    if not re.fullmatch(r'W/".+"', str(event.get("@odata.etag"))):
        yield "@odata.etag is no weak entity tag"
    for name in ("createdDateTime", "lastModifiedDateTime"):
        if not STAMP.fullmatch(str(event.get(name))):
            yield f"{name} is no time in UTC"
    yield from _kind_faults(event)
    yield from _people_faults(event, prefer)
    yield from _detail_faults(event)


def _field_faults(name: str, value: object) -> Iterator[str]:
    if name in ENUMS and value not in ENUMS[name]:
        yield f"{name} is {value!r}"
    elif name in BOOLEANS and not isinstance(value, bool):
        yield f"{name} is no boolean"
    elif name in TEXTS and not (value is None or isinstance(value, str)):
        yield f"{name} is no text"
    elif name not in (ENUMS.keys() | BOOLEANS | TEXTS | OTHERS):
        yield f"{name} is no field of an event"


def skeleton_faults(event: Json, prefer: Mapping[str, str]) -> Iterator[str]:
    """Hold an occurrence of a delta against the rules: it says when it is, and nothing else."""
    yield from (f"{name} is in a skeleton" for name in event.keys() - SKELETON)
    yield from (f"{name} is missing" for name in SKELETON - event.keys())
    yield from id_faults(event, prefer)
    yield from _time_faults(event, prefer)


def id_faults(event: Json, prefer: Mapping[str, str]) -> Iterator[str]:
    """Ids are of the kind that was asked for, that of the master included."""
    immutable = prefer.get("idtype", "").lower() == "immutableid"
    for name in ("id", "seriesMasterId"):
        told = event.get(name)
        if isinstance(told, str) and told.startswith(MUTABLE) is immutable:
            yield f"{name} is {'not ' if immutable else ''}immutable"


def recurrence_faults(recurrence: Json) -> Iterator[str]:
    """Six patterns and three ranges, each with the fields that it needs."""
    pattern, reach = recurrence.get("pattern", {}), recurrence.get("range", {})
    kind = pattern.get("type")
    if kind not in NEEDED:
        yield f"a pattern of type {kind!r}"
        return
    if not _is_count(pattern.get("interval")):
        yield "a pattern without an interval"
    fields = {
        "daysOfWeek": bool(pattern.get("daysOfWeek")) and set(pattern["daysOfWeek"]) <= WEEK,
        "dayOfMonth": pattern.get("dayOfMonth") in range(1, 32),
        "month": pattern.get("month") in range(1, 13),
        "index": pattern.get("index") in PLACES,
    }
    yield from (f"a {kind} pattern without {name}" for name in NEEDED[kind] if not fields[name])
    if pattern.get("firstDayOfWeek", "sunday") not in WEEK:
        yield "firstDayOfWeek is no day"
    yield from _range_faults(reach)


def _range_faults(reach: Json) -> Iterator[str]:
    kind, first, last = reach.get("type"), _day(reach.get("startDate")), _day(reach.get("endDate"))
    if kind not in {"noEnd", "numbered", "endDate"}:
        yield f"a range of type {kind!r}"
    if first is None:
        yield "a range without startDate"
    if kind == "endDate" and (last is None or (first is not None and last < first)):
        yield "a range that ends before it begins, or nowhere"
    if kind == "numbered" and not _is_count(reach.get("numberOfOccurrences")):
        yield "a numbered range without its number"
    if not isinstance(reach.get("recurrenceTimeZone", ""), str):
        yield "recurrenceTimeZone is no text"


def _time_faults(event: Json, prefer: Mapping[str, str]) -> Iterator[str]:
    asked = prefer.get("outlook.timezone", "UTC")
    told = [event.get(name) for name in ("start", "end")]
    for name, one in zip(("start", "end"), told, strict=True):
        if not isinstance(one, Mapping) or one.keys() != {"dateTime", "timeZone"}:
            yield f"{name} is no dateTimeTimeZone"
        elif not MOMENT.fullmatch(str(one["dateTime"])):
            yield f"{name} is not written with seven digits and without an offset"
        elif one["timeZone"] != asked:
            yield f"{name} is in {one['timeZone']}, {asked} was asked for"
        elif event.get("isAllDay") and not str(one["dateTime"]).endswith("T00:00:00.0000000"):
            yield f"{name} of a whole day is not at midnight"
    times = [str(one["dateTime"]) for one in told if isinstance(one, Mapping) and "dateTime" in one]
    if len(times) == len(told) and (times[1] < times[0] and zone(asked) is not None):
        yield "it ends before it starts"


def _kind_faults(event: Json) -> Iterator[str]:
    kind = event.get("type")
    of_series = kind in {"exception", "occurrence"}
    if of_series is not bool(event.get("seriesMasterId")):
        yield f"seriesMasterId of a {kind}"
    recurrence = event.get("recurrence")
    if (kind == "seriesMaster") is not bool(recurrence):
        yield f"recurrence of a {kind}"
    if isinstance(recurrence, Mapping):
        yield from recurrence_faults(recurrence)


def _people_faults(event: Json, prefer: Mapping[str, str]) -> Iterator[str]:
    for person in event.get("attendees") or []:
        if person.get("type") not in {"required", "optional", "resource"}:
            yield "an attendee of no type"
        if not isinstance(person.get("emailAddress", {}).get("address"), str):
            yield "an attendee without an address"
        if person.get("status", {}).get("response", "none") not in RESPONSES:
            yield "an attendee with an unknown response"
    organizer = event.get("organizer")
    if organizer is not None and "emailAddress" not in organizer:
        yield "an organizer without emailAddress"
    if (event.get("responseStatus") or {}).get("response", "none") not in RESPONSES:
        yield "an unknown responseStatus"
    body = event.get("body")
    wanted = {"text"} if prefer.get("outlook.body-content-type") == "text" else {"text", "html"}
    if body is not None and body.get("contentType") not in wanted:
        yield f"a body in {body.get('contentType')}"


def _detail_faults(event: Json) -> Iterator[str]:
    cancelled = rf"OID\.{re.escape(str(event.get('id')))}\.\d{{4}}-\d\d-\d\d"
    for one in event.get("cancelledOccurrences", []):
        if not re.fullmatch(cancelled, one):
            yield f"a cancelled occurrence {one}"
    for one in event.get("exceptionOccurrences", []):
        if one.get("type") != "exception" or one.get("seriesMasterId") != event.get("id"):
            yield "exceptionOccurrences holds another's exception"
    for one in event.get("singleValueExtendedProperties", []):
        if not MARK.fullmatch(str(one.get("id"))) or not isinstance(one.get("value"), str):
            yield "an extended property of no form"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None
