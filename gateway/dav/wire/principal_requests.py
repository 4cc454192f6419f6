"""The bodies of REPORTs about principals (RFC 3744 section 9) and of expand-property (RFC 3253)."""

from dataclasses import dataclass

from gateway.dav.wire import xml
from gateway.dav.wire.names import caldav, dav
from gateway.dav.wire.requests import PropRequest, read_prop_request
from gateway.dav.wire.xml import Element, MalformedError

PRINCIPAL_PROPERTY_SEARCH = dav("principal-property-search")
PRINCIPAL_SEARCH_PROPERTY_SET = dav("principal-search-property-set")
PRINCIPAL_MATCH = dav("principal-match")
ACL_PRINCIPAL_PROP_SET = dav("acl-principal-prop-set")
EXPAND_PROPERTY = dav("expand-property")
MAX_EXPANDED = 200
"""Properties one expand-property may name, at all levels together."""
MAX_LEVELS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTerm:
    """DAV:property-search: a text that each of the properties is looked at for.

    `how` is the match type of Apple's extension: contains, starts-with, ends-with or equals.
    """

    names: tuple[str, ...]
    text: str
    how: str = "contains"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalPropertySearch:
    """DAV:principal-property-search, RFC 3744 section 9.4; `any_term` is Apple's `test`."""

    wanted: PropRequest
    terms: tuple[SearchTerm, ...]
    any_term: bool = False
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalMatch:
    """DAV:principal-match, RFC 3744 section 9.3: principals that are the asker (`property` None).

    Or whatever has the asker in that property.
    """

    wanted: PropRequest
    property: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpandedProperty:
    """DAV:property of RFC 3253 section 3.8: what is wanted of the resources a property names."""

    name: str
    inside: tuple["ExpandedProperty", ...] = ()


def read_principal_property_search(root: Element) -> PrincipalPropertySearch:
    """Read DAV:principal-property-search; some clients ask for everybody without a term."""
    terms = tuple(map(_term, xml.children(root, dav("property-search"))))
    return PrincipalPropertySearch(
        wanted=_wanted_of_search(root),
        terms=terms,
        any_term=bool(terms) and xml.attribute(root, "test") == "anyof",
        everywhere=xml.child(root, dav("apply-to-principal-collection-set")) is not None,
    )


def _wanted_of_search(root: Element) -> PropRequest:
    """Return what is wanted; python-caldav writes it beside an empty prop instead of into it."""
    wanted = read_prop_request(root) or PropRequest()
    if wanted.names:
        return wanted
    known = (dav("prop"), dav("property-search"), dav("apply-to-principal-collection-set"))
    beside = [one for one in xml.children(root) if xml.name_of(one) not in known]
    return PropRequest(names=tuple(dict.fromkeys(map(xml.name_of, beside[:MAX_EXPANDED]))))


def _term(item: Element) -> SearchTerm:
    prop, match = xml.child(item, dav("prop")), xml.child(item, dav("match"))
    if prop is None or match is None:
        raise MalformedError("A property-search has a prop and a match.")
    how = xml.attribute(match, "match-type") or "contains"
    return SearchTerm(
        names=tuple(map(xml.name_of, xml.children(prop))),
        text=xml.text_of(match).strip(),
        how=how,
    )


def read_principal_match(root: Element) -> PrincipalMatch:
    """Read DAV:principal-match."""
    own = xml.child(root, dav("self")) is not None
    named = xml.child(root, dav("principal-property"))
    if own is (named is not None):
        raise MalformedError("A principal-match has self or principal-property.")
    names = [] if named is None else list(map(xml.name_of, xml.children(named)))
    if len(names) > 1 or (named is not None and not names):
        raise MalformedError("A principal-property names one property.")
    return PrincipalMatch(
        wanted=read_prop_request(root) or PropRequest(), property=names[0] if names else None
    )


def read_acl_principal_prop_set(root: Element) -> PropRequest:
    """Read DAV:acl-principal-prop-set, RFC 3744 section 9.2."""
    return read_prop_request(root) or PropRequest()


def read_expand_property(root: Element) -> tuple[ExpandedProperty, ...]:
    """Read DAV:expand-property."""
    if sum(1 for _ in root.iter()) > MAX_EXPANDED:
        raise MalformedError(f"More than {MAX_EXPANDED} properties at once.")
    return _expanded(root, MAX_LEVELS)


def _expanded(item: Element, levels: int) -> tuple[ExpandedProperty, ...]:
    if not levels:
        raise MalformedError(f"Properties are expanded {MAX_LEVELS} levels deep.")
    found: dict[str, ExpandedProperty] = {}
    for child in xml.children(item, dav("property")):
        local = xml.attribute(child, "name")
        if not local or not local.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise MalformedError("A property of expand-property has a name.")
        namespace = xml.attribute(child, "namespace") or "DAV:"
        name = f"{{{namespace}}}{local}"
        found[name] = ExpandedProperty(name=name, inside=_expanded(child, levels - 1))
    return tuple(found.values())


SEARCHABLE = {
    dav("displayname"): "Name",
    caldav("calendar-user-address-set"): "E-mail address",
    caldav("calendar-user-type"): "Kind",
}
"""The properties a search can look at (RFC 3744 section 9.5), with a word for people."""
