"""Sync tokens of RFC 6578."""

from dataclasses import replace

import pytest

from gateway.dav.sync_token import revision_of, sync_token
from gateway.errors import Condition, Refused
from tests.builders import a_collection

CALENDAR = a_collection(1, public_id="cal_A1-b_2", revision=17)


def test_a_token_names_the_revision_that_was_seen() -> None:
    """What was given out is read back."""
    assert revision_of(sync_token(CALENDAR), CALENDAR) == 17
    assert revision_of(sync_token(CALENDAR, 3), CALENDAR) == 3


def test_a_token_belongs_to_one_epoch() -> None:
    """What was given before a restore, or after another one, is refused whatever its revision."""
    restored = replace(CALENDAR, epoch="0123456789abcdef")
    other = replace(CALENDAR, epoch="fedcba9876543210")

    assert revision_of(sync_token(restored, 3), restored) == 3
    for token, calendar in (
        (sync_token(CALENDAR, 3), restored),
        (sync_token(other, 3), restored),
        (sync_token(restored, 3), CALENDAR),
    ):
        with pytest.raises(Refused):
            revision_of(token, calendar)


@pytest.mark.parametrize(
    "token",
    [
        "urn:calgate:sync:cal_other:17",
        "urn:calgate:sync:cal_A1-b_2:18",
        "urn:calgate:sync:cal_A1-b_2:-1",
        "urn:calgate:sync:cal_A1-b_2:١٢",
        "urn:calgate:sync:cal_A1-b_2:" + "9" * 10_000,
        "urn:calgate:sync:cal_A1-b_2:",
        "http://example.org/sync:17",
        "17",
        "x" * 10_240,
    ],
)
def test_a_token_that_was_never_given_out_is_refused(token: str) -> None:
    """Foreign, forged, future and endless tokens name the precondition."""
    with pytest.raises(Refused) as refused:
        revision_of(token, CALENDAR)

    assert refused.value.condition is Condition.VALID_SYNC_TOKEN
