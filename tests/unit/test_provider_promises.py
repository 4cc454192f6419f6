"""The judge of the kill -9 campaign: what it must find, and what it must let pass."""

import pytest

from tests.provider_accounts import Written
from tests.provider_kills import chosen
from tests.provider_promises import OPEN, OVER, Findings, Promise, judge

TEN, HALF_PAST = 1796119200, 1796121000
ELEVEN, LATER = TEN + 3600, TEN + 5400
BOOKED = {
    "id": "bk_1",
    "state": "confirmed",
    "start": "2026-12-01T10:00:00Z",
    "end": "2026-12-01T10:30:00Z",
}
EVENT = Written("bk_1", TEN, HALF_PAST)


def found(findings: Findings) -> dict[str, int]:
    """Return how many there are of each kind."""
    kinds = {name: len(getattr(findings, name)) for name in Findings.__slots__}
    return {name: count for name, count in kinds.items() if count}


def test_one_event_at_its_time_is_right() -> None:
    """A promised booking that is one event at its time is no finding."""
    assert judge([Promise("bk_1", {TEN})], [BOOKED], [EVENT]).is_clean


def test_a_cancelled_booking_without_an_event_is_right() -> None:
    """What was called off leaves nothing."""
    cancelled = BOOKED | {"state": "cancelled"}

    assert judge([Promise("bk_1", {TEN}, OVER)], [cancelled], []).is_clean


@pytest.mark.parametrize("listed", [[], [BOOKED | {"state": "cancelled"}]])
def test_a_promise_that_does_not_stand_is_lost(listed: list[dict[str, str]]) -> None:
    """Answered "booked" and not there, or called off by nobody."""
    assert found(judge([Promise("bk_1", {TEN})], listed, [])) == {"lost": 1}


def test_a_booking_without_an_event_is_lost() -> None:
    """Confirmed here, nothing in the calendar."""
    assert found(judge([], [BOOKED], [])) == {"lost": 1}


def test_two_events_are_a_duplicate() -> None:
    """One booking, two events."""
    assert found(judge([], [BOOKED], [EVENT, EVENT])) == {"duplicates": 1}


@pytest.mark.parametrize("state", ["cancelled", "rejected", "pending"])
def test_an_event_of_no_confirmed_booking_is_an_orphan(state: str) -> None:
    """Its booking has ended, or was never finished."""
    assert found(judge([], [BOOKED | {"state": state}], [EVENT])) == {"orphans": 1}


def test_an_event_of_an_unknown_booking_is_an_orphan() -> None:
    """Nobody here knows of its booking."""
    assert found(judge([], [], [EVENT])) == {"orphans": 1}


def test_a_booking_that_comes_back_is_an_orphan() -> None:
    """Answered "cancelled" and there all the same."""
    assert found(judge([Promise("bk_1", {TEN}, OVER)], [BOOKED], [EVENT])) == {"orphans": 1}


def test_an_event_at_another_time_is_misplaced() -> None:
    """The calendar has another time than the booking."""
    event = Written("bk_1", ELEVEN, LATER)

    assert found(judge([Promise("bk_1", {TEN})], [BOOKED], [event])) == {"misplaced": 1}


def test_a_move_that_was_answered_and_undone_is_misplaced() -> None:
    """Answered "moved" and still at the old time."""
    assert found(judge([Promise("bk_1", {ELEVEN})], [BOOKED], [EVENT])) == {"misplaced": 1}


def test_a_move_without_an_answer_may_be_either() -> None:
    """Before or after; but event and booking agree."""
    assert judge([Promise("bk_1", {TEN, ELEVEN})], [BOOKED], [EVENT]).is_clean


@pytest.mark.parametrize(("listed", "events"), [([BOOKED], [EVENT]), ([], [])])
def test_a_cancel_without_an_answer_may_be_either(
    listed: list[dict[str, str]], events: list[Written]
) -> None:
    """It stands with its event, or it is gone with it."""
    assert judge([Promise("bk_1", {TEN}, OPEN)], listed, events).is_clean


def test_the_kills_behind_a_finding_are_named() -> None:
    """What should not be leads to the kills that it saw, and to no others."""
    promises = [Promise("bk_1", {TEN}, kills={4, 7}), Promise("bk_2", {ELEVEN}, OVER, {5})]

    assert judge(promises, [], []).kills(promises) == [4, 7]


def test_a_kill_is_the_same_whenever_it_comes() -> None:
    """A seed with a number draws one kill; another number draws another."""
    drawn = [chosen(f"google 5 {number}") for number in (3, 4, 3)]

    assert drawn[0] == drawn[2] != drawn[1]
