"""Hostile requests (sections B and C of the security checklist): refused by name, never a 5xx."""

import base64
import gzip
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from gateway.dav.app import METHODS
from tests.builders import an_event
from tests.dav_desk import DECLARED, DavClient, dav_client
from tests.owner_desk import OwnerDesk, owner_desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOCTYPE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
WITH_BODIES = ["PROPFIND", "PROPPATCH", "REPORT", "MKCALENDAR", "MKCOL", "ACL"]


@pytest_asyncio.fixture(loop_scope="session")
async def work(dav: DavClient) -> str:
    """Make a calendar with one event; give its path."""
    path = await dav.mkcalendar("work")
    await dav.put(f"{path}a.ics", an_event())
    return path


@pytest.mark.parametrize("method", WITH_BODIES)
async def test_document_types(dav: DavClient, work: str, method: str) -> None:
    """A document type is refused by every method that reads XML."""
    path = f"{dav.home}new/" if method.startswith("MK") else work
    answer = await dav.request(method, path, f"{DOCTYPE}<a>&x;</a>", depth="0")

    assert (answer.status, answer.condition()) == (403, "D:no-external-entities")


@pytest.mark.parametrize("method", WITH_BODIES)
@pytest.mark.parametrize(
    "body",
    [b"<a>", b"\x00", b"\xff\xfe\xff", b"<a>" * 100_000, b"<a>" + b"<b/>" * 60_000 + b"</a>"],
    ids=["cut", "nul", "half", "deep", "full"],
)
async def test_malformed_bodies(dav: DavClient, work: str, method: str, body: bytes) -> None:
    """What is not XML, or too much of it, is 400."""
    path = f"{dav.home}new/" if method.startswith("MK") else work
    answer = await dav.request(method, path, body, depth="0")

    assert answer.status == 400
    assert (await dav.propfind(f"{dav.home}new/")).status == 404


@pytest.mark.parametrize("method", WITH_BODIES)
async def test_other_elements(dav: DavClient, work: str, method: str) -> None:
    """A body that asks something else is refused."""
    path = f"{dav.home}new/" if method.startswith("MK") else work
    answer = await dav.request(method, path, "<other/>", depth="0")

    assert answer.status == {"REPORT": 403, "ACL": 403}.get(method, 400)


async def test_too_large_a_body(dav: DavClient, work: str) -> None:
    """XML of more than 1 MiB is 413, also when it is so only after decompression."""
    big = b"<a>" + b" " * (1 << 20) + b"</a>"
    plain = await dav.request("PROPFIND", work, big, depth="0")
    packed = await dav.request(
        "PROPFIND", work, gzip.compress(big), depth="0", content_encoding="gzip"
    )
    broken = await dav.request(
        "PROPFIND", work, b"\x1f\x8b" + b"x" * 50, depth="0", content_encoding="gzip"
    )

    assert [one.status for one in (plain, packed, broken)] == [413, 413, 400]


@pytest.mark.parametrize("path", ["/dav/", "{principal}", "{home}", "{home}work/"])
async def test_depth_infinity(dav: DavClient, work: str, path: str) -> None:
    """PROPFIND of everything below is refused by its condition."""
    path = path.format(principal=dav.principal, home=dav.home)
    answer = await dav.propfind(path, "D:getetag", depth="infinity")

    assert (answer.status, answer.condition()) == (403, "D:propfind-finite-depth")


async def test_missing_depth_is_infinity(dav: DavClient, work: str) -> None:
    """A PROPFIND without Depth means infinity (RFC 4918 section 9.1), so it is refused too."""
    body = f"<D:propfind {DECLARED}><D:allprop/></D:propfind>"
    answer = await dav.request("PROPFIND", work, body)

    assert (answer.status, answer.condition()) == (403, "D:propfind-finite-depth")


@pytest.mark.parametrize("depth", ["2", "-1", "foo", "", "0, 1", "\u0661"])
async def test_odd_depths(dav: DavClient, work: str, depth: str) -> None:
    """Any other Depth is 400."""
    assert (await dav.propfind(work, "D:getetag", depth=depth)).status == 400


@pytest.mark.parametrize(
    "header",
    [
        "Basic !!!!",
        "Basic " + base64.b64encode(b"nocolon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"jane@example.org:").decode(),
        "Basic " + base64.b64encode(b":secret").decode(),
        "Basic " + base64.b64encode(b"jane@example.org:a\x00b").decode(),
        "Basic",
        "Bearer x",
        "Digest username=jane",
        "Basic " + "A" * 7000,
        None,
    ],
)
async def test_wrong_sign_ins(dav: DavClient, header: str | None) -> None:
    """Whatever is no sign-in gets the same 401 and challenge."""
    answer = await dav.propfind(dav.home, "D:displayname", authorization=header)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert (await dav.propfind(dav.home, "D:displayname")).status == 207


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_nothing_unsigned(dav: DavClient, desk: OwnerDesk, work: str, method: str) -> None:
    """Without a sign-in every path is the same 401, and nothing is made."""
    paths = [f"{work}b.ics", f"{dav.home}new/", "/dav/calendars/nobody@example.org/x/", "/dav/x"]
    answers = [await dav.request(method, path, an_event("b"), authorization=None) for path in paths]

    assert {(one.status, one.data) for one in answers} == {(401, answers[0].data)}
    assert set(await desk.calendars(dav.owner)) == {""}
    assert (await dav.request("GET", f"{work}b.ics")).status == 404


async def test_a_connection_does_not_stay_signed_in(dav: DavClient) -> None:
    """A request without a sign-in is 401, also on a connection that carried one before."""
    signed = await dav.propfind(dav.home, "D:displayname")
    unsigned = await dav.propfind(dav.home, "D:displayname", authorization=None)

    assert (signed.status, unsigned.status) == (207, 401)


async def test_guessing_is_slowed(data_dir: Path) -> None:
    """After too many wrong passwords an address is told to wait."""
    async with owner_desk(data_dir, failures=3) as desk:
        jane = await desk.owner()
        async with dav_client(desk, jane) as dav:
            wrong = "Basic " + base64.b64encode(b"jane@example.org:wrong-password-1").decode()
            seen = [await dav.propfind("/dav/", authorization=wrong) for _ in range(5)]
            right = await dav.propfind("/dav/")

    assert [one.status for one in seen] == [401, 401, 401, 429, 429]
    assert int(seen[-1].headers["Retry-After"]) > 0
    assert right.status == 207


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_foreign_and_missing_look_alike(
    dav: DavClient, desk: OwnerDesk, work: str, method: str
) -> None:
    """Every method on another owner's things answers exactly as on what does not exist."""
    bob = await desk.owner("bob@example.org", name="Bob")
    bodies = {
        "PROPFIND": f"<D:propfind {DECLARED}><D:allprop/></D:propfind>",
        "PROPPATCH": f"<D:propertyupdate {DECLARED}><D:set><D:prop><D:displayname>x"
        "</D:displayname></D:prop></D:set></D:propertyupdate>",
        "REPORT": f"<C:calendar-query {DECLARED}/>",
        "ACL": f"<D:acl {DECLARED}/>",
        "PUT": an_event("b").decode(),
    }
    headers = {"depth": "0"} if method == "PROPFIND" else {}
    headers |= {"content_type": "text/calendar"} if method == "PUT" else {}
    headers |= {"destination": work + "c.ics"} if method in ("COPY", "MOVE") else {}
    spellings = [
        work,
        work.rstrip("/"),
        f"{work}a.ics",
        f"{work}b.ics",
        dav.home,
        dav.home.replace("@", "%40"),
        dav.home.replace("jane", "JANE"),
        f"{dav.home}inbox/",
        f"{dav.home}merged/",
        dav.principal,
    ]
    async with dav_client(desk, bob) as other:
        for path in spellings:
            gone = path.replace("jane", "nope").replace("JANE", "NOPE")
            theirs = await other.request(method, path, bodies.get(method), **headers)
            nobody = await other.request(method, gone, bodies.get(method), **headers)

            assert (theirs.status, theirs.data) == (nobody.status, nobody.data)
            assert theirs.status in (404, 403, 405, 400)
    assert (await dav.request("GET", f"{work}a.ics")).data == an_event()
    assert (await dav.propfind(work, "D:getetag", depth="1")).hrefs() == [work, f"{work}a.ics"]


@pytest.mark.parametrize("method", ["FOO", "TRACE", "LOCK", "UNLOCK", "PATCH", "X" * 8000])
async def test_unknown_methods(dav: DavClient, work: str, method: str) -> None:
    """A method that is not built is refused cleanly, and says what there is."""
    answer = await dav.request(method, work, timeout="Infinite", x_http_method_override="DELETE")

    assert answer.status in (400, 405, 501)
    assert (await dav.request("GET", f"{work}a.ics")).status == 200


@pytest.mark.parametrize("path", ["{home}inbox/", "{home}", "{principal}", "/dav/", "{work}"])
async def test_post_where_none_is_taken(dav: DavClient, work: str, path: str) -> None:
    """POST is 405 where nothing takes one."""
    path = path.format(home=dav.home, principal=dav.principal, work=work)
    assert (await dav.request("POST", path, "x", content_type="text/calendar")).status == 405


@pytest.mark.parametrize(
    "path",
    [
        "%00",
        "%ff%fe",
        "%zz",
        "%2e%2e/",
        "%2f",
        "%5c",
        "..;/",
        "a//b",
        "%252e",
        ". ",
        "\uff0e\uff0e/",
    ],
)
async def test_odd_paths(dav: DavClient, path: str) -> None:
    """A path that could mean two things is 400 or 404, told as WebDAV, never another resource."""
    plain = quote(path, safe="%/;. ").replace(" ", "%20")
    answer = await dav.propfind(dav.home + plain, "D:displayname")

    assert answer.status in (400, 404)
    assert answer.tree is not None
    assert answer.tree.tag == "{DAV:}error"


async def test_redirects_stay_here(dav: DavClient) -> None:
    """The well-known address leads to a fixed path, whatever is added to it."""
    for more in ("?//evil.example", "/", "//evil.example", "%0d%0aX:y"):
        answer = await dav.request("GET", f"/.well-known/caldav{more}", authorization=None)
        assert answer.status in (301, 400, 404)
        assert answer.headers.get("Location", "/dav/") == "/dav/"


async def test_many_dead_properties(dav: DavClient, work: str) -> None:
    """Dead properties have a limit in number and size; past it nothing is stored."""

    def body(first: int, count: int, value: str = "") -> str:
        inner = "".join(
            f"<x:p{n} xmlns:x='urn:x'>{value}</x:p{n}>" for n in range(first, first + count)
        )
        return f"<D:set><D:prop>{inner}</D:prop></D:set>"

    assert (await dav.proppatch(work, body(0, 150))).text.count("<X:p") == 150
    over = await dav.proppatch(work, body(200, 60))
    huge = await dav.proppatch(work, body(300, 1, "x" * 70_000))

    assert len(over.props(status=507)) == 60
    assert len(huge.props(status=507)) == 1
    assert sum("urn:x" in name for name in (await dav.propfind(work)).props()) == 150


async def test_quota_of_calendars(dav: DavClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner has a bounded number of calendars."""
    monkeypatch.setattr("gateway.dav.methods.mkcalendar.MAX_CALENDARS", 2)
    for name in "ab":
        await dav.mkcalendar(name)
    answer = await dav.request("MKCALENDAR", f"{dav.home}c/")

    assert (answer.status, answer.condition()) == (507, "D:quota-not-exceeded")
