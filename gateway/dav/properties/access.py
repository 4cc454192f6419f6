"""Properties of access control (RFC 3744 section 5): what the owner may really do where.

Nobody but the owner has any access, and nobody can change that here: the one entry of each list is
protected.
"""

from gateway.dav import tree
from gateway.dav.properties.live import Facts, Live
from gateway.dav.tree import CalendarResource, Kind, ObjectResource, Resource
from gateway.dav.wire.names import caldav, dav, element, href

READ = (dav("read"), dav("read-acl"), dav("read-current-user-privilege-set"))
FREE_BUSY = (caldav("read-free-busy"),)
CONTENT = (dav("write-content"), dav("bind"), dav("unbind"))
ALL_WRITE = (dav("write"), dav("write-properties"), *CONTENT)
_SETS = {
    # New calendars are made in the home set; it has no properties of its own to be written.
    Kind.HOME: (*READ, *FREE_BUSY, dav("bind"), dav("unbind")),
    Kind.MERGED: (*READ, *FREE_BUSY),
    Kind.INBOX: (*READ, dav("write-properties"), caldav("schedule-query-freebusy")),
    Kind.OUTBOX: (*READ, caldav("schedule-send-freebusy")),
}


def privileges(resource: Resource) -> tuple[str, ...]:
    """Return what the owner may do with a resource, by Clark name."""
    if isinstance(resource, CalendarResource | ObjectResource):
        if resource.collection.is_local:
            return (*READ, *FREE_BUSY, *ALL_WRITE)
        # The looks of a provider's calendar are the owner's, what is in it is the provider's.
        looks = (dav("write-properties"),) if isinstance(resource, CalendarResource) else ()
        return (*READ, *FREE_BUSY, *looks)
    return _SETS.get(resource.kind, READ)


def _granted(resource: Resource) -> str:
    return "".join(f"<D:privilege>{element(one)}</D:privilege>" for one in privileges(resource))


def _mine(resource: Resource, _facts: Facts) -> str:
    return _granted(resource)


def _acl(resource: Resource, facts: Facts) -> str:
    me = f"<D:principal>{href(tree.principal_href(facts.owner))}</D:principal>"
    return f"<D:ace>{me}<D:grant>{_granted(resource)}</D:grant><D:protected/></D:ace>"


def _supported(_resource: Resource, _facts: Facts) -> str:
    return _SUPPORTED


def _node(name: str, sentence: str, *inside: str) -> str:
    told = f'<D:description xml:lang="en">{sentence}</D:description>'
    parts = f"<D:privilege>{element(name)}</D:privilege>{told}{''.join(inside)}"
    return f"<D:supported-privilege>{parts}</D:supported-privilege>"


_SUPPORTED = _node(
    dav("all"),
    "Any operation",
    _node(
        dav("read"),
        "Read any object",
        _node(dav("read-acl"), "Read the access control list"),
        _node(dav("read-current-user-privilege-set"), "Read one's own privileges"),
        _node(caldav("read-free-busy"), "See when somebody is busy"),
    ),
    _node(
        dav("write"),
        "Write any object",
        _node(dav("write-content"), "Write an object"),
        _node(dav("write-properties"), "Write properties"),
        _node(dav("bind"), "Add a member"),
        _node(dav("unbind"), "Remove a member"),
    ),
    _node(caldav("schedule-query-freebusy"), "Be asked when one is busy"),
    _node(caldav("schedule-send-freebusy"), "Ask when others are busy"),
)

PROPERTIES = (
    Live(name=dav("current-user-privilege-set"), value=_mine),
    Live(name=dav("supported-privilege-set"), value=_supported),
    Live(name=dav("acl"), value=_acl),
    Live(
        name=dav("acl-restrictions"),
        value=lambda _resource, _facts: "<D:grant-only/><D:no-invert/>",
    ),
    Live(name=dav("inherited-acl-set"), value=lambda _resource, _facts: ""),
)
