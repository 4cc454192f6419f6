"""The demo's accounts at three providers are connected as by their owner, and read."""

from pathlib import Path

from gateway.bootstrap import open_gateway
from gateway.cli import demo
from gateway.config import Config, Security
from gateway.model.connection import HealthState
from gateway.model.timerange import DAY, TimeRange
from gateway.sandbox.demo_accounts import EXCHANGE, GMAIL, OFFICE, demo_accounts
from gateway.storage.cipher import new_key


async def test_the_accounts_are_connected_and_busy(data_dir: Path) -> None:
    """Over consent pages and the form; each default calendar is selected, read, and busy."""
    config = Config(
        data_dir=str(data_dir), key=new_key(), security=Security(allow_private_networks=True)
    )
    async with demo_accounts() as accounts, open_gateway(demo._registered(config, accounts)) as one:
        services = one.services
        owner = await services.owners.add(demo.EMAIL, "correct horse battery")
        await demo._connect(one, accounts)
        await demo._connect_exchange(one, accounts)
        now = services.clock.now()
        states = await services.connections.list(owner.id)
        async with services.store.read() as tx:
            calendars = await tx.collections.of_owner(owner.id)
        busy = await services.freebusy.busy_by_collection(calendars, TimeRange(now, now + 21 * DAY))

    assert {state.connection.account for state in states} == {GMAIL, OFFICE, EXCHANGE}
    selected = [each for each in calendars if each.selected]
    assert len(selected) == 3
    assert all(each.state(now) is HealthState.WORKING for each in selected)
    assert all(len(busy[each.id]) >= 4 for each in selected)
