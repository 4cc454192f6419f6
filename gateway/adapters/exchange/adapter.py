"""One mailbox on an Exchange server (an `Adapter` and a `Writer` of the ports).

A cursor is the server's synchronisation state; a folder's changes name masters and single items,
whose exceptions are read with them. One corrupt item costs no other.
"""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
from exchangelib import errors as ews

from gateway.adapters._busy_only import (
    address_of,
    blocked_by,
    busy_objects,
    digest_of,
    is_schedule,
    window_at,
)
from gateway.adapters._shared import Shared
from gateway.adapters.exchange import messages
from gateway.adapters.exchange.account import (
    Account,
    ExchangeOptions,
    checked_url,
    completed,
)
from gateway.adapters.exchange.autodiscover import find_url
from gateway.adapters.exchange.availability import busy_in
from gateway.adapters.exchange.fields import (
    M,
    T,
    children_of,
    item_id,
    name_of,
)
from gateway.adapters.exchange.listing import INCOMPLETE, listed
from gateway.adapters.exchange.normalise import modified_ids, render
from gateway.adapters.exchange.writing import Writing
from gateway.errors import Refused, SignInNeeded, Unavailable
from gateway.freebusy.busytime import BusyPeriod, coalesce
from gateway.model.collection import ALL_BLOCKS, BusyRules
from gateway.model.component import Component
from gateway.model.connection import Connection
from gateway.model.extent import read_extent
from gateway.model.moment import Moments
from gateway.model.objects import read_one
from gateway.model.timerange import DAY, TimeRange
from gateway.model.zone import Zone
from gateway.model.zones import UTC_ZONE, zone
from gateway.ports import (
    UpstreamCalendar,
    UpstreamObject,
    UpstreamPage,
)

CURSOR_VERSION = 1
DOMAIN = "exchange"
"""What the UIDs of events end in that stand for busy time alone."""
AT_ONCE = 50
"""How many items one GetItem asks for."""
MOST_CHANGES = 512
MAX_ROUNDS = 1_000
SECONDS = 300.0
CORRUPT = (
    ews.ErrorCorruptData,
    ews.ErrorItemCorrupt,
    ews.ErrorMimeContentConversionFailed,
    ews.ErrorContentConversionFailed,
    ews.ErrorRecurrenceHasNoOccurrence,
)
OLD_STATE = (ews.ErrorInvalidSyncStateData, ews.ErrorInvalidIdMalformed, ews.ErrorInvalidChangeKey)
UNREADABLE = "An event of the calendar cannot be read and was left as it was."

W = TypeVar("W")


class ExchangeAdapter:
    """Reads and writes one mailbox."""

    def __init__(self, options: ExchangeOptions, shared: Shared) -> None:
        # A connection that nobody else uses: NTLM signs in connections, not requests.
        self._client = shared.client.apart(ca_file=shared.exchange.ca_file, ca=options.ca)
        self._shared = shared
        self._account = Account(options, self._client, shared.clock, shared.sign_ins)
        self._home = zone(options.time_zone) or UTC_ZONE
        self._writing = Writing(self._account, self._items, self._home)

    async def calendars(self) -> Sequence[UpstreamCalendar]:
        """Find the server if need be, sign in, list the calendars; the default one first."""
        return await self._do(self._found)

    def settled(self) -> bytes:
        """Return what worked: the address of the service, the user name, the way to sign in."""
        return msgspec.json.encode(self._account.options)

    async def changes(self, upstream_id: str, cursor: str) -> AsyncIterator[UpstreamPage]:
        """Read what changed since a state, a page of the server at a time."""
        if is_schedule(upstream_id):
            yield await self._busy_only(address_of(upstream_id), _decode(cursor))
            return
        state, complete = _decode(cursor), not _decode(cursor)
        anything = False
        for _ in range(MAX_ROUNDS):
            page = await self._do(partial(self._changed, upstream_id, state))
            if page is None:
                # The server has forgotten the state: everything is read and compared anew.
                state, complete = "", True
                continue
            following, is_last, made = page
            anything = anything or bool(made.objects or made.unreadable)
            if is_last:
                unchanged = not anything and not complete
                yield _last(made, _encode(following), complete=complete, same=unchanged)
                return
            yield made
            if following == state:
                break
            state = following
        raise Unavailable("The server sends more than the gateway takes.")

    async def _busy_only(self, address: str, known: str) -> UpstreamPage:
        window = window_at(self._shared.clock.now())
        periods = await self._do(lambda: busy_in(self._account, address, window))
        digest = digest_of(periods)
        if digest == known:
            return UpstreamPage(objects=(), cursor=_encode(digest), unchanged=True)
        objects = busy_objects(address, periods, domain=DOMAIN)
        return UpstreamPage(objects=objects, cursor=_encode(digest), complete=True)

    async def last_look(
        self,
        upstream_id: str,
        window: TimeRange,
        rules: BusyRules = ALL_BLOCKS,
        address: str = "",
    ) -> Sequence[BusyPeriod]:
        """Ask the server for the instances around the window, expanded by itself."""
        if is_schedule(upstream_id):
            mailbox = address_of(upstream_id)
            periods = await self._do(lambda: busy_in(self._account, mailbox, window))
            told = busy_objects(mailbox, periods, domain=DOMAIN)
            return coalesce(
                blocked_by((one.data for one in told), UTC_ZONE, window, rules, address), window
            )
        return await self._do(lambda: self._busy(upstream_id, window, rules, address))

    async def create(self, upstream_id: str, uid: str, data: bytes) -> None:
        """Make the event, unless one that carries the booking's name is there already."""
        event, span = _event_of(data)
        await self._do(lambda: self._writing.create(upstream_id, uid, event, span))

    async def find(self, upstream_id: str, uid: str) -> TimeRange | None:
        """Return when the booking's event is, None where there is none that stands."""
        return await self._do(lambda: self._writing.standing(upstream_id, uid)[1])

    async def move(
        self, upstream_id: str, uid: str, *, before: TimeRange, after: TimeRange
    ) -> TimeRange | None:
        """Move the booking's event, unless its owner did; return when it is."""
        return await self._do(lambda: self._writing.move(upstream_id, uid, before, after))

    async def remove(self, upstream_id: str, uid: str) -> None:
        """Delete the event; that it is gone already is success."""
        await self._do(lambda: self._writing.remove(upstream_id, uid))

    async def close(self) -> None:
        """Close the account's connection."""
        self._account.close()
        await self._client.close()

    async def _do(self, work: Callable[[], W]) -> W:
        server = self._account.host or self._account.options.address.rpartition("@")[2]
        return await self._client.threads.run(server, work, seconds=SECONDS)

    # --- in a thread

    def _found(self) -> list[UpstreamCalendar]:
        account, now = self._account, self._shared.clock.now()
        if account.options.auth:
            return listed(
                account, self._shared.clock.now()
            )  # an account that is kept: nobody has just typed its password
        account.entered = True
        self._locate()
        last: SignInNeeded | None = None
        for username in self._usernames():
            account.use(username)
            try:
                return listed(account, now)
            except SignInNeeded as error:
                last = last or error
        assert last is not None, "there is at least one user name"
        raise last

    def _locate(self) -> None:
        account = self._account
        options = account.options
        if options.url:
            url = checked_url(completed(options.url), self._client)
        else:
            url = find_url(account, self._client, self._shared.exchange.url)
        account.options = msgspec.structs.replace(options, url=url)
        account.probe()

    def _usernames(self) -> list[str]:
        """Return what to sign in as: what the owner says, else the address, then its first part."""
        options = self._account.options
        if options.username:
            return [options.username]
        return [options.address, options.address.partition("@")[0]]

    def _changed(self, folder: str, state: str) -> tuple[str, bool, UpstreamPage] | None:
        (row,) = self._account.ask("SyncFolderItems", messages.sync(folder, state, MOST_CHANGES))
        if isinstance(row, OLD_STATE) and state:
            return None
        answer = self._account.checked(row)
        following = (answer.findtext(f"{M}SyncState") or "").strip()
        is_last = (answer.findtext(f"{M}IncludesLastItemInRange") or "").strip()
        changes = answer.find(f"{M}Changes")
        if not following or is_last not in {"true", "false"} or changes is None:
            raise Unavailable(INCOMPLETE)
        wanted: dict[str, None] = {}
        gone: dict[str, None] = {}
        for change in changes:
            kind = name_of(change)
            identifier = item_id(change) or next((item_id(one) for one in change), "")
            if kind == "Delete":
                gone[identifier] = None
                wanted.pop(identifier, None)
            elif kind in {"Create", "Update"} and change.find(f"{T}CalendarItem") is not None:
                wanted[identifier] = None
                gone.pop(identifier, None)
        made = self._read(list(wanted))
        objects = [*made.objects, *(_gone(one) for one in gone)]
        page = UpstreamPage(objects=objects, unreadable=made.unreadable, notes=made.notes)
        return following, is_last == "true", page

    def _read(self, ids: Sequence[str]) -> UpstreamPage:
        """Read items with their exceptions; name the corrupt ones."""
        objects: list[UpstreamObject] = []
        unreadable: list[str] = []
        items = self._items(ids)
        exceptions = self._items([one for item in items.values() for one in _modified(item)])
        for identifier, item in items.items():
            if isinstance(item, ews.ErrorItemNotFound):
                objects.append(_gone(identifier))  # deleted since it was listed
                continue
            try:
                own = [exceptions[one] for one in _modified(item)]
                objects.append(_rendered(item, own, self._home))
            except (ValueError, KeyError, OverflowError):
                unreadable.append(identifier)
        return UpstreamPage(
            objects=objects,
            unreadable=tuple(unreadable),
            notes=tuple(UNREADABLE for _ in unreadable),
        )

    def _items(self, ids: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for first in range(0, len(ids), AT_ONCE):
            batch = ids[first : first + AT_ONCE]
            rows = self._account.ask("GetItem", messages.get_items(batch))
            if len(rows) != len(batch):
                raise Unavailable(INCOMPLETE)
            for identifier, row in zip(batch, rows, strict=True):
                if isinstance(row, (*CORRUPT, ews.ErrorItemNotFound)):
                    found[identifier] = row
                    continue
                items = self._account.checked(row).find(f"{M}Items")
                if items is None or len(items) != 1:
                    raise Unavailable(INCOMPLETE)
                found[identifier] = items[0]
        return found

    def _busy(
        self, folder: str, window: TimeRange, rules: BusyRules, address: str
    ) -> list[BusyPeriod]:
        # A day on both sides: whole days of another zone begin and end elsewhere.
        around = TimeRange(window.start - DAY, window.end + DAY)
        answer = self._account.one("FindItem", messages.view(folder, around), Traversal="Shallow")
        root = answer.find(f"{M}RootFolder")
        if root is None or root.get("IncludesLastItemInRange") != "true":
            raise Unavailable(INCOMPLETE)
        try:
            events = [render(item, (), self._home).data for item in children_of(root, "Items")]
            periods = blocked_by(events, self._home, window, rules, address)
        except (ValueError, OverflowError, Refused) as error:
            raise Unavailable("Some events of the calendar cannot be read.") from error
        return coalesce(periods, window)


def build(connection: Connection, secret: bytes, shared: Shared) -> ExchangeAdapter:
    """Build an adapter from a connection's secret in JSON."""
    del connection
    try:
        options = msgspec.json.decode(secret, type=ExchangeOptions)
    except msgspec.DecodeError as error:
        raise SignInNeeded("The stored credentials of this connection cannot be read.") from error
    return ExchangeAdapter(options, shared)


def _last(page: UpstreamPage, cursor: str, *, complete: bool, same: bool) -> UpstreamPage:
    return UpstreamPage(
        objects=page.objects,
        cursor=cursor,
        complete=complete,
        unchanged=same,
        unreadable=page.unreadable,
        notes=page.notes,
    )


def _event_of(data: bytes) -> tuple[Component, TimeRange]:
    """Return the event of a booking and when it is."""
    item = read_one(data)
    event = item.members[0]
    extent = read_extent(Moments(item.calendar, UTC_ZONE, lenient=True), event)
    assert extent is not None, "an event has a time"
    return event, TimeRange(extent.start.instant, extent.end)


def _modified(item: Any) -> list[str]:
    return [] if isinstance(item, Exception) else modified_ids(item)


def _rendered(item: Any, exceptions: Sequence[Any], home: Zone) -> UpstreamObject:
    """Return an item's object; one that is corrupt, or has a corrupt exception, is ValueError."""
    if any(isinstance(one, Exception) for one in (item, *exceptions)):
        raise ValueError("corrupt")
    return render(item, exceptions, home)


def _gone(identifier: str) -> UpstreamObject:
    return UpstreamObject(key=identifier, uid="", etag="", data=None)


def _encode(state: str) -> str:
    return json.dumps({"version": CURSOR_VERSION, "state": state})


def _decode(cursor: str) -> str:
    try:
        known = json.loads(cursor or "{}")
    except ValueError:
        return ""
    if not isinstance(known, dict) or known.get("version") != CURSOR_VERSION:
        return ""
    return str(known.get("state", ""))
