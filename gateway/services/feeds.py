"""Merged feeds: one secret address, everything selected behind it, cheap to ask for again.

A feed is rendered from the store alone. What was rendered is kept by the state it was rendered
from (revisions, rules, selection, day), so an unchanged feed costs the look at that state. The ETag
is a hash of the content: a change that this feed does not show does not change it.
"""

import asyncio
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.errors import Invalid, NotFound
from gateway.freebusy import vfreebusy
from gateway.model.collection import Collection, ObjectRecord
from gateway.model.feed import Feed, Visibility
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, Instant, TimeRange, format_rfc3339
from gateway.ports import Cipher, Clock, Store, Transaction
from gateway.services.feed_events import Merger, Pseudonyms, busy_events, calendar
from gateway.services.freebusy import FreeBusyService
from gateway.services.tokens import digest, new_id, new_secret

PAST = DAY
AHEAD = 366 * DAY
"""How far a feed tells; history cannot be harvested, nor the far future."""
MAX_FEEDS = 100
MAX_LABEL = 200
CACHE_BYTES = 32 * 1024 * 1024


class Form(StrEnum):
    """The two renderings of a feed, by the ending of its address."""

    EVENTS = "ics"
    FREE_BUSY = "ifb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A rendering: its bytes, the same compressed, and its validators."""

    etag: str
    modified_at: Instant
    body: bytes
    packed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    state: tuple[object, ...]
    rendered: Rendered


class FeedService:
    """Makes, shows, renders and revokes merged feeds."""

    def __init__(
        self, store: Store, clock: Clock, freebusy: FreeBusyService, cipher: Cipher
    ) -> None:
        self._store = store
        self._clock = clock
        self._freebusy = freebusy
        self._cipher = cipher
        self._cache = _Cache(CACHE_BYTES)

    async def add(
        self,
        owner: Owner,
        *,
        label: str,
        visibility: Visibility,
        calendars: Sequence[str] = (),
    ) -> tuple[Feed, str]:
        """Make a feed over these calendars (public ids; none means every selected one)."""
        token, identifier = new_secret(), new_id("fd_")
        feed = Feed(
            id=identifier,
            owner_id=owner.id,
            label=label.strip()[:MAX_LABEL],
            visibility=visibility,
            calendars=tuple(dict.fromkeys(calendars)),
            token_digest=digest(token),
            token_sealed=self._cipher.seal(token.encode(), bound_to=_bound(identifier)),
            created_at=self._clock.now(),
        )
        async with self._store.write(owner_id=owner.id) as tx:
            own = {item.public_id for item in await tx.collections.of_owner(owner.id)}
            unknown = [item for item in feed.calendars if item not in own]
            if unknown:
                raise Invalid({"calendars": f"There is no calendar {unknown[0]}."})
            if len(await tx.feeds.of_owner(owner.id)) >= MAX_FEEDS:
                raise Invalid({"feeds": f"There can be at most {MAX_FEEDS} feeds."})
            await tx.feeds.add(feed)
            await tx.notices.record(owner.id, "feed.added", feed.id, feed.created_at)
        return feed, token

    async def list(self, owner_id: int) -> Sequence[Feed]:
        """Return the owner's feeds."""
        async with self._store.read() as tx:
            return await tx.feeds.of_owner(owner_id)

    async def remove(self, owner_id: int, feed_id: str) -> None:
        """Revoke a feed: its address is dead with this transaction."""
        async with self._store.write(owner_id=owner_id) as tx:
            if not await tx.feeds.remove(owner_id, feed_id):
                raise NotFound("feed")
            await tx.notices.record(owner_id, "feed.removed", feed_id, self._clock.now())
        self._cache.drop(feed_id)

    def token(self, feed: Feed) -> str:
        """Return a feed's token, to show its address to its owner again."""
        return self._cipher.open(feed.token_sealed, bound_to=_bound(feed.id)).decode()

    async def render(self, token: str, form: Form, window: TimeRange | None = None) -> Rendered:
        """Return the feed with this token; a wrong, revoked or disabled owner's one is NotFound."""
        now = self._clock.now()
        async with self._store.read() as tx:
            feed, collections = await self._opened(tx, token)
        bounds = allowed_window(now)
        asked = bounds if window is None or form is Form.EVENTS else _within(window, bounds)
        state, key = _state(feed, collections), (feed.id, form, asked)
        entry = self._cache.get(key)
        if entry is not None and entry.state == state:
            return entry.rendered
        body = await self._body(feed, collections, form, asked, _today(now))
        rendered = await asyncio.to_thread(_finish, body, now)
        if entry is not None:
            # The same content keeps its date; another one must differ from it even within a second.
            last = entry.rendered.modified_at
            same = entry.rendered.etag == rendered.etag
            rendered = replace(rendered, modified_at=last if same else max(now, last + 1))
        self._cache.put(key, _Entry(state=state, rendered=rendered))
        return rendered

    async def _opened(self, tx: Transaction, token: str) -> tuple[Feed, Sequence[Collection]]:
        feed = await tx.feeds.by_digest(digest(token))
        owner = None if feed is None else await tx.owners.get(feed.owner_id)
        if feed is None or owner is None or owner.disabled:
            raise NotFound("feed")
        chosen = set(feed.calendars)
        collections = [
            item
            for item in await tx.collections.of_owner(feed.owner_id)
            if (item.public_id in chosen if chosen else item.selected)
        ]
        return feed, collections

    async def _body(
        self,
        feed: Feed,
        collections: Sequence[Collection],
        form: Form,
        window: TimeRange,
        stamp: Instant,
    ) -> bytes:
        pseudonyms = Pseudonyms(feed.id)
        if form is Form.EVENTS and feed.visibility is not Visibility.BUSY:
            return await self._events(feed, collections, window)
        periods = await self._freebusy.busy(collections, window)
        if form is Form.FREE_BUSY:
            uid = pseudonyms.uid("freebusy", window.start, window.end)
            return vfreebusy.render(periods, window, now=stamp, uid=uid)
        return calendar(busy_events(periods, pseudonyms, stamp=stamp))

    async def _events(
        self, feed: Feed, collections: Sequence[Collection], window: TimeRange
    ) -> bytes:
        merger = Merger(feed.visibility, Pseudonyms(feed.id))
        for collection in collections:
            async with self._store.read() as tx:
                records = await tx.index.candidates(collection.id, window)
            await asyncio.to_thread(_merge_all, merger, collection.id, records)
        return calendar([*merger.zones.values(), *merger.events])


def allowed_window(now: Instant) -> TimeRange:
    """Return the time a feed tells of: from yesterday on, by whole days of UTC."""
    return TimeRange(_today(now) - PAST, _today(now) + AHEAD)


def _today(now: Instant) -> Instant:
    return now - now % DAY


def _bound(feed_id: str) -> str:
    return f"feed.token_sealed:{feed_id}"


def _within(window: TimeRange, bounds: TimeRange) -> TimeRange:
    start, end = max(window.start, bounds.start), min(window.end, bounds.end)
    if start >= end:
        low, high = format_rfc3339(bounds.start), format_rfc3339(bounds.end)
        raise Invalid({"start": f"Free/busy can be asked for from {low} to {high}."})
    return TimeRange(start, end)


def _state(feed: Feed, collections: Sequence[Collection]) -> tuple[object, ...]:
    """Return everything in the store that a rendering depends on."""
    return (
        feed,
        tuple(
            (item.id, item.version, item.rules, item.time_zone, item.time_zone_ics)
            for item in collections
        ),
    )


def _merge_all(merger: Merger, collection_id: int, records: Sequence[ObjectRecord]) -> None:
    for record in records:
        if record.component == "VEVENT":
            merger.add(collection_id, record.data)


def _finish(body: bytes, now: Instant) -> Rendered:
    return Rendered(
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        modified_at=now,
        body=body,
        packed=gzip.compress(body, compresslevel=6, mtime=0),
    )


CacheKey = tuple[str, Form, TimeRange]


class _Cache:
    """Renderings by feed, the least recently asked for dropped first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._entries: OrderedDict[CacheKey, _Entry] = OrderedDict()

    def get(self, key: CacheKey) -> _Entry | None:
        """Return what is kept under this key."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: CacheKey, entry: _Entry) -> None:
        """Keep an entry, unless it is larger than a quarter of the room."""
        self._remove(key)
        if _weight(entry) > self._limit // 4:
            return
        self._entries[key] = entry
        self._size += _weight(entry)
        while self._size > self._limit:
            _, oldest = self._entries.popitem(last=False)
            self._size -= _weight(oldest)

    def drop(self, feed_id: str) -> None:
        """Forget a feed."""
        for key in [key for key in self._entries if key[0] == feed_id]:
            self._remove(key)

    def _remove(self, key: CacheKey) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= _weight(entry)


def _weight(entry: _Entry) -> int:
    return len(entry.rendered.body) + len(entry.rendered.packed)
