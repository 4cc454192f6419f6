"""The calendars an account has, made into ours: all when it is connected, new ones later."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.model.collection import Collection, Provider, Role
from gateway.model.connection import Connection
from gateway.model.principal import Owner
from gateway.model.timerange import Instant
from gateway.model.zones import zone
from gateway.ports import Transaction, UpstreamCalendar
from gateway.services.index import basis_of, rebuild_in
from gateway.services.objects import adopt_default
from gateway.services.tokens import new_id

MAX_NAME = 200


async def adopt(
    tx: Transaction,
    owner: Owner,
    connection: Connection,
    found: Sequence[UpstreamCalendar],
    now: Instant,
    *,
    name: str = "",
) -> None:
    """Store the calendars that an account has.

    Its default calendar is selected and, where the owner has none, becomes the one that bookings
    go to; the others wait to be added. One that is known keeps its selection. None is removed:
    one that is missing is told by its own read, which fails closed.
    """
    known = {one.upstream_id: one for one in await tx.collections.of_connection(connection.id)}
    has_primary = any(one.is_primary for one in found)
    for calendar in sorted(found, key=lambda one: not one.is_primary):
        before = known.get(calendar.upstream_id)
        if before is not None:
            await _refresh(tx, before, calendar, now)
            continue
        matters = calendar.is_primary or not (has_primary or known)
        made = await _add(tx, owner, connection, calendar, now, name=name, selected=matters)
        if matters:
            await adopt_default(tx, made)


async def _add(
    tx: Transaction,
    owner: Owner,
    connection: Connection,
    calendar: UpstreamCalendar,
    now: Instant,
    *,
    name: str,
    selected: bool,
) -> Collection:
    identifier = new_id("cal_")
    made = await tx.collections.add(
        Collection(
            id=0,
            public_id=identifier,
            owner_id=owner.id,
            connection_id=connection.id,
            provider=Provider(connection.provider),
            upstream_id=calendar.upstream_id,
            name=identifier.replace("_", "-"),
            display_name=(name or calendar.name)[:MAX_NAME],
            color=calendar.color,
            time_zone=_zone_name(calendar) or owner.time_zone,
            selected=selected,
            role=Role(calendar.role),
            created_at=now,
        )
    )
    await basis_of(tx, made, now)
    return made


async def _refresh(
    tx: Transaction, before: Collection, calendar: UpstreamCalendar, now: Instant
) -> None:
    """Follow a new name, zone or right at the source; a subscription's name is the owner's."""
    zone_name = _zone_name(calendar) or before.time_zone
    after = replace(before, role=Role(calendar.role), time_zone=zone_name)
    if before.provider is not Provider.ICS:
        after = replace(after, display_name=calendar.name[:MAX_NAME] or before.display_name)
    if after == before:
        return
    await tx.collections.update(after)
    if after.time_zone != before.time_zone:
        await rebuild_in(tx, after, now)


def _zone_name(calendar: UpstreamCalendar) -> str:
    """Return the zone a source names, if it is one."""
    found = zone(calendar.time_zone) if calendar.time_zone else None
    return calendar.time_zone if found is not None else ""
