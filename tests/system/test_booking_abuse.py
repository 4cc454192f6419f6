"""Booking pages and hostile visitors: whatever is sent, the rules hold (security I and J)."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.booking import BookingState
from gateway.model.page import (
    Location,
)
from gateway.model.timerange import to_datetime
from tests.owner_desk import OwnerDesk
from tests.visitor_desk import ADDRESS, booked, bookings_of, send, to_details, untagged


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_opening_the_link_changes_nothing(desk, jane, visitor, method):
    """Mail scanners open every address of a mail, that of the form too (I 138)."""
    shown = await booked(visitor)
    for path in (shown.url.path, f"{shown.url.path}/cancel", f"{shown.url.path}/meeting.ics"):
        await visitor.session.request(method, shown.url.with_path(path), allow_redirects=False)
    (booking,) = await bookings_of(desk, jane)

    assert booking.state is BookingState.CONFIRMED


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
    ],
    ids=str,
)
async def test_no_other_site_books_or_cancels(desk, jane, visitor, headers):
    """A form on another site, or JSON dressed as text, is refused (I 142)."""
    shown = await booked(visitor)
    form = (await to_details(visitor)).form(ADDRESS)
    values = [(key, value or "x@example.net") for key, value in form.fields]
    for path, pairs in ((ADDRESS, values), (f"{shown.url.path}/cancel", [])):
        answer = await visitor.post(path, pairs, headers=headers)
        assert answer.status in (403, 415)
    (booking,) = await bookings_of(desk, jane)

    assert booking.state is BookingState.CONFIRMED


async def test_wrong_links_look_like_none(desk, jane, visitor):
    """Guessed, shortened, foreign or other actions' tokens: the same 404 (I 139)."""
    token = (await booked(visitor)).url.path.rpartition("/")[2]
    wrong = [token[:-1], token[:-1] + "A" * (token[-1] != "A"), token + "A", token.swapcase(), "b"]
    pages = [await visitor.open(f"/meetings/b/{one}") for one in wrong if one != token]
    pages.append(await visitor.post(f"/meetings/b/{token[::-1]}/cancel", []))
    pages.append(await visitor.open(f"/meetings/b/{token}/confirm"))

    assert {(one.status, untagged(one)) for one in pages} == {(404, untagged(pages[0]))}
    assert len(token) >= 22, "at least 128 bits"
    (booking,) = await bookings_of(desk, jane)
    assert booking.manage_digest != token
    assert booking.state is BookingState.CONFIRMED


async def test_a_booking_page_shows_its_own_booking_only(desk, jane, visitor):
    """Whoever has a link sees neither guests' addresses nor anything of other bookings (I 140)."""
    other = await to_details(visitor, 3)
    await send(visitor, other, name="Otto", email="otto@example.net", guests="ida@example.net")
    shown = await booked(visitor)
    first = (await bookings_of(desk, jane))[-1]

    for text in ("Otto", "otto@", "ida@", "jane@example.org"):
        assert text not in shown.text
    mine = await visitor.open(f"/meetings/b/{desk.services.bookings.manage_url(first)[-32:]}")
    assert "ida@" not in mine.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert shown.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert shown.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "changed",
    [
        {"start": "20200101T100000Z"},
        {"start": "29991301T100000Z"},
        {"start": ""},
        {"duration": "45"},
        {"duration": "-30"},
        {"tz": "Europe/Atlantis"},
        {"tz": "../../etc/passwd"},
    ],
    ids=str,
)
async def test_hidden_fields_are_not_trusted(desk, jane, visitor, changed):
    """Whoever edits the form books nothing that is not offered, and gets a page that says so."""
    shown = await send(visitor, await to_details(visitor), **changed)

    assert shown.status in (409, 422)
    assert "othing was booked" in shown.text
    assert await bookings_of(desk, jane) == []


async def test_fields_nobody_asked_for_are_dropped(desk, jane, visitor):
    """No form sets a state, an owner or an answer to a question that is not there (I 155)."""
    extra = {"state": "cancelled", "owner": "9", "owner_id": "9", "answers.admin": "yes"}
    shown = await send(visitor, await to_details(visitor), **extra)
    (booking,) = await bookings_of(desk, jane)

    assert shown.status == 200
    assert (booking.state, booking.owner_id) == (BookingState.CONFIRMED, jane.id)
    assert set(booking.answers) == {"topic"}


PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "&lt;script&gt;&#60;script&#62;",
    "<!--<script>-->",
    "]]><script>alert(1)</script>",
    "\u202e<b>\u2028</b>",
    "<style>*{display:none}</style>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0>",
    "%3Cscript%3E",
    "<ScRiPt\n>alert(1)</sCrIpT>",
    "`${alert(1)}`",
]


async def test_markup_is_text_wherever_it_is_shown(desk, jane, visitor, page):
    """Owner's and visitor's words, addresses and headers: never an element of the page (I 146)."""
    for number, payload in enumerate(PAYLOADS):
        await desk.services.pages.update(
            jane,
            replace(
                page,
                title="".join(c for c in payload if c.isprintable())[:200],
                description=payload.replace("\u2028", ""),
                location=Location(type="address", value="A <i>place</i>"),
            ),
        )
        form = await to_details(visitor)
        bad = await send(visitor, form, name=payload * 20, email=payload, guests=payload)
        address = f"v{number}@example.net"
        shown = await send(visitor, form, name=payload, email=address, **{"answers.topic": payload})
        assert "Your meeting is booked" in shown.text
        asked = [await visitor.open(f"{ADDRESS}?tz={one}") for one in ("%3Cscript%3E", "%22%3E")]
        for answer in (form, bad, shown, *asked):
            assert answer.status < 500
            assert elements(answer.text) <= ALLOWED, (payload, elements(answer.text) - ALLOWED)
            assert not re.search(r"\son\w+\s*=\s*[^\s>]*\(", tags(answer.text))
            assert "javascript:" not in tags(answer.text)
            assert "49" not in untagged(answer).split(), "no template is run"
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    async with desk.signed_in() as owner_side:
        for path in ("/dashboard", "/settings/pages"):
            answer = await owner_side.open(path)
            assert "<script>" not in answer.text
            assert "<img" not in answer.text


def elements(text: str) -> set[str]:
    """Return the names of the elements of a page."""
    return {one.lower() for one in re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", text)}


def tags(text: str) -> str:
    """Return the tags of a page with their attributes' quoted values left out."""
    return re.sub(r'"[^"]*"', '""', " ".join(re.findall(r"<[a-zA-Z][^>]*>", text)))


ELEMENTS = """
a body br button circle dd details div dl dt fieldset footer form h1 h2 h3 head hr html input label
legend li link main meta nav ol optgroup option p path rect script section select small span strong
summary svg table tbody td textarea th thead title tr ul
"""
ALLOWED = set(ELEMENTS.split())


@pytest.mark.parametrize(
    "email",
    [
        "a@b.example, victim@x.example",
        '"a b"@x.example',
        "<a@b.example>",
        "a@b.example\r\nBcc: v@x.example",
        "a@b.example\nBcc:v@x.example",
        "a@[127.0.0.1]",
        "a@localhost",
        "-oX@x.example",
        "|cmd@x.example",
        "a" * 321 + "@x.example",
        "a@x.example\x00",
        "Vera <vera@example.net>",
        "vera@example.net;otto@example.net",
    ],
    ids=lambda text: repr(text)[:24],
)
async def test_one_address_or_none(desk, jane, visitor, email):
    """What a mail library could read as more than one recipient is refused (I 154, J 160)."""
    shown = await send(visitor, await to_details(visitor), email=email)

    assert shown.status == 422
    assert 'id="e-email"' in shown.text
    assert await bookings_of(desk, jane) == []


async def test_sizes_are_bounded(desk, jane, visitor):
    """A megabyte of notes, a long name and ten thousand fields are refused, nothing is booked."""
    form = await to_details(visitor)
    answers = [
        await send(visitor, form, name="n" * 201),
        await send(visitor, form, **{"answers.topic": "t" * 501}),
        await send(visitor, form, **{"answers.topic": "t" * 1_000_000}),
        await send(visitor, form, guests="\n".join(f"g{n}@example.net" for n in range(11))),
        await visitor.post(ADDRESS, [(f"f{n}", "x") for n in range(10_000)]),
    ]

    assert [one.status for one in answers] == [422, 422, 413, 422, 400]
    assert await bookings_of(desk, jane) == []


async def test_one_visitor_cannot_fill_the_year(desk, jane, visitor):
    """The limits of a default installation hold on the page too: address, then mailbox (I 149)."""
    statuses = []
    for number in range(12):
        form = await to_details(visitor, 0, f"?month={_month_ahead(desk)}")
        spelling = f"v.e.r.a+{number}@example.net"
        statuses.append((await send(visitor, form, email=spelling)).status)

    assert statuses == [200] * 10 + [429] * 2
    assert len(await bookings_of(desk, jane)) == 10


def _month_ahead(desk: OwnerDesk) -> str:
    """Return the next month."""
    return f"{to_datetime(desk.services.clock.now()) + timedelta(days=31):%Y-%m}"


async def test_the_owners_own_address_is_no_way_in(desk, jane, visitor):
    """Booking with the owner's address opens nothing: the link is mailed, not shown elsewhere."""
    shown = await send(visitor, await to_details(visitor), email="jane@example.org", name="Jane")

    assert shown.url.path.startswith("/meetings/b/")
    assert (await visitor.open("/dashboard")).url.path == "/login"
