"""Reports that find principals (RFC 3744 sections 9.2 to 9.5).

Law: an owner sees one principal, their own. Whom else the gateway knows is nobody's business, so
no search can be used to list or to guess addresses.
"""

from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import unescape

from aiohttp import web

from gateway.dav import tree
from gateway.dav.answers import HEADERS
from gateway.dav.context import Context
from gateway.dav.properties.live import Facts
from gateway.dav.properties.respond import Responder, gather
from gateway.dav.properties.table import LIVE
from gateway.dav.reports.scope import assert_answers
from gateway.dav.tree import Kind, Resource, Target
from gateway.dav.wire import multistatus
from gateway.dav.wire.names import element, escape_text
from gateway.dav.wire.principal_requests import (
    ACL_PRINCIPAL_PROP_SET,
    PRINCIPAL_MATCH,
    PRINCIPAL_PROPERTY_SEARCH,
    PRINCIPAL_SEARCH_PROPERTY_SET,
    SEARCHABLE,
    SearchTerm,
    read_acl_principal_prop_set,
    read_principal_match,
    read_principal_property_search,
)
from gateway.dav.wire.requests import PropRequest
from gateway.dav.wire.xml import Element
from gateway.ports import Transaction

_WITH_PRINCIPALS = frozenset({Kind.ROOT, Kind.PRINCIPALS, Kind.PRINCIPAL})


async def principal_property_search(context: Context, body: Element) -> web.StreamResponse:
    """Answer with the asker, if that is whom they search for (section 9.4)."""
    asked = read_principal_property_search(body)
    async with context.store.read() as tx:
        resource = await tree.find(tx, context.owner, context.target)
        assert_answers(resource, PRINCIPAL_PROPERTY_SEARCH)
        me = await _me(tx, context)
        facts = await gather(tx, context.owner, asked.wanted, (me,))
    hits = [_is_hit(term, me, facts) for term in asked.terms]
    is_here = asked.everywhere or resource.kind in _WITH_PRINCIPALS
    found = is_here and (any(hits) if asked.any_term else all(hits))
    return _answer(context, asked.wanted, facts, [me] if found else [])


def _is_hit(term: SearchTerm, me: Resource, facts: Facts) -> bool:
    """Tell whether every property of a term holds its text, without case."""
    text = term.text.casefold()
    values = [
        unescape(LIVE[name].value(me, facts) or "") if name in SEARCHABLE else None
        for name in term.names
    ]
    return bool(values) and all(value is not None and _fits(value, text, term) for value in values)


def _fits(value: str, text: str, term: SearchTerm) -> bool:
    parts = [part.partition("</")[0].casefold() for part in value.split("<D:href>") if part]
    plain = [part.removeprefix("mailto:") for part in parts]
    return any(_TESTS.get(term.how, _contains)(part, text) for part in (*parts, *plain))


def _contains(part: str, text: str) -> bool:
    return text in part


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "starts-with": lambda part, text: part.startswith(text),
    "ends-with": lambda part, text: part.endswith(text),
    "equals": lambda part, text: part == text,
}


async def principal_search_property_set(context: Context, _body: Element) -> web.StreamResponse:
    """Answer with what can be searched (section 9.5)."""
    assert_answers(await context.find(), PRINCIPAL_SEARCH_PROPERTY_SET)
    inner = "".join(
        f"<D:principal-search-property><D:prop>{element(name)}</D:prop>"
        f'<D:description xml:lang="en">{escape_text(word)}</D:description>'
        "</D:principal-search-property>"
        for name, word in SEARCHABLE.items()
    )
    return web.Response(
        body=multistatus.document("principal-search-property-set", inner),
        content_type=multistatus.CONTENT_TYPE,
        charset="utf-8",
        headers=HEADERS,
    )


async def principal_match(context: Context, body: Element) -> web.StreamResponse:
    """Answer with the asker's principal, or with what names it in a property (section 9.3)."""
    asked = read_principal_match(body)
    async with context.store.read() as tx:
        resource = await tree.find(tx, context.owner, context.target)
        assert_answers(resource, PRINCIPAL_MATCH)
        if asked.property is None:
            members = [await _me(tx, context)]
        else:
            members = list(await tree.members(tx, context.owner, resource))
        facts = await gather(tx, context.owner, asked.wanted, members)
    if asked.property is not None:
        live = LIVE.get(asked.property)
        mine = f"<D:href>{escape_text(tree.principal_href(context.owner))}</D:href>"
        members = [one for one in members if live and mine in (live.value(one, facts) or "")]
    return _answer(context, asked.wanted, facts, members)


async def acl_principal_prop_set(context: Context, body: Element) -> web.StreamResponse:
    """Answer with the principals in an access control list: the owner alone (section 9.2)."""
    wanted = read_acl_principal_prop_set(body)
    async with context.store.read() as tx:
        assert_answers(await tree.find(tx, context.owner, context.target), ACL_PRINCIPAL_PROP_SET)
        me = await _me(tx, context)
        facts = await gather(tx, context.owner, wanted, (me,))
    return _answer(context, wanted, facts, [me])


async def _me(tx: Transaction, context: Context) -> Resource:
    target = Target(kind=Kind.PRINCIPAL, email=context.owner.email)
    return await tree.find(tx, context.owner, target)


def _answer(
    context: Context, wanted: PropRequest, facts: Facts, resources: Sequence[Resource]
) -> web.StreamResponse:
    responder = Responder(wanted, facts, minimal=context.prefer.minimal)
    return context.multistatus(map(responder.response, resources))
