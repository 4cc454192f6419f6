"""A wrong password reaches a server twice: over restarts, on all nodes, by whichever way."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.bootstrap import Gateway, open_gateway
from gateway.config import Config, Security
from gateway.errors import CalgateError, Invalid, SignInNeeded, Unavailable, UpstreamError
from gateway.model.timerange import DAY, HOUR, MINUTE, TimeRange
from gateway.services.doctor import Check, Result
from gateway.services.exchange_account import ExchangeAccount
from gateway.services.sign_ins import FRESH, SignIns
from gateway.storage.cipher import KeyRing, new_key
from gateway.storage.engine import SqlStore
from tests.conftest import FakeClock
from tests.exchange_account import ADDRESS, PASSWORD, ExchangeSource, exchange_source

RING = KeyRing([b"k" * 32])
ROUNDS = 4


@pytest.fixture(params=["NTLM", "Basic"])
async def source(request: pytest.FixtureRequest) -> AsyncIterator[ExchangeSource]:
    """Run a server that takes one method, with Jane's mailbox."""
    async with exchange_source(methods=(request.param,)) as made:
        yield made


def nodes(store: SqlStore, clock: FakeClock, count: int = 2) -> list[SignIns]:
    """Return what so many processes on one store have, freshly started."""
    return [SignIns(store, clock, RING) for _ in range(count)]


async def kept(source: ExchangeSource) -> tuple[dict[str, str], str]:
    """Connect an account; return its kept options and its calendar."""
    adapter: Any = source.open()
    calendar = (await adapter.calendars())[0].upstream_id
    return json.loads(adapter.settled()), calendar


async def tried(source: ExchangeSource, node: SignIns, **options: str) -> UpstreamError | None:
    """Look at a calendar as one node does; return what it meets."""
    source.sign_ins = node
    adapter = source.open(**options)
    try:
        await adapter.last_look(source.mailbox.calendar.id, TimeRange(0, HOUR))
    except UpstreamError as error:
        return error
    finally:
        await adapter.close()
    return None


async def test_many_nodes_try_twice_in_all(
    source: ExchangeSource, store: SqlStore, clock: FakeClock
) -> None:
    """Whatever four nodes ask at once, and restarted again and again: two refusals in all."""
    source.clock = clock
    options, _ = await kept(source)
    source.rename(password="changed")
    for _ in range(ROUNDS):
        asked = nodes(store, clock, 4)
        await asyncio.gather(*(tried(source, node, **options) for node in asked))
        clock.advance(HOUR)

    assert len(source.server.refused) == 2


async def test_a_password_that_worked_a_moment_ago_is_tried_twice_too(
    source: ExchangeSource, store: SqlStore, clock: FakeClock
) -> None:
    """Two nodes that both signed in before meet a change together with a try each."""
    source.clock = clock
    options, _ = await kept(source)
    both = nodes(store, clock)
    for node in both:
        assert await tried(source, node, **options) is None
        _age(node)
    source.rename(password="changed")
    asked = [node for node in both for _ in range(4)]
    await asyncio.gather(*(tried(source, node, **options) for node in asked))
    clock.advance(10 * MINUTE)
    found = await asyncio.gather(*(tried(source, node, **options) for node in asked))

    assert len(source.server.refused) == 2
    assert {type(one) for one in found} == {SignInNeeded}


def _age(node: SignIns) -> None:
    """Let the seconds pass in which others sign in beside an accepted one."""
    for key, (at, until) in node._accepted.items():
        node._accepted[key] = (at, until - FRESH)


async def test_a_lone_refusal_waits_five_minutes_on_every_node(
    source: ExchangeSource, store: SqlStore, clock: FakeClock
) -> None:
    """After the first refusal nothing is sent by anybody, and it is told how long."""
    source.clock = clock
    options, _ = await kept(source)
    source.rename(password="changed")
    first, second = nodes(store, clock)
    await tried(source, first, **options)
    clock.advance(MINUTE)
    found = await tried(source, second, **options)

    assert isinstance(found, Unavailable)
    assert found.retry_after == 4 * MINUTE
    assert len(source.server.refused) == 1
    clock.advance(4 * MINUTE)
    await asyncio.gather(*(tried(source, one, **options) for one in (first, second)))
    assert len(source.server.refused) == 2


async def test_the_right_password_forgets_refusals(
    source: ExchangeSource, store: SqlStore, clock: FakeClock
) -> None:
    """Entered again and accepted, it works at once, on every node."""
    source.clock = clock
    options, _ = await kept(source)
    source.rename(password="changed")
    first, second = nodes(store, clock)
    for _ in range(2):
        await tried(source, first, **options)
        clock.advance(10 * MINUTE)
    source.rename(password=PASSWORD)
    blocked = await tried(source, second, **options)
    clock.advance(HOUR)
    source.sign_ins = first
    await source.open().calendars()

    assert isinstance(blocked, SignInNeeded)
    assert await tried(source, second, **options) is None


async def test_an_answer_that_never_came_is_no_refusal(
    source: ExchangeSource, store: SqlStore, clock: FakeClock
) -> None:
    """A server that is down for a day costs no strike; while a try is out, few others are sent."""
    source.clock = clock
    options, _ = await kept(source)
    source.fail(status=503)
    (node,) = nodes(store, clock, 1)
    for _ in range(20):
        await tried(source, node, **options)
        clock.advance(MINUTE)
    source.mend()
    clock.advance(2 * MINUTE)

    assert await tried(source, node, **options) is None


async def test_of_a_password_nothing_is_kept_that_could_be_guessed(
    source: ExchangeSource, store: SqlStore, clock: FakeClock
) -> None:
    """What names a refusal depends on the gateway's key; the password is not in it."""
    key = (await SignIns(store, clock, RING).begin("a", "b", entered=False)).key
    other = KeyRing([b"x" * 32])

    assert (await SignIns(store, clock, other).begin("a", "b", entered=False)).key != key


# --- by a gateway, by whichever way


async def test_every_way_counts_together(source: ExchangeSource, data_dir: Path) -> None:
    """The form again and again, then a tick, a doctor and a restart: two refusals in the hour."""
    config = Config(
        data_dir=str(data_dir), key=new_key(), security=Security(allow_private_networks=True)
    )
    given = ExchangeAccount(address=ADDRESS, password=PASSWORD, url=source.server.url)
    async with open_gateway(config) as gateway:
        owner = await gateway.services.owners.add("jane@example.org", "long enough password")
        state = await gateway.services.connections.connect_exchange(owner, given)
    source.rename(password="changed")

    async def form(one: Gateway) -> None:
        with pytest.raises(Invalid, match="password"):
            await one.services.connections.renew(owner.id, state.connection.id, PASSWORD)

    async def tick(one: Gateway) -> None:
        await one.services.connections.check(owner.id, state.connection.id)

    async def doctor(one: Gateway) -> None:
        steps = (await one.services.doctor.examine(state.connection)).steps
        assert next(s for s in steps if s.check is Check.SIGN_IN).result is Result.BAD

    ways: list[Callable[[Gateway], Any]] = [form, tick, doctor]
    for way in [form, *ways, *reversed(ways)]:
        async with open_gateway(config) as one, open_gateway(config) as two:
            await asyncio.gather(way(one), way(two))

    assert len(source.server.refused) == 2
    async with open_gateway(config) as gateway:
        (found,) = await gateway.services.connections.list(owner.id)
    assert "enter it again" in found.calendars[0].collection.health.detail


async def test_a_form_without_a_user_name_sends_a_password_twice(
    source: ExchangeSource, store: SqlStore, clock: FakeClock
) -> None:
    """Address and first part are one account: both are tried once, and then nothing for an hour."""
    source.clock = clock
    for node in nodes(store, clock, 4):
        source.sign_ins = node
        with pytest.raises(CalgateError, match="password"):
            await source.open(password="wrong").calendars()

    assert source.server.refused == [ADDRESS, "jane"]


async def test_refusals_outlive_the_housekeeping(store: SqlStore, clock: FakeClock) -> None:
    """What is kept for good is not swept away with the limits of last week."""
    (node,) = nodes(store, clock, 1)
    one = await node.begin("a", "b", entered=False)
    await node.refused(one, for_good=True)
    clock.advance(30 * DAY)
    async with store.write() as tx:
        await tx.counters.purge(clock.now())

    with pytest.raises(SignInNeeded):
        await node.begin("a", "b", entered=False)
