"""Bodies of requests are read strictly: one tree or one refusal, never anything else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dav.wire import names, xml
from gateway.dav.wire.requests import (
    MKCALENDAR,
    read_make_collection,
    read_propfind,
    read_proppatch,
)
from gateway.dav.wire.xml import MalformedError, parse
from gateway.errors import Condition, Refused

PROPFIND = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x"><a/>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]><a/>',
        '<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
        f'<!DOCTYPE a [<!ENTITY b "{"b" * 50_000}">]><a>{"&b;" * 150}</a>',
        '<?xml version="1.0"?>\n<!-- <a> -->\n<?x <a ?>\n<!DOCTYPE a><a/>',
        "<!DOCTYPE a><a/>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_document_types_are_refused(body: str, encoding: str) -> None:
    """Whatever its form or encoding, a document type is refused before anything is read."""
    data = body.encode(encoding)
    with pytest.raises((Refused, MalformedError)) as caught:
        parse(data)

    if encoding not in ("utf-16-le", "utf-16-be") or body.startswith("<?"):
        assert isinstance(caught.value, Refused)
        assert caught.value.condition is Condition.NO_EXTERNAL_ENTITIES


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<a>",
        b"<a></b>",
        b"<a>\x00</a>",
        b"<a>\xff</a>",
        b"<a>&b;</a>",
        b'<a b="1" b="2"/>',
        b"<a/><b/>",
        b"<p:a/>",
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b'<?xml version="1.0" encoding="cp037"?><a/>',
        b'<?xml version="1.0" encoding="nothing"?><a/>',
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        b"\x4c\xa7\x94\x93",
        b"\xff\xfe<",
        b"<a>" * 200_000,
        b"<a>" * 61 + b"</a>" * 61,
        b"<a>" + b"<b/>" * 50_001 + b"</a>",
        b"<a " + b" ".join(b'b%d=""' % number for number in range(60)) + b"/>",
        b"<a " + b" ".join(b'b%d=""' % number for number in range(100_000)) + b"/>",
        '<a xmlns:x="DAV:">\ud800</a>'.encode("utf-8", "surrogatepass"),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_no_plain_xml_is_malformed(body: bytes) -> None:
    """Broken, over-deep or over-full bodies are one kind of refusal."""
    with pytest.raises(MalformedError):
        parse(body)


@pytest.mark.parametrize(
    "data",
    [
        PROPFIND.encode(),
        PROPFIND.encode("utf-16"),
        PROPFIND.encode("utf-8-sig"),
        b'<?xml version="1.0" encoding="UTF-8"?>' + PROPFIND.encode(),
        b'<?xml version="1.0" encoding="iso-8859-1" standalone="yes"?>\n' + PROPFIND.encode(),
        b"<!-- c --><?xml-stylesheet href='http://127.0.0.1:1/'?>" + PROPFIND.encode(),
        PROPFIND.replace("<prop>", "<prop><!-- c --><?pi x?>").encode(),
    ],
)
def test_ways_to_write_one_request(data: bytes) -> None:
    """Encodings, marks, declarations, comments and instructions do not change what is asked."""
    assert read_propfind(parse(data)).names == (names.dav("getetag"),)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """No bytes give anything but a tree or a refusal."""
    with contextlib.suppress(MalformedError, Refused):
        assert isinstance(xml.name_of(parse(data)), str)


@given(st.text(max_size=50))
def test_text_survives_escaping(text: str) -> None:
    """Text that XML can hold comes back from an answer as it went in."""
    held = names._NOT_XML.sub("\ufffd", text)
    root = parse(
        names.text(names.caldav("a"), text)
        .replace("<C:a", f'<C:a xmlns:C="{names.CALDAV}"', 1)
        .encode()
    )

    assert xml.text_of(root) == held


@pytest.mark.parametrize(
    "body",
    [
        "<propfind xmlns='DAV:'/>",
        "<propfind xmlns='DAV:'><prop/><allprop/></propfind>",
        "<propfind xmlns='DAV:'><prop/><prop/></propfind>",
        "<propfind/>",
        "<prop xmlns='DAV:'/>",
        f"<propfind xmlns='DAV:'><prop>{'<a/>' * 501}</prop></propfind>",
        f"<propfind xmlns='DAV:'><allprop/><include>{'<a/>' * 501}</include></propfind>",
    ],
)
def test_contradictory_propfind(body: str) -> None:
    """A propfind asks for exactly one kind of thing, and for a bounded number."""
    with pytest.raises(MalformedError):
        read_propfind(parse(body.encode()))


@pytest.mark.parametrize(
    "body",
    [
        "<propertyupdate xmlns='DAV:'/>",
        "<propertyupdate xmlns='DAV:'><set><prop/></set></propertyupdate>",
        "<propfind xmlns='DAV:'/>",
        f"<propertyupdate xmlns='DAV:'><set><prop>{'<a/>' * 501}</prop></set></propertyupdate>",
    ],
)
def test_empty_proppatch(body: str) -> None:
    """A propertyupdate changes at least one property, and a bounded number."""
    with pytest.raises(MalformedError):
        read_proppatch(parse(body.encode()))


def test_mkcalendar_only_sets() -> None:
    """Nothing can be removed from what is only being made (RFC 4791 section 9.2)."""
    body = (
        f"<C:mkcalendar xmlns:C='{names.CALDAV}' xmlns='DAV:'>"
        "<remove><prop><displayname/></prop></remove></C:mkcalendar>"
    )
    with pytest.raises(MalformedError):
        read_make_collection(parse(body.encode()), MKCALENDAR)
