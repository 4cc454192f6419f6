"""An owner's calendars as the owner's side shows them: what each is for, and how it fares."""

from collections import Counter
from dataclasses import dataclass

from gateway.model.collection import Collection
from gateway.model.connection import HealthState
from gateway.model.principal import Owner
from gateway.model.timerange import Instant
from gateway.ports import Transaction
from gateway.services.circumstances import calendars_of, cause_of
from gateway.web.settings.wording import HEALTH, PROVIDER, Said


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSeen:
    """A calendar with its state; `since` and `cause` say more where it does not work.

    `account` is given where another of the owner's calendars has the same name.
    """

    collection: Collection
    is_default: bool
    state: HealthState
    since: Instant | None
    cause: str
    account: str = ""

    @property
    def id(self) -> str:
        """The id in forms and addresses."""
        return self.collection.public_id

    @property
    def name(self) -> str:
        """What the owner calls it, and where that is not enough, of which account it is."""
        called = _called(self.collection)
        return f"{called} ({self.account})" if self.account else called

    @property
    def health(self) -> Said:
        """The state in a word."""
        return HEALTH[self.state]

    @property
    def provider(self) -> str:
        """Where it lives, in words."""
        return PROVIDER[self.collection.provider]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarsSeen:
    """All of an owner's calendars, and what follows for visitors."""

    every: tuple[CalendarSeen, ...]
    selected: tuple[CalendarSeen, ...]
    lost: tuple[CalendarSeen, ...]
    stale: tuple[CalendarSeen, ...]
    is_offline: bool


async def calendars_seen(tx: Transaction, owner: Owner, now: Instant) -> CalendarsSeen:
    """Return the owner's calendars by the judgement that visitors' pages use."""
    judged = await calendars_of(tx, owner, now)
    collections = await tx.collections.of_owner(owner.id)
    accounts = {one.id: one.account for one in await tx.connections.of_owner(owner.id)}
    names = Counter(_called(one) for one in collections)
    every = tuple(
        _seen(
            one,
            owner,
            now,
            account=accounts.get(one.connection_id or "", "") if names[_called(one)] > 1 else "",
        )
        for one in collections
    )
    lost, stale = {one.id for one in judged.lost}, {one.id for one in judged.stale}
    return CalendarsSeen(
        every=every,
        selected=tuple(one for one in every if one.collection.selected),
        lost=tuple(one for one in every if one.collection.id in lost),
        stale=tuple(one for one in every if one.collection.id in stale),
        is_offline=judged.is_offline,
    )


def _called(one: Collection) -> str:
    return one.display_name or one.name


def _seen(one: Collection, owner: Owner, now: Instant, *, account: str) -> CalendarSeen:
    state = one.state(now)
    works = state is HealthState.WORKING
    return CalendarSeen(
        collection=one,
        is_default=one.id == owner.default_collection_id and one.is_writable,
        state=state,
        since=None if works else one.health.failing_since or one.health.last_success_at,
        cause="" if works else cause_of(one),
        account=account,
    )
