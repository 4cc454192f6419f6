"""The lease of a tick: short, so that a dead process holds up nobody, and kept up meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import CalgateError
from gateway.model.timerange import MINUTE
from gateway.ports import Clock, Lease, Store

LEASE_SECONDS = MINUTE
KEPT_UP_EVERY = 15.0
"""Seconds after which the lease of a tick that is still going on is lengthened."""


@asynccontextmanager
async def kept_up(
    store: Store, clock: Clock, lease: Lease, *, every: float = KEPT_UP_EVERY
) -> AsyncIterator[None]:
    """Hold a connection's lease for as long as this takes."""

    async def keep() -> None:
        while True:
            await asyncio.sleep(every)
            try:
                async with store.write() as tx:
                    await tx.connections.extend(lease, clock.now() + LEASE_SECONDS)
            except CalgateError:
                continue  # a store that is busy now is asked again; the commit looks anyway

    keeping = asyncio.create_task(keep(), name="sync.lease")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
