"""What a decision about a page's times rests on, read inside one transaction.

Slots, the explanation of a time and the claim all read it here, so that they cannot disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.freebusy.busytime import BusyPeriod, without
from gateway.freebusy.explain import Circumstances, reading_window
from gateway.freebusy.slots import MERGED
from gateway.model.booking import Booking
from gateway.model.collection import Collection
from gateway.model.connection import HealthState
from gateway.model.page import SchedulingPage
from gateway.model.principal import Owner
from gateway.model.timerange import Instant, TimeRange
from gateway.ports import Transaction
from gateway.services.freebusy import FreeBusyService
from gateway.services.noticing import copy_of

GENERAL_CAUSE = "The calendar could not be read for too long."


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendars:
    """An owner's calendars as they matter to visitors.

    `default` is the one bookings are written to; None means that the owner is offline (S03).
    """

    owner: Owner
    selected: tuple[Collection, ...]
    default: Collection | None
    lost: tuple[Collection, ...]
    stale: tuple[Collection, ...]
    fresh_as_of: Instant

    @property
    def is_offline(self) -> bool:
        """Whether pages take requests instead of bookings."""
        return self.default is None


async def calendars_of(tx: Transaction, owner: Owner, now: Instant) -> Calendars:
    """Return the owner's selected calendars with their health, and the default one."""
    every = await tx.collections.of_owner(owner.id)
    selected = tuple(one for one in every if one.selected)
    # A default that is not selected is still where bookings go: lost, it can take none (S29).
    default = next((one for one in every if one.id == owner.default_collection_id), None)
    if default is not None and not default.is_writable:
        default = None
    judged = {one.id: one for one in (*selected, *([default] if default else []))}.values()
    states = [(one, one.state(now)) for one in judged]
    seen = [one.health.last_success_at for one in selected if not one.is_local]
    return Calendars(
        owner=owner,
        selected=selected,
        default=default,
        lost=tuple(one for one, state in states if state is HealthState.NO_ACCESS),
        stale=tuple(one for one, state in states if state is HealthState.STALE),
        fresh_as_of=min((moment or 0 for moment in seen), default=now),
    )


def cause_of(collection: Collection) -> str:
    """Return the sentence that says why a calendar is lost."""
    return collection.health.detail or GENERAL_CAUSE


async def circumstances(
    tx: Transaction,
    freebusy: FreeBusyService,
    page: SchedulingPage,
    calendars: Calendars,
    *,
    window: TimeRange,
    now: Instant,
    only_looking: bool = False,
    moving: Booking | None = None,
) -> Circumstances:
    """Read busy time and bookings for a decision about the window.

    `only_looking` is for transactions that read and name no calendar: they may be answered from
    memory. `moving` is a booking that is to get another time: neither it nor its event stands in
    its own way.
    """
    reading = reading_window(page, window)
    if only_looking and moving is None:
        together = await freebusy.remembered(calendars.owner, calendars.selected, reading, tx=tx)
        busy = {MERGED: together}
    else:
        each = await freebusy.busy_by_collection(calendars.selected, reading, tx=tx)
        if moving is not None:
            each = await _without_event(tx, freebusy, calendars, each, moving)
        busy = {one.public_id: each.get(one.id, []) for one in calendars.selected}
    bookings = await tx.bookings.blocking(page.owner_id, reading)
    return Circumstances(
        page=page,
        now=now,
        busy=busy,
        bookings=[one for one in bookings if moving is None or one.id != moving.id],
        unavailable={one.public_id: cause_of(one) for one in calendars.lost},
    )


async def _without_event(
    tx: Transaction,
    freebusy: FreeBusyService,
    calendars: Calendars,
    busy: dict[int, list[BusyPeriod]],
    moving: Booking,
) -> dict[int, list[BusyPeriod]]:
    """Return busy time without a booking's own event; what else is there then stays."""
    home = next((one for one in calendars.selected if one.id == moving.collection_id), None)
    own = TimeRange(moving.start, moving.end)
    event = await copy_of(tx, home.id, moving, own) if home is not None else None
    if home is None or event is None:
        return busy
    others = [one for one in await tx.index.candidates(home.id, own) if one.id != event.id]
    beside = await freebusy.of_records(tx, others, home, own)
    return {**busy, home.id: sorted([*without(busy.get(home.id, ()), own), *beside])}


def names(collections: Sequence[Collection]) -> tuple[str, ...]:
    """Return the calendars' names as an owner knows them."""
    return tuple(one.display_name or one.name for one in collections)
