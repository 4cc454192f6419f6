"""Finding one's way (RFC 6764, RFC 4791 section 7.1): from a host name to calendars."""

import pytest

from tests.builders import an_object
from tests.dav_desk import DavClient, dav_client
from tests.owner_desk import OwnerDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "OPTIONS", "REPORT"])
@pytest.mark.parametrize("signed", [True, False])
async def test_well_known(dav: DavClient, method: str, signed: bool) -> None:
    """The well-known address leads to the server, signed in or not."""
    headers = {} if signed else {"authorization": None}
    answer = await dav.request(method, "/.well-known/caldav", **headers)

    assert (answer.status, answer.headers["Location"]) == (301, "/dav/")


async def test_from_root_to_calendars(dav: DavClient, desk: OwnerDesk) -> None:
    """The root names the principal, the principal its home set, the home set its calendars."""
    await desk.calendar(dav.owner, "Work")
    root = await dav.propfind("/dav/", "D:current-user-principal")
    principal = root.prop("D:current-user-principal")
    found = await dav.propfind(principal, "C:calendar-home-set", "C:calendar-user-address-set")
    home = found.prop("C:calendar-home-set")
    inside = await dav.propfind(home, "D:displayname", "D:resourcetype", depth="1")

    assert principal == dav.principal
    assert home == dav.home
    addresses = [one.text for one in found.props()["C:calendar-user-address-set"]]
    assert addresses == ["mailto:jane@example.org", dav.principal]
    names = {href: inside.props(href) for href in inside.hrefs()}
    calendars = [
        found["D:displayname"].text
        for found in names.values()
        if [one.tag for one in found["D:resourcetype"]][1:]
        == ["{urn:ietf:params:xml:ns:caldav}calendar"]
    ]
    assert calendars == ["Work"]
    assert {f"{home}inbox/", f"{home}outbox/", f"{home}merged/"} <= set(names)


@pytest.mark.parametrize("kind", ["calendars", "principals"])
async def test_at_sign_encoded(dav: DavClient, kind: str) -> None:
    """`%40` and `@` name the same resource, with and without a slash at the end."""
    paths = [f"/dav/{kind}/jane%40example.org/", f"/dav/{kind}/jane@example.org"]
    answers = [await dav.propfind(path, "D:displayname") for path in paths]

    assert [answer.hrefs() for answer in answers] == [[f"/dav/{kind}/jane@example.org/"]] * 2


async def test_objects_are_listed(dav: DavClient, desk: OwnerDesk) -> None:
    """A calendar lists its objects with tag, type and length."""
    work = await desk.calendar(dav.owner, "Work")
    async with desk.services.store.write() as tx:
        await tx.objects.put(an_object(work.id, "a b.ics", etag='"1"', data=b"12345"))
    path = f"{dav.home}{work.name}/"
    names = ("D:getetag", "D:getcontenttype", "D:getcontentlength", "D:resourcetype")
    answer = await dav.propfind(path, *names, depth="1")
    found = answer.props(f"{path}a%20b.ics")

    assert found["D:getetag"].text == '"1"'
    assert found["D:getcontenttype"].text == "text/calendar; charset=utf-8; component=vevent"
    assert found["D:getcontentlength"].text == "5"
    assert len(found["D:resourcetype"]) == 0


async def test_options_tells_nothing_of_paths(dav: DavClient) -> None:
    """OPTIONS answers without a sign-in, alike for what is there and what is not."""
    paths = [dav.home, "/dav/calendars/nobody@example.org/", "/dav/nothing/"]
    answers = [await dav.request("OPTIONS", path, authorization=None) for path in paths]

    assert {answer.status for answer in answers} == {200}
    assert len({answer.headers["DAV"] for answer in answers}) == 1
    assert "calendar-access" in answers[0].headers["DAV"].split(", ")


@pytest.mark.parametrize("path", ["", "principals/", "principals/{}/", "calendars/{}/"])
async def test_strangers_see_nothing(dav: DavClient, desk: OwnerDesk, path: str) -> None:
    """Another owner's principal and home are 404, byte for byte like nobody's."""
    bob = await desk.owner("bob@example.org", name="Bob")
    async with dav_client(desk, bob) as other:
        theirs = await other.propfind(f"/dav/{path.format(dav.owner.email)}", "D:displayname")
        nobody = await other.propfind(f"/dav/{path.format('no@example.org')}", "D:displayname")

    assert (theirs.status, theirs.data) == (nobody.status, nobody.data)
    assert theirs.status == (404 if "{" in path else 207)
