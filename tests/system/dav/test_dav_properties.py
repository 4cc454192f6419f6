"""Properties over HTTP: asked, changed, kept (RFC 4918 section 9, RFC 4791 section 5)."""

import asyncio
from urllib.parse import quote

import pytest
import pytest_asyncio

from gateway.model.collection import Provider
from tests.builders import a_collection, an_event, an_object
from tests.dav_desk import DECLARED, DavClient
from tests.owner_desk import OwnerDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")

ZONE = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example.org//tests//EN
BEGIN:VTIMEZONE
TZID:Ours
BEGIN:STANDARD
DTSTART:20000101T000000
TZOFFSETFROM:+0300
TZOFFSETTO:+0300
END:STANDARD
END:VTIMEZONE
END:VCALENDAR
"""


def setting(inner: str) -> str:
    """Return the `D:set` of some properties."""
    return f"<D:set><D:prop>{inner}</D:prop></D:set>"


@pytest_asyncio.fixture(loop_scope="session")
async def work(dav: DavClient) -> str:
    """Make a calendar; give its path."""
    return await dav.mkcalendar("work", "<D:displayname>Work</D:displayname>")


async def test_a_calendar_tells_its_limits(dav: DavClient, work: str) -> None:
    """Limits and abilities are told as RFC 4791 section 5.2 names them."""
    names = {
        "C:max-resource-size": "1048576",
        "C:min-date-time": "19000101T000000Z",
        "C:max-date-time": "21991231T235959Z",
        "C:max-instances": "100000",
        "C:max-attendees-per-instance": "1000",
    }
    found = await dav.propfind(work, *names, "C:supported-calendar-data")

    assert {name: found.prop(name) for name in names} == names
    (data,) = found.props()["C:supported-calendar-data"]
    assert dict(data.attrib) == {"content-type": "text/calendar", "version": "2.0"}


async def test_unknown_is_404(dav: DavClient, work: str) -> None:
    """A property that is not there is told apart, in its own namespace."""
    body = (
        '<propfind xmlns="DAV:"><prop><getetag/><x:a xmlns:x="urn:x&amp;y"/><b xmlns=""/>'
        "<displayname/></prop></propfind>"
    )
    answer = await dav.request("PROPFIND", work, body, depth="0")

    assert set(answer.props()) == {"D:displayname"}
    assert set(answer.props(status=404)) == {"D:getetag", "{urn:x&y}a", "b"}


async def test_allprop(dav: DavClient, work: str) -> None:
    """Allprop, and a body that is empty, tell RFC 4918's properties and dead ones, no others."""
    await dav.proppatch(work, setting('<x:a xmlns:x="urn:x">1</x:a>'))
    asked = await dav.propfind(work)
    empty = await dav.request("PROPFIND", work, depth="0")

    assert set(asked.props()) == set(empty.props())
    assert {"D:displayname", "D:resourcetype", "{urn:x}a"} <= set(asked.props())
    assert not {"C:calendar-timezone", "D:acl", "D:supported-report-set"} & set(asked.props())


async def test_include(dav: DavClient, work: str) -> None:
    """Allprop with include tells what is included too (RFC 4918 section 9.1.5)."""
    body = f"<D:propfind {DECLARED}><D:allprop/><D:include><D:acl/></D:include></D:propfind>"
    answer = await dav.request("PROPFIND", work, body, depth="0")

    assert {"D:displayname", "D:acl"} <= set(answer.props())


async def test_propname(dav: DavClient, work: str) -> None:
    """Propname names what is defined, without values."""
    body = f"<D:propfind {DECLARED}><D:propname/></D:propfind>"
    found = (await dav.request("PROPFIND", work, body, depth="0")).props()

    assert {"D:displayname", "D:sync-token", "C:supported-calendar-data"} <= set(found)
    assert "C:calendar-home-set" not in found
    assert all(len(one) == 0 and not one.text for one in found.values())


async def test_minimal_leaves_out_what_is_missing(dav: DavClient, work: str) -> None:
    """`return=minimal` and `Brief: t` tell no 404s (RFC 8144 section 2.1)."""
    names = ("D:displayname", "D:getetag")
    minimal = await dav.propfind(work, *names, prefer="return=minimal")
    brief = await dav.propfind(work, *names, brief="t")

    assert minimal.props(status=404) == brief.props(status=404) == {}
    assert minimal.prop("D:displayname") == "Work"
    assert minimal.headers["Preference-Applied"] == "return=minimal"


async def test_depth_noroot(dav: DavClient, work: str) -> None:
    """`depth-noroot` leaves out the collection itself (RFC 8144 section 3)."""
    await dav.put(f"{work}a.ics", an_event())
    answer = await dav.propfind(work, "D:getetag", depth="1", prefer="depth-noroot")

    assert answer.hrefs() == [f"{work}a.ics"]


LIVE = {
    "D:displayname": "Name & <b>more</b> \u202e",
    "C:calendar-description": "A\nB",
    "A:calendar-color": "#FF2968FF",
    "A:calendar-order": "7",
    "C:calendar-timezone-id": "Europe/Amsterdam",
}


@pytest.mark.parametrize("name", LIVE)
async def test_set_and_removed(dav: DavClient, work: str, name: str) -> None:
    """A property that can be set is kept as it was set, and removed again."""
    value = LIVE[name].replace("&", "&amp;").replace("<", "&lt;")
    done = await dav.proppatch(work, setting(f"<{name}>{value}</{name}>"))
    kept = (await dav.propfind(work, name)).prop(name)
    gone = await dav.proppatch(work, f"<D:remove><D:prop><{name}/></D:prop></D:remove>")

    assert set(done.props()) == set(gone.props()) == {name}
    assert kept == LIVE[name]


async def test_language_of_a_dead_property(dav: DavClient, work: str) -> None:
    """`xml:lang` is part of a property's value, wherever it was said (RFC 4918 section 4.3)."""
    inner = '<x:a xmlns:x="urn:x" xml:lang="nl">Ja</x:a><x:b xmlns:x="urn:x">Oui</x:b>'
    await dav.proppatch(work, f'<D:set><D:prop xml:lang="fr">{inner}</D:prop></D:set>')
    found = (await dav.propfind(work)).props()
    lang = "{http://www.w3.org/XML/1998/namespace}lang"

    assert [found[f"{{urn:x}}{name}"].get(lang) for name in "ab"] == ["nl", "fr"]


async def test_dead_property(dav: DavClient, work: str) -> None:
    """A property nobody here knows comes back with all that is inside it."""
    value = '<x:a xmlns:x="urn:x" xmlns:y="urn:y">1 &lt; 2<y:b y:c="&quot;">t</y:b>tail</x:a>'
    await dav.proppatch(work, setting(value))
    body = f'<D:propfind {DECLARED}><D:prop><x:a xmlns:x="urn:x"/></D:prop></D:propfind>'
    found = (await dav.request("PROPFIND", work, body, depth="0")).props()["{urn:x}a"]
    (inner,) = found

    assert (found.text, inner.text, inner.tail) == ("1 < 2", "t", "tail")
    assert (inner.tag, dict(inner.attrib)) == ("{urn:y}b", {"{urn:y}c": '"'})


@pytest.mark.parametrize(
    "bad",
    [
        "<D:getetag>x</D:getetag>",
        "<D:resourcetype><D:collection/></D:resourcetype>",
        "<CS:getctag>1</CS:getctag>",
        "<C:supported-calendar-component-set/>",
    ],
)
async def test_protected_properties_undo_all(dav: DavClient, work: str, bad: str) -> None:
    """With one protected property nothing is set: it is 403, the others 424."""
    answer = await dav.proppatch(work, setting(f"<D:displayname>New</D:displayname>{bad}"))

    assert set(answer.props(status=424)) == {"D:displayname"}
    assert len(answer.props(status=403)) == 1
    assert "<D:cannot-modify-protected-property/>" in answer.text
    assert (await dav.propfind(work, "D:displayname")).prop("D:displayname") == "Work"


async def test_changes_in_order(dav: DavClient, work: str) -> None:
    """Instructions are carried out in document order (RFC 4918 section 9.2)."""
    name = "<D:displayname>{}</D:displayname>"
    removal = "<D:remove><D:prop><D:displayname/></D:prop></D:remove>"
    await dav.proppatch(work, setting(name.format("1")) + removal + setting(name.format("2")))

    assert (await dav.propfind(work, "D:displayname")).prop("D:displayname") == "2"


async def test_deselecting(dav: DavClient, desk: OwnerDesk, work: str) -> None:
    """`schedule-calendar-transp: transparent` and deselecting are the same switch."""
    name = "<C:schedule-calendar-transp><C:{}/></C:schedule-calendar-transp>"
    await dav.proppatch(work, setting(name.format("transparent")))
    off = (await desk.calendars(dav.owner))["Work"].selected
    told = (await dav.propfind(work, "C:schedule-calendar-transp")).text
    await dav.proppatch(work, setting(name.format("opaque")))

    assert (off, (await desk.calendars(dav.owner))["Work"].selected) == (False, True)
    assert "<C:transparent/>" in told


async def test_two_changes_at_once_both_stay(dav: DavClient, work: str) -> None:
    """Changes of different properties at the same time do not undo each other."""
    changes = [
        "<D:displayname>New</D:displayname>",
        "<A:calendar-color>#000000</A:calendar-color>",
        "<A:calendar-order>3</A:calendar-order>",
        '<x:a xmlns:x="urn:x">1</x:a>',
    ]
    await asyncio.gather(*(dav.proppatch(work, setting(one)) for one in changes))
    found = await dav.propfind(work, "D:displayname", "A:calendar-color", "A:calendar-order")

    assert [one.text for one in found.props().values()] == ["New", "#000000", "3"]


async def test_a_zone_set_by_name_is_told_by_definition_too(dav: DavClient, work: str) -> None:
    """RFC 7809 section 5.2: both properties tell the same zone, whichever was set."""
    await dav.proppatch(
        work, setting("<C:calendar-timezone-id>Asia/Tokyo</C:calendar-timezone-id>")
    )
    told = (await dav.propfind(work, "C:calendar-timezone")).prop("C:calendar-timezone")

    assert "BEGIN:VTIMEZONE" in told
    assert "TZID:Asia/Tokyo" in told
    assert "TZOFFSETTO:+0900" in told


BAD_ZONES = {
    "text": ("C:calendar-timezone", "Europe/Amsterdam", "valid-calendar-data"),
    "event": ("C:calendar-timezone", an_event().decode(), "valid-calendar-data"),
    "no offsets": (
        "C:calendar-timezone",
        ZONE.replace("+0300", "+9999"),
        "valid-calendar-data",
    ),
    "name": ("C:calendar-timezone-id", "Mars/Olympus", "valid-timezone"),
    "path": ("C:calendar-timezone-id", "../../etc/passwd", "valid-timezone"),
}


@pytest.mark.parametrize("name", BAD_ZONES)
async def test_bad_zones_are_refused(dav: DavClient, work: str, name: str) -> None:
    """A zone that nobody can know is refused by its rule, in PROPPATCH and MKCALENDAR."""
    tag, value, condition = BAD_ZONES[name]
    inner = f"<{tag}>{value}</{tag}>"
    patched = await dav.proppatch(work, setting(inner))
    body = f"<C:mkcalendar {DECLARED}>{setting(inner)}</C:mkcalendar>"
    made = await dav.request("MKCALENDAR", f"{dav.home}new/", body)

    assert set(patched.props(status=403)) == set(made.props(status=403)) == {tag}
    assert f"<C:{condition}/>" in patched.text
    assert (await dav.propfind(f"{dav.home}new/", "D:displayname")).status == 404


async def test_zone_definition_is_kept(dav: DavClient, work: str) -> None:
    """`calendar-timezone` comes back as it was set, and takes the place of a zone by name."""
    done = await dav.proppatch(work, setting(f"<C:calendar-timezone>{ZONE}</C:calendar-timezone>"))
    names = ("C:calendar-timezone", "C:calendar-timezone-id")
    found = await dav.propfind(work, *names)

    assert set(done.props()) == {"C:calendar-timezone"}
    assert found.prop("C:calendar-timezone").split() == ZONE.split()
    assert set(found.props(status=404)) == {"C:calendar-timezone-id"}


async def test_default_calendar(dav: DavClient, desk: OwnerDesk, work: str) -> None:
    """The Inbox tells the default calendar, and another one is chosen there."""
    other = await dav.mkcalendar("other")
    inbox = f"{dav.home}inbox/"
    tag = "C:schedule-default-calendar-URL"
    before = (await dav.propfind(inbox, tag)).prop(tag)
    done = await dav.proppatch(inbox, setting(f"<{tag}><D:href>{other}</D:href></{tag}>"))
    wrong = await dav.proppatch(inbox, setting(f"<{tag}><D:href>/dav/nowhere/</D:href></{tag}>"))
    fresh = await desk.fresh(dav.owner)

    assert before == work
    assert (set(done.props()), set(wrong.props(status=403))) == ({tag}, {tag})
    assert fresh.default_collection_id == (await desk.calendars(fresh))[""].id


async def test_free_busy_set_lists_selected(dav: DavClient, work: str) -> None:
    """`calendar-free-busy-set` lists the calendars that decide availability."""
    other = await dav.mkcalendar(
        "other",
        "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>",
    )
    tag = "C:calendar-free-busy-set"
    found = (await dav.propfind(f"{dav.home}inbox/", tag)).props()[tag]

    assert [one.text for one in found] == [work]
    assert other not in [one.text for one in found]


async def test_looks_of_a_provider_calendar(dav: DavClient, desk: OwnerDesk) -> None:
    """The name and colour of a provider's calendar are the owner's to change."""
    async with desk.services.store.write() as tx:
        found = await tx.collections.add(
            a_collection(dav.owner.id, name="feed", provider=Provider.ICS)
        )
        await tx.objects.put(an_object(found.id, "a.ics", data=an_event()))
    path = f"{dav.home}feed/"
    await dav.proppatch(path, setting("<D:displayname>Mine</D:displayname>"))
    told = (await dav.propfind(path, "D:current-user-privilege-set")).text

    assert (await dav.propfind(path, "D:displayname")).prop("D:displayname") == "Mine"
    assert "<D:write-properties/>" in told


@pytest.mark.parametrize("path", ["/dav/", "{home}", "{principal}", "{home}outbox/"])
async def test_other_resources_are_fixed(dav: DavClient, path: str) -> None:
    """What is no calendar has no property that can be changed."""
    path = path.format(home=dav.home, principal=dav.principal)
    answer = await dav.proppatch(path, setting("<D:displayname>New</D:displayname>"))

    assert set(answer.props(status=403)) == {"D:displayname"}


async def test_ctag_and_sync_token_change_with_contents(dav: DavClient, work: str) -> None:
    """A stored and a removed object change both; reading and renaming the calendar do not."""

    async def tokens() -> list[str]:
        found = await dav.propfind(work, "CS:getctag", "D:sync-token")
        return [found.prop(name) for name in ("CS:getctag", "D:sync-token")]

    seen = [await tokens()]
    await dav.put(f"{work}a.ics", an_event())
    seen.append(await tokens())
    await dav.request("DELETE", f"{work}a.ics")
    seen.append(await tokens())
    await dav.proppatch(work, setting("<D:displayname>New</D:displayname>"))

    assert len({one for pair in seen for one in pair}) == 3
    assert await tokens() == seen[-1]


async def test_mkcalendar(dav: DavClient, desk: OwnerDesk) -> None:
    """A calendar is made with its properties; it is selected, and the first is the default."""
    path = await dav.mkcalendar(
        "made",
        '<D:displayname>Made</D:displayname><C:calendar-description xml:lang="en">D'
        "</C:calendar-description><C:supported-calendar-component-set>"
        '<C:comp name="VTODO"/></C:supported-calendar-component-set>'
        f"<C:calendar-timezone>{ZONE}</C:calendar-timezone>"
        '<x:a xmlns:x="urn:x">1</x:a>',
    )
    found = await dav.propfind(path, "D:displayname", "C:supported-calendar-component-set")
    made = (await desk.calendars(dav.owner))["Made"]

    assert [one.get("name") for one in found.props()["C:supported-calendar-component-set"]] == [
        "VTODO"
    ]
    assert made.selected
    assert (await desk.fresh(dav.owner)).default_collection_id == made.id
    assert "{urn:x}a" in (await dav.propfind(path)).props()


async def test_extended_mkcol(dav: DavClient) -> None:
    """MKCOL with the calendar type makes a calendar; without it, or with a bad value, none."""
    types = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
    name = "<D:displayname>Made</D:displayname>"

    async def mkcol(path: str, inner: str) -> tuple[int, str]:
        body = f"<D:mkcol {DECLARED}>{setting(inner)}</D:mkcol>" if inner else None
        answer = await dav.request("MKCOL", f"{dav.home}{path}/", body)
        return answer.status, answer.condition()

    assert await mkcol("a", types + name) == (201, "")
    assert await mkcol("b", name) == (403, "D:valid-resourcetype")
    assert await mkcol("b", "") == (403, "D:valid-resourcetype")
    assert await mkcol("b", f"{types}<D:getetag>x</D:getetag>") == (403, "")
    assert await mkcol("a", types) == (405, "D:resource-must-be-null")
    assert (await dav.propfind(f"{dav.home}a/", "D:displayname")).prop("D:displayname") == "Made"
    assert (await dav.propfind(f"{dav.home}b/", "D:displayname")).status == 404


PLACES = {
    "taken": ("{home}work/", 403, "D:resource-must-be-null"),
    "reserved": ("{home}inbox/", 403, "D:resource-must-be-null"),
    "in a calendar": ("{home}work/inner/", 403, "C:calendar-collection-location-ok"),
    "in nothing": ("{home}none/inner/", 409, ""),
    "the root": ("/dav/", 403, "D:resource-must-be-null"),
    "no part of it": ("/dav/other/", 404, ""),
    "another's": ("/dav/calendars/bob@example.org/new/", 404, ""),
    "dots": ("{home}%2e%2e/", 400, ""),
    "slash": ("{home}a%2fb/", 400, ""),
    "control": ("{home}a%01b/", 400, ""),
    "long": ("{home}" + "x" * 300 + "/", 403, ""),
}


@pytest.mark.parametrize("name", PLACES)
async def test_places_for_a_calendar(dav: DavClient, work: str, name: str) -> None:
    """A calendar is made directly in one's own home, under a plain name that is free."""
    path, status, condition = PLACES[name]
    answer = await dav.request("MKCALENDAR", path.format(home=dav.home))

    assert (answer.status, answer.condition()) == (status, condition)


@pytest.mark.parametrize("name", ["CON", "caf\u00e9", "cafe\u0301", "\U0001f4c5", "a b", "a&b=c;d"])
async def test_names_of_calendars(dav: DavClient, name: str) -> None:
    """A name is text: any of these is kept and found again by the href that is told."""
    made = await dav.request("MKCALENDAR", f"{dav.home}{quote(name)}/")
    hrefs = (await dav.propfind(dav.home, "D:resourcetype", depth="1")).hrefs()
    (told,) = [one for one in hrefs if one.count("/") == 5 and one.split("/")[4] not in KEPT]

    assert made.status == 201
    assert (await dav.propfind(told, "D:displayname")).status == 207


KEPT = {"", "inbox", "outbox", "merged"}


async def test_a_listing_follows_every_change(dav: DavClient, work: str) -> None:
    """A calendar's listing, asked again and again, is always what is there."""
    seen = []
    for number in range(3):
        put = await dav.put(f"{work}a.ics", an_event(summary=str(number)))
        for _ in range(2):
            answer = await dav.propfind(work, "D:getetag", depth="1")
            seen.append(answer.prop("D:getetag", f"{work}a.ics") == put.headers["ETag"])
    await dav.request("DELETE", f"{work}a.ics")
    await dav.put(f"{work}b.ics", an_event())

    assert seen == [True] * 6
    assert (await dav.propfind(work, "D:getetag", depth="1")).hrefs() == [work, f"{work}b.ics"]
