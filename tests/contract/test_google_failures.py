"""What the Google adapter makes of faults: never a part for the whole, every wait bounded."""

from collections.abc import AsyncIterator

import pytest

from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError
from gateway.ports import UpstreamPage
from gateway.sandbox.google import Fault
from tests.google_account import ANA, GoogleSource, google_source
from tests.google_events import put, read


@pytest.fixture
async def ana() -> AsyncIterator[GoogleSource]:
    """Run a simulated Google with Ana's account."""
    async with google_source() as made:
        yield made


@pytest.mark.parametrize(
    "fault",
    [
        Fault(route="events.list", skip=2, status=500),
        Fault(route="events.list", skip=2, lose_next=True),
        Fault(route="events.list", skip=1, endless=True),
        Fault(route="events.list", skip=2, html=True),
        Fault(route="events.list", skip=2, body=""),
        Fault(route="events.list", body="[]"),
        Fault(route="events.list", body="{}"),
        Fault(route="events.list", body='{"items": null, "nextSyncToken": "x"}'),
        Fault(route="events.list", body='{"items": []}'),
        Fault(route="events.list", skip=2, truncate=100),
        Fault(route="events.list", skip=2, drop="after"),
    ],
    ids=str,
)
async def test_a_part_is_never_taken_for_the_whole(ana: GoogleSource, fault: Fault) -> None:
    """Whatever is wrong with whichever page, the read fails and ends without a cursor."""
    ana.server.world.page_size = 2
    for number in range(9):
        put(ana, f"event{number}")
    ana.server.break_with(fault)
    pages: list[UpstreamPage] = []

    async def gather() -> None:
        async for page in ana.adapter().changes(ANA, ""):
            assert page.cursor is None
            pages.append(page)

    with pytest.raises(Unavailable):
        await gather()
    assert len(pages) < 5


async def test_a_passing_failure_is_asked_again(ana: GoogleSource) -> None:
    """One bad answer among many pages does not cost the read."""
    ana.server.world.page_size = 1
    for number in range(4):
        put(ana, f"event{number}")
    ana.server.break_with(Fault(route="events.list", skip=1, times=2, status=503))
    objects, last = await read(ana.adapter())

    assert len(objects) == 4
    assert last.complete


@pytest.mark.parametrize(
    ("reason", "kind", "wait"),
    [
        ("rateLimitExceeded", Unavailable, None),
        ("userRateLimitExceeded", Unavailable, None),
        ("quotaExceeded", Unavailable, 600),
        ("calendarUsageLimits", Unavailable, 600),
        ("dailyLimitExceeded", Unavailable, 600),
        ("accessNotConfigured", Unavailable, 600),
        ("insufficientPermissions", SignInNeeded, None),
        ("notACalendarUser", AccessLost, None),
        ("forbidden", AccessLost, None),
        ("neverHeardOf", AccessLost, None),
    ],
)
async def test_a_403_is_what_its_reason_says(
    ana: GoogleSource, reason: str, kind: type[UpstreamError], wait: int | None
) -> None:
    """Too much, not switched on, not permitted, not yours: each has its own consequence."""
    ana.fail(status=403, reason=reason)
    with pytest.raises(kind) as raised:
        await read(ana.adapter())

    assert raised.value.retry_after == wait


@pytest.mark.parametrize(
    ("told", "wait"),
    [("0", 1), ("-1", None), ("1000000000", 600), ("abc", None), ("", None), ("7", 7)],
)
async def test_every_kind_of_wait_is_bounded(
    ana: GoogleSource, told: str, wait: int | None
) -> None:
    """Retry-After of 429: no hot loop, no wait of thirty years, nonsense is absence."""
    ana.fail(status=429, retry_after=told)
    with pytest.raises(Unavailable) as raised:
        await read(ana.adapter())

    assert raised.value.retry_after == wait
    assert len(ana.server.world.log) <= 3


async def test_a_token_is_renewed_once(ana: GoogleSource) -> None:
    """After 401 one other token is tried; a grant that is gone needs its owner."""
    adapter = ana.adapter()
    await adapter.calendars()
    ana.tokens.grant.access_tokens.clear()
    await adapter.calendars()
    assert ana.tokens.renewed == 1
    ana.server.world.revoke(ANA)
    with pytest.raises(SignInNeeded):
        await adapter.calendars()


async def test_a_calendar_that_is_not_shared_any_more_is_lost(ana: GoogleSource) -> None:
    """404 for a calendar that was there: access is lost, by delta and from the start."""
    ana.server.world.add_calendar("team@group", {ANA: "reader"})
    adapter = ana.adapter()
    _, last = await read(adapter, calendar="team@group")
    ana.server.world.calendars["team@group"].roles.clear()

    for cursor in (last.cursor or "", ""):
        with pytest.raises(AccessLost):
            await read(adapter, cursor, calendar="team@group")
