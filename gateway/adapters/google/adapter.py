"""The adapter: calendars, changes, last look, writing and push for one Google account.

A calendar of which only busy time is shared is read by free/busy questions, as one event a time.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from gateway.adapters._busy_only import blocked_by, busy_objects
from gateway.adapters._http import MAX_RETRY_AFTER
from gateway.adapters._shared import Shared
from gateway.adapters.google import reading
from gateway.adapters.google.answers import GoogleRefusal
from gateway.adapters.google.assembly import Assembler
from gateway.adapters.google.client import GoogleClient
from gateway.adapters.google.cursor import Cursor
from gateway.adapters.google.normalise import render
from gateway.adapters.google.people import Item, text_of
from gateway.adapters.google.push import Push
from gateway.adapters.google.writing import Writing
from gateway.errors import Refused, Unavailable
from gateway.freebusy.busytime import BusyPeriod, BusyType, coalesce
from gateway.model.collection import ALL_BLOCKS, BusyRules
from gateway.model.connection import Connection
from gateway.model.timerange import DAY, HOUR, Instant, TimeRange
from gateway.ports import (
    AdapterSpec,
    Capability,
    Clock,
    UpstreamCalendar,
    UpstreamPage,
    Watch,
)

SPEC = AdapterSpec(
    provider="google",
    title="Google / Gmail",
    capabilities=Capability.READ
    | Capability.LIST_CALENDARS
    | Capability.WRITE
    | Capability.LAST_LOOK
    | Capability.PUSH,
)
ROLES = {"owner": "owner", "freeBusyReader": "free_busy"}
"""Google's access roles as ours; one that nobody knows reads.

Whoever may write to somebody else's calendar reads it here: consent is asked for writing to one's
own calendars only, so that Google would refuse a booking there.
"""
ONLY_BUSY = frozenset({"freeBusyReader", "none"})
ROLE_CHANGED = frozenset({"", "forbidden", "requiredAccessLevel"})
LOOK_BACK = 366 * DAY
BUSY_BEFORE, BUSY_AFTER = 30 * DAY, 400 * DAY
"""How much busy time is asked for where there are no events: the horizon of the index."""
ROLE_FOR = 6 * HOUR
MAX_ORPHANS = 50
"""Of so many series without a master we ask what became of it; the rest stay busy."""
MAX_SERIES = 40
"""From this many changed series on, reading everything is less work."""

P = ParamSpec("P")
T = TypeVar("T")


def _told(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a refusal of Google come out as one of the three failures of a port."""

    @wraps(work)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await work(*args, **kwargs)
        except GoogleRefusal as refusal:
            raise refusal.as_failure() from refusal

    return wrapped


class GoogleAdapter:
    """Implements Adapter, Writer and Watcher of ports for one account."""

    def __init__(self, client: GoogleClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._writing = Writing(client)
        self._push = Push(client, clock)

    # --- reading

    @_told
    async def calendars(self) -> Sequence[UpstreamCalendar]:
        """List every calendar that the account can see, those it hides included."""
        return [
            UpstreamCalendar(
                upstream_id=text_of(entry, "id"),
                name=text_of(entry, "summaryOverride") or text_of(entry, "summary"),
                time_zone=text_of(entry, "timeZone"),
                color=text_of(entry, "backgroundColor"),
                role=ROLES.get(text_of(entry, "accessRole"), "reader"),
                is_primary=entry.get("primary") is True,
            )
            for entry in await reading.calendar_entries(self._client)
        ]

    async def changes(self, upstream_id: str, cursor: str) -> AsyncIterator[UpstreamPage]:
        """Yield what changed since the cursor, or everything where Google cannot say."""
        try:
            async for page in self._changes(upstream_id, Cursor.decode(cursor)):
                yield page
        except GoogleRefusal as refusal:
            raise refusal.as_failure() from refusal

    async def _changes(self, calendar_id: str, known: Cursor) -> AsyncIterator[UpstreamPage]:
        if known.token:
            try:
                page = await self._delta(calendar_id, known)
            except reading.NeedsFullReadError:
                known = Cursor(forced=known.forced)
            except GoogleRefusal as refusal:
                known = self._after(refusal, known)
            else:
                yield page
                return
        role_at = await self._only_busy_since(calendar_id, known)
        if role_at:
            yield await self._busy(calendar_id, known, role_at)
            return
        async for page in self._everything(calendar_id, known):
            yield page

    def _after(self, refusal: GoogleRefusal, known: Cursor) -> Cursor:
        """Return where to go on from when Google no longer takes our sync token."""
        if refusal.status == 403 and refusal.reason in ROLE_CHANGED:  # noqa: PLR2004 - Forbidden
            return Cursor(forced=known.forced)
        # 410 is what Google promises; 400 is a token that it does not know as one.
        if refusal.status not in {400, 410}:
            raise refusal
        started = known.starts_over(self._clock.now())
        if started is None:
            sentence = "Google has us read everything again and again."
            raise Unavailable(sentence, MAX_RETRY_AFTER) from refusal
        return started

    async def _only_busy_since(self, calendar_id: str, known: Cursor) -> Instant:
        """Return when we last heard that only busy time is shared; 0 where events are."""
        now = self._clock.now()
        if known.is_free_busy and now - known.role_at < ROLE_FOR:
            return known.role_at
        return now if await reading.role_in(self._client, calendar_id) in ONLY_BUSY else 0

    async def _everything(self, calendar_id: str, known: Cursor) -> AsyncIterator[UpstreamPage]:
        since = (self._clock.now() - LOOK_BACK) // DAY * DAY
        assembler: Assembler | None = None
        async for page in reading.event_pages(self._client, calendar_id, since=since):
            if assembler is None:
                assembler = Assembler(reading.facts_of(page))
            done = assembler.add(page["items"])
            token = text_of(page, "nextSyncToken")
            if not token or page.get("nextPageToken"):
                yield UpstreamPage(objects=done)
                continue
            await self._bury_deleted(calendar_id, assembler)
            yield UpstreamPage(
                objects=[*done, *assembler.finish()],
                cursor=known.continued(token).encode(),
                complete=True,
                unreadable=tuple(assembler.unreadable),
                notes=tuple(assembler.notes),
            )

    async def _bury_deleted(self, calendar_id: str, assembler: Assembler) -> None:
        """Tell leftovers of deleted series from invitations to one instance: lists show both."""
        for key in assembler.orphans[:MAX_ORPHANS]:
            if await reading.is_deleted(self._client, calendar_id, key):
                assembler.bury(key)

    async def _delta(self, calendar_id: str, known: Cursor) -> UpstreamPage:
        items: list[Item] = []
        last: Mapping[str, object] = {}
        async for page in reading.event_pages(self._client, calendar_id, token=known.token):
            items += [one for one in page["items"] if isinstance(one, Mapping)]
            last = page
        cursor = known.continued(text_of(last, "nextSyncToken")).encode()
        if not items:
            return UpstreamPage(objects=(), cursor=cursor, unchanged=True)
        series = reading.changed_series(items)
        if len(series) > MAX_SERIES:
            raise reading.NeedsFullReadError
        assembler = Assembler(reading.facts_of(dict(last)))
        done = assembler.add(items)
        now = self._clock.now()
        done += assembler.add(await reading.all_series(self._client, calendar_id, series, now))
        return UpstreamPage(
            objects=[*done, *assembler.finish()],
            cursor=cursor,
            unreadable=tuple(assembler.unreadable),
            notes=tuple(assembler.notes),
        )

    async def _busy(self, calendar_id: str, known: Cursor, role_at: Instant) -> UpstreamPage:
        today = self._clock.now() // DAY * DAY
        window = TimeRange(today - BUSY_BEFORE, today + BUSY_AFTER)
        spans = (await reading.busy_spans(self._client, [calendar_id], window))[calendar_id]
        digest = hashlib.sha256(repr(spans).encode()).hexdigest()[:32]
        cursor = Cursor(digest=digest, role_at=role_at, forced=known.forced).encode()
        if digest == known.digest:
            return UpstreamPage(objects=(), cursor=cursor, unchanged=True)
        periods = [BusyPeriod(start, end, BusyType.BUSY) for start, end in spans if start < end]
        objects = busy_objects(calendar_id, periods, domain="google.com")
        return UpstreamPage(objects=objects, cursor=cursor, complete=True)

    @_told
    async def last_look(
        self,
        upstream_id: str,
        window: TimeRange,
        rules: BusyRules = ALL_BLOCKS,
        address: str = "",
    ) -> Sequence[BusyPeriod]:
        """Ask for the events of the window and nothing else; what cannot be read fails."""
        try:
            facts, items = await reading.instances_in(self._client, upstream_id, window)
        except GoogleRefusal as refusal:
            if refusal.status != 403 or refusal.is_rate:  # noqa: PLR2004 - Forbidden
                raise
            facts, items = None, []
        if facts is None or facts.role in ONLY_BUSY:
            spans = (await reading.busy_spans(self._client, [upstream_id], window))[upstream_id]
            periods = [BusyPeriod(start, end, BusyType.BUSY) for start, end in spans]
            return coalesce(periods, window)
        try:
            events = [render(item, (), facts).data for item in items]
            periods = blocked_by(events, facts.zone, window, rules, address)
        except (ValueError, OverflowError, Refused) as error:
            raise Unavailable("Some events of the calendar cannot be read.") from error
        return coalesce(periods, window)

    # --- writing

    @_told
    async def create(self, upstream_id: str, uid: str, data: bytes) -> None:
        """Make the event of a booking, once however often it is asked for."""
        await self._writing.create(upstream_id, uid, data)

    @_told
    async def find(self, upstream_id: str, uid: str) -> TimeRange | None:
        """Return when a booking's event is, None where there is none that stands."""
        return await self._writing.find(upstream_id, uid)

    @_told
    async def move(
        self, upstream_id: str, uid: str, *, before: TimeRange, after: TimeRange
    ) -> TimeRange | None:
        """Move a booking's event, unless its owner did; return when it is."""
        return await self._writing.move(upstream_id, uid, before, after)

    @_told
    async def remove(self, upstream_id: str, uid: str) -> None:
        """Take the event of a booking away, also where it is gone already."""
        await self._writing.remove(upstream_id, uid)

    # --- push

    @_told
    async def watch(self, upstream_id: str, *, channel: str, secret: str, address: str) -> Watch:
        """Have Google tell of changes."""
        return await self._push.watch(upstream_id, channel=channel, secret=secret, address=address)

    @_told
    async def unwatch(self, watch: Watch) -> None:
        """End a channel, also one that Google has ended itself."""
        await self._push.unwatch(watch)

    async def close(self) -> None:
        """Close the account's connections."""
        await self._client.close()


def build(connection: Connection, secret: bytes, shared: Shared) -> GoogleAdapter:
    """Build an adapter; its secret is the token source's business."""
    del secret
    client = GoogleClient(
        shared.google,
        shared.client,
        shared.tokens(connection),
        shared.clock,
        account=connection.id,
    )
    return GoogleAdapter(client, shared.clock)
