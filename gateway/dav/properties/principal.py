"""Properties of principals and of scheduling: RFC 3744 section 4, 4791 6.2.1, 5397, 6638."""

from gateway.dav import tree
from gateway.dav.properties.live import Facts, Live, Value
from gateway.dav.tree import Kind, Resource
from gateway.dav.wire.names import caldav, dav, href

_PRINCIPAL_LIKE = frozenset({Kind.PRINCIPAL})


def _on(kinds: frozenset[Kind], value: Value) -> Value:
    """Return a value that only these kinds of resource have."""

    def told(resource: Resource, facts: Facts) -> str | None:
        return value(resource, facts) if resource.kind in kinds else None

    return told


def _me(_resource: Resource, facts: Facts) -> str:
    return href(tree.principal_href(facts.owner))


def _home(_resource: Resource, facts: Facts) -> str:
    return href(tree.home_href(facts.owner))


def _addresses(_resource: Resource, facts: Facts) -> str:
    return href(f"mailto:{facts.owner.email}") + href(tree.principal_href(facts.owner))


def _inbox(_resource: Resource, facts: Facts) -> str:
    return href(f"{tree.home_href(facts.owner)}{tree.INBOX}/")


def _outbox(_resource: Resource, facts: Facts) -> str:
    return href(f"{tree.home_href(facts.owner)}{tree.OUTBOX}/")


def _collections(_resource: Resource, _facts: Facts) -> str:
    return href(tree.PRINCIPALS)


def _default_calendar(_resource: Resource, facts: Facts) -> str | None:
    wanted = facts.owner.default_collection_id
    for one in facts.calendars:
        if one.id == wanted:
            return href(tree.calendar_href(facts.owner, one))
    return None


def _free_busy_set(_resource: Resource, facts: Facts) -> str:
    selected = (one for one in facts.calendars if one.selected)
    return "".join(href(tree.calendar_href(facts.owner, one)) for one in selected)


def _on_principal(local: str, value: Value) -> Live:
    return Live(name=caldav(local), value=_on(_PRINCIPAL_LIKE, value))


_INBOX = frozenset({Kind.INBOX})

PROPERTIES = (
    Live(name=dav("current-user-principal"), value=_me),
    Live(name=dav("principal-URL"), value=_on(_PRINCIPAL_LIKE, _me)),
    Live(name=dav("principal-collection-set"), value=_collections),
    Live(name=dav("owner"), value=_me),
    _on_principal("calendar-home-set", _home),
    _on_principal("calendar-user-address-set", _addresses),
    _on_principal("calendar-user-type", lambda _resource, _facts: "INDIVIDUAL"),
    _on_principal("schedule-inbox-URL", _inbox),
    _on_principal("schedule-outbox-URL", _outbox),
    Live(
        name=caldav("schedule-default-calendar-URL"),
        value=_on(_INBOX, _default_calendar),
        lists_calendars=True,
    ),
    Live(
        name=caldav("calendar-free-busy-set"),
        value=_on(_INBOX, _free_busy_set),
        lists_calendars=True,
    ),
)
