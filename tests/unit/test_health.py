"""The health table of CONTRACT.md, row by row."""

import pytest

from gateway.model.collection import Collection, Provider
from gateway.model.connection import Failure, Health, HealthState
from gateway.model.timerange import HOUR, MINUTE

NOW = 1_764_000_000
WORKING, STALE, NO_ACCESS = HealthState.WORKING, HealthState.STALE, HealthState.NO_ACCESS


def a_calendar(health: Health, provider: Provider = Provider.GOOGLE) -> Collection:
    """Return a collection with this health."""
    return Collection(
        id=1, public_id="cal_1", owner_id=1, name="work", provider=provider, health=health
    )


def failing(kind: Failure, *, times: int = 1, since: int = NOW) -> Health:
    """Return the health after failures that began at `since`."""
    health = Health(last_success_at=since - MINUTE)
    for _ in range(times):
        health = health.failed(kind, "It failed.", since)
    return health


@pytest.mark.parametrize(
    ("age", "state"),
    [(0, WORKING), (10 * MINUTE, WORKING), (10 * MINUTE + 1, STALE), (20 * MINUTE, NO_ACCESS)],
)
def test_without_failures_the_last_success_decides(age: int, state: HealthState) -> None:
    """A calendar works for ten minutes after a success; unread for longer it counts as failing."""
    calendar = a_calendar(Health(last_success_at=NOW - age))

    assert calendar.state(NOW) is state


@pytest.mark.parametrize(
    ("provider", "age", "state"),
    [
        (Provider.GOOGLE, 0, STALE),
        (Provider.GOOGLE, 10 * MINUTE - 1, STALE),
        (Provider.GOOGLE, 10 * MINUTE, NO_ACCESS),
        (Provider.CALDAV, 10 * MINUTE, NO_ACCESS),
        (Provider.ICS, 10 * MINUTE, STALE),
        (Provider.ICS, 24 * HOUR - 1, STALE),
        (Provider.ICS, 24 * HOUR, NO_ACCESS),
    ],
)
def test_transient_failures_are_borne_for_a_while(
    provider: Provider, age: int, state: HealthState
) -> None:
    """Transient failures are stale for under ten minutes, for `.ics` subscriptions under a day."""
    calendar = a_calendar(failing(Failure.UNAVAILABLE, since=NOW - age), provider)

    assert calendar.state(NOW) is state


def test_repeated_failures_count_from_the_first() -> None:
    """Later failures do not restart the clock."""
    health = failing(Failure.UNAVAILABLE, since=NOW - 9 * MINUTE)
    health = health.failed(Failure.UNAVAILABLE, "Again.", NOW - MINUTE)

    assert a_calendar(health).state(NOW) is STALE
    assert a_calendar(health).state(NOW + MINUTE) is NO_ACCESS


@pytest.mark.parametrize(
    ("kind", "times", "state"),
    [
        (Failure.SIGN_IN_NEEDED, 1, NO_ACCESS),
        (Failure.ACCESS_LOST, 1, STALE),
        (Failure.ACCESS_LOST, 2, NO_ACCESS),
    ],
)
def test_a_denial_is_a_loss(kind: Failure, times: int, state: HealthState) -> None:
    """A refused sign-in is a loss at once, a denial or a missing calendar when said twice."""
    calendar = a_calendar(failing(kind, times=times), Provider.ICS)

    assert calendar.state(NOW) is state


@pytest.mark.parametrize("kind", [Failure.SIGN_IN_NEEDED, Failure.ACCESS_LOST])
def test_a_loss_is_not_undone_by_a_timeout(kind: Failure) -> None:
    """A transient failure after a confirmed loss does not open the calendar again."""
    health = failing(kind, times=2).failed(Failure.UNAVAILABLE, "Timed out.", NOW + 1)

    assert a_calendar(health, Provider.ICS).state(NOW + 1) is NO_ACCESS


def test_a_success_ends_every_failure() -> None:
    """One complete read makes the calendar work again."""
    health = failing(Failure.SIGN_IN_NEEDED, since=NOW - HOUR).succeeded(NOW)

    assert a_calendar(health).state(NOW) is WORKING


def test_a_calendar_never_read_is_no_access() -> None:
    """Nothing known is never free, whatever the failure."""
    health = Health().failed(Failure.UNAVAILABLE, "Timed out.", NOW)

    assert a_calendar(Health()).state(NOW) is NO_ACCESS
    assert a_calendar(health).state(NOW) is NO_ACCESS


def test_a_local_calendar_always_works() -> None:
    """A local calendar has no source that could fail."""
    assert a_calendar(Health(), Provider.LOCAL).state(NOW) is WORKING


def test_a_slept_gateway_does_not_get_a_new_grace_period() -> None:
    """After an hour without attempts the first failure is a loss, not the start of ten minutes."""
    health = Health(last_success_at=NOW - HOUR).failed(Failure.UNAVAILABLE, "Timed out.", NOW)

    assert a_calendar(health).state(NOW) is NO_ACCESS
