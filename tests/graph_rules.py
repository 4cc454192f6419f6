"""Graph's rules for a whole answer: lists and their links, errors, schedules, subscriptions (pure).

`faults_of` says what breaks a rule; tests/sandbox_watch.py holds every simulated Microsoft to them.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from gateway.model.zones import zone
from gateway.sandbox.microsoft.server import Answered
from tests.graph_event_rules import ENUMS, MOMENT, STAMP, event_faults, id_faults, skeleton_faults

CODES: Mapping[int, set[str]] = {
    401: {"InvalidAuthenticationToken"},
    410: {"SyncStateNotFound", "syncStateNotFound", "resyncRequired", "syncStateInvalid"},
    412: {"ErrorIrresolvableConflict"},
    429: {"TooManyRequests", "ApplicationThrottled", "MailboxConcurrency"},
}
CALENDAR = {
    *("id", "name", "color", "hexColor", "isDefaultCalendar", "canEdit", "canShare"),
    *("canViewPrivateItems", "isRemovable", "owner"),
}
CHANGES = {"created", "updated", "deleted"}
EMPTY = (202, 204)
JSON = Mapping[str, Any]


def faults_of(one: Answered) -> Iterator[str]:
    """Yield what breaks a rule of Graph's in an answer."""
    if one.status >= 400:
        yield from _error_faults(one)
        return
    if one.prefer and "Preference-Applied" not in one.headers:
        yield "it does not say which preferences were applied"
    if one.status in EMPTY:
        if one.answer:
            yield "a body where there is none"
        return
    if not isinstance(one.answer, Mapping):
        yield "no object"
        return
    yield from _link_faults(one)
    kind = one.route.partition(".")[2] or one.route
    yield from _BY_ROUTE[kind](one)


def _error_faults(one: Answered) -> Iterator[str]:
    error = one.answer.get("error") if isinstance(one.answer, Mapping) else None
    if not isinstance(error, Mapping) or one.answer.keys() != {"error"}:
        yield "an error that is no object"
        return
    for name in ("code", "message"):
        if not isinstance(error.get(name), str) or not error[name]:
            yield f"an error without {name}"
    inner = error.get("innerError")
    for name in ("date", "request-id", "client-request-id"):
        if not isinstance(inner, Mapping) or not isinstance(inner.get(name), str):
            yield f"an error without innerError.{name}"
    if one.status in CODES and error.get("code") not in CODES[one.status]:
        yield f"the code {error.get('code')}"
    if not re.fullmatch(r"\d+", one.headers.get("Retry-After", "0")):
        yield "Retry-After is not in seconds"


def _link_faults(one: Answered) -> Iterator[str]:
    links = {name: one.answer[f"@odata.{name}"] for name in LINKS if f"@odata.{name}" in one.answer}
    if one.route == "events.delta" and len(links) != 1:
        yield "a page of a delta has one of nextLink and deltaLink"
    elif one.route != "events.delta" and "deltaLink" in links:
        yield "a deltaLink outside of a delta"
    if links and "value" not in one.answer:
        yield "a link without a list"
    for name, link in links.items():
        if urlsplit(link)._replace(query="").geturl() != one.url:
            yield f"a {name} to another address"
        if "$" not in urlsplit(link).query:
            yield f"a {name} without a token"
    size = one.prefer.get("odata.maxpagesize", "")
    if size.isdigit() and len(one.answer.get("value", [])) > int(size):
        yield "more rows than were asked for"


LINKS = ("nextLink", "deltaLink")


def _me(one: Answered) -> Iterator[str]:
    for name in ("id", "displayName", "userPrincipalName"):
        if not isinstance(one.answer.get(name), str):
            yield f"{name} is no text"


def _settings(one: Answered) -> Iterator[str]:
    told = one.answer.get("timeZone")
    if told != "Customized Time Zone" and zone(str(told)) is None:
        yield f"a mailbox in {told}"


def _calendars(one: Answered) -> Iterator[str]:
    rows = _rows(one)
    for row in rows:
        yield from (f"a calendar without {name}" for name in CALENDAR - row.keys())
        yield from (
            f"{name} is no boolean"
            for name in CALENDAR
            if name.startswith(("is", "can")) and not isinstance(row.get(name), bool)
        )
        if not {"name", "address"} <= (row.get("owner") or {}).keys():
            yield "a calendar of nobody"
    if sum(row.get("isDefaultCalendar") is True for row in rows) > 1:
        yield "two default calendars"


def _schedule(one: Answered) -> Iterator[str]:
    for row in _rows(one):
        if not isinstance(row.get("scheduleId"), str):
            yield "a schedule of nobody"
        if not re.fullmatch(r"[0-4]*", str(row.get("availabilityView"))):
            yield "an availabilityView of other digits"
        if ("error" in row) is ("scheduleItems" in row):
            yield "a schedule has its items, or an error"
        if "error" in row and not {"message", "responseCode"} <= row["error"].keys():
            yield "an error of a schedule without message and responseCode"
        for item in row.get("scheduleItems", []):
            if item.get("status") not in ENUMS["showAs"]:
                yield f"an item that is {item.get('status')}"
            for name in ("start", "end"):
                if not MOMENT.fullmatch(str(item.get(name, {}).get("dateTime"))):
                    yield f"{name} of an item is no time"


def _list(one: Answered) -> Iterator[str]:
    for row in _rows(one):
        yield from event_faults(row, one.prefer)
        if one.route == "events.list" and row.get("type") in {"occurrence", "exception"}:
            yield "a list of events holds masters and singles"
        if one.route != "events.list" and row.get("type") == "seriesMaster":
            yield "a view holds no masters"


def _delta(one: Answered) -> Iterator[str]:
    for row in _rows(one):
        if "@removed" in row:
            if row["@removed"] not in ({"reason": "deleted"}, {"reason": "changed"}):
                yield "@removed without its reason"
            yield from (f"{name} of what is removed" for name in row.keys() - REMOVED)
            yield from id_faults(row, one.prefer)
        elif row.get("type") == "occurrence":
            yield from skeleton_faults(row, one.prefer)
        else:
            yield from event_faults(row, one.prefer)


REMOVED = {"@odata.type", "id", "@removed"}


def _event(one: Answered) -> Iterator[str]:
    yield from event_faults(one.answer, one.prefer)
    for name, asked in (
        ("cancelledOccurrences", "$select"),
        ("exceptionOccurrences", "$expand"),
        ("singleValueExtendedProperties", "$expand"),
    ):
        if name in one.answer and name not in one.query.get(asked, ""):
            yield f"{name} was not asked for"


def _subscription(one: Answered) -> Iterator[str]:
    for name in ("id", "resource", "notificationUrl", "changeType"):
        if not isinstance(one.answer.get(name), str) or not one.answer[name]:
            yield f"a subscription without {name}"
    if not set(str(one.answer.get("changeType")).split(",")) <= CHANGES:
        yield "a changeType that is none"
    told = str(one.answer.get("expirationDateTime"))
    if not STAMP.fullmatch(told):
        yield "expirationDateTime is no time in UTC"
    elif not 0 < datetime.fromisoformat(told).timestamp() - one.at <= LONGEST.total_seconds():
        yield "it ends after more than seven days, or has ended"


LONGEST = timedelta(minutes=10_080)


def _rows(one: Answered) -> list[JSON]:
    rows = one.answer.get("value")
    return rows if isinstance(rows, list) else [{"value": "is missing"}]


_BY_ROUTE = {
    "me": _me,
    "settings": _settings,
    "calendars": _calendars,
    "schedule": _schedule,
    "delta": _delta,
    "view": _list,
    "list": _list,
    "instances": _list,
    "create": _event,
    "get": _event,
    "patch": _event,
    "subscribe": _subscription,
    "renew": _subscription,
}
