"""Reports on principals (RFC 3744 section 9) and expand-property (RFC 3253 section 3.8)."""

import pytest

from tests.builders import an_event
from tests.dav_desk import NAMESPACES, Answer, DavClient
from tests.owner_desk import OwnerDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")

PRINCIPALS = "/dav/principals/"
ADDRESSES = "C:calendar-user-address-set"


async def search(
    dav: DavClient, *terms: tuple[str, str], path: str = PRINCIPALS, test: str = ""
) -> Answer:
    """Search principals by properties."""
    listed = "".join(
        f"<D:property-search><D:prop><{name}/></D:prop><D:match>{text}</D:match>"
        "</D:property-search>"
        for name, text in terms
    )
    attribute = f' test="{test}"' if test else ""
    return await dav.report(
        path,
        f"<D:principal-property-search {{DECLARED}}{attribute}>{listed}"
        f"<D:prop><D:displayname/><{ADDRESSES}/></D:prop></D:principal-property-search>",
        depth="0",
    )


async def test_one_finds_oneself(dav: DavClient) -> None:
    """By part of the name or of the address, without case, with what was asked for."""
    for term in (("D:displayname", "AN"), (ADDRESSES, "jane@EXAMPLE"), (ADDRESSES, "mailto:jane")):
        found = await search(dav, term)
        assert found.hrefs() == [dav.principal], term
        assert found.prop("D:displayname") == "Jane"


async def test_every_term_must_hold(dav: DavClient) -> None:
    """Unless the client says that any of them will do."""
    terms = (("D:displayname", "Jane"), (ADDRESSES, "nobody"))

    assert (await search(dav, *terms)).hrefs() == []
    assert (await search(dav, *terms, test="anyof")).hrefs() == [dav.principal]


async def test_nobody_else_is_found(dav: DavClient, desk: OwnerDesk) -> None:
    """Row 51: whom the gateway knows cannot be searched, listed or guessed."""
    await desk.owner("bob@example.org", name="Bob")

    for term in ((ADDRESSES, "bob@example.org"), ("D:displayname", "Bob")):
        known, unknown = await search(dav, term), await search(dav, (term[0], "zed"))
        assert known.hrefs() == []
        assert known.data == unknown.data


async def test_only_what_is_listed_can_be_searched(dav: DavClient) -> None:
    """A property outside principal-search-property-set finds nothing; the set names its own."""
    answer = await dav.report(PRINCIPALS, "<D:principal-search-property-set {DECLARED}/>")
    listed = answer.tree.findall("D:principal-search-property/D:prop/*", NAMESPACES)

    assert {one.tag for one in listed} == {
        "{DAV:}displayname",
        "{urn:ietf:params:xml:ns:caldav}calendar-user-address-set",
        "{urn:ietf:params:xml:ns:caldav}calendar-user-type",
    }
    assert (await search(dav, ("D:resourcetype", "principal"))).hrefs() == []


async def test_principal_match(dav: DavClient) -> None:
    """`self` finds one's principal; a property finds what names it there (section 9.3)."""
    own = await dav.report(
        PRINCIPALS, "<D:principal-match {DECLARED}><D:self/></D:principal-match>"
    )
    work = await dav.mkcalendar("work")
    named = await dav.report(
        dav.home,
        "<D:principal-match {DECLARED}><D:principal-property><D:owner/></D:principal-property>"
        "<D:prop><D:displayname/></D:prop></D:principal-match>",
    )

    assert own.hrefs() == [dav.principal]
    assert work in named.hrefs()


async def test_acl_principal_prop_set(dav: DavClient) -> None:
    """The one principal of every access control list is the owner (section 9.2)."""
    work = await dav.mkcalendar("work")
    answer = await dav.report(
        work,
        "<D:acl-principal-prop-set {DECLARED}><D:prop><D:displayname/></D:prop>"
        "</D:acl-principal-prop-set>",
    )

    assert answer.hrefs() == [dav.principal]
    assert answer.prop("D:displayname") == "Jane"


async def test_expand_property(dav: DavClient) -> None:
    """What a property names is told inside it, to the depth that is asked."""
    answer = await dav.report(
        "/dav/",
        "<D:expand-property {DECLARED}>"
        '<D:property name="current-user-principal">'
        '<D:property name="displayname"/>'
        '<D:property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav">'
        '<D:property name="resourcetype"/></D:property></D:property>'
        '<D:property name="nothing" namespace="urn:x"/></D:expand-property>',
    )
    inner = answer.props()["D:current-user-principal"].find("D:response", NAMESPACES)
    props = inner.find("D:propstat/D:prop", NAMESPACES)

    assert inner.findtext("D:href", namespaces=NAMESPACES) == dav.principal
    assert props.findtext("D:displayname", namespaces=NAMESPACES) == "Jane"
    home = props.find("C:calendar-home-set/D:response", NAMESPACES)
    assert home.findtext("D:href", namespaces=NAMESPACES) == dav.home
    assert answer.props(status=404).keys() == {"{urn:x}nothing"}


BROKEN = [
    "<D:principal-property-search {DECLARED}><D:property-search/></D:principal-property-search>",
    "<D:principal-match {DECLARED}/>",
    "<D:principal-match {DECLARED}><D:principal-property/></D:principal-match>",
    '<D:expand-property {DECLARED}><D:property name="a b"/></D:expand-property>',
    "<D:expand-property {DECLARED}>"
    + '<D:property name="owner">' * 9
    + "</D:property>" * 9
    + "</D:expand-property>",
    "<D:expand-property {DECLARED}>" + '<D:property name="owner"/>' * 300 + "</D:expand-property>",
]


async def test_everybody_is_the_asker(dav: DavClient, desk: OwnerDesk) -> None:
    """A search without a term, which some clients list everybody with, finds the asker alone."""
    await desk.owner("bob@example.org", name="Bob")
    body = (
        "<D:principal-property-search {DECLARED}>"
        "<D:prop/><C:calendar-home-set/></D:principal-property-search>"
    )
    answer = await dav.report(PRINCIPALS, body)

    assert answer.hrefs() == [dav.principal]
    assert answer.prop("C:calendar-home-set") == dav.home


@pytest.mark.parametrize("body", BROKEN)
async def test_a_broken_body_is_400(dav: DavClient, body: str) -> None:
    """What is not the report it claims to be is refused, never a 500."""
    assert (await dav.report(PRINCIPALS, body)).status == 400


async def test_every_advertised_report_is_answered(dav: DavClient) -> None:
    """No kind of resource lists a report that it then does not know (row: real or not at all)."""
    work = await dav.mkcalendar("work")
    await dav.put(f"{work}a.ics", an_event())
    boxes = [f"{dav.home}{name}/" for name in ("inbox", "outbox", "merged")]
    for path in ("/dav/", PRINCIPALS, dav.principal, dav.home, work, f"{work}a.ics", *boxes):
        answer = await dav.propfind(path, "D:supported-report-set")
        reports = answer.props()["D:supported-report-set"].findall(".//D:report/*", NAMESPACES)
        assert reports, path
        for report in reports:
            namespace, _, local = report.tag[1:].rpartition("}")
            body = f'<{local} xmlns="{namespace}"/>'
            asked = await dav.request("REPORT", path, body)
            assert asked.condition() != "D:supported-report", (path, local)
            assert asked.status < 500
