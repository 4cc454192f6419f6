"""The rules of pages and settings through the API: S19, S20, S22, S23, S24, S38, foreign ids."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from gateway.model.collection import Collection, Provider, Role
from gateway.model.timerange import format_rfc3339
from tests.api_desk import Answer, ApiDesk
from tests.api_samples import BOOKING, NEW_PAGE, NOBODY, SAMPLES, ready
from tests.booking_desk import TEN, Desk
from tests.builders import a_collection, a_connection


async def unseat(api: ApiDesk) -> None:
    """Take Jane's seat."""
    async with api.services.store.write() as tx:
        owner = await tx.owners.get(api.desk.owner.id)
        assert owner
        await tx.owners.update(replace(owner, seat=False))


async def make(api: ApiDesk, title: str = "Next", **members: Any) -> dict[str, Any]:
    """Make a page."""
    answer = await api.call("POST", "/pages", {"title": title, **members})
    assert answer.status == 201, answer
    page: dict[str, Any] = answer.body
    return page


async def book(api: ApiDesk, page: str = "", **members: Any) -> Answer:
    """Book as a visitor."""
    path = f"/pages/{page or api.desk.page.id}/bookings"
    return await api.call("POST", path, {**BOOKING, **members}, token=None)


# --- pages --------------------------------------------------------------------------------------


async def test_a_page_comes_back_as_it_was_set(api_on: ApiDesk) -> None:
    """Every member that an owner sets is stored; days without hours mean nothing."""
    made = await make(api_on, **{key: value for key, value in NEW_PAGE.items() if key != "title"})
    shown = await api_on.get(f"/pages/{made['id']}")

    hours = {day: hours for day, hours in NEW_PAGE["weekly_hours"].items() if hours}
    questions = [one | {"choices": []} for one in NEW_PAGE["questions"]]
    expected = NEW_PAGE | {"title": "Next", "weekly_hours": hours, "questions": questions}
    assert {key: shown[key] for key in expected} == expected
    assert shown == made


async def test_what_was_read_can_be_sent_back(api_on: ApiDesk) -> None:
    """PUT with the body of a GET changes nothing, and the server's own members do not count."""
    before = await api_on.get(f"/pages/{api_on.desk.page.id}")
    forged = before | {"id": NOBODY, "is_offline": True, "is_default": True, "url": "http://x"}
    answer = await api_on.call("PUT", f"/pages/{before['id']}", forged)

    assert answer.body == before


async def test_put_resets_what_is_left_out(api_on: ApiDesk) -> None:
    """PATCH leaves, PUT resets what is not sent; the address stays in both."""
    made = await make(api_on, step=45, description="long")
    patched = await api_on.call("PATCH", f"/pages/{made['id']}", {"title": "A"})
    put = await api_on.call("PUT", f"/pages/{made['id']}", {"title": "A"})

    assert (patched.body["step"], patched.body["description"]) == (45, "long")
    assert (put.body["step"], put.body["description"]) != (45, "long")
    assert put.body["slug"] == made["slug"]


async def test_the_public_sees_nothing_private(api_on: ApiDesk) -> None:
    """By its address a page shows no hours, limits, notice, or where exactly to meet."""
    made = await make(api_on, slug="jane/public", location=NEW_PAGE["location"])
    answer = await api_on.call("GET", "/pages/by-slug", token=None, params={"slug": "JANE/Public"})

    assert answer.body["id"] == made["id"]
    assert answer.body["location"] == {"type": "phone"}
    assert "+31" not in json.dumps(answer.body)
    assert not answer.body.keys() & {"weekly_hours", "overrides", "limits", "min_notice", "step"}


@pytest.mark.parametrize("state", ["draft", "archived"])
async def test_only_live_pages_are_public(api: ApiDesk, state: str) -> None:
    """A page that is not live does not exist for visitors."""
    await api.call("PATCH", f"/pages/{api.desk.page.id}", {"state": state})
    slug = await api.call("GET", "/pages/by-slug", token=None, params={"slug": "jane/intro"})

    assert slug.told == (404, "not_found")
    assert (await book(api)).told == (404, "not_found")


async def test_of_fifty_creates_one_wins(api_on: ApiDesk) -> None:
    """One slug wanted fifty times at once: one page, 49 clashes that name it (S38)."""
    _, bob = await api_on.another()
    body = {"title": "Race", "slug": "one/race"}
    answers = await asyncio.gather(
        *(
            api_on.call("POST", "/pages", body, token=bob if number % 2 else "")
            for number in range(50)
        )
    )

    assert Counter(answer.told for answer in answers) == {(201, ""): 1, (409, "slug_taken"): 49}
    assert all("one/race" in answer.body["detail"] for answer in answers if answer.status == 409)


async def test_a_slug_is_one_on_every_host(api: ApiDesk) -> None:
    """A slug that a page on another host has is taken, in every spelling (S38)."""
    await api.call("PATCH", "/settings", {"domain": "meet.example.org"})
    await make(api, slug="shared")
    _, bob = await api.another()

    for slug in ("shared", "SHARED", "Shared"):
        answer = await api.call("POST", "/pages", {"title": "B", "slug": slug}, token=bob)
        assert answer.told == (409, "slug_taken"), slug


SLUGS = (
    *("admin", "api", ".well-known", "..", "../x", "b", "b/x", "j", "a//b", "a/b/c", "/a", "a/"),
    *("j\u0430ne", "\uff4aane", "jane intro", "jane%2fintro", "-a", "a-", "x" * 65, "settings/x"),
    *("jane\x00", "jane\u202e", "dav", "www", "login", "robots.txt"),
)


async def test_reserved_and_odd_slugs_are_refused(api: ApiDesk) -> None:
    """Words of ours, look-alikes and what is no slug cannot be a page's address."""
    for slug in SLUGS:
        answer = await api.call("POST", "/pages", {"title": "x", "slug": slug})

        assert answer.told == (422, "invalid"), slug
        assert set(answer.body["fields"]) == {"slug"}


# --- settings -----------------------------------------------------------------------------------


async def test_the_meetings_url_counts_for_new_pages(api_on: ApiDesk) -> None:
    """A new base leaves every old address as it is; the next page lives under it (S22)."""
    old = await api_on.get(f"/pages/{api_on.desk.page.id}")
    await api_on.call("PATCH", "/settings", {"meetings_url": "doctor"})
    new = await make(api_on, "Talk")

    assert new["slug"] == "doctor/talk"
    assert await api_on.get(f"/pages/{old['id']}") == old
    for slug in (old["slug"], new["slug"]):
        async with api_on.client.get(f"/meetings/{slug}") as answer:
            assert answer.status == 200, slug


@pytest.mark.parametrize("member", ["meetings_url", "default_page"])
async def test_a_seat_is_needed(api: ApiDesk, member: str) -> None:
    """Without a seat the page URL and the default page cannot be changed, the rest can (S19)."""
    await make(api)  # becomes the default
    other = await make(api, "Other")
    value = other["id"] if member == "default_page" else "other"
    await unseat(api)

    assert (await api.call("PATCH", "/settings", {member: value})).told == (403, "needs_seat")
    assert (await api.call("PATCH", "/settings", {"indexing": "public"})).status == 200
    shown = await api.get("/settings")
    assert shown[member] != value
    assert (await api.call("PATCH", "/settings", shown)).status == 200


async def test_a_page_keeps_its_address_without_a_seat(api: ApiDesk) -> None:
    """Without a seat a page's address stays, its other members can be changed (S19)."""
    await unseat(api)
    path = f"/pages/{api.desk.page.id}"

    assert (await api.call("PATCH", path, {"slug": "jane/other"})).told == (403, "needs_seat")
    assert (await api.call("PATCH", path, {"title": "Other"})).body["slug"] == "jane/intro"


async def test_settings_are_saved_as_a_whole(api_on: ApiDesk) -> None:
    """One wrong member saves none; a right one is there on the next read (S24)."""
    before = await api_on.get("/settings")
    mixed = {"indexing": "public", "robots_extra": "x" * 10_001}

    assert (await api_on.call("PATCH", "/settings", mixed)).told == (422, "invalid")
    assert await api_on.get("/settings") == before
    await api_on.call("PATCH", "/settings", {"indexing": "public"})
    assert (await api_on.get("/settings"))["indexing"] == "public"


async def test_the_default_page_is_a_live_one_of_mine(api: ApiDesk) -> None:
    """Another owner's page, a draft and nothing cannot be the default or the chat's page (S23)."""
    _, bob = await api.another()
    theirs = (await api.call("POST", "/pages", {"title": "Bob"}, token=bob)).body["id"]
    draft = (await make(api, state="draft"))["id"]

    for page in (theirs, draft, NOBODY):
        for body in ({"default_page": page}, {"chat": {"include_link": True, "page": page}}):
            assert (await api.call("PATCH", "/settings", body)).told == (422, "invalid"), body


async def test_a_domain_is_one_of_the_listed(api: ApiDesk) -> None:
    """A built-in host can be chosen in any case; one that nobody verified is 422, off it is 403."""
    good = await api.call("PATCH", "/settings", {"domain": "Meet.Example.org"})
    unknown = await api.call("PATCH", "/settings", {"domain": "jane.example.com"})
    api.services.settings._custom_domains = False
    off = await api.call("PATCH", "/settings", {"domain": "jane.example.com"})

    assert (good.status, good.body["domain"]) == (200, "meet.example.org")
    assert unknown.told == (422, "invalid")
    assert off.told == (403, "custom_domains_off")
    assert (await api.call("PATCH", "/settings", {"domain": None})).body["domain"] == ""


# --- calendars ----------------------------------------------------------------------------------


async def test_a_calendar_is_deselected_and_ruled(api_on: ApiDesk) -> None:
    """Selection, default and rules are set one by one; what is left out stays."""
    path = f"/calendars/{api_on.desk.calendars['home'].public_id}"
    before = await api_on.get(path)
    after = await api_on.call(
        "PATCH", path, {"selected": False, "rules": {"all_day_blocks": False}}
    )

    rules = before["rules"] | {"all_day_blocks": False}
    assert after.body == before | {"selected": False, "rules": rules}
    assert await api_on.get(path) == after.body


async def test_a_calendar_is_changed_as_a_whole_or_not_at_all(api_on: ApiDesk) -> None:
    """One member that is refused leaves the others undone."""
    desk = api_on.desk
    feed = await connect_feed(desk)
    path = f"/calendars/{feed.public_id}"
    before = await api_on.get(path)
    wanted = {"default": True, "selected": False, "rules": {"all_day_blocks": False}}
    refused = await api_on.call("PATCH", path, wanted)

    assert refused.told == (403, "read_only_calendar")
    assert await api_on.get(path) == before


async def connect_feed(desk: Desk) -> Collection:
    """Connect a calendar that cannot be written to."""
    known = a_connection(desk.owner.id)
    async with desk.store.write(owner_id=desk.owner.id) as tx:
        await tx.connections.add(known)
        return await tx.collections.add(
            a_collection(
                desk.owner.id,
                connection_id=known.id,
                provider=Provider.ICS,
                role=Role.READER,
                name="feed",
            )
        )


async def test_without_a_default_one_is_offline(api_on: ApiDesk) -> None:
    """Taking the default away makes bookings requests, giving it back makes them bookings (S04)."""
    path = f"/calendars/{api_on.desk.calendars['home'].public_id}"
    await api_on.call("PATCH", path, {"default": False})
    offline = await api_on.get(f"/pages/{api_on.desk.page.id}")
    asked = await book(api_on)
    await api_on.call("PATCH", path, {"default": True})
    booked = await book(api_on, start=format_rfc3339(TEN + 3600))

    assert offline["is_offline"] is True
    assert (asked.body["state"], booked.body["state"]) == ("requested", "confirmed")


# --- whose it is --------------------------------------------------------------------------------


async def test_what_is_anothers_is_not_there(api: ApiDesk) -> None:
    """To Bob each id of Jane's looks, byte by byte, like one that never was."""
    _, bob = await api.another()
    for name, sample in SAMPLES.items():
        if sample.public or "{id}" not in sample.path:
            continue
        good = await ready(api, name)
        hers = await api.call(sample.method, good.path, good.body, token=bob)
        never = await api.call(sample.method, good.path_of(NOBODY), good.body, token=bob)

        assert hers.told == (404, "not_found"), name
        assert hers.body == never.body
        ignored = {"Date"}
        assert {k: v for k, v in hers.headers.items() if k not in ignored} == {
            k: v for k, v in never.headers.items() if k not in ignored
        }


async def test_a_body_reaches_nobody_elses_things(api: ApiDesk) -> None:
    """A calendar or page of Jane's that Bob names in a body is unknown to him."""
    _, bob = await api.another()
    calendar = api.desk.calendars["home"].public_id
    feed = await api.call("POST", "/feeds", {"calendars": [calendar]}, token=bob)
    explained = await api.call(
        "GET",
        "/explain",
        token=bob,
        params={"page": api.desk.page.id, "start": "2026-12-01T10:00:00Z"},
    )

    assert feed.told == (422, "invalid")
    assert explained.told == (404, "not_found")
    for path in ("/calendars", "/connections", "/pages", "/bookings", "/feeds"):
        assert (await api.call("GET", path, token=bob)).body == []


async def test_a_disabled_owner_is_gone_at_once(api: ApiDesk) -> None:
    """Tokens, pages and bookings of a disabled owner end together."""
    async with api.services.store.write() as tx:
        owner = await tx.owners.get(api.desk.owner.id)
        assert owner
        await tx.owners.update(replace(owner, disabled=True))

    assert (await api.call("GET", "/pages")).told == (401, "not_signed_in")
    assert (await book(api)).told == (404, "not_found")


async def test_a_removed_token_is_dead_at_once(api_on: ApiDesk) -> None:
    """A token ends with its removal; others go on, and app passwords are not to be had here."""
    made = (await api_on.call("POST", "/tokens", {"label": "script"})).body
    await api_on.call("DELETE", f"/tokens/{made['id']}")

    assert (await api_on.call("GET", "/pages", token=made["token"])).status == 401
    assert (await api_on.call("GET", "/pages")).status == 200
    assert made["token"] not in json.dumps(await api_on.get("/tokens"))
