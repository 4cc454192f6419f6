"""sync-collection over HTTP (RFC 6578)."""

import pytest
import pytest_asyncio

from tests.builders import an_event
from tests.dav_desk import NAMESPACES, Answer, DavClient, dav_client
from tests.owner_desk import OwnerDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def work(dav: DavClient) -> str:
    """Make a calendar with three objects; give its path."""
    path = await dav.mkcalendar("work")
    for name in "abc":
        await dav.put(f"{path}{name}.ics", an_event(name))
    return path


async def sync(dav: DavClient, path: str, token: str = "", **more: str) -> Answer:
    """Ask for what has changed since a token."""
    props = more.pop("props", "<D:getetag/>")
    level = more.pop("level", "<D:sync-level>1</D:sync-level>")
    limit = more.pop("limit", "")
    if limit:
        limit = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>"
    body = (
        f"<D:sync-collection {{DECLARED}}><D:sync-token>{token}</D:sync-token>{level}{limit}"
        f"<D:prop>{props}</D:prop></D:sync-collection>"
    )
    return await dav.report(path, body, **more)


def token_of(answer: Answer) -> str:
    """Return the token to come back with."""
    assert answer.status == 207, answer.text
    return answer.tree.findtext("D:sync-token", namespaces=NAMESPACES)


def names(answer: Answer) -> list[str]:
    """Return the last part of each href, in order."""
    return [href.rpartition("/")[2] for href in answer.hrefs()]


async def test_the_first_time_everything_is_told(dav: DavClient, work: str) -> None:
    """An empty token: every object with its tag, and the token the properties tell too."""
    first = await sync(dav, work)
    tag = (await dav.request("GET", f"{work}b.ics")).headers["ETag"]

    assert names(first) == ["a.ics", "b.ics", "c.ics"]
    assert first.prop("D:getetag", f"{work}b.ics") == tag
    assert token_of(first) == (await dav.propfind(work, "D:sync-token")).prop("D:sync-token")


async def test_only_changes_are_told_from_then_on(dav: DavClient, work: str) -> None:
    """Changed, new and removed objects, each once; then nothing."""
    token = token_of(await sync(dav, work))
    await dav.put(f"{work}a.ics", an_event("a", summary="changed"))
    await dav.put(f"{work}d.ics", an_event("d"))
    await dav.request("DELETE", f"{work}b.ics")
    changed = await sync(dav, work, token)
    quiet = await sync(dav, work, token_of(changed))

    assert names(changed) == ["a.ics", "d.ics", "b.ics"]
    assert changed.statuses() == {f"{work}b.ics": 404}
    assert names(quiet) == []
    assert token_of(quiet) == token_of(changed)


async def test_what_was_never_told_is_not_told_as_gone(dav: DavClient, work: str) -> None:
    """A first synchronisation knows no removed objects (section 3.4)."""
    await dav.request("DELETE", f"{work}b.ics")

    assert (await sync(dav, work)).statuses() == {}


@pytest.mark.parametrize("props", ["<D:getetag/>", "<D:getetag/><C:calendar-data/>"])
async def test_a_limit_loses_nothing(dav: DavClient, work: str, props: str) -> None:
    """Section 3.6: 507 for the calendar and a token from which the rest is told."""
    token, told = "", []
    for _ in range(3):
        part = await sync(dav, work, token, limit="1", props=props)
        token = token_of(part)
        told.append((names(part)[0], part.statuses()))

    cut = {work: 507}
    assert told == [("a.ics", cut), ("b.ics", cut), ("c.ics", {})]
    assert names(await sync(dav, work, token)) == []


async def test_a_change_between_two_parts_is_not_lost(dav: DavClient, work: str) -> None:
    """What changes or goes while a client reads part by part is told later."""
    part = await sync(dav, work, limit="1")
    await dav.put(f"{work}a.ics", an_event("a", summary="again"))
    await dav.request("DELETE", f"{work}b.ics")
    rest = await sync(dav, work, token_of(part))

    assert names(rest) == ["c.ics", "a.ics", "b.ics"]
    assert rest.statuses() == {f"{work}b.ics": 404}


async def test_many_changes_are_told_whole(
    dav: DavClient, desk: OwnerDesk, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is read part by part: at the seams nothing is lost, told twice or told as gone."""
    monkeypatch.setattr("gateway.dav.reports.sync_collection.BATCH", 3)
    for name in "defghi":
        await dav.put(f"{work}{name}.ics", an_event(name))
    await dav.request("DELETE", f"{work}e.ics")
    first = await sync(dav, work)
    for name in "abcd":
        await dav.request("DELETE", f"{work}{name}.ics")
    cut = await sync(dav, work, token_of(first), limit="3")
    rest = await sync(dav, work, token_of(cut))

    assert names(first) == [f"{name}.ics" for name in "abcdfghi"]
    assert first.statuses() == {}
    assert list(cut.statuses().values()) == [404, 404, 404, 507]
    assert rest.statuses() == {f"{work}d.ics": 404}


@pytest.mark.parametrize("level", ["1", "infinite", ""])
async def test_levels_are_alike(dav: DavClient, work: str, level: str) -> None:
    """A calendar has no collections in it; an older client sends no level, any Depth."""
    asked = f"<D:sync-level>{level}</D:sync-level>" if level else ""

    assert len(names(await sync(dav, work, level=asked, depth="0" if level else "1"))) == 3


async def test_other_properties_can_be_asked(dav: DavClient, work: str) -> None:
    """Data and types come with the changes where they are wanted."""
    props = "<D:getetag/><D:getcontenttype/><C:calendar-data/>"
    found = await sync(dav, work, props=props)

    assert "UID:a" in found.prop("C:calendar-data", f"{work}a.ics")
    assert "vevent" in found.prop("D:getcontenttype", f"{work}a.ics")


async def test_a_token_of_elsewhere_is_refused(dav: DavClient, desk: OwnerDesk, work: str) -> None:
    """Row 34: foreign, forged, future and endless tokens are 403 valid-sync-token."""
    other = await dav.mkcalendar("other")
    bob = await desk.owner("bob@example.org", name="Bob")
    async with dav_client(desk, bob) as stranger:
        theirs = token_of(await sync(stranger, await stranger.mkcalendar("work")))
    mine = token_of(await sync(dav, work))
    tokens = [
        token_of(await sync(dav, other)),
        theirs,
        mine + "0",
        mine.rpartition(":")[0] + ":-1",
        "http://example.org/sync/1",
        "x" * 10_240,
    ]
    answers = [await sync(dav, work, token) for token in tokens]

    assert {answer.status for answer in answers} == {403}
    assert {answer.condition() for answer in answers} == {"D:valid-sync-token"}


@pytest.mark.parametrize(
    ("limit", "status"), [("0", 403), ("-1", 400), ("1e9", 400), ("x", 400), ("999999999", 207)]
)
async def test_odd_limits(dav: DavClient, work: str, limit: str, status: int) -> None:
    """Row 34: no result at all cannot be told, a huge limit is none."""
    assert (await sync(dav, work, limit=limit)).status == status


async def test_only_calendars_are_synchronised(dav: DavClient, work: str) -> None:
    """Elsewhere the report is 403 supported-report, and the body must be whole."""
    elsewhere = await sync(dav, dav.home)
    torn = await dav.report(work, "<D:sync-collection {DECLARED}/>")

    assert (elsewhere.status, elsewhere.condition()) == (403, "D:supported-report")
    assert torn.status == 400
