"""The adapter: calendars, changes, last look, writing and push for one Office 365 account.

A calendar of which only busy time is shared is read by getSchedule, as one event a time.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from gateway.adapters._busy_only import (
    PREFIX,
    address_of,
    blocked_by,
    busy_objects,
    digest_of,
    is_schedule,
    window_at,
)
from gateway.adapters._http import MAX_RETRY_AFTER
from gateway.adapters._shared import Shared
from gateway.adapters.graph.answers import GraphRefusal
from gateway.adapters.graph.client import AT_ONCE, INCOMPLETE, GraphClient, path, told
from gateway.adapters.graph.cursor import Cursor
from gateway.adapters.graph.fields import Item, is_true, objects_of, text_of, zone_named
from gateway.adapters.graph.normalise import render
from gateway.adapters.graph.push import Push
from gateway.adapters.graph.rounds import Round
from gateway.adapters.graph.schedule import busy_in
from gateway.adapters.graph.writing import Writing
from gateway.errors import CalgateError, Unavailable
from gateway.freebusy.busytime import BusyPeriod, coalesce
from gateway.model.collection import ALL_BLOCKS, BusyRules
from gateway.model.connection import Connection
from gateway.model.timerange import DAY, HOUR, TimeRange, format_rfc3339
from gateway.model.zone import UTC_ZONE, Zone
from gateway.ports import (
    AdapterSpec,
    Capability,
    Clock,
    UpstreamCalendar,
    UpstreamPage,
    Watch,
)

SPEC = AdapterSpec(
    provider="microsoft",
    title="Office 365",
    capabilities=Capability.READ
    | Capability.LIST_CALENDARS
    | Capability.WRITE
    | Capability.LAST_LOOK
    | Capability.PUSH,
)
DOMAIN = "graph"
"""What the UIDs of events end in that stand for busy time alone."""
LIST_PAGE = 100
LOOK_PAGE, MAX_LOOK_PAGES = 500, 4
"""What a last look reads at most; a window with more in it is not known to be free."""


class GraphAdapter:
    """Implements Adapter, Writer and Watcher of ports for one account."""

    def __init__(self, client: GraphClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._writing = Writing(client, self._home)
        self._push = Push(client, clock)

    # --- reading

    @told
    async def calendars(self) -> Sequence[UpstreamCalendar]:
        """List every calendar that the account sees, shared ones included."""
        entries: list[Item] = []
        async for page in self._client.pages(path("me", "calendars", _top=LIST_PAGE)):
            entries += [one for one in objects_of(page, "value") if text_of(one, "id")]
        own = [one for one in entries if is_true(one, "isDefaultCalendar")]
        address = text_of(own[0], "owner", "address") if own else ""
        zone = (await self._home()).name
        found = await asyncio.gather(*(self._calendar(one, address, zone) for one in entries))
        return list({one.upstream_id: one for one in found}.values())

    async def _calendar(self, entry: Item, address: str, zone: str) -> UpstreamCalendar:
        owner = text_of(entry, "owner", "address")
        is_own = not owner or owner.lower() == address.lower()
        writable = is_true(entry, "canEdit")
        role = ("owner" if is_own else "writer") if writable else "reader"
        upstream_id = text_of(entry, "id")
        if not is_own and not writable and await self._shows_only_busy(upstream_id):
            role, upstream_id = "free_busy", f"{PREFIX}{owner}"
        colour = text_of(entry, "hexColor")
        return UpstreamCalendar(
            upstream_id=upstream_id,
            name=text_of(entry, "name"),
            time_zone=zone,
            color=colour if colour.startswith("#") else "",
            role=role,
            is_primary=is_true(entry, "isDefaultCalendar"),
        )

    async def _shows_only_busy(self, calendar_id: str) -> bool:
        now = self._clock.now()
        try:
            await self._client.read(_view(calendar_id, TimeRange(now, now + HOUR), top=1))
        except GraphRefusal as refusal:
            if refusal.status == 403 and not refusal.is_rate:  # noqa: PLR2004 - Forbidden
                return True
            raise
        return False

    async def _home(self) -> Zone:
        """Return the mailbox's zone; not every kind of account tells it."""
        try:
            settings = await self._client.read("me/mailboxSettings?$select=timeZone")
        except GraphRefusal as refusal:
            if refusal.status not in {403, 404} or refusal.is_rate:
                raise
            return UTC_ZONE
        return zone_named(text_of(settings, "timeZone")) or UTC_ZONE

    async def changes(self, upstream_id: str, cursor: str) -> AsyncIterator[UpstreamPage]:
        """Yield what changed since the cursor, or everything where Graph cannot say."""
        try:
            async for page in self._changes(upstream_id, Cursor.decode(cursor)):
                yield page
        except GraphRefusal as refusal:
            raise refusal.as_failure() from refusal

    async def _changes(self, calendar_id: str, known: Cursor) -> AsyncIterator[UpstreamPage]:
        if is_schedule(calendar_id):
            yield await self._busy(calendar_id, known)
            return
        if known.is_fresh(self._clock.now()):
            try:
                page = await self._since(known)
            except GraphRefusal as refusal:
                if not refusal.ends_a_token:
                    raise
                started = known.starts_over(self._clock.now())
                if started is None:
                    sentence = "Office 365 has us read everything again and again."
                    raise Unavailable(sentence, MAX_RETRY_AFTER) from refusal
                known = started
            else:
                yield page
                return
        async for page in self._everything(calendar_id, known):
            yield page

    async def _everything(self, calendar_id: str, known: Cursor) -> AsyncIterator[UpstreamPage]:
        home, window = await self._home(), window_at(self._clock.now())
        reading = Round(client=self._client, window=window, home=home)
        where = _view(calendar_id, window, delta=True)
        async for objects in reading.read(where):
            yield UpstreamPage(objects=objects)
        following = replace(known, link=reading.link, start=window.start, home=home.name)
        yield UpstreamPage(
            objects=(),
            cursor=following.encode(),
            complete=True,
            unreadable=tuple(reading.unreadable),
            notes=tuple(reading.notes),
        )

    async def _since(self, known: Cursor) -> UpstreamPage:
        home = zone_named(known.home) or UTC_ZONE
        reading = Round(client=self._client, window=known.window, home=home)
        objects = [item async for found in reading.read(known.link) for item in found]
        cursor = replace(known, link=reading.link).encode()
        if not reading.rows:
            return UpstreamPage(objects=(), cursor=cursor, unchanged=True)
        return UpstreamPage(
            objects=objects,
            cursor=cursor,
            unreadable=tuple(reading.unreadable),
            notes=tuple(reading.notes),
        )

    async def _busy(self, calendar_id: str, known: Cursor) -> UpstreamPage:
        address = address_of(calendar_id)
        periods = await busy_in(self._client, address, window_at(self._clock.now()))
        cursor = Cursor(digest=digest_of(periods)).encode()
        if known.digest == digest_of(periods):
            return UpstreamPage(objects=(), cursor=cursor, unchanged=True)
        objects = busy_objects(address, periods, domain=DOMAIN)
        return UpstreamPage(objects=objects, cursor=cursor, complete=True)

    @told
    async def last_look(
        self,
        upstream_id: str,
        window: TimeRange,
        rules: BusyRules = ALL_BLOCKS,
        address: str = "",
    ) -> Sequence[BusyPeriod]:
        """Ask for the events of the window and nothing else; what cannot be read fails."""
        if is_schedule(upstream_id):
            mailbox = address_of(upstream_id)
            periods = await busy_in(self._client, mailbox, window)
            told = busy_objects(mailbox, periods, domain=DOMAIN)
            return coalesce(
                blocked_by((one.data for one in told), UTC_ZONE, window, rules, address), window
            )
        # A whole day is told without its zone, so that of a neighbouring day may be meant.
        around = TimeRange(window.start - DAY, window.end + DAY)
        home, items = await asyncio.gather(self._home(), self._seen(upstream_id, around))
        try:
            events = [render({**item, "recurrence": None}, (), home).data for item in items]
            periods = blocked_by(events, home, window, rules, address)
        except (ValueError, OverflowError, CalgateError) as error:
            raise Unavailable("Some events of the calendar cannot be read.") from error
        return coalesce(periods, window)

    async def _seen(self, calendar_id: str, window: TimeRange) -> list[Item]:
        items: list[Item] = []
        pages = 0
        async for page in self._client.pages(_view(calendar_id, window, top=LOOK_PAGE)):
            pages += 1
            if pages > MAX_LOOK_PAGES or not all(isinstance(one, dict) for one in page["value"]):
                raise Unavailable(INCOMPLETE)
            items += page["value"]
        return items

    # --- writing

    @told
    async def create(self, upstream_id: str, uid: str, data: bytes) -> None:
        """Make the event of a booking, once however often it is asked for."""
        await self._writing.create(upstream_id, uid, data)

    @told
    async def find(self, upstream_id: str, uid: str) -> TimeRange | None:
        """Return when a booking's event is, None where there is none that stands."""
        return await self._writing.find(upstream_id, uid)

    @told
    async def move(
        self, upstream_id: str, uid: str, *, before: TimeRange, after: TimeRange
    ) -> TimeRange | None:
        """Move a booking's event, unless its owner did; return when it is."""
        return await self._writing.move(upstream_id, uid, before, after)

    @told
    async def remove(self, upstream_id: str, uid: str) -> None:
        """Take the event of a booking away, also where it is gone already."""
        await self._writing.remove(upstream_id, uid)

    # --- push

    @told
    async def watch(self, upstream_id: str, *, channel: str, secret: str, address: str) -> Watch:
        """Have Graph tell of changes."""
        return await self._push.watch(upstream_id, channel=channel, secret=secret, address=address)

    @told
    async def unwatch(self, watch: Watch) -> None:
        """End a subscription, also one that Graph has ended itself."""
        await self._push.unwatch(watch)

    async def close(self) -> None:
        """Close the account's connections."""
        await self._client.close()


def build(connection: Connection, secret: bytes, shared: Shared) -> GraphAdapter:
    """Build an adapter; its secret is the token source's business."""
    del secret
    client = GraphClient(
        shared.microsoft,
        shared.client,
        shared.tokens(connection),
        shared.clock,
        gate=shared.gates.of(f"graph {connection.id}", at_once=AT_ONCE),
    )
    return GraphAdapter(client, shared.clock)


def _view(calendar_id: str, window: TimeRange, *, top: int = 0, delta: bool = False) -> str:
    parts = ["me", "calendars", calendar_id, "calendarView", *(["delta"] if delta else [])]
    asked: dict[str, str | int] = {
        "startDateTime": format_rfc3339(window.start),
        "endDateTime": format_rfc3339(window.end),
    }
    return path(*parts, **asked, **({"_top": top} if top else {}))
