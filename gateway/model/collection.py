"""Calendar collections and the objects in them (RFC 4791 sections 4.1 and 4.2)."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from gateway.model.connection import FEED_STALE_LIMIT, STALE_LIMIT, Health, HealthState
from gateway.model.timerange import Instant


class Role(StrEnum):
    """What the owner may do in a calendar; `FREE_BUSY` sees only when it is busy."""

    OWNER = "owner"
    WRITER = "writer"
    READER = "reader"
    FREE_BUSY = "free_busy"


class Provider(StrEnum):
    """Where a calendar lives."""

    LOCAL = "local"
    ICS = "ics"
    CALDAV = "caldav"
    GOOGLE = "google"
    MICROSOFT = "microsoft"
    EXCHANGE = "exchange"


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyRules:
    """Which events of a calendar block, per kind; defaults are the policy of docs/policies.md."""

    all_day_blocks: bool = True
    tentative_blocks: bool = True
    unanswered_blocks: bool = True
    out_of_office_blocks: bool = True


ALL_BLOCKS = BusyRules()
"""The rules of an owner who has changed none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One calendar.

    `name` is its path segment, `revision` counts its changes (the sync token's integer) within
    the database's `epoch`, which a restored backup renews.
    """

    id: int
    public_id: str
    owner_id: int
    connection_id: str | None = None
    provider: Provider = Provider.LOCAL
    upstream_id: str = ""
    name: str
    display_name: str = ""
    description: str = ""
    color: str = ""
    order: int = 0
    time_zone: str = ""
    time_zone_ics: str = ""
    components: frozenset[str] = frozenset({"VEVENT"})
    selected: bool = True
    role: Role = Role.OWNER
    revision: int = 0
    epoch: str = ""
    rules: BusyRules = field(default_factory=BusyRules)
    health: Health = field(default_factory=Health)
    created_at: Instant = 0

    @property
    def version(self) -> str:
        """What no other state of this calendar shares, not even after a restore."""
        return f"{self.epoch}:{self.revision}" if self.epoch else str(self.revision)

    @property
    def is_local(self) -> bool:
        """Whether clients may write objects here."""
        return self.provider is Provider.LOCAL

    @property
    def is_writable(self) -> bool:
        """Whether a booking may be written here."""
        return self.role in (Role.OWNER, Role.WRITER) and self.provider is not Provider.ICS

    @property
    def invites(self) -> bool:
        """Whether its provider mails invitations, changes and cancellations to attendees itself.

        Google does when it is asked to, Office 365 always; elsewhere the mails are ours.
        """
        return self.provider in (Provider.GOOGLE, Provider.MICROSOFT)

    def state(self, now: Instant) -> HealthState:
        """Return what its health means to visitors; a local calendar always works."""
        if self.is_local:
            return HealthState.WORKING
        limit = FEED_STALE_LIMIT if self.provider is Provider.ICS else STALE_LIMIT
        return self.health.state(now, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord:
    """A stored calendar object resource.

    `name` is its path segment, `data` the bytes as they came; a record that was listed without its
    data has `b""` there, and still its `size`.
    """

    id: int
    collection_id: int
    name: str
    uid: str
    component: str
    etag: str
    data: bytes
    revision: int
    created_at: Instant
    modified_at: Instant
    size: int = 0


class ObjectTag(NamedTuple):
    """What tells whether an object has changed: its ETag, and whose it is by its UID."""

    etag: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """One line of a sync answer (RFC 6578): what is there now, or `etag=None` for what is gone."""

    name: str
    revision: int
    etag: str | None
