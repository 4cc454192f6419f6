"""PROPPATCH (RFC 4918 section 9.2): all changes of a request, or none."""

from collections.abc import Mapping

from aiohttp import web

from gateway.dav import tree
from gateway.dav.context import Context
from gateway.dav.properties.change import Failed, Plan, plan, refused, told
from gateway.dav.tree import CalendarResource, Kind, Resource
from gateway.dav.wire import xml
from gateway.dav.wire.multistatus import PropStat, Response
from gateway.dav.wire.names import caldav, dav
from gateway.dav.wire.requests import PropertyChange, Proppatch, read_proppatch
from gateway.dav.wire.xml import MalformedError
from gateway.errors import Condition, Forbidden, NotFound
from gateway.model.collection import Collection

DEFAULT_CALENDAR = caldav("schedule-default-calendar-URL")


async def proppatch(context: Context) -> web.StreamResponse:
    """Change the properties of a calendar, or choose the default calendar at the Inbox."""
    body = await context.xml()
    if body is None:
        raise MalformedError("A PROPPATCH says in its body what to change.")
    wanted = read_proppatch(body)
    resource = await context.find()
    if isinstance(resource, CalendarResource):
        propstats = await _calendar(context, resource, wanted)
    else:
        propstats = await _other(context, resource, wanted)
    is_done = all(one.status == web.HTTPOk.status_code for one in propstats)
    if is_done and context.prefer.minimal:
        # RFC 8144 section 2.2: success needs no more words.
        return web.Response(status=200, headers=dict(context.prefer.applied))
    return context.multistatus([Response(resource.href, propstats)])


class _NotDoneError(Exception):
    """Carries a plan with failures out of the transaction, which it undoes."""

    def __init__(self, failed: Plan) -> None:
        super().__init__()
        self.plan = failed


async def _calendar(
    context: Context, resource: CalendarResource, wanted: Proppatch
) -> tuple[PropStat, ...]:
    done: list[Plan] = []

    def edit(
        before: Collection, dead: Mapping[str, str]
    ) -> tuple[Collection, Mapping[str, str | None]]:
        made = plan(before, wanted.changes, dead=dead, zone_of_owner=context.owner.time_zone)
        if made.failed:
            raise _NotDoneError(made)
        done.append(made)
        return made.collection, made.dead

    try:
        await context.services.objects.edit_collection(context.owner, resource.collection, edit)
    except _NotDoneError as error:
        return error.plan.propstats()
    return done[-1].propstats()


async def _other(context: Context, resource: Resource, wanted: Proppatch) -> tuple[PropStat, ...]:
    """Change what is no calendar: only the Inbox has a property that can be set."""
    names = tuple(dict.fromkeys(change.name for change in wanted.changes))
    protected = refused(Condition.CANNOT_MODIFY_PROTECTED)
    failed = {
        name: protected
        for name in names
        if resource.kind is not Kind.INBOX or name != DEFAULT_CALENDAR
    }
    if not failed:
        failed = await _set_default(context, wanted.changes[-1])
    return told(names, failed)


async def _set_default(context: Context, change: PropertyChange) -> dict[str, Failed]:
    """Make a calendar the default (RFC 6638 section 9.2)."""
    item = xml.child(change.element, dav("href")) if change.element is not None else None
    wrong = {change.name: refused(Condition.VALID_DEFAULT_CALENDAR)}
    try:
        target = tree.read_href(xml.text_of(item) if item is not None else "", context.host)
        async with context.store.read() as tx:
            found = await tree.find(tx, context.owner, target)
        if not isinstance(found, CalendarResource):
            return wrong
        await context.services.objects.set_default(context.owner, found.collection)
    except (NotFound, Forbidden):
        return wrong
    return {}
