"""What clients ask in XML, one frozen value per element, read from its root element.

Contradictions are refused here, with the element named; the core never sees XML.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from gateway.dav.wire import xml
from gateway.dav.wire.names import caldav, dav
from gateway.dav.wire.xml import Element, MalformedError

MAX_PROPERTIES = 500
"""How many properties one request may name."""
MAX_VALUE = 64 * 1024
"""Bytes of XML that the value of one property may have; a time zone is the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PropRequest:
    """Which properties are asked for: `DAV:prop`, `DAV:allprop` or `DAV:propname`.

    RFC 4918 sections 14.18, 14.2 and 14.20. `names` are Clark names in the order they were asked,
    each once; with `all` they are those of `DAV:include`. `elements` are the children of `DAV:prop`
    for properties that carry more than a name, such as `CALDAV:calendar-data`.
    """

    names: tuple[str, ...] = ()
    all: bool = False
    names_only: bool = False
    elements: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyChange:
    """One property to set or, with no `element`, to remove (RFC 4918 sections 14.26, 14.23)."""

    name: str
    element: Element | None

    @property
    def text(self) -> str:
        """The text of the new value, without the white space around it."""
        return "" if self.element is None else xml.text_of(self.element).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proppatch:
    """`DAV:propertyupdate`, RFC 4918 section 14.19: changes in document order."""

    changes: tuple[PropertyChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeCollection:
    """`CALDAV:mkcalendar` (RFC 4791 section 9.2) or `DAV:mkcol` (RFC 5689 section 5.1)."""

    changes: tuple[PropertyChange, ...] = ()
    resource_types: frozenset[str] = frozenset()


def read_propfind(root: Element | None) -> PropRequest:
    """Read `DAV:propfind`, RFC 4918 section 14.20; no body at all means allprop (section 9.1)."""
    if root is None:
        return PropRequest(all=True)
    _expect(root, dav("propfind"))
    return read_prop_request(root) or _malformed("A propfind holds prop, allprop or propname.")


def read_prop_request(parent: Element) -> PropRequest | None:
    """Read the `DAV:prop`, `DAV:allprop` or `DAV:propname` in an element; None if it has none."""
    kinds = [one for one in xml.children(parent) if xml.name_of(one) in _KINDS]
    if not kinds:
        return None
    if len(kinds) > 1:
        return _malformed("Ask for one of prop, allprop and propname, once.")
    kind = xml.name_of(kinds[0])
    included = xml.child(parent, dav("include"))
    if kind == dav("prop"):
        elements = tuple(_few(kinds[0]))
        unique = tuple(dict.fromkeys(map(xml.name_of, elements)))
        return PropRequest(names=unique, elements=elements)
    if kind == dav("propname"):
        return PropRequest(names_only=True)
    extra = tuple(_few(included)) if included is not None else ()
    unique = tuple(dict.fromkeys(map(xml.name_of, extra)))
    return PropRequest(all=True, names=unique, elements=extra)


def read_proppatch(root: Element) -> Proppatch:
    """Read `DAV:propertyupdate`."""
    _expect(root, dav("propertyupdate"))
    changes = tuple(_changes(root))
    if not changes:
        return _malformed("A propertyupdate sets or removes at least one property.")
    return Proppatch(changes=changes)


def read_make_collection(root: Element | None, name: str) -> MakeCollection:
    """Read `CALDAV:mkcalendar` or `DAV:mkcol`, whichever `name` says; no body sets nothing."""
    if root is None:
        return MakeCollection()
    _expect(root, name)
    if any(xml.name_of(one) != dav("set") for one in xml.children(root)):
        return _malformed("Only set may stand in this element.")
    changes = tuple(_changes(root))
    types: set[str] = set()
    for change in changes:
        if change.name == dav("resourcetype") and change.element is not None:
            types.update(map(xml.name_of, xml.children(change.element)))
    kept = tuple(change for change in changes if change.name != dav("resourcetype"))
    return MakeCollection(changes=kept, resource_types=frozenset(types))


def _changes(root: Element) -> Iterator[PropertyChange]:
    count = 0
    for action in xml.children(root):
        kind = xml.name_of(action)
        if kind not in (dav("set"), dav("remove")):
            continue
        for prop in xml.children(action, dav("prop")):
            for item in xml.children(prop):
                count += 1
                if count > MAX_PROPERTIES:
                    _malformed(f"More than {MAX_PROPERTIES} properties at once.")
                yield PropertyChange(
                    name=xml.name_of(item), element=item if kind == dav("set") else None
                )


def _few(prop: Element) -> Iterator[Element]:
    for count, item in enumerate(xml.children(prop)):
        if count >= MAX_PROPERTIES:
            _malformed(f"More than {MAX_PROPERTIES} properties at once.")
        yield item


def _expect(root: Element, name: str) -> None:
    if xml.name_of(root) != name:
        _malformed(f"The body's root element must be {name}.")


def _malformed(sentence: str) -> NoReturn:
    raise MalformedError(sentence)


_KINDS = (dav("prop"), dav("allprop"), dav("propname"))
MKCALENDAR = caldav("mkcalendar")
MKCOL = dav("mkcol")
