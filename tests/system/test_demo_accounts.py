"""The demo's Google and Office 365 accounts are connected as their owner would, and read."""

from pathlib import Path

from gateway.bootstrap import open_gateway
from gateway.cli import demo
from gateway.config import Config, Security
from gateway.model.connection import HealthState
from gateway.model.timerange import DAY, TimeRange
from gateway.sandbox.demo_accounts import GMAIL, OFFICE, demo_accounts
from gateway.storage.cipher import new_key


async def test_both_accounts_are_connected_and_busy(data_dir: Path) -> None:
    """Over both consent pages; their default calendars are selected, read, and make Demi busy."""
    config = Config(
        data_dir=str(data_dir), key=new_key(), security=Security(allow_private_networks=True)
    )
    async with demo_accounts() as accounts, open_gateway(demo._registered(config, accounts)) as one:
        services = one.services
        owner = await services.owners.add(demo.EMAIL, "correct horse battery")
        await demo._connect(one, accounts)
        now = services.clock.now()
        states = await services.connections.list(owner.id)
        async with services.store.read() as tx:
            calendars = await tx.collections.of_owner(owner.id)
        busy = await services.freebusy.busy_by_collection(calendars, TimeRange(now, now + 21 * DAY))

    assert {state.connection.account for state in states} == {GMAIL, OFFICE}
    selected = [each for each in calendars if each.selected]
    assert len(selected) == 2
    assert all(each.state(now) is HealthState.WORKING for each in selected)
    assert all(len(busy[each.id]) >= 4 for each in selected)
