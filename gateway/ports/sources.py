"""What the core needs of an account at a provider: adapters and their registry."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

from gateway.freebusy.busytime import BusyPeriod
from gateway.model.collection import ALL_BLOCKS, BusyRules
from gateway.model.connection import Connection
from gateway.model.timerange import Instant, TimeRange


class Capability(Flag):
    """What an adapter can do; the rest is never called."""

    READ = auto()
    LIST_CALENDARS = auto()
    WRITE = auto()
    LAST_LOOK = auto()
    PUSH = auto()
    SETTLE = auto()


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

    Failures are Unavailable, SignInNeeded or AccessLost, nothing else. A last look tells what
    blocks by the owner's rules for the calendar, `address` being the owner's; where the source
    tells no more than that somebody is busy, all of it blocks.
    """

    async def calendars(self) -> Sequence[UpstreamCalendar]: ...
    def changes(self, upstream_id: str, cursor: str) -> AsyncIterator[UpstreamPage]: ...
    async def last_look(
        self,
        upstream_id: str,
        window: TimeRange,
        rules: BusyRules = ALL_BLOCKS,
        address: str = "",
    ) -> Sequence[BusyPeriod]: ...
    async def close(self) -> None: ...


class Writer(Protocol):
    """Writes bookings into one connected account.

    Creating twice under the same UID makes one event; one that is there already stays as its owner
    has it. `find` says when a booking's event is, None where the calendar can be read and has none
    that stands. `move` moves it from `before` to `after` and returns when it is in the end: its
    owner's time where that is another one, for then nothing is written; None where it is gone.
    """

    async def create(self, upstream_id: str, uid: str, data: bytes) -> None: ...
    async def find(self, upstream_id: str, uid: str) -> TimeRange | None: ...
    async def move(
        self, upstream_id: str, uid: str, *, before: TimeRange, after: TimeRange
    ) -> TimeRange | None: ...
    async def remove(self, upstream_id: str, uid: str) -> None: ...


class Settling(Protocol):
    """Finds out more than an owner gives while it lists calendars (Capability.SETTLE).

    `settled` is the secret to keep instead: with the address and the way to sign in that worked.
    """

    def settled(self) -> bytes: ...


class TokenSource(Protocol):
    """Access tokens of one connection that was made by consent (OAuth).

    `rejected` is the token that the source has just answered 401 to: another one is fetched, by
    one node at a time. Raises SignInNeeded where the consent is gone, Unavailable for now.
    """

    async def access_token(self, *, rejected: str = "") -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInTry:
    """A password that is about to be sent; `key` tells neither account nor password."""

    key: str
    reserved_at: Instant | None = None


class SignIns(Protocol):
    """Keeps a wrong password from being tried again and again, over restarts and for all nodes.

    `begin` raises SignInNeeded or Unavailable while nothing may be sent; every try is ended with
    one of the others. `entered` says that somebody has just typed the password.
    """

    async def begin(self, account: str, password: str, *, entered: bool) -> SignInTry: ...
    def given_up(self, one: SignInTry) -> None: ...
    async def accepted(self, one: SignInTry) -> None: ...
    async def refused(self, one: SignInTry, *, for_good: bool) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A push channel that a source keeps for one calendar until `expires_at`.

    `id` and `resource` are the source's names for it, needed to end it.
    """

    id: str
    resource: str
    expires_at: Instant


class Watcher(Protocol):
    """Asks a connected account to tell of changes (Capability.PUSH).

    `channel` is our name for it, `secret` comes back with every notification, `address` is where
    they are sent. A notification says only that something changed: a tick reads what.
    """

    async def watch(
        self, upstream_id: str, *, channel: str, secret: str, address: str
    ) -> Watch: ...
    async def unwatch(self, watch: Watch) -> None: ...


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
