"""S34, S35: one page on every built-in host, its links on the one that its owner chose."""

from collections.abc import AsyncIterator
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.model.page import WEEKDAYS
from gateway.model.principal import Indexing
from gateway.model.timerange import DAY, TimeRange, format_rfc3339
from gateway.ports import StoredMail
from gateway.services.mails import raw_of
from tests.owner_desk import OwnerDesk, owner_desk

CHOSEN = "meet.example.org"


@pytest.fixture
async def desk(data_dir: Path) -> AsyncIterator[OwnerDesk]:
    """Serve a gateway that has another built-in host beside its own."""
    async with owner_desk(data_dir) as opened:
        yield opened


def body_of(desk: OwnerDesk, mail: StoredMail) -> str:
    """Return the text of a mail that is kept."""
    raw = desk.services.cipher.open(mail.raw, bound_to=raw_of(mail.id))
    part = message_from_bytes(raw, policy=policy.default).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def asked(desk: OwnerDesk, path: str, host: str = "", **options: Any) -> tuple[int, str]:
    """Ask a gateway under a name of its own."""
    headers = {"Host": host} if host else {}
    method = "POST" if "json" in options else "GET"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{desk.url}{path}", headers=headers, **options) as answer,
    ):
        return answer.status, await answer.text()


async def test_links_carry_the_host_that_an_owner_chose(desk: OwnerDesk) -> None:
    """Canonical URL, API, receipt, mail and dashboard say it; every built-in host has the page."""
    owner = await desk.owner()
    await desk.services.objects.set_default(owner, await desk.calendar(owner))
    page = await desk.page(owner, weekly_hours=dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),)))
    async with desk.services.store.write() as tx:
        listed = replace(owner.settings, domain=CHOSEN, indexing=Indexing.PUBLIC)
        await tx.owners.save_settings(owner.id, listed)
    home = desk.url.replace("127.0.0.1", CHOSEN)
    wanted = f"{home}/meetings/{page.slug}"
    shown = [await asked(desk, f"/meetings/{page.slug}", host) for host in ("", CHOSEN)]
    _, told = await asked(desk, "/api/v1/pages/by-slug", params={"slug": page.slug})
    now = desk.services.clock.now()
    offer = await desk.services.bookings.slots(
        page, TimeRange(now, now + 7 * DAY), now, page.durations[0]
    )
    status, receipt = await asked(
        desk,
        f"/api/v1/pages/{page.id}/bookings",
        json={
            "start": format_rfc3339(offer.slots[0].start),
            "duration": page.durations[0],
            "time_zone": "UTC",
            "name": "Vera",
            "email": "vera@example.net",
            "answers": {},
            "guests": [],
        },
    )
    async with desk.services.store.read() as tx:
        mails = await tx.mails.of_owner(owner.id, 10)
    async with desk.signed_in() as browser:
        dashboard = await browser.open("/dashboard")

    assert [status for status, _ in shown] == [200, 200]
    assert all(f'rel="canonical" href="{wanted}"' in text for _, text in shown)
    assert f'"url":"{wanted}"' in told
    assert (status, f'"manage_url":"{home}/meetings/b/' in receipt) == (201, True), receipt
    assert any(f"{home}/meetings/b/" in body_of(desk, mail) for mail in mails)
    assert wanted in dashboard.text


async def test_an_unknown_host_is_never_somebodys_page(desk: OwnerDesk) -> None:
    """Another name gets 421, and an owner whose host is gone has the public address again."""
    owner = await desk.owner()
    page = await desk.page(owner)
    async with desk.services.store.write() as tx:
        await tx.owners.save_settings(owner.id, replace(owner.settings, domain="gone.example"))
    status, _ = await asked(desk, f"/meetings/{page.slug}", "gone.example")
    _, told = await asked(desk, "/api/v1/pages/by-slug", params={"slug": page.slug})

    assert status == 421
    assert f'"url":"{desk.url}/meetings/{page.slug}"' in told
