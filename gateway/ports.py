"""All that the core needs from outside: a store, a clock, a cipher, a mailer, sources.

Implementations meet in bootstrap.py.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

from gateway.freebusy.busytime import BusyPeriod
from gateway.model.booking import Booking, BookingState
from gateway.model.collection import BusyRules, Collection, ObjectChange, ObjectRecord
from gateway.model.connection import Connection, Health
from gateway.model.feed import Feed
from gateway.model.page import SchedulingPage
from gateway.model.principal import Credential, CredentialKind, Owner, OwnerSettings, Session
from gateway.model.timerange import Instant, TimeRange

# --- storage
# -----------------------------------------------------------------------------------------------


class Owners(Protocol):
    """Owners, their credentials and sessions."""

    async def add(self, owner: Owner, password_hash: str) -> Owner: ...
    async def get(self, owner_id: int) -> Owner | None: ...
    async def by_email(self, email: str) -> Owner | None: ...
    async def all(self) -> Sequence[Owner]: ...
    async def password_hash(self, owner_id: int) -> str: ...
    async def set_password_hash(self, owner_id: int, password_hash: str) -> None: ...
    async def update(self, owner: Owner) -> None: ...
    async def save_settings(self, owner_id: int, settings: OwnerSettings) -> None: ...
    async def set_default(self, owner_id: int, collection_id: int | None) -> None: ...
    async def add_credential(self, credential: Credential, digest: str) -> None: ...
    async def credentials(self, owner_id: int, kind: CredentialKind) -> Sequence[Credential]: ...
    async def by_credential(
        self, kind: CredentialKind, digest: str
    ) -> tuple[Owner, Credential] | None: ...
    async def touch_credential(self, credential_id: str, now: Instant) -> None: ...
    async def remove_credential(self, owner_id: int, credential_id: str) -> bool: ...
    async def add_session(self, session: Session) -> None: ...
    async def session(self, digest: str, now: Instant) -> tuple[Session, Owner] | None: ...
    async def remove_session(self, digest: str) -> None: ...
    async def remove_sessions(self, owner_id: int) -> None: ...


class Collections(Protocol):
    """Calendars and their dead properties."""

    async def add(self, collection: Collection) -> Collection: ...
    async def get(self, collection_id: int) -> Collection | None: ...
    async def by_name(self, owner_id: int, name: str) -> Collection | None: ...
    async def by_public_id(self, owner_id: int, public_id: str) -> Collection | None: ...
    async def of_owner(self, owner_id: int) -> Sequence[Collection]: ...
    async def of_connection(self, connection_id: str) -> Sequence[Collection]: ...
    async def update(self, collection: Collection) -> None: ...
    async def set_health(self, collection_id: int, health: Health) -> None: ...
    async def set_rules(self, collection_id: int, rules: BusyRules) -> None: ...
    async def remove(self, collection_id: int) -> None: ...
    async def dead_properties(self, collection_id: int) -> Mapping[str, str]: ...
    async def set_dead_property(self, collection_id: int, name: str, xml: str | None) -> None: ...


class Objects(Protocol):
    """Calendar object resources and their sync history.

    Every change takes the next revision of its collection.
    """

    async def get(self, collection_id: int, name: str) -> ObjectRecord | None: ...
    async def get_many(
        self, collection_id: int, names: Sequence[str]
    ) -> Sequence[ObjectRecord]: ...
    async def by_uid(self, collection_id: int, uid: str) -> ObjectRecord | None: ...
    async def list(
        self, collection_id: int, component: str | None = None
    ) -> Sequence[ObjectRecord]: ...
    async def headers(self, collection_id: int) -> Sequence[ObjectRecord]: ...
    async def put(self, record: ObjectRecord) -> ObjectRecord: ...
    async def remove(self, collection_id: int, name: str, now: Instant) -> bool: ...
    async def changes(
        self, collection_id: int, since: int, limit: int | None = None
    ) -> Sequence[ObjectChange]: ...
    async def count(self, collection_id: int) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """What the index keeps of one object.

    `last_end=None` never ends, `dense` is computed on demand, never stored.
    """

    first_start: Instant
    last_end: Instant | None
    recurring: bool
    dense: bool
    floating: bool
    periods: Sequence[BusyPeriod]
    occurrences: Sequence[TimeRange]


class Index(Protocol):
    """The occurrence index.

    Busy intervals per object, merged rows per day, and the components' spans.
    """

    async def put(self, collection_id: int, object_id: int, entry: IndexEntry) -> None: ...
    async def remove(self, collection_id: int, object_id: int) -> None: ...
    async def busy(
        self, collection_ids: Sequence[int], window: TimeRange
    ) -> Mapping[int, Sequence[BusyPeriod]]: ...
    async def computed(
        self, collection_ids: Sequence[int], window: TimeRange
    ) -> Sequence[ObjectRecord]: ...
    async def candidates(self, collection_id: int, window: TimeRange) -> Sequence[ObjectRecord]: ...
    async def horizon(self, collection_id: int) -> TimeRange | None: ...
    async def set_horizon(self, collection_id: int, horizon: TimeRange, tzdata: str) -> None: ...
    async def outdated(self, *, before_end: Instant, tzdata: str) -> Sequence[int]: ...


class Pages(Protocol):
    """Scheduling pages; slugs are unique over all hosts, compared without case (S38)."""

    async def add(self, page: SchedulingPage) -> None: ...
    async def get(self, page_id: str) -> SchedulingPage | None: ...
    async def by_slug(self, slug: str) -> SchedulingPage | None: ...
    async def of_owner(self, owner_id: int) -> Sequence[SchedulingPage]: ...
    async def update(self, page: SchedulingPage) -> None: ...
    async def remove(self, page_id: str) -> None: ...


class Bookings(Protocol):
    """Bookings under the overlap guard of the database.

    `add` and `move` raise SlotTaken when it refuses.
    """

    async def add(self, booking: Booking) -> None: ...
    async def get(self, booking_id: str) -> Booking | None: ...
    async def by_manage_digest(self, digest: str) -> Booking | None: ...
    async def of_owner(
        self, owner_id: int, window: TimeRange | None = None
    ) -> Sequence[Booking]: ...
    async def blocking(self, owner_id: int, window: TimeRange) -> Sequence[Booking]: ...
    async def unfinished(self, owner_id: int | None = None) -> Sequence[Booking]: ...
    async def move(self, booking: Booking, to: BookingState, now: Instant) -> Booking: ...
    async def count_live(self, page_id: str, window: TimeRange) -> int: ...
    async def erase_visitor(self, email: str) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """What an Idempotency-Key was answered with; `digest` is of the request's body."""

    digest: str
    booking_id: str


class IdempotencyKeys(Protocol):
    """Keys per page, kept for at least 24 hours."""

    async def get(self, page_id: str, key: str) -> StoredAnswer | None: ...
    async def put(self, page_id: str, key: str, answer: StoredAnswer, now: Instant) -> None: ...
    async def purge(self, before: Instant) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One side effect to be done at least once.

    `fence` grows with every lease, a stale one cannot finish it.
    """

    id: int
    kind: str
    subject: str
    payload: dict[str, str]
    due_at: Instant
    attempts: int = 0
    fence: int = 0


class Outbox(Protocol):
    """Side effects decided in a transaction, done after it (calendar writes, mails)."""

    async def add(
        self, kind: str, subject: str, payload: Mapping[str, str], due_at: Instant
    ) -> int: ...
    async def lease(
        self, holder: str, now: Instant, *, seconds: int, limit: int, subject: str | None = None
    ) -> Sequence[Job]: ...
    async def done(self, job: Job) -> bool: ...
    async def retry(self, job: Job, due_at: Instant, error: str) -> bool: ...
    async def bury(self, job: Job, error: str) -> bool: ...
    async def waiting(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMail:
    """A mail as it was or would be sent."""

    id: str
    owner_id: int
    recipient: str
    subject: str
    raw: bytes
    created_at: Instant
    sent_at: Instant | None = None
    error: str = ""


class Mails(Protocol):
    """Outgoing mail, kept for the dashboard when no mail host is set."""

    async def add(self, mail: StoredMail) -> None: ...
    async def get(self, mail_id: str) -> StoredMail | None: ...
    async def mark(self, mail_id: str, *, sent_at: Instant | None, error: str = "") -> None: ...
    async def of_owner(self, owner_id: int, limit: int = 50) -> Sequence[StoredMail]: ...
    async def purge(self, before: Instant) -> int: ...


class Feeds(Protocol):
    """Merged feeds by the digest of their token."""

    async def add(self, feed: Feed) -> None: ...
    async def by_digest(self, digest: str) -> Feed | None: ...
    async def of_owner(self, owner_id: int) -> Sequence[Feed]: ...
    async def remove(self, owner_id: int, feed_id: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one node to tick one connection until a time.

    `fence` is checked when it applies.
    """

    connection_id: str
    fence: int


class Connections(Protocol):
    """Accounts at sources, their cursors and leases."""

    async def add(self, connection: Connection) -> None: ...
    async def get(self, connection_id: str) -> Connection | None: ...
    async def of_owner(self, owner_id: int) -> Sequence[Connection]: ...
    async def all(self) -> Sequence[Connection]: ...
    async def set_secret(self, connection_id: str, sealed: bytes) -> None: ...
    async def remove(self, connection_id: str) -> None: ...
    async def cursor(self, collection_id: int) -> str: ...
    async def set_cursor(self, collection_id: int, cursor: str) -> None: ...
    async def lease(
        self, connection_id: str, holder: str, now: Instant, seconds: int
    ) -> Lease | None: ...
    async def holds(self, lease: Lease) -> bool: ...
    async def release(self, lease: Lease, next_tick_at: Instant) -> None: ...
    async def due(self, now: Instant) -> Sequence[str]: ...


class Counters(Protocol):
    """Limits that survive a restart and are shared between nodes: events per key, sliding window.

    `hit` counts one and returns 0; at the limit it counts nothing and returns the seconds to wait.
    A limit of 0 is off. `wait` answers the same without counting.
    """

    async def hit(self, key: str, now: Instant, *, window: int, limit: int) -> int: ...
    async def wait(self, key: str, now: Instant, *, window: int, limit: int) -> int: ...
    async def clear(self, key: str) -> None: ...
    async def purge(self, before: Instant) -> int: ...


class Notices(Protocol):
    """What the owner has been told and when: once for each loss (S30). And the audit trail."""

    async def first_since(
        self, owner_id: int, kind: str, subject: str, now: Instant, *, quiet: int
    ) -> bool: ...
    async def settle(self, owner_id: int, kind: str, subject: str) -> bool: ...
    async def record(self, owner_id: int | None, event: str, detail: str, now: Instant) -> None: ...
    async def trail(
        self, owner_id: int, limit: int = 100
    ) -> Sequence[tuple[Instant, str, str]]: ...


class Transaction(Protocol):
    """The repositories, in one transaction."""

    @property
    def owners(self) -> Owners: ...
    @property
    def collections(self) -> Collections: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def index(self) -> Index: ...
    @property
    def pages(self) -> Pages: ...
    @property
    def bookings(self) -> Bookings: ...
    @property
    def keys(self) -> IdempotencyKeys: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def mails(self) -> Mails: ...
    @property
    def feeds(self) -> Feeds: ...
    @property
    def connections(self) -> Connections: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def notices(self) -> Notices: ...


class Store(Protocol):
    """The database.

    `write` is serialised per owner where `owner_id` is given; left without an error it commits.
    Both raise Overloaded when the database cannot be had within 5 seconds.
    """

    def read(self) -> AbstractAsyncContextManager[Transaction]: ...
    def write(self, *, owner_id: int | None = None) -> AbstractAsyncContextManager[Transaction]: ...
    async def ping(self) -> None: ...
    async def close(self) -> None: ...


# --- the world
# ---------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The only source of the present."""

    def now(self) -> Instant: ...


class Cipher(Protocol):
    """Seals secrets at rest, bound to the row and field they belong to.

    `bound_to` is always `table.column:id`, as in `feed.token_sealed:fd_1`, so that changing the key
    can find and seal every secret again.
    """

    def seal(self, plain: bytes, *, bound_to: str) -> bytes: ...
    def open(self, sealed: bytes, *, bound_to: str) -> bytes: ...


class Mailer(Protocol):
    """Hands one message to the mail host.

    Raises Unavailable (try again) or AccessLost (never will).
    """

    async def send(self, recipient: str, raw: bytes) -> None: ...


# --- sources
# -----------------------------------------------------------------------------------------------


class Capability(Flag):
    """What an adapter can do; the rest is never called."""

    READ = auto()
    LIST_CALENDARS = auto()
    WRITE = auto()
    LAST_LOOK = auto()
    PUSH = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCalendar:
    """A calendar as the source describes it; `role` is a value of model.collection.Role."""

    upstream_id: str
    name: str
    time_zone: str = ""
    color: str = ""
    role: str = "reader"
    is_primary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamObject:
    """One calendar object resource from a source: all components of one UID, as iCalendar bytes.

    `key` names it at the source and stays the same; `etag` changes with its content;
    `data=None` says it is gone.
    """

    key: str
    uid: str
    etag: str
    data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPage:
    """A page of changes.

    Only the last one carries the `cursor`; there, `complete` means that absence is deletion.
    `unreadable` names objects by their `key` that are there but make no sense: what is stored of
    them stays. `notes` tell the owner about them, one sentence each.
    """

    objects: Sequence[UpstreamObject]
    cursor: str | None = None
    complete: bool = False
    unchanged: bool = False
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Adapter(Protocol):
    """Reads one connected account.

    Failures are Unavailable, SignInNeeded or AccessLost, nothing else.
    """

    async def calendars(self) -> Sequence[UpstreamCalendar]: ...
    def changes(self, upstream_id: str, cursor: str) -> AsyncIterator[UpstreamPage]: ...
    async def last_look(self, upstream_id: str, window: TimeRange) -> Sequence[BusyPeriod]: ...
    async def close(self) -> None: ...


class Writer(Protocol):
    """Writes bookings into one connected account.

    Creating twice under the same UID makes one event.
    """

    async def create(self, upstream_id: str, uid: str, data: bytes) -> None: ...
    async def update(self, upstream_id: str, uid: str, data: bytes) -> None: ...
    async def remove(self, upstream_id: str, uid: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec:
    """A registry line: a provider's name and what its adapter can do."""

    provider: str
    title: str
    capabilities: Capability


class Sources(Protocol):
    """The registry of adapters; `open` unseals nothing itself, it is given the secret."""

    def specs(self) -> Iterable[AdapterSpec]: ...
    def open(self, connection: Connection, secret: bytes) -> Adapter: ...
