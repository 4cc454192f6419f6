"""Push: a notification makes one read come sooner; forged, late and endless ones change nothing."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway import ports
from gateway.model.principal import Owner
from gateway.services.tokens import digest
from gateway.web import hooks
from tests.conftest import FakeClock
from tests.hooked import FAR, Hooked, a_line, hooked_gateway


@pytest.fixture
async def hooked(store: ports.Store, clock: FakeClock, owner: Owner) -> AsyncIterator[Hooked]:
    """Serve a gateway with one Google calendar."""
    async with hooked_gateway(store, clock, owner) as made:
        yield made


# --- Google


async def test_a_notification_brings_the_next_read_forward(hooked: Hooked) -> None:
    """Told of a change, the account is read soon: not at once, for more is told in a moment."""
    await hooked.channel()
    hooked.desk.clock.advance(40)

    assert await hooked.due_in() == 20
    assert await hooked.google() == 204
    assert await hooked.due_in() == 2


@pytest.mark.parametrize(
    "spoiled",
    [
        {"Channel_Token": "wrong"},
        {"Channel_Token": ""},
        {"Channel_ID": "channel-2"},
        {"Channel_ID": ""},
        {"Channel_ID": "c" * 5000},
        {"Resource_ID": "another"},
        {"Resource_State": "sync"},
        {"Resource_State": "sync", "Channel_Token": ""},
        {"Resource_State": "odd"},
    ],
)
async def test_a_forged_notification_changes_nothing(
    hooked: Hooked, spoiled: dict[str, str]
) -> None:
    """Wrong or missing secret, unknown channel, another resource: the same answer, and no read."""
    await hooked.channel()
    hooked.desk.clock.advance(31)

    assert await hooked.google(**spoiled) == 204
    assert await hooked.due_in() == 29


async def test_one_channels_secret_opens_no_other(hooked: Hooked) -> None:
    """Each channel has a secret of its own."""
    await hooked.channel()
    await hooked.channel(id="channel-2", watch_id="watch-2", secret_digest=digest("other"))
    hooked.desk.clock.advance(31)
    await hooked.google(Channel_ID="channel-2")

    assert await hooked.due_in() == 29


async def test_an_ended_channel_tells_nothing(hooked: Hooked) -> None:
    """After its end a channel is like one that never was."""
    await hooked.channel(expires_at=hooked.desk.clock.now() + 30)
    hooked.desk.clock.advance(31)

    assert await hooked.google() == 204
    assert await hooked.due_in() == 29


async def test_a_notification_may_come_before_its_channel_is_known(hooked: Hooked) -> None:
    """Between asking for a channel and the answer, its notifications count already."""
    await hooked.channel(watch_id="", resource="", expires_at=0)
    hooked.desk.clock.advance(40)
    await hooked.google()

    assert await hooked.due_in() == 2


async def test_a_replay_after_disconnecting_brings_nothing_back(hooked: Hooked) -> None:
    """With its account a channel is gone."""
    await hooked.channel()
    await hooked.google()
    async with hooked.desk.store.write() as tx:
        await tx.connections.remove(hooked.connection.id)

    assert await hooked.google() == 204
    async with hooked.desk.store.read() as tx:
        assert await tx.connections.due(FAR * 10) == []


async def test_a_flood_makes_two_reads_a_minute(hooked: Hooked) -> None:
    """However often it is told, a calendar is read at most twice in any minute."""
    await hooked.channel()
    ticks = []
    for second in range(121):
        await hooked.google()
        async with hooked.desk.store.read() as tx:
            due = await tx.connections.due(hooked.desk.clock.now())
        if due:
            ticks.append(second)
            await hooked.quiet()
        hooked.desk.clock.advance(1)

    assert len(ticks) >= 3
    assert min(later - earlier for earlier, later in zip(ticks, ticks[2:], strict=False)) >= 60


async def test_what_is_told_during_a_read_is_read_again(hooked: Hooked) -> None:
    """A change that a running read may have missed brings about another."""
    await hooked.channel()
    hooked.desk.clock.advance(60)
    now = hooked.desk.clock.now()
    async with hooked.desk.store.write() as tx:
        lease = await tx.connections.lease(hooked.connection.id, "node", now, 60)
        assert lease
    await hooked.google()
    hooked.desk.clock.advance(5)
    async with hooked.desk.store.write() as tx:
        await tx.connections.release(lease, now + 5 + 60)

    assert await hooked.due_in() == 31 - 5


async def test_a_wait_that_a_source_asked_for_is_kept(hooked: Hooked) -> None:
    """Notifications do not shorten Retry-After."""
    await hooked.channel()
    now = hooked.desk.clock.now() + 60
    hooked.desk.clock.set(now)
    async with hooked.desk.store.write() as tx:
        lease = await tx.connections.lease(hooked.connection.id, "node", now, 60)
        assert lease
        await tx.connections.release(lease, now + 300, not_before=now + 300)
    await hooked.google()

    assert await hooked.due_in(400) == 300


# --- Microsoft


async def test_a_batch_is_taken_row_by_row(hooked: Hooked) -> None:
    """Good rows count, forged and malformed ones beside them do not."""
    await hooked.channel("microsoft")
    hooked.desk.clock.advance(40)
    bad = [a_line(clientState="wrong"), a_line(subscriptionId=7), "x", None, [], {}]

    assert await hooked.graph(*bad) == 202
    assert await hooked.due_in() == 20
    assert await hooked.graph(*bad, a_line(), *bad) == 202
    assert await hooked.due_in() == 2


@pytest.mark.parametrize("body", [{"value": {}}, {"value": None}, {}, {"value": "x"}])
async def test_a_batch_of_another_shape_is_nothing(hooked: Hooked, body: Any) -> None:
    """Wrong types are answered as an empty batch is."""
    assert await hooked.graph(body=body) == 202


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"{", 400), (b"[" * 50_000, 400), (b"\xff", 400), (b" " * (1024 * 1024 + 1), 413)],
)
async def test_what_is_no_batch_is_refused(hooked: Hooked, data: bytes, status: int) -> None:
    """Malformed or endless bodies get a 4xx and cost nothing."""
    kind = {"Content-Type": "application/json"}
    async with hooked.client.post("/hooks/graph", data=io.BytesIO(data), headers=kind) as answer:
        assert answer.status == status


async def test_ten_thousand_rows_are_bounded_work(hooked: Hooked) -> None:
    """A huge batch of strangers is looked up at once."""
    reads = 0
    store = hooked.desk.store
    before = store.read

    def counted() -> Any:
        nonlocal reads
        reads += 1
        return before()

    store.read = counted
    lines = [a_line(subscriptionId=f"w{number}") for number in range(10_000)]

    assert await hooked.graph(*lines) == 202
    assert reads == 1


async def test_the_handshake_gives_the_token_back_as_text(hooked: Hooked) -> None:
    """Markup in a validation token stays text."""
    token = "<script>alert(1)</script> & %2B"
    async with hooked.client.post("/hooks/graph", params={"validationToken": token}) as answer:
        assert (answer.status, await answer.text()) == (200, token)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "query",
    [
        "validationToken=a%0d%0aSet-Cookie:x",
        "validationToken=a%00",
        "validationToken=a&validationToken=b",
        "validationToken=" + "a" * 5000,
    ],
)
async def test_an_odd_handshake_is_refused(hooked: Hooked, query: str) -> None:
    """Line ends, NUL, a doubled or endless token: 400, nothing of it in a header."""
    from yarl import URL

    async with hooked.client.post(URL(f"/hooks/graph?{query}", encoded=True)) as answer:
        assert answer.status == 400
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/hooks/graph?validationToken=a", "/hooks/google"])
async def test_hooks_are_posted_to(hooked: Hooked, path: str) -> None:
    """GET is no notification."""
    async with hooked.client.get(path) as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    ("event", "left"), [("subscriptionRemoved", 0), ("reauthorizationRequired", 1), ("missed", 1)]
)
async def test_lifecycle_events_are_followed(hooked: Hooked, event: str, left: int) -> None:
    """A removed subscription is made anew, one that ends is renewed, and the account is read."""
    await hooked.channel("microsoft")
    hooked.desk.clock.advance(40)
    await hooked.graph(a_line(lifecycleEvent=event, changeType=None))

    channels = await hooked.channels()
    assert len(channels) == left
    assert await hooked.due_in() == 2
    if event == "reauthorizationRequired":
        assert channels[0].renew_at == 0


async def test_a_locked_database_is_answered_in_time(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database locked the answer is 503 by the deadline, and the read comes later."""
    assert hooks.DEADLINE < 3, "Microsoft counts an answer after three seconds as none"
    monkeypatch.setattr(hooks, "DEADLINE", 0.2)
    await hooked.channel()
    hooked.desk.clock.advance(40)
    async with hooked.desk.store.write(owner_id=hooked.desk.owner.id) as tx:
        await tx.connections.set_account(hooked.connection.id, "locked", {})
        assert await hooked.google() == 503
    for _ in range(100):
        if await hooked.due_in() <= 2:
            return
        await asyncio.sleep(0.02)
    pytest.fail("what was told was not stored after all")
