"""calendar-query and calendar-multiget over HTTP (RFC 4791 sections 7.8 and 7.9)."""

import asyncio

import pytest
import pytest_asyncio

from tests.builders import an_event
from tests.dav_desk import Answer, DavClient, dav_client
from tests.owner_desk import OwnerDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEEK = '<C:time-range start="20261130T000000Z" end="20261207T000000Z"/>'


@pytest_asyncio.fixture(loop_scope="session")
async def work(dav: DavClient) -> str:
    """Make a calendar with a few objects; give its path."""
    path = await dav.mkcalendar("work", COMPONENTS)
    for name, data in OBJECTS.items():
        answer = await dav.put(path + name, data)
        assert answer.status == 201, answer.text
    return path


COMPONENTS = (
    "<C:supported-calendar-component-set>"
    '<C:comp name="VEVENT"/><C:comp name="VTODO"/></C:supported-calendar-component-set>'
    "<C:calendar-timezone-id>Europe/Amsterdam</C:calendar-timezone-id>"
)
OBJECTS = {
    "early.ics": an_event("early", start="20200101T090000Z", end="20200101T100000Z"),
    "weekly.ics": an_event(
        "weekly", start="20200106T090000Z", end="20200106T100000Z", rrule="FREQ=WEEKLY"
    ),
    "day.ics": an_event("day", start=";VALUE=DATE:20261207", summary="Day & <night>"),
    "task.ics": an_event("task", start="20261201T090000Z").replace(b"VEVENT", b"VTODO"),
}


async def query(dav: DavClient, path: str, inner: str = "", **more: str) -> Answer:
    """Ask for tags and data of the events that meet a condition."""
    asked = {
        "data": "<C:calendar-data/>",
        "after": "",
        "kind": "VEVENT",
        "filter": '<C:comp-filter name="VCALENDAR"><C:comp-filter name="{kind}">{inner}'
        "</C:comp-filter></C:comp-filter>",
    }
    headers = {name: value for name, value in more.items() if name not in asked}
    asked |= more
    condition = asked["filter"].replace("{kind}", asked["kind"]).replace("{inner}", inner)
    body = (
        f"<C:calendar-query {{DECLARED}}><D:prop><D:getetag/>{asked['data']}</D:prop>"
        f"<C:filter>{condition}</C:filter>{asked['after']}</C:calendar-query>"
    )
    return await dav.report(path, body, **headers)


def names(answer: Answer) -> set[str]:
    """Return the last part of each href."""
    return {href.rpartition("/")[2] for href in answer.hrefs()}


# --- calendar-query


async def test_a_week_is_found_without_depth(dav: DavClient, work: str) -> None:
    """Clients send no Depth and mean 1; data comes back as it was put, with its tag."""
    found = await query(dav, work, WEEK)

    assert found.status == 207
    assert names(found) == {"weekly.ics", "day.ics"}
    got = await dav.request("GET", f"{work}weekly.ics")
    assert found.prop("C:calendar-data", f"{work}weekly.ics") == got.text
    assert found.prop("D:getetag", f"{work}weekly.ics") == got.headers["ETag"]
    assert "Day & <night>" in found.prop("C:calendar-data", f"{work}day.ics")


async def test_days_are_told_in_the_zone_that_is_given(dav: DavClient, work: str) -> None:
    """Monday the seventh reaches into Sunday in Amsterdam (the calendar's), not in New York."""
    after = "<C:timezone-id>America/New_York</C:timezone-id>"

    assert "day.ics" in names(await query(dav, work, WEEK))
    assert "day.ics" not in names(await query(dav, work, WEEK, after=after))


@pytest.mark.parametrize(
    ("depth", "found"), [("0", 0), ("1", 2), ("infinity", 2)], ids=["0", "1", "infinity"]
)
async def test_depth_is_kept(dav: DavClient, work: str, depth: str, found: int) -> None:
    """At 0 only the calendar itself is asked, and that is no event."""
    assert len(names(await query(dav, work, WEEK, depth=depth))) == found


async def test_a_home_set_is_asked_as_a_whole(dav: DavClient, work: str) -> None:
    """Its members are calendars, so only infinity reaches events."""
    other = await dav.mkcalendar("other")
    await dav.put(f"{other}x.ics", an_event("x", start="20261201T100000Z"))

    assert (await query(dav, dav.home, WEEK, depth="1")).hrefs() == []
    found = await query(dav, dav.home, WEEK, depth="infinity")
    assert set(found.hrefs()) == {f"{other}x.ics", f"{work}weekly.ics", f"{work}day.ics"}


async def test_an_object_is_asked_by_itself(dav: DavClient, work: str) -> None:
    """The report works on an object too, for that object alone."""
    assert names(await query(dav, f"{work}weekly.ics", WEEK)) == {"weekly.ics"}
    assert names(await query(dav, f"{work}early.ics", WEEK)) == set()


async def test_the_component_alone_can_be_asked(dav: DavClient, work: str) -> None:
    """What clients list first: all events, or all to-dos."""
    assert names(await query(dav, work)) == {"early.ics", "weekly.ics", "day.ics"}
    assert names(await query(dav, work, kind="VTODO")) == {"task.ics"}
    bare = '<C:comp-filter name="VCALENDAR"/>'
    assert names(await query(dav, work, filter=bare)) == set(OBJECTS)


async def test_instances_are_told(dav: DavClient, work: str) -> None:
    """Expanded, a weekly event is one VEVENT of the week in UTC."""
    window = WEEK.replace("time-range", "expand")
    found = await query(dav, work, WEEK, data=f"<C:calendar-data>{window}</C:calendar-data>")
    text = found.prop("C:calendar-data", f"{work}weekly.ics")

    assert text.count("BEGIN:VEVENT") == 1
    assert "DTSTART:20261130T090000Z" in text
    assert "RRULE" not in text


async def test_parts_are_told(dav: DavClient, work: str) -> None:
    """Partial retrieval names what it wants (section 9.6.1)."""
    comp = (
        '<C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="SUMMARY"/></C:comp></C:comp>'
    )
    found = await query(dav, work, WEEK, data=f"<C:calendar-data>{comp}</C:calendar-data>")

    assert found.prop("C:calendar-data", f"{work}day.ics") == (
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Day & <night>\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


async def test_a_limit_is_told_where_it_cuts(dav: DavClient, work: str) -> None:
    """More than `nresults`: the answer says 507 for the calendar beside what fits."""
    limit = "<C:limit><C:nresults>{}</C:nresults></C:limit>"
    cut = await query(dav, work, WEEK, after=limit.format(1))
    whole = await query(dav, work, WEEK, after=limit.format(2))

    assert cut.statuses() == {work: 507}
    assert len(cut.hrefs()) == 2
    assert whole.statuses() == {}


async def test_minimal_answers_leave_out_what_is_missing(dav: DavClient, work: str) -> None:
    """Prefer: return=minimal drops the 404 propstat (RFC 8144 section 2.1)."""
    usual = await query(dav, work, WEEK, data="<D:nothing/>")
    minimal = await query(dav, work, WEEK, data="<D:nothing/>", prefer="return=minimal")

    assert "D:nothing" in usual.props(f"{work}day.ics", 404)
    assert minimal.props(f"{work}day.ics", 404) == {}


BAD = {
    "end before start": ('<C:time-range start="20261207T000000Z" end="20261201T000000Z"/>', "f"),
    "empty range": ('<C:time-range start="20261207T000000Z" end="20261207T000000Z"/>', "f"),
    "no edge": ("<C:time-range/>", "f"),
    "floating": ('<C:time-range start="20261201T000000"/>', "f"),
    "no date": ('<C:time-range start="20261301T000000Z"/>', "f"),
    "year 0000": ('<C:time-range start="00000101T000000Z"/>', "f"),
    "year 99999": ('<C:time-range start="999990101T000000Z"/>', "f"),
    "too early": ('<C:time-range start="00010101T000000Z"/>', "min-date-time"),
    "too late": (
        '<C:time-range start="20261201T000000Z" end="99991231T235959Z"/>',
        "max-date-time",
    ),
    "two ranges": (WEEK * 2, "f"),
    "event in a to-do": ('<C:comp-filter name="VTODO"/>', "f"),
    "range on text": (f'<C:prop-filter name="SUMMARY">{WEEK}</C:prop-filter>', "f"),
    "text and range": (
        f'<C:prop-filter name="CREATED">{WEEK}<C:text-match>x</C:text-match></C:prop-filter>',
        "f",
    ),
    "defined and not": (f"<C:is-not-defined/>{WEEK}", "f"),
    "no name": ("<C:prop-filter/>", "f"),
    "odd negation": (
        '<C:prop-filter name="A"><C:text-match negate-condition="1"/></C:prop-filter>',
        "f",
    ),
    "collation": (
        '<C:prop-filter name="A"><C:text-match collation="i;x">x</C:text-match></C:prop-filter>',
        "supported-collation",
    ),
    "unknown element": ("<C:near/>", "supported-filter"),
    "anyof": ('<C:prop-filter name="A" test="anyof"/>', "supported-filter"),
    "endless needle": (
        f'<C:prop-filter name="A"><C:text-match>{"x" * 20_000}</C:text-match></C:prop-filter>',
        "supported-filter",
    ),
    "endless filter": ('<C:prop-filter name="A"/>' * 500, "supported-filter"),
}


@pytest.mark.parametrize(("inner", "condition"), BAD.values(), ids=BAD.keys())
async def test_a_bad_filter_names_its_rule(
    dav: DavClient, work: str, inner: str, condition: str
) -> None:
    """Each wrong filter is 403 with the precondition of section 7.8, never a 500."""
    answer = await query(dav, work, inner)

    wanted = "valid-filter" if condition == "f" else condition
    assert (answer.status, answer.condition()) == (403, f"C:{wanted}")


async def test_other_formats_are_refused(dav: DavClient, work: str) -> None:
    """Only what supported-calendar-data lists is told."""
    data = '<C:calendar-data content-type="application/json" version="1.0"/>'
    answer = await query(dav, work, WEEK, data=data)

    assert (answer.status, answer.condition()) == (403, "C:supported-calendar-data")


@pytest.mark.parametrize(
    ("after", "condition"),
    [
        ("<C:timezone-id>Mars/Olympus</C:timezone-id>", "C:valid-timezone"),
        ("<C:timezone-id>../../etc/passwd</C:timezone-id>", "C:valid-timezone"),
        ("<C:timezone>nonsense</C:timezone>", "C:valid-calendar-data"),
        ("<C:timezone>BEGIN:VCALENDAR&#10;END:VCALENDAR</C:timezone>", "C:valid-calendar-data"),
    ],
)
async def test_a_bad_zone_is_refused(dav: DavClient, work: str, after: str, condition: str) -> None:
    """CALDAV:timezone and timezone-id must name a zone (RFC 4791 section 7.8, RFC 7809)."""
    answer = await query(dav, work, WEEK, after=after)

    assert (answer.status, answer.condition()) == (403, condition)


async def test_expanding_a_century_is_refused(dav: DavClient, work: str) -> None:
    """Row 31: a bounded refusal, not a megabyte of instances."""
    await dav.put(
        f"{work}hourly.ics",
        an_event("hourly", start="20000101T000000Z", rrule="FREQ=HOURLY;INTERVAL=1"),
    )
    window = '<C:expand start="20000101T000000Z" end="21000101T000000Z"/>'
    answer = await query(dav, work, data=f"<C:calendar-data>{window}</C:calendar-data>")

    assert (answer.status, answer.condition()) == (403, "D:number-of-matches-within-limits")


@pytest.mark.parametrize(
    "path", ["", "principals/", "calendars/{}/outbox/", "calendars/{}/merged/"]
)
async def test_a_report_is_answered_where_it_is_advertised(dav: DavClient, path: str) -> None:
    """Anywhere else it is 403 supported-report."""
    answer = await query(dav, f"/dav/{path.format(dav.owner.email)}", WEEK)

    assert (answer.status, answer.condition()) == (403, "D:supported-report")


# --- calendar-multiget


async def multiget(dav: DavClient, path: str, *hrefs: str, data: str = "<C:calendar-data/>"):
    """Ask for objects by their hrefs."""
    listed = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
    return await dav.report(
        path,
        f"<C:calendar-multiget {{DECLARED}}><D:prop><D:getetag/>{data}</D:prop>{listed}"
        "</C:calendar-multiget>",
    )


async def test_named_objects_are_told_once_each(dav: DavClient, work: str) -> None:
    """Found, not found and asked twice: one response for each href, in order."""
    odd = await dav.put(f"{work}a%20b%2541.ics", an_event("odd"))
    hrefs = [
        f"{work}weekly.ics",
        f"{work}gone.ics",
        f"{work}weekly.ics",
        f"{work}a%20b%2541.ics",
        f"{dav.url}{work}day.ics",
    ]
    answer = await multiget(dav, work, *hrefs)

    assert odd.status == 201
    assert answer.hrefs() == [hrefs[0], hrefs[1], hrefs[3], hrefs[4]]
    assert answer.statuses() == {hrefs[1]: 404}
    assert "UID:odd" in answer.prop("C:calendar-data", hrefs[3])
    assert "UID:day" in answer.prop("C:calendar-data", hrefs[4])


async def test_what_is_not_below_the_path_is_404(
    dav: DavClient, desk: OwnerDesk, work: str
) -> None:
    """Row 29: foreign, climbing, empty and far-away hrefs are all alike."""
    bob = await desk.owner("bob@example.org", name="Bob")
    async with dav_client(desk, bob) as other:
        theirs = await other.mkcalendar("work")
        await other.put(f"{theirs}secret.ics", an_event("secret"))
    elsewhere = await dav.mkcalendar("elsewhere")
    await dav.put(f"{elsewhere}mine.ics", an_event("mine"))
    hrefs = [
        f"{theirs}secret.ics",
        f"{elsewhere}mine.ics",
        f"http://example.net{work}weekly.ics",
        f"{work}../work/weekly.ics",
        f"{work}%2e%2e/work/weekly.ics",
        "",
        work,
        "mailto:jane@example.org",
        f"{work}weekly.ics?x=1",
        f"{work}%ff.ics",
    ]
    answer = await multiget(dav, work, *hrefs)

    assert answer.status == 207
    assert set(answer.statuses().values()) == {404}
    assert len(answer.statuses()) == len(hrefs)
    assert "secret" not in answer.text.replace("secret.ics", "")


async def test_hrefs_are_capped(dav: DavClient, work: str) -> None:
    """Row 29: 42,000 hrefs are refused; the same one 42,000 times is one."""
    many = await multiget(dav, work, *(f"/x/{n}" for n in range(42_000)))
    same = await multiget(dav, work, *[f"{work}day.ics"] * 15_000)

    assert (many.status, many.condition()) == (403, "D:number-of-matches-within-limits")
    assert same.hrefs() == [f"{work}day.ics"]


async def test_a_home_set_serves_all_its_calendars(dav: DavClient, work: str) -> None:
    """On the home set objects of several calendars can be named."""
    other = await dav.mkcalendar("other")
    await dav.put(f"{other}x.ics", an_event("x"))
    answer = await multiget(dav, dav.home, f"{other}x.ics", f"{work}day.ics")

    assert answer.statuses() == {}
    assert answer.hrefs() == [f"{other}x.ics", f"{work}day.ics"]


async def test_a_big_multiget_leaves_the_loop_free(dav: DavClient, work: str) -> None:
    """While a thousand answers are made another request is served."""
    hrefs = [f"{work}{n}.ics" for n in range(1_000)]
    big, small = await asyncio.gather(
        multiget(dav, work, *hrefs), dav.request("GET", f"{work}day.ics")
    )

    assert len(big.statuses()) == 1_000
    assert small.status == 200
