"""Calendars and the accounts they come from."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.errors import NotFound
from gateway.model.collection import Collection
from gateway.model.principal import Owner
from gateway.model.timerange import Instant
from gateway.services.connections import ConnectionState
from gateway.web.api import shapes
from gateway.web.api.operation import Call, Operation
from gateway.web.api.texts import text_of, text_or_none


def shown(one: Collection, owner: Owner, now: Instant) -> shapes.Calendar:
    """Return a calendar as its owner sees it."""
    state: Any = one.state(now).value
    return shapes.Calendar(
        id=one.public_id,
        name=one.display_name or one.name,
        provider=one.provider.value,
        connection=one.connection_id,
        role=one.role.value,
        writable=one.is_writable,
        selected=one.selected,
        default=one.id == owner.default_collection_id,
        rules=shapes.Rules(
            all_day_blocks=one.rules.all_day_blocks,
            tentative_blocks=one.rules.tentative_blocks,
            unanswered_blocks=one.rules.unanswered_blocks,
            out_of_office_blocks=one.rules.out_of_office_blocks,
        ),
        state=state,
        detail=one.health.detail,
        fresh_as_of=text_of(now) if one.is_local else text_or_none(one.health.last_success_at),
        failing_since=text_or_none(one.health.failing_since),
    )


def connection_shown(state: ConnectionState, owner: Owner, now: Instant) -> shapes.Connection:
    """Return a connection as its owner sees it."""
    one = state.connection
    return shapes.Connection(
        id=one.id,
        provider=one.provider,
        account=one.account,
        created_at=text_of(one.created_at),
        calendars=[shown(each.collection, owner, now) for each in state.calendars],
    )


async def _owner(call: Call) -> Owner:
    """Return the owner as stored now: the default may have changed since the sign-in."""
    async with call.services.store.read() as tx:
        return await tx.owners.get(call.me.id) or call.me


async def _mine(call: Call) -> Collection:
    async with call.services.store.read() as tx:
        found = await tx.collections.by_public_id(call.me.id, call.id)
    if found is None:
        raise NotFound("calendar")
    return found


async def list_calendars(call: Call) -> list[shapes.Calendar]:
    """Return the owner's calendars."""
    now = call.services.clock.now()
    async with call.services.store.read() as tx:
        owner = await tx.owners.get(call.me.id) or call.me
        return [shown(one, owner, now) for one in await tx.collections.of_owner(owner.id)]


async def get_calendar(call: Call) -> shapes.Calendar:
    """Return a calendar."""
    return shown(await _mine(call), await _owner(call), call.services.clock.now())


async def update_calendar(call: Call) -> shapes.Calendar:
    """Select or deselect a calendar, make it the default, set its rules: all of it or nothing."""
    wanted = call.body
    changes = {} if wanted.selected is UNSET else {"selected": wanted.selected}
    given = {} if wanted.rules is UNSET else msgspec.structs.asdict(wanted.rules)
    rules = {name: value for name, value in given.items() if value is not UNSET}

    def edit(
        before: Collection, _dead: Mapping[str, str]
    ) -> tuple[Collection, Mapping[str, str | None]]:
        return replace(before, rules=replace(before.rules, **rules), **changes), {}

    default = None if wanted.default is UNSET else wanted.default
    await call.services.objects.choose(call.me, await _mine(call), edit, default=default)
    return await get_calendar(call)


async def list_connections(call: Call) -> list[shapes.Connection]:
    """Return the owner's connections with their calendars."""
    now, owner = call.services.clock.now(), await _owner(call)
    states = await call.services.connections.list(owner.id)
    return [connection_shown(state, owner, now) for state in states]


async def remove_connection(call: Call) -> None:
    """Remove a connection and its calendars."""
    await call.services.connections.remove(call.me.id, call.id)


async def check_connection(call: Call) -> shapes.Connection:
    """Read a connection now; what came of it stands in the calendars' states."""
    state = await call.services.connections.check(call.me.id, call.id)
    return connection_shown(state, await _owner(call), call.services.clock.now())


OPERATIONS = (
    Operation(
        name="listCalendars",
        method="GET",
        path="/calendars",
        about="The owner's calendars.",
        handler=list_calendars,
        gives=list[shapes.Calendar],
    ),
    Operation(
        name="getCalendar",
        method="GET",
        path="/calendars/{id}",
        about="One calendar.",
        handler=get_calendar,
        gives=shapes.Calendar,
    ),
    Operation(
        name="updateCalendar",
        method="PATCH",
        path="/calendars/{id}",
        about="Select a calendar, make it the default one, or set which of its events block.",
        handler=update_calendar,
        takes=shapes.CalendarFields,
        gives=shapes.Calendar,
        failures=("read_only_calendar",),
    ),
    Operation(
        name="listConnections",
        method="GET",
        path="/connections",
        about="The accounts that calendars come from.",
        handler=list_connections,
        gives=list[shapes.Connection],
    ),
    Operation(
        name="removeConnection",
        method="DELETE",
        path="/connections/{id}",
        about="Remove an account and its calendars.",
        handler=remove_connection,
    ),
    Operation(
        name="checkConnection",
        method="POST",
        path="/connections/{id}/check",
        about="Read an account now.",
        handler=check_connection,
        gives=shapes.Connection,
    ),
)
