"""Calendar object resources over HTTP (RFC 4791 section 5.3.2, RFC 4918 section 9)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.model.collection import Provider
from tests.builders import a_collection, an_event, an_object
from tests.dav_desk import DavClient
from tests.owner_desk import OwnerDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def work(dav: DavClient) -> str:
    """Make a calendar; give its path."""
    return await dav.mkcalendar("work")


async def test_bytes_come_back(dav: DavClient, work: str) -> None:
    """What was PUT is what GET gives, byte for byte, with the tag that PUT told."""
    data = an_event(summary="Caf\u00e9 \\, a\n b".replace("\n", "\r\n"), x_odd="1")
    put = await dav.put(f"{work}a.ics", data, if_none_match="*")
    got = await dav.request("GET", f"{work}a.ics")

    assert (put.status, got.status) == (201, 200)
    assert got.data == data
    assert got.headers["ETag"] == put.headers["ETag"]
    assert got.headers["Content-Type"] == "text/calendar; charset=utf-8; component=vevent"


async def test_known_date_is_304(dav: DavClient, work: str) -> None:
    """Where no tag is sent, If-Modified-Since decides; nonsense in it is passed over."""
    await dav.put(f"{work}a.ics", an_event())
    date = (await dav.request("GET", f"{work}a.ics")).headers["Last-Modified"]
    dates = (date, "Tue, 01 Jan 2019 00:00:00 GMT", "yesterday", "Sat, 99 Foo 0000 99:00:00 GMT")
    answers = [await dav.request("GET", f"{work}a.ics", if_modified_since=one) for one in dates]
    tagged = await dav.request("GET", f"{work}a.ics", if_modified_since=date, if_none_match='"x"')

    assert [one.status for one in answers] == [304, 200, 200, 200]
    assert tagged.status == 200


async def test_head_has_no_body(dav: DavClient, work: str) -> None:
    """HEAD tells of an object what GET would, without it."""
    await dav.put(f"{work}a.ics", an_event())
    got = await dav.request("HEAD", f"{work}a.ics")

    assert (got.status, got.data) == (200, b"")
    assert int(got.headers["Content-Length"]) == len(an_event())


async def test_known_tag_is_304(dav: DavClient, work: str) -> None:
    """GET with the tag one has answers 304, strong or weak."""
    tag = (await dav.put(f"{work}a.ics", an_event())).headers["ETag"]
    tags = (tag, f"W/{tag}", f'"x", {tag}', "*")
    known = [await dav.request("GET", f"{work}a.ics", if_none_match=one) for one in tags]
    other = await dav.request("GET", f"{work}a.ics", if_none_match='"x"')

    assert [one.status for one in known] == [304] * 4
    assert (known[0].data, known[0].headers["ETag"]) == (b"", tag)
    assert other.status == 200


@pytest.mark.parametrize(
    "condition",
    [
        {"if_none_match": "*"},
        {"if_match": '"other"'},
        {"if_match": ", ".join(f'"{number}"' for number in range(600))},
        {"if_match": "W/{tag}"},
        {"if_match": "{tag}", "if_none_match": "*"},
        {"if_none_match": "{tag}"},
    ],
)
async def test_failed_condition_changes_nothing(
    dav: DavClient, work: str, condition: dict[str, str]
) -> None:
    """A PUT whose condition does not hold is 412 and leaves the object as it was."""
    tag = (await dav.put(f"{work}a.ics", an_event())).headers["ETag"]
    headers = {name: value.replace("{tag}", tag) for name, value in condition.items()}
    answer = await dav.put(f"{work}a.ics", an_event(summary="New"), **headers)

    assert answer.status == 412
    assert (await dav.request("GET", f"{work}a.ics")).data == an_event()


async def test_if_match_of_nothing(dav: DavClient, work: str) -> None:
    """If-Match on what is not there fails, for PUT and DELETE."""
    put = await dav.put(f"{work}a.ics", an_event(), if_match="*")
    delete = await dav.request("DELETE", f"{work}a.ics", if_match='"x"')

    assert (put.status, delete.status) == (412, 412)


async def test_one_of_two_writers_wins(dav: DavClient, work: str) -> None:
    """Of two PUTs with the same right If-Match one is stored, the other is told 412."""
    tag = (await dav.put(f"{work}a.ics", an_event())).headers["ETag"]
    for number in range(10):
        bodies = [an_event(summary=f"{number}-{one}") for one in "ab"]
        answers = await asyncio.gather(
            *(dav.put(f"{work}a.ics", body, if_match=tag) for body in bodies)
        )
        assert sorted(one.status for one in answers) == [204, 412]
        winner = next(one for one in range(2) if answers[one].status == 204)
        tag = answers[winner].headers["ETag"]
        assert (await dav.request("GET", f"{work}a.ics")).data == bodies[winner]


async def test_chunked(dav: DavClient, work: str) -> None:
    """A body without a length arrives whole."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 7):
            yield data[start : start + 7]

    data = an_event()
    headers = {"content_type": "text/calendar"}
    answer = await dav.request("PUT", f"{work}a.ics", chunks(), **headers)

    assert answer.status == 201
    assert (await dav.request("GET", f"{work}a.ics")).data == data


async def test_too_large(dav: DavClient, work: str) -> None:
    """Past 1 MiB a resource is refused with its condition, told or untold."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    told = await dav.put(f"{work}a.ics", b"x" * (1024 * 1024 + 1))
    untold = await dav.request("PUT", f"{work}a.ics", chunks(), content_type="text/calendar")

    assert [one.status for one in (told, untold)] == [403, 403]
    assert [one.condition() for one in (told, untold)] == ["C:max-resource-size"] * 2


async def test_the_limit_is_the_last_size_that_is_taken(dav: DavClient, work: str) -> None:
    """A resource of exactly 1 MiB is stored, one octet more is refused and changes nothing."""
    event = an_event(summary="x").replace(b"SUMMARY:x", b"SUMMARY:" + b"x" * 1024 * 1024)
    excess = len(event) - 1024 * 1024
    event = event.replace(b"x" * excess, b"", 1)
    larger = event.replace(b"SUMMARY:", b"SUMMARY:y")
    taken = await dav.put(f"{work}a.ics", event)
    refused = await dav.put(f"{work}a.ics", larger)

    assert (len(event), len(larger)) == (1024 * 1024, 1024 * 1024 + 1)
    assert taken.status == 201
    assert (refused.status, refused.condition()) == (403, "C:max-resource-size")
    assert (await dav.request("GET", f"{work}a.ics")).data == event


REFUSED = {
    "text": (b"not a calendar", "C:valid-calendar-data"),
    "empty": (b"", "C:valid-calendar-data"),
    "bad utf-8": (
        an_event(summary="x").replace(b"SUMMARY:x", b"SUMMARY:\xff"),
        "C:valid-calendar-data",
    ),
    "method": (
        an_event().replace(b"VERSION:2.0", b"VERSION:2.0\r\nMETHOD:REQUEST"),
        "C:valid-calendar-object-resource",
    ),
    "no uid": (
        an_event().replace(b"UID:event@example.org\r\n", b""),
        "C:valid-calendar-object-resource",
    ),
    "version": (an_event().replace(b"VERSION:2.0", b"VERSION:1.0"), "C:supported-calendar-data"),
    "early": (an_event(start="18000101T000000Z"), "C:min-date-time"),
    "late": (an_event(start="25000101T000000Z"), "C:max-date-time"),
    "every minute": (an_event(rrule="FREQ=MINUTELY"), "C:max-instances"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_data_names_its_rule(dav: DavClient, work: str, name: str) -> None:
    """Data that breaks a rule of RFC 4791 is 403 with the rule's element, and is not stored."""
    data, condition = REFUSED[name]
    answer = await dav.put(f"{work}a.ics", data)

    assert (answer.status, answer.condition()) == (403, condition)
    assert (await dav.request("GET", f"{work}a.ics")).status == 404


@pytest.mark.parametrize("media", ["text/plain", "application/json", "text/calendar; charset=nope"])
async def test_other_media_types(dav: DavClient, work: str, media: str) -> None:
    """Only iCalendar in a known charset is taken."""
    answer = await dav.put(f"{work}a.ics", an_event(), content_type=media)

    assert (answer.status, answer.condition()) == (403, "C:supported-calendar-data")


async def test_latin_1(dav: DavClient, work: str) -> None:
    """Latin-1 is stored as UTF-8; no tag is told, since other bytes were kept."""
    data = an_event(summary="Caf\u00e9")
    latin = data.decode().encode("iso-8859-1")
    put = await dav.put(f"{work}a.ics", latin, content_type="text/calendar; charset=iso-8859-1")

    assert (put.status, put.headers.get("ETag")) == (201, None)
    assert (await dav.request("GET", f"{work}a.ics")).data == data


async def test_component_set(dav: DavClient) -> None:
    """A calendar for tasks takes no event."""
    tag = "C:supported-calendar-component-set"
    tasks = await dav.mkcalendar("tasks", f'<{tag}><C:comp name="VTODO"/></{tag}>')
    answer = await dav.put(f"{tasks}a.ics", an_event())

    assert (answer.status, answer.condition()) == (403, "C:supported-calendar-component")


async def test_uid_conflict_names_the_other(dav: DavClient, work: str) -> None:
    """A UID that another object has is refused, and the answer says which."""
    await dav.put(f"{work}a b.ics".replace(" ", "%20"), an_event())
    answer = await dav.put(f"{work}c.ics", an_event())
    assert answer.tree is not None

    assert (answer.status, answer.condition()) == (403, "C:no-uid-conflict")
    assert answer.tree.xpath("string(//*[local-name()='href'])") == f"{work}a%20b.ics"


async def test_provider_calendar_is_read_only(dav: DavClient, desk: OwnerDesk) -> None:
    """Objects of a provider's calendar are read, not written."""
    async with desk.services.store.write() as tx:
        found = await tx.collections.add(
            a_collection(dav.owner.id, name="feed", provider=Provider.ICS)
        )
        await tx.objects.put(an_object(found.id, "a.ics", data=an_event()))
    path = f"{dav.home}feed/"
    await dav.mkcalendar("work")
    answers = [
        await dav.put(f"{path}b.ics", an_event("b")),
        await dav.request("DELETE", f"{path}a.ics"),
        await dav.request("DELETE", path),
        await dav.request("MOVE", f"{path}a.ics", destination=f"{dav.home}work/a.ics"),
    ]

    assert {(one.status, one.condition()) for one in answers} == {(403, "D:need-privileges")}
    assert (await dav.request("GET", f"{path}a.ics")).data == an_event()
    privileges = (await dav.propfind(path, "D:current-user-privilege-set")).text
    assert "write-content" not in privileges
    assert "<D:bind/>" not in privileges


async def test_delete(dav: DavClient, work: str) -> None:
    """What was deleted is gone, and gone again is 404."""
    await dav.put(f"{work}a.ics", an_event())
    answers = [await dav.request("DELETE", f"{work}a.ics") for _ in range(2)]

    assert [one.status for one in answers] == [204, 404]


async def test_a_calendar_as_one_stream(dav: DavClient, work: str) -> None:
    """GET on a calendar gives all of it as one calendar, tagged."""
    await dav.put(f"{work}a.ics", an_event("a"))
    await dav.put(f"{work}b.ics", an_event("b"))
    got = await dav.request("GET", work)
    again = await dav.request("GET", work, if_none_match=got.headers["ETag"])

    assert got.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert (got.data.count(b"BEGIN:VCALENDAR"), got.data.count(b"BEGIN:VEVENT")) == (1, 2)
    assert again.status == 304


async def test_no_listing_for_people(dav: DavClient) -> None:
    """Collections that are no calendars show a sentence, never a listing."""
    for path in ("/dav/", dav.principal, dav.home, f"{dav.home}inbox/"):
        got = await dav.request("GET", path)
        assert (got.status, got.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        assert "href" not in got.text


async def test_move_and_copy(dav: DavClient, work: str) -> None:
    """MOVE renames and changes the calendar, COPY leaves the original; bytes and UID stay."""
    other = await dav.mkcalendar("other")
    await dav.put(f"{work}a.ics", an_event())
    renamed = await dav.request("MOVE", f"{work}a.ics", destination=f"{dav.url}{work}b.ics")
    copied = await dav.request("COPY", f"{work}b.ics", destination=f"{other}c.ics")
    again = await dav.request("COPY", f"{work}b.ics", destination=f"{other}c.ics")

    assert [one.status for one in (renamed, copied, again)] == [201, 201, 204]
    assert (await dav.request("GET", f"{work}a.ics")).status == 404
    assert (await dav.request("GET", f"{work}b.ics")).data == an_event()
    assert (await dav.request("GET", f"{other}c.ics")).data == an_event()


DESTINATIONS = {
    "none": (None, 400),
    "other host": ("http://elsewhere.example/dav/calendars/jane@example.org/work/b.ics", 502),
    "itself": ("{work}a.ics", 403),
    "dots": ("{work}../b.ics", 409),
    "encoded dots": ("{work}%2e%2e/b.ics", 409),
    "other owner": ("/dav/calendars/bob@example.org/work/b.ics", 409),
    "below itself": ("{work}a.ics/b.ics", 409),
    "home": ("/dav/calendars/jane@example.org/b.ics", 403),
    "outside": ("/settings/calendar", 409),
    "no calendar": ("/dav/calendars/jane@example.org/none/b.ics", 409),
    "copy of a uid": ("{work}b.ics", 403),
    "not empty": ("{work}taken.ics", 403),
}


@pytest.mark.parametrize("name", DESTINATIONS)
async def test_destinations(dav: DavClient, work: str, name: str) -> None:
    """A destination that is no place for a copy is refused, and nothing is copied."""
    await dav.put(f"{work}a.ics", an_event())
    await dav.put(f"{work}taken.ics", an_event("taken"))
    given, status = DESTINATIONS[name]
    destination = given.replace("{work}", work) if given else None
    answer = await dav.request("COPY", f"{work}a.ics", destination=destination)
    listed = await dav.propfind(work, "D:getetag", depth="1")

    assert answer.status == status
    assert set(listed.hrefs()) == {work, f"{work}a.ics", f"{work}taken.ics"}


async def test_overwrite_f(dav: DavClient, work: str) -> None:
    """`Overwrite: F` leaves what is there alone."""
    other = await dav.mkcalendar("other")
    await dav.put(f"{work}a.ics", an_event())
    await dav.put(f"{other}a.ics", an_event(summary="There"))
    answer = await dav.request("MOVE", f"{work}a.ics", destination=f"{other}a.ics", overwrite="F")

    assert answer.status == 412
    assert (await dav.request("GET", f"{other}a.ics")).data == an_event(summary="There")
    assert (await dav.request("GET", f"{work}a.ics")).status == 200


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
async def test_overwriting_keeps_the_uid(dav: DavClient, work: str, method: str) -> None:
    """An object is not overwritten by one with another UID, in whichever calendar it is."""
    other = await dav.mkcalendar("other")
    await dav.put(f"{work}a.ics", an_event("a"))
    await dav.put(f"{other}b.ics", an_event("b"))
    answer = await dav.request(method, f"{work}a.ics", destination=f"{other}b.ics")

    assert (answer.status, answer.condition()) == (403, "C:no-uid-conflict")
    assert (await dav.request("GET", f"{other}b.ics")).data == an_event("b")
    assert (await dav.request("GET", f"{work}a.ics")).data == an_event("a")


async def test_nothing_has_the_name_of_add_member(dav: DavClient, work: str) -> None:
    """The address that takes new members is no object: nothing is put, copied or moved there."""
    await dav.put(f"{work}a.ics", an_event())
    put = await dav.put(f"{work};add-member", an_event("b"))
    move = await dav.request("MOVE", f"{work}a.ics", destination=f"{work};add-member")

    assert (put.status, move.status) == (404, 403)
    assert (await dav.propfind(work, "D:getetag", depth="1")).hrefs() == [work, f"{work}a.ics"]


async def test_add_member(dav: DavClient, work: str) -> None:
    """POST to the advertised address stores an object under a new name (RFC 5995)."""
    address = (await dav.propfind(work, "D:add-member")).prop("D:add-member")
    answer = await dav.request("POST", address, an_event().decode(), content_type="text/calendar")
    got = await dav.request("GET", answer.headers["Location"])

    assert answer.status == 201
    assert (got.data, got.headers["ETag"]) == (an_event(), answer.headers["ETag"])


async def test_a_refused_put_tells_what_is_there(dav: DavClient, work: str) -> None:
    """With `return=representation` a 412 brings the object as it is now (RFC 8144 section 3.2)."""
    tag = (await dav.put(f"{work}a.ics", an_event())).headers["ETag"]
    headers = {"if_match": '"old"', "prefer": "return=representation"}
    there = await dav.put(f"{work}a.ics", an_event(x_a="1"), **headers)
    nothing = await dav.put(f"{work}b.ics", an_event("b"), **headers)

    assert (there.status, there.data, there.headers["ETag"]) == (412, an_event(), tag)
    assert there.headers["Content-Location"] == f"{work}a.ics"
    assert (nothing.status, nothing.headers["Content-Type"].partition(";")[0]) == (
        412,
        "application/xml",
    )


async def test_representation_comes_back(dav: DavClient, work: str) -> None:
    """With `return=representation` a PUT answers with what is stored (RFC 8144)."""
    made = await dav.put(f"{work}a.ics", an_event(), prefer="return=representation")
    changed = await dav.put(f"{work}a.ics", an_event(x_a="1"), prefer="return=representation")

    assert (made.status, made.data) == (201, an_event())
    assert (changed.status, changed.data) == (200, an_event(x_a="1"))
    assert changed.headers["Preference-Applied"] == "return=representation"
