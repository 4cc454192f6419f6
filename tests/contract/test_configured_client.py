"""The client for registered providers: accounts share connections, and none holds up another."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import GuardedClient, read_url

HANGING = 40
OPEN = GuardOptions(allow_private=True)


@dataclass
class Provider:
    """A server on loopback; it remembers by which connection who asked."""

    url: str = ""
    asked: list[tuple[object, str | None]] = field(default_factory=list)
    hanging: int = 0


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """Run the server."""
    made = Provider()

    async def serve(request: web.Request) -> web.Response:
        if request.path == "/hang":
            made.hanging += 1
            await asyncio.sleep(60)
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")
        made.asked.append((peer, request.headers.get("Authorization")))
        return web.Response(text="{}")

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[GuardedClient]:
    """Give the client of the process."""
    made = GuardedClient(OPEN)
    yield made
    await made.close()


async def test_accounts_share_connections_and_nothing_else(
    provider: Provider, client: GuardedClient
) -> None:
    """The second account needs no connection of its own, and no token of the first goes along."""
    where = read_url(f"{provider.url}/calendars", OPEN)
    await client.configured().request("GET", where, headers={"Authorization": "Bearer ana"})
    await client.configured().request("GET", where)

    assert len({peer for peer, _ in provider.asked}) == 1
    assert [token for _, token in provider.asked] == ["Bearer ana", None]


async def test_accounts_that_hang_hold_up_no_other(
    provider: Provider, client: GuardedClient
) -> None:
    """However many calls wait for an answer, one more is made at once."""
    configured = client.configured()
    hang, calendars = (read_url(f"{provider.url}/{name}", OPEN) for name in ("hang", "calendars"))
    waiting = [asyncio.create_task(configured.request("GET", hang)) for _ in range(HANGING)]
    async with asyncio.timeout(10):
        while provider.hanging < HANGING:
            await asyncio.sleep(0.005)
        answer = await configured.request("GET", calendars)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert answer.status == 200
