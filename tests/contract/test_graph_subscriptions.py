"""Graph's subscriptions: the handshake, what is told, and the end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from gateway.errors import Unavailable
from tests.graph_account import GraphSource, graph_source
from tests.graph_events import a_server, put


@pytest.fixture
async def lea() -> AsyncIterator[GraphSource]:
    """Run a simulated Microsoft with Lea's account."""
    async with graph_source() as made:
        yield made


async def test_a_subscription_tells_of_changes_until_it_is_ended(lea: GraphSource) -> None:
    """The handshake, a notification with our secret, a lifecycle event, and the end."""
    rows: list[dict[str, Any]] = []

    async def hook(request: web.Request) -> web.Response:
        token = request.query.get("validationToken")
        if token is not None:
            return web.Response(text=token)
        rows.extend((await request.json())["value"])
        return web.Response(status=202)

    async with a_server(hook) as address:
        adapter = lea.adapter()
        clock = lea.clock
        lea.server.world.now = lambda: float(clock.now())
        await lea.tokens.access_token(rejected="old")
        watch = await adapter.watch(
            lea.calendar_id, channel="ch", secret="secret", address=f"{address}/hooks/graph"
        )
        put(lea, "new")
        lea.server.push.lifecycle(watch.id, "missed")
        await lea.server.push.settle()
        await adapter.unwatch(watch)
        await adapter.unwatch(watch)
        put(lea, "after")
        await lea.server.push.settle()

    assert watch.expires_at == lea.clock.now() + 4_230 * 60
    assert {row["clientState"] for row in rows} == {"secret"}
    assert sorted(row.get("lifecycleEvent", row.get("changeType")) for row in rows) == [
        "created",
        "missed",
    ]
    assert lea.server.world.subscriptions == {}


async def test_an_address_that_does_not_answer_gets_no_subscription(lea: GraphSource) -> None:
    """Without the handshake there is no push, which is a failure that passes."""

    async def deaf(request: web.Request) -> web.Response:
        return web.Response(status=404)

    async with a_server(deaf) as address:
        with pytest.raises(Unavailable):
            await lea.adapter().watch(
                lea.calendar_id, channel="ch", secret="secret", address=address
            )
