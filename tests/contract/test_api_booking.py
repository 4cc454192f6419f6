"""Bookings through the API: only what is offered, once, for one mailbox (security section I)."""

import json
from typing import Any

import pytest

from gateway.model.timerange import DAY, MINUTE, format_rfc3339
from gateway.services.claim import RateLimits
from tests.api_desk import Answer, ApiDesk
from tests.api_samples import BOOKING
from tests.booking_desk import TEN


async def book(api: ApiDesk, key: str = "", **members: Any) -> Answer:
    """Book as a visitor."""
    headers = {"Idempotency-Key": key} if key else {}
    path = f"/pages/{api.desk.page.id}/bookings"
    return await api.call("POST", path, {**BOOKING, **members}, token=None, headers=headers)


async def test_a_receipt_stays_the_same(api_on: ApiDesk) -> None:
    """The same key and body bring the same answer, whatever became of the booking since."""
    first = await book(api_on, key="k1")
    await api_on.desk.bookings.cancel_as_owner(api_on.desk.owner.id, first.body["id"])
    again = await book(api_on, key="k1")

    assert (again.status, again.body) == (201, first.body)
    assert first.body["state"] == "confirmed"


async def test_a_receipt_of_a_request_stays_one(api_on: ApiDesk) -> None:
    """What was declined since was requested: its manage link tells the rest."""
    desk = api_on.desk
    async with desk.store.write() as tx:
        await tx.owners.set_default(desk.owner.id, None)
    first = await book(api_on, key="k1")
    await desk.bookings.decline(desk.owner.id, first.body["id"])
    again = await book(api_on, key="k1")

    assert (again.status, again.body) == (201, first.body)
    assert first.body["state"] == "requested"


UNOFFERED = {
    "outside the hours": TEN + 12 * 3600,
    "at the very end": TEN + 7 * 3600,
    "in the past": TEN - 30 * DAY,
    "beyond the horizon": TEN + 400 * DAY,
    "below the notice": 1795521600 + 60,
    "off the step": TEN + 7 * MINUTE,
    "off by a second": TEN + 1,
}


@pytest.mark.parametrize("kind", UNOFFERED)
async def test_what_is_not_offered_cannot_be_booked(api: ApiDesk, kind: str) -> None:
    """A start that the page does not offer is 409 with the nearest that it does."""
    answer = await book(api, start=format_rfc3339(UNOFFERED[kind]))

    assert answer.told == (409, "slot_taken")
    assert len(answer.body["nearest"]) <= 3
    assert await api.desk.stored() == []


async def test_a_taken_time_names_the_three_nearest(api_on: ApiDesk) -> None:
    """The second to want a time reads three that are free, nearest first, each bookable."""
    assert (await book(api_on)).status == 201
    refused = await book(api_on, email="other@example.net")

    assert refused.told == (409, "slot_taken")
    assert len(refused.body["nearest"]) == 3
    for start in refused.body["nearest"]:
        assert (await book(api_on, start=start)).status == 201


@pytest.mark.parametrize(
    "start",
    [
        "2027-03-28T02:30:00+01:00[Europe/Amsterdam]",
        "2026-12-01T10:00:00",
        "2026-12-01 10:00:00Z",
        "2026-12-01T10:00:00+25:00",
        "2026-12-01T24:00:00Z",
        "20261201T100000Z",
        "2026-12-01",
        "now",
        "",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
    ],
)
async def test_a_time_says_which_moment_it_is(api: ApiDesk, start: str) -> None:
    """A wall time without an offset, a gap, another form: 422 that names `start`."""
    answer = await book(api, start=start)

    assert answer.told == (422, "invalid")
    assert "start" in answer.body["fields"]


@pytest.mark.parametrize("duration", [0, -30, 1, 29, 31, 60, 10**9])
async def test_only_the_pages_durations_are_booked(api: ApiDesk, duration: int) -> None:
    """Another length than the page's is 422."""
    answer = await book(api, duration=duration)

    assert answer.body["fields"].keys() == {"duration"}


MAILBOXES = (
    "",
    "a@b, victim@example.net",
    "a@b.example;victim@example.net",
    '"a b"@example.net',
    "<a@example.net>",
    "Vera <a@example.net>",
    "a@example.net\r\nBcc: victim@example.net",
    "a@example.net\nBcc: victim@example.net",
    "a@[127.0.0.1]",
    "a@localhost",
    "a" * 320 + "@example.net",
    "a\x00@example.net",
    "-a@-example.net",
    "|cmd@example.net\x00",
    "@example.net",
    "a@",
    "a@@example.net",
    "a@exa mple.net",
    "mailto:a@example.net",
)


async def test_an_address_is_one_mailbox(api: ApiDesk) -> None:
    """Lists, display names, header lines and what is no mailbox are 422, as guest too."""
    for address in MAILBOXES:
        answer = await book(api, email=address)
        assert answer.body.get("fields", {}).keys() == {"email"}, address
        answer = await book(api, guests=[address])
        assert answer.body.get("fields", {}).keys() == {"guests"}, address
    assert await api.desk.stored() == []


async def test_guests_are_bounded(api: ApiDesk) -> None:
    """Eleven guests are too many."""
    guests = [f"guest{number}@example.net" for number in range(11)]

    assert (await book(api, guests=guests)).body["fields"].keys() == {"guests"}


ZONES = ("", "America", "../../etc/passwd", "localtime", "posixrules", "tzdata.zi", "x" * 400)


async def test_a_zone_is_a_known_name(api: ApiDesk) -> None:
    """What names no zone is 422 in a booking and in a question for slots; files are not opened."""
    path = f"/pages/{api.desk.page.id}/slots"
    for zone in ZONES:
        assert (await book(api, time_zone=zone)).told == (422, "invalid"), zone
        if zone:
            days = {"from": "2026-12-01", "to": "2026-12-02", "tz": zone, "duration": "30"}
            answer = await api.call("GET", path, token=None, params=days)
            assert answer.body["fields"].keys() == {"tz"}, zone


@pytest.mark.parametrize(
    "members",
    [
        {"state": "confirmed"},
        {"owner_id": 1},
        {"id": "bk_x"},
        {"manage_url": "http://evil.example"},
        {"price": 0},
        {"source": "page"},
    ],
)
async def test_only_a_visitors_members_are_taken(api: ApiDesk, members: dict[str, Any]) -> None:
    """Members that are not a visitor's to set are refused, not silently dropped."""
    assert (await book(api, **members)).told == (422, "invalid")


async def test_answers_to_questions_that_are_not_asked_are_dropped(api: ApiDesk) -> None:
    """What the page does not ask is not stored."""
    await book(api, answers={"is_admin": "yes"})

    assert [one.answers for one in await api.desk.stored()] == [{}]


async def test_a_key_is_answered_once(api_on: ApiDesk) -> None:
    """The same key and body again give the same answer; other words under it are a mismatch."""
    first, again = await book(api_on, "k1"), await book(api_on, "k1")
    other = await book(api_on, "k1", name="Wilma")

    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert other.told == (422, "idempotency_mismatch")
    assert len(await api_on.desk.stored()) == 1


@pytest.mark.parametrize("key", ["a b", "\u00e9", "x" * 256, " "])
async def test_an_odd_key_is_refused(api: ApiDesk, key: str) -> None:
    """A key is 1 to 255 visible ASCII characters; nothing is booked under another."""
    answer = await book(api, key)

    if key.strip():
        assert answer.told == (422, "invalid")
        assert answer.body["fields"].keys() == {"Idempotency-Key"}


async def test_two_keys_are_refused(api: ApiDesk) -> None:
    """Of two keys none counts."""
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    path = f"/api/v1/pages/{api.desk.page.id}/bookings"
    async with api.client.post(path, json=BOOKING, headers=headers) as answer:
        assert answer.status == 422


async def test_one_address_cannot_flood_a_calendar(api: ApiDesk) -> None:
    """Past the limit of a network address or a mailbox the answer is 429 with the time to wait."""
    api.desk.bookings._claim._limits = RateLimits(per_address_per_hour=3, per_email_per_day=2)
    told = []
    for number in range(5):
        start = format_rfc3339(TEN + number * 30 * MINUTE)
        email = f"Vera+{number}@example.net" if number < 3 else f"v{number}@example.net"
        answer = await book(api, start=start, email=email)
        told.append(answer.status)
        if answer.status == 429:
            assert 0 < int(answer.headers["Retry-After"]) <= DAY

    assert told == [201, 201, 429, 201, 429]


@pytest.mark.parametrize("duration", ["1", "5", "15", "45", "030", "30 ", "+30", "3e1"])
async def test_slots_come_in_the_pages_lengths_only(api: ApiDesk, duration: str) -> None:
    """No finer length maps the owner's busy time."""
    days = {"from": "2026-12-01", "to": "2026-12-02", "duration": duration}
    path = f"/pages/{api.desk.page.id}/slots"

    answer = await api.call("GET", path, token=None, params=days)
    assert answer.body["fields"].keys() == {"duration"}


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [
        ("2026-12-01", "2027-01-31", 200),
        ("2026-12-01", "2027-02-01", 422),
        ("2026-12-02", "2026-12-01", 422),
        ("2026-02-30", "2026-03-01", 422),
        ("1700-01-01", "1700-01-02", 422),
        ("2199-12-31", "2199-12-31", 422),
        ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", 422),
        ("2026-12-01T00:00:00Z", "2027-02-01T00:00:01Z", 422),
        ("2026-12-01T00:00:00+01:00", "2026-12-02T00:00:00+01:00", 200),
    ],
)
async def test_a_window_is_bounded(api: ApiDesk, first: str, last: str, status: int) -> None:
    """Sixty-two days at most, forwards, between 1900 and 2199."""
    path = f"/pages/{api.desk.page.id}/slots"
    answer = await api.call("GET", path, token=None, params={"from": first, "to": last})

    assert answer.status == status


async def test_slots_tell_times_and_nothing_else(api: ApiDesk) -> None:
    """Nothing of the events that block shows in what visitors read."""
    await api.desk.put("home", "canary-event", "20261201T100000Z", "20261201T110000Z")
    days = {"from": "2026-12-01", "to": "2026-12-02", "duration": "30"}
    path = f"/pages/{api.desk.page.id}/slots"

    answer = await api.call("GET", path, token=None, params=days)
    assert format_rfc3339(TEN) not in [slot["start"] for slot in answer.body["slots"]]
    assert "canary" not in json.dumps(answer.body)
