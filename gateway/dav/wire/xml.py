"""Bytes of a request to an element tree; the only file that knows the XML library.

Law: a document type declaration is refused before any parser sees it, so no entity is ever
expanded or fetched; whatever else is wrong is MalformedError, nothing else is ever raised.
"""

import codecs
import copy
import re
from collections.abc import Iterator

from lxml import etree

from gateway.errors import CalgateError, Condition, Refused

Element = etree._Element  # noqa: SLF001 - the library has no public name for the type
"""An element of a request: read it through the functions of this module."""

MAX_ELEMENTS = 50_000
MAX_DEPTH = 60
MAX_ATTRIBUTES = 50
ENCODINGS = {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso8859-1", "ascii"}

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*\?>")
# What may stand before the root element (XML 1.0 section 2.8): comments and instructions.
_PROLOG = re.compile(r"(?:\s+|<!--(?:(?!--).)*-->|<\?(?:(?!\?>).)*\?>)*", re.DOTALL)
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_LANGUAGE_OF = etree.XPath("string(ancestor::*[@xml:lang][1]/@xml:lang)")
_TOO_DEEP = etree.XPath("boolean(" + "/*" * (MAX_DEPTH + 1) + ")")
_TOO_MANY = etree.XPath(f"boolean(count(//*) > {MAX_ELEMENTS})")
_TOO_MANY_ATTRIBUTES = etree.XPath(f"boolean(//*[count(@*) > {MAX_ATTRIBUTES}])")


class MalformedError(CalgateError):
    """A body is not the XML it should be; the sentence says why."""


def parse(data: bytes) -> Element:
    """Return the root element of a request body."""
    text = _text(data)
    text = text[found.end() :] if (found := _DECLARATION.match(text)) else text
    prolog = _PROLOG.match(text)
    if text.startswith("<!DOCTYPE", prolog.end() if prolog else 0):
        raise Refused(Condition.NO_EXTERNAL_ENTITIES, "A document type is never accepted.")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MalformedError("The body is not well-formed XML.") from error
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        raise MalformedError("The body is not well-formed XML.")
    _check_shape(root)
    return root


def _text(data: bytes) -> str:
    """Decode by the byte order mark, the declaration or the rule: UTF-8."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    if data[:4] in (b"<\0?\0", b"\0<\0?"):
        return _decoded(data, "utf-16-le" if data[:1] == b"<" else "utf-16-be")
    found = _DECLARED.match(data)
    try:
        encoding = codecs.lookup(found[1].decode("ascii")).name if found else "utf-8"
    except LookupError:
        encoding = ""
    if encoding not in ENCODINGS or encoding.startswith("utf-16"):
        raise MalformedError("The body must be in UTF-8 or UTF-16.")
    return _decoded(data, encoding)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        raise MalformedError("The body is not in the encoding it claims.") from error


def _check_shape(root: Element) -> None:
    try:
        if _TOO_MANY(root):
            raise MalformedError(f"The body has more than {MAX_ELEMENTS:,} elements.")
        if _TOO_DEEP(root):
            raise MalformedError(f"The body is nested more than {MAX_DEPTH} deep.")
        if _TOO_MANY_ATTRIBUTES(root):
            raise MalformedError(f"An element has more than {MAX_ATTRIBUTES} attributes.")
    except etree.XPathError as error:
        raise MalformedError("The body is too large to be looked through.") from error


# --- reading -----------------------------------------------------------------------------------


def name_of(item: Element) -> str:
    """Return an element's Clark name; one without a namespace is its bare local name."""
    return str(item.tag)


def children(item: Element, name: str | None = None) -> Iterator[Element]:
    """Yield the child elements, of one name if it is given."""
    for child in item.iterchildren(name) if name else item.iterchildren():
        if isinstance(child.tag, str):
            yield child


def child(item: Element, name: str) -> Element | None:
    """Return the first child element of a name."""
    return next(children(item, name), None)


def text_of(item: Element) -> str:
    """Return the text of an element and of what is in it, as it stands."""
    return "".join(str(part) for part in item.itertext())


def attribute(item: Element, name: str) -> str | None:
    """Return an attribute without a namespace."""
    found = item.get(name)
    return None if found is None else str(found)


def whole_xml(item: Element) -> str:
    """Return an element as XML that stands on its own anywhere.

    Written by itself it declares every prefix that it uses, and says the language that was said of
    it from outside (RFC 4918 section 4.3).
    """
    own = copy.copy(item)
    own.tail = None
    if own.get(LANGUAGE) is None and (spoken := _LANGUAGE_OF(item)):
        own.set(LANGUAGE, str(spoken))
    return etree.tostring(own, encoding="unicode")
