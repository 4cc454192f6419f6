"""What every writer promises of a booking's event, held against each kind of calendar."""

from collections.abc import AsyncIterator

import pytest

from gateway.errors import UpstreamError
from tests.builders import an_event, an_hour
from tests.owners_hand import KINDS, OwnersHand, owners_hand
from tests.upstreams import Peers

UID = "bk_0001@gateway.example.org"
NINE, TWO, FIVE = an_hour(9), an_hour(14), an_hour(17)


@pytest.fixture(params=KINDS)
async def hand(request: pytest.FixtureRequest, peers: Peers) -> AsyncIterator[OwnersHand]:
    """Run each kind, with a booking's event in its calendar."""
    async with owners_hand(request.param, peers) as made:
        data = an_event(UID, end="20261201T100000Z", summary="Intro", description="One")
        writer, calendar = await made.opened()
        await writer.create(calendar, UID, data)
        yield made


async def test_an_event_moves_in_place(hand: OwnersHand) -> None:
    """It is found where it is, moves, and moving it again changes nothing; it stays one event."""
    writer, calendar = await hand.opened()
    assert await writer.find(calendar, UID) == NINE
    for _ in range(2):
        assert await writer.move(calendar, UID, before=NINE, after=TWO) == TWO
    assert await writer.find(calendar, UID) == TWO

    assert await hand.times() == [TWO]


async def test_what_its_owner_moved_is_left_where_it_is(hand: OwnersHand) -> None:
    """F29: the owner's time is told, and neither a move nor a repeated create writes over it."""
    writer, calendar = await hand.opened()
    await hand.moves(FIVE)
    assert await writer.move(calendar, UID, before=NINE, after=TWO) == FIVE
    await writer.create(calendar, UID, an_event(UID, end="20261201T100000Z"))

    assert await hand.times() == [FIVE]


async def test_an_event_that_is_gone_is_not_made_anew(hand: OwnersHand) -> None:
    """A move of what its owner deleted says so; of a calendar that fails nothing is known."""
    writer, calendar = await hand.opened()
    await hand.deletes()
    assert await writer.find(calendar, UID) is None
    assert await writer.move(calendar, UID, before=NINE, after=TWO) is None
    assert await hand.times() == []
    hand.source.fail(status=500)
    with pytest.raises(UpstreamError):
        await writer.find(calendar, UID)


async def test_a_link_of_the_provider_moves_nothing(hand: OwnersHand) -> None:
    """F38: its own words, link and UID leave the event at its time, and a move keeps them."""
    writer, calendar = await hand.opened()
    await hand.adds_a_link()
    assert await writer.find(calendar, UID) == NINE
    assert await writer.move(calendar, UID, before=NINE, after=TWO) == TWO

    assert await hand.times() == [TWO]
