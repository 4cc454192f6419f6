"""A change in a connected account is told by its provider and read before its turn."""

import asyncio

from gateway.services.watching import WatchService
from tests.connecting import JANE, Connecting


async def test_a_change_at_google_is_read_before_its_turn(connecting: Connecting) -> None:
    """Google is given a channel; an event made there makes the account due within half a minute."""
    await connecting.connect()
    services = connecting.desk.services
    watching = WatchService(
        services.store,
        services.clock,
        services.doctor._sources,
        services.cipher,
        address=connecting.desk.url,
    )
    await watching.work()
    [channel] = connecting.google.world.channels.values()
    assert channel.address == f"{connecting.desk.url}/hooks/google"
    now = services.clock.now()
    async with services.store.read() as tx:
        assert not await tx.connections.due(now + 40)

    start = {"dateTime": "2027-01-05T10:00:00Z"}
    event = {"id": "told1", "summary": "New", "start": start, "end": start}
    connecting.google.world.put(JANE, event)
    for _ in range(200):
        async with services.store.read() as tx:
            if await tx.connections.due(now + 40):
                return
        await asyncio.sleep(0.02)
    raise AssertionError("the notification did not bring the read forward")
