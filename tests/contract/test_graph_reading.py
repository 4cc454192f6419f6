"""The Graph adapter against the simulated Microsoft: rounds and series."""

from collections.abc import AsyncIterator

import pytest

from gateway.errors import Unavailable
from gateway.model.timerange import DAY, HOUR
from tests.conftest import FakeClock
from tests.graph_account import GraphSource, graph_source
from tests.graph_events import NOON, put, put_exception, put_series, told
from tests.upstream_read import last_words as read
from tests.upstream_read import members


@pytest.fixture
async def lea() -> AsyncIterator[GraphSource]:
    """Run a simulated Microsoft with Lea's account."""
    async with graph_source() as made:
        yield made


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_of_any_size_give_the_same(lea: GraphSource, size: int) -> None:
    """Empty pages before a next link and masters on other pages than their occurrences."""
    put_series(lea)
    put_exception(lea, 26)
    put(lea, "single")
    whole, _ = await read(lea.adapter(), lea.calendar_id)
    lea.server.world.page_size, lea.server.world.empty_pages = size, True
    paged, last = await read(lea.adapter(), lea.calendar_id)

    assert paged == whole
    assert last.complete
    assert set(whole) == {"single", "series"}


async def test_a_series_is_put_together_from_skeletons(lea: GraphSource) -> None:
    """Where no master comes in a round, it is asked for: subject and state are its."""
    lea.server.world.masters_in_delta = False
    put_series(lea)
    put_exception(lea, 27)
    lea.server.world.remove_occurrence(lea.calendar_id, "series", "2026-11-26")
    objects, _ = await read(lea.adapter(), lea.calendar_id)

    assert told(objects["series"]) == (["20261127T120000Z"], ["20261126T120000Z"])
    assert members(objects["series"])[0].text("SUMMARY") == "series"


async def test_a_mailbox_that_tells_no_exceptions_has_its_instances_counted(
    lea: GraphSource,
) -> None:
    """What is changed and what is missing is found among the instances."""
    lea.server.world.tells_cancelled = False
    put_series(lea, count=10)
    put_exception(lea, 27)
    lea.server.world.remove_occurrence(lea.calendar_id, "series", "2026-11-26")
    objects, _ = await read(lea.adapter(), lea.calendar_id)

    assert told(objects["series"]) == (["20261127T120000Z"], ["20261126T120000Z"])


async def test_a_changed_exception_reads_its_whole_series(lea: GraphSource) -> None:
    """A delta that tells one change still gives every override and exception of the series."""
    put_series(lea)
    put_exception(lea, 26)
    lea.server.world.remove_occurrence(lea.calendar_id, "series", "2026-11-28")
    _, last = await read(lea.adapter(), lea.calendar_id)
    put_exception(lea, 27)
    objects, _ = await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    assert told(objects["series"]) == (
        ["20261126T120000Z", "20261127T120000Z"],
        ["20261128T120000Z"],
    )


async def test_what_is_touched_outside_the_window_is_nothing(lea: GraphSource) -> None:
    """`@removed` of what is not known takes nothing away."""
    put(lea, "near")
    put(lea, "far", NOON + 3 * 366 * DAY)
    first, last = await read(lea.adapter(), lea.calendar_id)
    put(lea, "far", NOON + 3 * 366 * DAY + HOUR)
    objects, page = await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    assert set(first) == {"near"}
    assert all(item.data is None for item in objects.values())
    assert "near" not in objects
    assert not page.complete


async def test_instances_without_their_series_stand_alone(lea: GraphSource) -> None:
    """Who is invited to one instance only has no master to ask for."""
    put_exception(lea, 26, "elsewhere")
    _, last = await read(lea.adapter(), lea.calendar_id)
    put_exception(lea, 27, "elsewhere")
    objects, _ = await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    (event,) = members(objects["elsewhere-27"])
    assert event.value("RECURRENCE-ID") == ""
    assert objects["elsewhere"].data is None


async def test_the_window_rolls_with_a_whole_reading(lea: GraphSource) -> None:
    """After a week a new round begins, and shows what has come into reach."""
    clock = lea.clock
    assert isinstance(clock, FakeClock)
    put(lea, "later", NOON + 412 * DAY)
    first, last = await read(lea.adapter(), lea.calendar_id)
    clock.advance(8 * DAY)
    objects, page = await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    assert first == {}
    assert set(objects) == {"later"}
    assert page.complete


async def test_a_token_that_ends_costs_a_whole_reading(lea: GraphSource) -> None:
    """410 starts a new round; again and again is a failure with a long wait."""
    put(lea, "one")
    _, last = await read(lea.adapter(), lea.calendar_id)
    for _ in range(3):
        lea.server.world.forget(lea.calendar_id)
        _, last = await read(lea.adapter(), lea.calendar_id, last.cursor or "")
        assert last.complete
    lea.server.world.forget(lea.calendar_id)
    with pytest.raises(Unavailable) as raised:
        await read(lea.adapter(), lea.calendar_id, last.cursor or "")

    assert raised.value.retry_after == 600


@pytest.mark.parametrize("cursor", ["nonsense", "[]", '{"version": 1}', '{"version": 99}'])
async def test_a_cursor_of_nobody_is_a_start(lea: GraphSource, cursor: str) -> None:
    """What is stored and cannot be read begins at the beginning."""
    put(lea, "one")
    objects, page = await read(lea.adapter(), lea.calendar_id, cursor)

    assert set(objects) == {"one"}
    assert page.complete
