"""Answers what a client asks about properties (RFC 4918 section 9.1), for PROPFIND and reports.

    facts = await gather(tx, owner, wanted, resources)
    responder = Responder(wanted, facts, minimal=context.prefer.minimal)
    responder.response(resource, computed={caldav("calendar-data"): "BEGIN:VCALENDAR…"})

`computed` holds the properties a report makes itself: name to content as XML, or None for what
this resource lacks.
"""

from collections.abc import Iterable, Mapping

from gateway.dav.properties.live import Facts
from gateway.dav.properties.table import ALLPROP, LIVE
from gateway.dav.tree import CalendarResource, Resource
from gateway.dav.wire.multistatus import PropStat, Response
from gateway.dav.wire.names import element
from gateway.dav.wire.requests import PropRequest
from gateway.model.principal import Owner
from gateway.ports import Transaction

OK, MISSING = 200, 404
_NOTHING: Mapping[str, str | None] = {}


async def gather(
    tx: Transaction, owner: Owner, wanted: PropRequest, resources: Iterable[Resource]
) -> Facts:
    """Read what the wanted properties of these resources depend on."""
    named = [LIVE.get(name) for name in wanted.names]
    lists = any(one is not None and one.lists_calendars for one in named) or wanted.names_only
    calendars = await tx.collections.of_owner(owner.id) if lists else ()
    dead = {}
    if wanted.all or wanted.names_only or None in named:
        for resource in resources:
            if isinstance(resource, CalendarResource):
                found = await tx.collections.dead_properties(resource.collection.id)
                dead[resource.collection.id] = found
    return Facts(owner=owner, calendars=calendars, dead=dead)


class Responder:
    """Makes the `DAV:response` of one resource after another for one request."""

    def __init__(self, wanted: PropRequest, facts: Facts, *, minimal: bool = False) -> None:
        self._wanted = wanted
        self._facts = facts
        self._minimal = minimal
        self._missing = {name: element(name) for name in wanted.names}

    def response(
        self, resource: Resource, *, computed: Mapping[str, str | None] = _NOTHING
    ) -> Response:
        """Return the answer for a resource."""
        if self._wanted.names_only:
            return Response(resource.href, (PropStat(OK, self._names_of(resource)),))
        found: list[str] = []
        missing: list[str] = []
        dead = self._dead(resource)
        for name in self._wanted.names:
            if name in computed:
                inner = computed[name]
            elif (live := LIVE.get(name)) is not None:
                inner = live.value(resource, self._facts)
            elif name in dead:
                found.append(dead[name])
                continue
            else:
                inner = None
            if inner is None:
                missing.append(self._missing[name])
            else:
                found.append(element(name, inner))
        if self._wanted.all:
            found += self._everything(resource, dead)
        return Response(resource.href, self._propstats(found, missing))

    def _propstats(self, found: list[str], missing: list[str]) -> tuple[PropStat, ...]:
        told = [PropStat(OK, "".join(found))] if found or not missing else []
        if missing and not self._minimal:
            told.append(PropStat(MISSING, "".join(missing)))
        # RFC 8144 section 2.1: with nothing found an empty propstat stays.
        return tuple(told) or (PropStat(OK, ""),)

    def _everything(self, resource: Resource, dead: Mapping[str, str]) -> list[str]:
        named = set(self._wanted.names)
        live = (
            element(name, inner)
            for name in ALLPROP
            if name not in named and (inner := LIVE[name].value(resource, self._facts)) is not None
        )
        return [*live, *(whole for name, whole in dead.items() if name not in named)]

    def _names_of(self, resource: Resource) -> str:
        live = (name for name, one in LIVE.items() if one.value(resource, self._facts) is not None)
        return "".join(map(element, (*live, *self._dead(resource))))

    def _dead(self, resource: Resource) -> Mapping[str, str]:
        if isinstance(resource, CalendarResource):
            return self._facts.dead.get(resource.collection.id, {})
        return {}
