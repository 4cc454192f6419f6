"""Bookings in a calendar on a CalDAV server: each under a name that follows from its UID.

Law: writing twice makes one event. Where the owner or the server gave it another name, it is found
by its UID; where its owner removed it, it stays removed.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from gateway.adapters.caldav.client import DavClient, check_status
from gateway.adapters.caldav.multistatus import (
    AT_ONCE,
    CAL,
    DAV,
    ETAGS,
    Told,
    events_called,
    multiget,
    same_path,
    told,
)
from gateway.errors import AccessLost, Refused, Unavailable
from gateway.model.event_time import at_another_time, event_time
from gateway.model.objects import read_one
from gateway.model.timerange import TimeRange
from gateway.model.zones import UTC_ZONE

ROUNDS = 3
GONE = (404, 410)
NO_SEARCH = (400, 403, *GONE, 422, 501)
"""What servers answer that cannot search for a UID, or in a calendar that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An event as it was just read."""

    url: str
    etag: str
    data: bytes


class Writing:
    """Writes through one account's client; every call is made in a thread."""

    def __init__(self, client: DavClient) -> None:
        self._dav = client

    def create(self, calendar: str, uid: str, data: bytes) -> None:
        """Put an event, unless it is there."""
        url = event_url(calendar, uid)
        answer = self._put(url, data, {"If-None-Match": "*"})
        if answer in {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT}:
            # It is there from an attempt whose answer was lost, or under another name.
            if self._etag(url) or self._named_otherwise(calendar, uid) or self._has(calendar, uid):
                return
            raise Unavailable("The server refused the event and does not have it.")
        if answer >= HTTPStatus.BAD_REQUEST:
            check_status(answer)

    def find(self, calendar: str, uid: str) -> TimeRange | None:
        """Return when a booking's event is; None where there is none that stands."""
        found = self._read(calendar, uid)
        return None if found is None else _time(found.data)

    def move(
        self, calendar: str, uid: str, before: TimeRange, after: TimeRange
    ) -> TimeRange | None:
        """Move an event as it was just read, unless its owner did; return when it is."""
        for _ in range(ROUNDS):
            found = self._read(calendar, uid)
            now = None if found is None else _time(found.data)
            if found is None or now != before:
                return now
            moved = at_another_time(found.data, after)
            answer = self._put(found.url, moved, {"If-Match": found.etag})
            if answer not in {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT}:
                if answer >= HTTPStatus.BAD_REQUEST:
                    check_status(answer)
                return after
        raise Unavailable("The event changed at the server again and again.")

    def remove(self, calendar: str, uid: str) -> None:
        """Delete an event; that it is gone is success."""
        if self._delete(event_url(calendar, uid)):
            return
        url = self._named_otherwise(calendar, uid)
        if url:
            self._delete(url)

    def _delete(self, url: str) -> bool:
        response = self._dav.ask("DELETE", url, expected=(200, 202, 204, *GONE))
        return response.status not in GONE

    def _put(self, url: str, data: bytes, condition: Mapping[str, str]) -> int:
        headers = {"Content-Type": "text/calendar; charset=utf-8", **condition}
        expected = (200, 201, 202, 204, 409, 412)
        try:
            status: int = self._dav.ask("PUT", url, data, headers, expected=expected).status
        except AccessLost:
            answer = self._dav.transport.last
            # RFC 4791 section 5.3.2.1: "forbidden", and it means that the UID is in use.
            if answer is None or b"no-uid-conflict" not in answer.body:
                raise
            return HTTPStatus.CONFLICT
        return status

    def _etag(self, url: str) -> str:
        response = self._dav.ask("PROPFIND", url, ETAGS, {"Depth": "0"}, expected=(207, *GONE))
        if response.status != HTTPStatus.MULTI_STATUS:
            return ""
        return next((one.text(f"{DAV}getetag") for one in told(response)), "")

    def _standing(self, calendar: str, uid: str) -> tuple[str, str]:
        """Return where an event stands and its etag."""
        url = event_url(calendar, uid)
        etag = self._etag(url)
        if not etag:
            url = self._named_otherwise(calendar, uid)
            etag = self._etag(url) if url else ""
        return url, etag

    def _read(self, calendar: str, uid: str) -> "_Found | None":
        """Return an event as it is; None only where the calendar can be read and has none."""
        url, etag = self._standing(calendar, uid)
        if not etag:
            # Raises where the calendar itself is gone.
            if self._has(calendar, uid):
                raise Unavailable("The server does not say where the event is.")
            return None
        asked = multiget([urlsplit(url).path])
        response = self._dav.ask("REPORT", calendar, asked, {"Depth": "1"})
        for one in told(response):
            data = one.text(f"{CAL}calendar-data")
            if data:
                tag = one.text(f"{DAV}getetag") or etag
                return _Found(url=url, etag=tag, data=data.encode())
        raise Unavailable("The server's answer was incomplete.")

    def _named_otherwise(self, calendar: str, uid: str) -> str:
        """Return the address of an event that a program or the server gave another name."""
        asked, expected = events_called(uid), (HTTPStatus.MULTI_STATUS, *NO_SEARCH)
        response = self._dav.ask("REPORT", calendar, asked, {"Depth": "1"}, expected=expected)
        if response.status != HTTPStatus.MULTI_STATUS:
            return ""
        # Of what the server says only the path: the password stays with the host.
        found = (urlsplit(href).path for href, known in _uids(told(response)) if known == uid)
        return next((urljoin(calendar, path) for path in found), "")

    def _has(self, calendar: str, uid: str) -> bool:
        """Tell whether the calendar holds a UID, where the server does not find it itself."""
        listing = told(self._dav.ask("PROPFIND", calendar, ETAGS, {"Depth": "1"}))
        hrefs = [one.href for one in listing if same_path(one.href) != same_path(calendar)]
        for first in range(0, len(hrefs), AT_ONCE):
            asked = multiget(hrefs[first : first + AT_ONCE])
            response = self._dav.ask("REPORT", calendar, asked, {"Depth": "1"})
            if any(known == uid for _, known in _uids(told(response))):
                return True
        return False


def event_url(calendar: str, uid: str) -> str:
    """Return the address of a booking's event."""
    name = hashlib.sha256(uid.encode()).hexdigest()[:40]
    return urljoin(calendar.rstrip("/") + "/", f"{name}.ics")


def _time(data: bytes) -> TimeRange | None:
    try:
        return event_time(data, UTC_ZONE)
    except (Refused, ValueError) as error:
        raise Unavailable("The booking's event cannot be read.") from error


def _uids(answers: Iterable[Told]) -> Iterator[tuple[str, str]]:
    """Yield href and UID of the objects that can be read."""
    for one in answers:
        try:
            yield one.href, read_one(one.text(f"{CAL}calendar-data").encode()).uid
        except Refused:
            continue
