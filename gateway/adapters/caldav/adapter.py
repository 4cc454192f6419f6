"""One account at a CalDAV server (an `Adapter` and a `Writer` of the ports).

A cursor is the server's sync token (RFC 6578); where a server has none, its ctag and the etags
that went with it. What a server lists and then does not hand out makes the read incomplete.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from caldav import compatibility_hints
from caldav.compatibility_hints import FeatureSet

from gateway.adapters._http import GuardedClient, read_url
from gateway.adapters._shared import Shared
from gateway.adapters.caldav.answers import addresses_of, with_answers
from gateway.adapters.caldav.client import DavClient, DavTransport
from gateway.adapters.caldav.discovery import find_calendars, user_addresses
from gateway.adapters.caldav.multistatus import (
    AT_ONCE,
    CAL,
    CS,
    DAV,
    ETAGS,
    Told,
    events_within,
    multiget,
    propfind,
    same_path,
    sync_collection,
    told,
)
from gateway.adapters.caldav.writing import Writing
from gateway.errors import AccessLost, Refused, SignInNeeded, Unavailable
from gateway.freebusy.blocking import blocking_time
from gateway.freebusy.busytime import BusyPeriod, coalesce
from gateway.model.collection import ALL_BLOCKS, BusyRules
from gateway.model.connection import Connection
from gateway.model.objects import CalendarObject, read_one
from gateway.model.recurrence import compile_object
from gateway.model.timerange import DAY, TimeRange
from gateway.model.zones import UTC_ZONE
from gateway.ports import (
    Clock,
    UpstreamCalendar,
    UpstreamObject,
    UpstreamPage,
)

CURSOR_VERSION = 1
MAX_ROUNDS = 200
SECONDS = 300.0
STATE = propfind("D:sync-token", "CS:getctag", "D:supported-report-set", "D:resourcetype")
# Servers that the package knows, by what their addresses hold.
KNOWN = (
    (".icloud.com", "icloud"),
    ("gmx.net", "gmx"),
    ("posteo.de", "posteo"),
    ("robur.coop", "robur"),
    ("yahoo.com", "yahoo"),
    ("/SOGo/", "sogo"),
    ("/caldav.php", "davical"),
    ("/remote.php/dav", "nextcloud"),
)
INCOMPLETE = "The server's answer was incomplete."

T = TypeVar("T")


class CaldavOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an owner gives, from the connection's sealed secret."""

    url: str
    username: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changes:
    """What changed by href, what is gone, and the cursor after it; `complete` lists everything."""

    etags: Mapping[str, str]
    gone: tuple[str, ...] = ()
    cursor: str = ""
    complete: bool = False


class CaldavAdapter:
    """Reads and writes one account."""

    def __init__(self, options: CaldavOptions, client: GuardedClient, clock: Clock) -> None:
        self._address = options.url
        self._username = options.username
        self._mine: frozenset[str] | None = None
        self._server = urlsplit(options.url).netloc
        # Cookies of nobody, connections of this account only.
        self._client = client.apart()
        self._dav = DavClient(
            options.url, options.username, options.password, DavTransport(self._client, clock)
        )
        self._writing = Writing(self._dav)
        self._syncs = _syncs(options.url)

    async def calendars(self) -> Sequence[UpstreamCalendar]:
        """Find the account's calendars."""
        return await self._do(lambda: find_calendars(self._dav, self._address))

    async def changes(self, upstream_id: str, cursor: str) -> AsyncIterator[UpstreamPage]:
        """Read what changed since a cursor, in pages of one multiget each."""
        changed = await self._do(lambda: self._changed(upstream_id, _decode(cursor)))
        if not changed.complete and not changed.etags and not changed.gone:
            yield UpstreamPage(objects=(), cursor=changed.cursor, unchanged=True)
            return
        gone = [_gone(href) for href in changed.gone]
        hrefs = list(changed.etags)
        for first in range(0, len(hrefs), AT_ONCE):
            yield await self._do(partial(self._page, upstream_id, hrefs[first : first + AT_ONCE]))
        yield UpstreamPage(objects=gone, cursor=changed.cursor, complete=changed.complete)

    async def last_look(
        self,
        upstream_id: str,
        window: TimeRange,
        rules: BusyRules = ALL_BLOCKS,
        address: str = "",
    ) -> Sequence[BusyPeriod]:
        """Ask for the events around the window, count their busy time ourselves."""
        return await self._do(lambda: self._busy(upstream_id, window, rules, address))

    async def create(self, upstream_id: str, uid: str, data: bytes) -> None:
        """Put the event under a name that follows from its UID, unless it is there."""
        await self._do(lambda: self._writing.create(upstream_id, uid, data))

    async def find(self, upstream_id: str, uid: str) -> TimeRange | None:
        """Return when the booking's event is, None where there is none that stands."""
        return await self._do(lambda: self._writing.find(upstream_id, uid))

    async def move(
        self, upstream_id: str, uid: str, *, before: TimeRange, after: TimeRange
    ) -> TimeRange | None:
        """Move the booking's event as it was just read, unless its owner did."""
        return await self._do(lambda: self._writing.move(upstream_id, uid, before, after))

    async def remove(self, upstream_id: str, uid: str) -> None:
        """Delete the event; that it is gone already is success."""
        await self._do(lambda: self._writing.remove(upstream_id, uid))

    async def close(self) -> None:
        """Close the account's connections."""
        await self._client.close()

    async def _do(self, work: Callable[[], T]) -> T:
        return await self._client.threads.run(self._server, work, seconds=SECONDS)

    # --- in a thread

    def _changed(self, url: str, known: Mapping[str, Any]) -> _Changes:
        if known.get("token") and self._syncs:
            try:
                return self._synced(url, str(known["token"]), complete=False)
            except (AccessLost, Unavailable) as error:
                # 403 valid-sync-token is the rule (RFC 6578 section 3.2), 400, 409, 412 and 507
                # are what servers answer; whether the calendar is lost shows in what follows.
                if not self._token_refused():
                    raise error from None
        state = next(iter(told(self._dav.ask("PROPFIND", url, STATE, {"Depth": "0"}))), None)
        if state is None or f"{CAL}calendar" not in state.names(f"{DAV}resourcetype"):
            raise AccessLost("The calendar is no longer at this address.")
        reports = state.names(f"{DAV}supported-report-set")
        if self._syncs and f"{DAV}sync-collection" in reports:
            return self._synced(url, "", complete=True)
        return self._compared(url, state, known)

    def _token_refused(self) -> bool:
        answer = self._dav.transport.last
        return answer is not None and (
            answer.status in {400, 409, 410, 412, 507}
            or (answer.status == HTTPStatus.FORBIDDEN and b"valid-sync-token" in answer.body)
        )

    def _synced(self, url: str, token: str, *, complete: bool) -> _Changes:
        etags: dict[str, str] = {}
        gone: dict[str, str] = {}
        for _ in range(MAX_ROUNDS):
            response = self._dav.ask("REPORT", url, sync_collection(token), {"Depth": "0"})
            following = (
                response.tree.findtext(f"{DAV}sync-token") if response.tree is not None else ""
            )
            if not following:
                raise Unavailable(INCOMPLETE)
            more = False
            for one in told(response):
                path = same_path(one.href)
                if path == same_path(url):
                    more = more or one.status == HTTPStatus.INSUFFICIENT_STORAGE
                elif one.status == HTTPStatus.NOT_FOUND:
                    gone[path] = one.href
                    etags.pop(path, None)
                elif not one.href.endswith("/"):
                    etags[one.href] = one.text(f"{DAV}getetag")
                    gone.pop(path, None)
            if not more:
                left = tuple(() if complete else gone.values())
                cursor = _encode(token=following)
                return _Changes(etags=etags, gone=left, cursor=cursor, complete=complete)
            if following == token:
                break
            token = following
        raise Unavailable("The server sends more than the gateway takes.")

    def _compared(self, url: str, state: Told, known: Mapping[str, Any]) -> _Changes:
        """Find changes by comparing etags, where a server has no sync-collection."""
        before = known.get("etags")
        ctag = state.text(f"{CS}getctag")
        if ctag and isinstance(before, dict) and known.get("ctag") == ctag:
            return _Changes(etags={}, cursor=_encode(ctag=ctag, etags=before))
        listing = told(self._dav.ask("PROPFIND", url, ETAGS, {"Depth": "1"}))
        now = {
            one.href: one.text(f"{DAV}getetag")
            for one in listing
            if f"{DAV}collection" not in one.names(f"{DAV}resourcetype")
            and same_path(one.href) != same_path(url)
        }
        cursor = _encode(ctag=ctag, etags=now)
        if not isinstance(before, dict):
            return _Changes(etags=now, cursor=cursor, complete=True)
        changed = {href: etag for href, etag in now.items() if not etag or before.get(href) != etag}
        left = tuple(href for href in before if href not in now)
        return _Changes(etags=changed, gone=left, cursor=cursor)

    def _page(self, url: str, hrefs: Sequence[str]) -> UpstreamPage:
        response = self._dav.ask("REPORT", url, multiget(hrefs), {"Depth": "1"})
        found = {same_path(one.href): one for one in told(response)}
        objects: list[UpstreamObject] = []
        unreadable, notes = [], []
        for href in hrefs:
            one = found.get(same_path(href))
            if one is not None and one.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
                objects.append(_gone(href))  # deleted since it was listed
                continue
            data = one.text(f"{CAL}calendar-data") if one is not None else ""
            if one is None or not data:
                raise Unavailable(INCOMPLETE)
            try:
                item = read_one(data.encode())
            except Refused:
                unreadable.append(href)
                notes.append("An event of the calendar cannot be read and was left as it was.")
                continue
            etag = one.text(f"{DAV}getetag") or hashlib.sha256(data.encode()).hexdigest()
            lines = with_answers(_with_line_ends(data), item, self._addresses(url, item))
            objects.append(UpstreamObject(key=href, uid=item.uid, etag=etag.strip('"'), data=lines))
        return UpstreamPage(objects=objects, unreadable=tuple(unreadable), notes=tuple(notes))

    def _busy(
        self, url: str, window: TimeRange, rules: BusyRules, address: str
    ) -> list[BusyPeriod]:
        # A day on both sides: servers disagree about floating times and whole days.
        around = TimeRange(window.start - DAY, window.end + DAY)
        response = self._dav.ask("REPORT", url, events_within(around), {"Depth": "1"})
        periods: list[BusyPeriod] = []
        for item in _objects(told(response)):
            mine = {*self._addresses(url, item), address}
            times = compile_object(item, UTC_ZONE, lenient=True)
            periods += blocking_time(times, window, rules, *mine)
        return coalesce(periods, window)

    def _addresses(self, url: str, item: CalendarObject) -> frozenset[str]:
        """Return what the account's user goes by, asked for when the first invitation comes."""
        if not any(one.first("ATTENDEE") for one in item.members):
            return frozenset()
        if self._mine is None:
            hrefs = user_addresses(self._dav, url, self._address)
            self._mine = addresses_of(hrefs, self._username)
        return self._mine


def build(connection: Connection, secret: bytes, shared: Shared) -> CaldavAdapter:
    """Build an adapter from a connection's secret: address, user name and password in JSON."""
    del connection
    try:
        options = msgspec.json.decode(secret, type=CaldavOptions)
    except msgspec.DecodeError as error:
        raise SignInNeeded("The stored credentials of this connection cannot be read.") from error
    target = read_url(options.url, shared.client.options)
    # As the guarded client understood it, so that the package cannot read it in another way.
    options = msgspec.structs.replace(options, url=str(target.url))
    return CaldavAdapter(options, shared.client, shared.clock)


def _syncs(address: str) -> bool:
    """Tell whether the package knows nothing against this server's sync tokens."""
    for part, name in KNOWN:
        if part in address:
            known = FeatureSet(getattr(compatibility_hints, name))
            return bool(known.is_supported("sync-token"))
    return True


def _objects(answers: Iterator[Told]) -> Iterator[CalendarObject]:
    for one in answers:
        data = one.text(f"{CAL}calendar-data")
        if not data:
            raise Unavailable(INCOMPLETE)
        try:
            yield read_one(data.encode())
        except Refused as error:
            raise Unavailable("Some events of the calendar cannot be read.") from error


def _gone(href: str) -> UpstreamObject:
    return UpstreamObject(key=href, uid="", etag="", data=None)


def _with_line_ends(text: str) -> bytes:
    # An XML parser hands line ends out as LF (XML 1.0 section 2.11); iCalendar has CRLF.
    lines = text.replace("\r\n", "\n").split("\n")
    return ("\r\n".join(lines).rstrip("\r\n") + "\r\n").encode()


def _encode(**facts: Any) -> str:
    return json.dumps({"version": CURSOR_VERSION, **facts})


def _decode(cursor: str) -> Mapping[str, Any]:
    try:
        known = json.loads(cursor or "{}")
    except ValueError:
        return {}
    if not isinstance(known, dict) or known.get("version") != CURSOR_VERSION:
        return {}
    return known
