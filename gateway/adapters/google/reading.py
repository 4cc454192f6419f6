"""Questions to the Calendar API with all their pages: calendars, events, one series, busy time.

Law: a list ends with its token, never with a short or empty page; without the token it is nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.adapters.google.answers import GoogleRefusal
from gateway.adapters.google.client import GoogleClient, Json, Service
from gateway.adapters.google.normalise import CalendarFacts, is_cancelled, key_of, uid_of
from gateway.adapters.google.people import Item, text_of
from gateway.adapters.google.times import zone_called
from gateway.errors import AccessLost, Unavailable
from gateway.model.timerange import DAY, Instant, TimeRange, format_rfc3339, merge, to_instant
from gateway.model.zone import UTC_ZONE

PAGE = 2_500
MAX_PAGES = 1_000
LIST_PAGE = 250
AT_ONCE = 2
"""Requests of one account at the same time."""
MAX_CALENDARS = 50
CHUNK = 60 * DAY
"""How much time one free/busy question covers; Google refuses about ninety days."""
INSTANCES_BEFORE, INSTANCES_AFTER = 366 * DAY, 5 * 366 * DAY
INCOMPLETE = "Google's answer was incomplete."


class NeedsFullReadError(Exception):
    """A change cannot be told apart from its series; only the whole calendar tells."""


async def pages(client: GoogleClient, resource: str, **parameters: Any) -> AsyncIterator[Json]:
    """Yield the pages of a list, the last one included; `resource` is `events.list` or the like."""
    name, _, method = resource.partition(".")
    seen: set[str] = set()
    token = None
    while True:

        def ask(service: Service, token: str | None = token) -> Any:
            return getattr(getattr(service, name)(), method)(pageToken=token, **parameters)

        page = await client.read(ask)
        if not isinstance(page.get("items"), list):
            raise Unavailable(INCOMPLETE)
        following = page.get("nextPageToken")
        yield page
        if not following:
            return
        if following in seen or len(seen) >= MAX_PAGES:
            raise Unavailable("Google's answer has no end.")
        seen.add(following)
        token = following


async def calendar_entries(client: GoogleClient) -> list[Item]:
    """Return the calendars of the account's list, those that it hides included."""
    found: list[Item] = []
    async for page in pages(client, "calendarList.list", maxResults=LIST_PAGE, showHidden=True):
        found += [one for one in page["items"] if isinstance(one, Mapping) and text_of(one, "id")]
    return [one for one in found if one.get("deleted") is not True]


async def role_in(client: GoogleClient, calendar_id: str) -> str:
    """Return what the account may do in a calendar; 404 where it is not in its list."""
    entry = await client.read(lambda service: service.calendarList().get(calendarId=calendar_id))
    return text_of(entry, "accessRole")


async def event_pages(
    client: GoogleClient, calendar_id: str, *, token: str = "", since: Instant = 0
) -> AsyncIterator[Json]:
    """Yield the pages of a full list, or of what changed since a sync token."""
    more = {"syncToken": token} if token else {"timeMin": format_rfc3339(since)}
    last: Json = {}
    async for page in pages(
        client,
        "events.list",
        calendarId=calendar_id,
        singleEvents=False,
        maxResults=PAGE,
        **more,
    ):
        last = page
        yield page
    if not text_of(last, "nextSyncToken"):
        raise Unavailable(INCOMPLETE)


def facts_of(page: Json) -> CalendarFacts:
    """Return what a list says of its calendar; it may change without any event changing."""
    reminders = page.get("defaultReminders")
    return CalendarFacts(
        zone=zone_called(page.get("timeZone")) or UTC_ZONE,
        role=text_of(page, "accessRole"),
        reminders=reminders if isinstance(reminders, list) else (),
    )


# --- series --------------------------------------------------------------------------------------


async def all_series(
    client: GoogleClient, calendar_id: str, changed: Mapping[str, Sequence[Item]], now: Instant
) -> list[Item]:
    """Return every item of the series that a change touched, their masters included."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(master_id: str, known: Sequence[Item]) -> list[Item]:
        async with gate:
            return await _series(client, calendar_id, master_id, known, now)

    found = await asyncio.gather(*(one(key, items) for key, items in changed.items()))
    return [item for items in found for item in items]


async def _series(
    client: GoogleClient, calendar_id: str, master_id: str, known: Sequence[Item], now: Instant
) -> list[Item]:
    """Return a series as it is now: a change may bring one exception, never all of them."""
    try:
        master = await client.read(
            lambda service: service.events().get(calendarId=calendar_id, eventId=master_id)
        )
    except GoogleRefusal as refusal:
        if refusal.status != 404:  # noqa: PLR2004 - Not Found: invited to some instances only
            raise
        return await _without_master(client, calendar_id, master_id, known)
    if is_cancelled(master) or not master.get("recurrence"):
        return [master]
    items = await _of_uid(client, calendar_id, master_id, uid_of(master))
    window = TimeRange(now - INSTANCES_BEFORE, now + INSTANCES_AFTER)
    # What is cancelled may be missing from the list above; here Google promises it.
    async for page in pages(
        client,
        "events.instances",
        calendarId=calendar_id,
        eventId=master_id,
        showDeleted=True,
        maxResults=PAGE,
        timeMin=format_rfc3339(window.start),
        timeMax=format_rfc3339(window.end),
        fields="nextPageToken,items(id,status,recurringEventId,originalStartTime)",
    ):
        items += [one for one in page["items"] if isinstance(one, Mapping) and is_cancelled(one)]
    return [*known, *items, master]


async def is_deleted(client: GoogleClient, calendar_id: str, event_id: str) -> bool:
    """Tell whether an event was there and is deleted; what never was there is not."""
    try:
        found = await client.read(
            lambda service: service.events().get(calendarId=calendar_id, eventId=event_id)
        )
    except GoogleRefusal as refusal:
        if refusal.status in {404, 410}:
            return refusal.status == 410  # noqa: PLR2004 - Gone
        raise
    return is_cancelled(found)


async def _without_master(
    client: GoogleClient, calendar_id: str, master_id: str, known: Sequence[Item]
) -> list[Item]:
    uid = next((text_of(item, "iCalUID") for item in known if text_of(item, "iCalUID")), "")
    if not uid:
        raise NeedsFullReadError
    return [*known, *await _of_uid(client, calendar_id, master_id, uid)]


async def _of_uid(client: GoogleClient, calendar_id: str, master_id: str, uid: str) -> list[Item]:
    found: list[Item] = []
    async for page in pages(
        client,
        "events.list",
        calendarId=calendar_id,
        iCalUID=uid,
        singleEvents=False,
        showDeleted=True,
        maxResults=PAGE,
    ):
        found += [
            one
            for one in page["items"]
            if isinstance(one, Mapping) and key_of(one) == master_id != text_of(one, "id")
        ]
    return found


async def instances_in(
    client: GoogleClient, calendar_id: str, window: TimeRange
) -> tuple[CalendarFacts, list[Item]]:
    """Return every event and instance that meets a window, and what the calendar is like."""
    items: list[Item] = []
    facts = CalendarFacts()
    async for page in pages(
        client,
        "events.list",
        calendarId=calendar_id,
        singleEvents=True,
        maxResults=LIST_PAGE,
        timeMin=format_rfc3339(window.start),
        timeMax=format_rfc3339(window.end),
    ):
        facts = facts_of(page)
        for one in page["items"]:
            if not isinstance(one, Mapping):
                raise Unavailable("Some events of the calendar cannot be read.")
            items.append(one)
    return facts, items


# --- free/busy -----------------------------------------------------------------------------------


async def busy_spans(
    client: GoogleClient, calendar_ids: Sequence[str], window: TimeRange
) -> dict[str, list[tuple[Instant, Instant]]]:
    """Return when calendars are busy, by at most fifty of them and sixty days a question."""
    spans: dict[str, list[tuple[Instant, Instant]]] = {one: [] for one in calendar_ids}
    for first in range(0, len(calendar_ids), MAX_CALENDARS):
        some = calendar_ids[first : first + MAX_CALENDARS]
        for start in range(window.start, window.end, CHUNK):
            chunk = TimeRange(start, min(start + CHUNK, window.end))
            for calendar_id, found in (await _ask_busy(client, some, chunk)).items():
                spans[calendar_id] += found
    return {calendar_id: merge(found) for calendar_id, found in spans.items()}


async def _ask_busy(
    client: GoogleClient, calendar_ids: Sequence[str], window: TimeRange
) -> dict[str, list[tuple[Instant, Instant]]]:
    body = {
        "timeMin": format_rfc3339(window.start),
        "timeMax": format_rfc3339(window.end),
        "items": [{"id": one} for one in calendar_ids],
    }
    answer = await client.read(lambda service: service.freebusy().query(body=body))
    told = answer.get("calendars")
    if not isinstance(told, Mapping):
        raise Unavailable(INCOMPLETE)
    return {one: _spans(told.get(one)) for one in calendar_ids}


def _spans(told: object) -> list[tuple[Instant, Instant]]:
    """Return the busy times of one calendar; an error or a hole in the answer is never "free"."""
    if not isinstance(told, Mapping) or not isinstance(told.get("busy"), list):
        raise Unavailable(INCOMPLETE)
    errors = told.get("errors")
    if errors:
        reasons = {text_of(one, "reason") for one in errors if isinstance(one, Mapping)}
        if reasons & {"notFound", "forbidden"}:
            raise AccessLost("Google no longer shows this calendar to this account.")
        raise Unavailable("Google does not say when this calendar is busy.")
    return [_span(one) for one in told["busy"]]


def _span(told: object) -> tuple[Instant, Instant]:
    try:
        start = to_instant(datetime.fromisoformat(text_of(told, "start")))
        end = to_instant(datetime.fromisoformat(text_of(told, "end")))
    except ValueError as error:
        raise Unavailable(INCOMPLETE) from error
    return start, max(start, end)


def changed_series(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Return the series that a delta touches, with what it says of their exceptions."""
    found: dict[str, list[Item]] = {}
    for item in items:
        key = key_of(item)
        if key != text_of(item, "id"):
            found.setdefault(key, []).append(item)
        elif item.get("recurrence") and not is_cancelled(item):
            found.setdefault(key, [])
    return found
