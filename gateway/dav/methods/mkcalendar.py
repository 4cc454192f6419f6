"""MKCALENDAR (RFC 4791 section 5.3.1) and MKCOL (RFC 4918 section 9.3, extended by RFC 5689)."""

import asyncio
from dataclasses import replace

from aiohttp import web

from gateway.dav import tree
from gateway.dav.answers import HEADERS, fail
from gateway.dav.context import Context
from gateway.dav.properties.change import Plan, plan
from gateway.dav.tree import Kind
from gateway.dav.wire.multistatus import CONTENT_TYPE, Response, document, propstat_xml
from gateway.dav.wire.names import caldav, dav
from gateway.dav.wire.requests import MKCALENDAR, MKCOL, MakeCollection, read_make_collection
from gateway.errors import Condition, NotFound, Refused
from gateway.model.collection import Collection
from gateway.model.objects import TYPES

MAX_CALENDARS = 500
"""How many calendars an owner may have."""
CALENDAR_TYPE = {dav("collection"), caldav("calendar")}


async def mkcalendar(context: Context) -> web.StreamResponse:
    """Make a calendar; with a property that cannot be set none is made, and 207 says why."""
    wanted = read_make_collection(await context.xml(), MKCALENDAR)
    made = await _make(context, wanted)
    if made.failed:
        return context.multistatus([Response(context.request.path, made.propstats())])
    return web.Response(status=201, headers={"Cache-Control": "no-cache"})


async def mkcol(context: Context) -> web.StreamResponse:
    """Make a collection, which here can only be a calendar."""
    wanted = read_make_collection(await context.xml(), MKCOL)
    await _assert_free(context, 405)
    if not wanted.resource_types >= CALENDAR_TYPE:
        raise Refused(Condition.VALID_RESOURCETYPE, "Only calendars can be made here.")
    made = await _make(context, wanted)
    if not made.failed:
        return web.Response(status=201, headers={"Cache-Control": "no-cache"})
    told = "".join(map(propstat_xml, made.propstats()))
    return web.Response(
        status=403,
        body=document("mkcol-response", told),
        content_type=CONTENT_TYPE,
        charset="utf-8",
        headers=HEADERS,
    )


async def _make(context: Context, wanted: MakeCollection) -> Plan:
    await _assert_free(context, 403)
    owner = context.owner
    blank = Collection(
        id=0,
        public_id="",
        owner_id=owner.id,
        name=context.target.calendar,
        time_zone=owner.time_zone,
        # RFC 4791 section 5.2.3: a calendar that says nothing takes everything.
        components=frozenset(TYPES),
    )
    made = await asyncio.to_thread(
        plan, blank, wanted.changes, dead={}, zone_of_owner=owner.time_zone, is_new=True
    )
    if made.failed:
        return made
    calendar = made.collection
    await context.services.objects.create_collection(
        owner,
        name=calendar.name,
        display_name=calendar.display_name,
        description=calendar.description,
        color=calendar.color,
        order=calendar.order,
        time_zone=calendar.time_zone,
        time_zone_ics=calendar.time_zone_ics,
        components=calendar.components,
        selected=calendar.selected,
        dead_properties={name: xml for name, xml in made.dead.items() if xml is not None},
    )
    return made


async def _assert_free(context: Context, status: int) -> None:
    """Raise unless a calendar may be made here: directly in one's home, where nothing is."""
    target = context.target
    async with context.store.read() as tx:
        try:
            await tree.find(tx, context.owner, target)
        except NotFound:
            if target.email != context.owner.email:
                raise
        else:
            there = Refused(Condition.RESOURCE_MUST_BE_NULL, "Something is there already.")
            raise fail(status, there.detail, there.condition)
        if target.kind is Kind.OBJECT:
            home = replace(target, kind=Kind.CALENDAR, name="")
            try:
                await tree.find(tx, context.owner, home)
            except NotFound:
                raise fail(409, "The collection above it is not there.") from None
            raise Refused(
                Condition.CALENDAR_COLLECTION_LOCATION_OK, "A calendar holds no collections."
            )
        if len(await tx.collections.of_owner(context.owner.id)) >= MAX_CALENDARS:
            raise Refused(
                Condition.QUOTA_NOT_EXCEEDED, f"An owner has at most {MAX_CALENDARS} calendars."
            )
