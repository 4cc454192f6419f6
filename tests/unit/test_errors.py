"""Domain errors: what they say of the outside world can be kept, mailed and logged."""

import pytest

from gateway.errors import LONGEST_DETAIL, AccessLost, SignInNeeded, Unavailable


@pytest.mark.parametrize("kind", [Unavailable, SignInNeeded, AccessLost])
def test_a_sources_words_are_made_plain(kind: type[Unavailable]) -> None:
    """Line breaks, orders to terminals, NUL and halves of characters are gone from a detail.

    A mail host that answered with a NUL made its job fail in being given back, for good.
    """
    said = "451 \x00\x1b[31mno\r\nINJECTED\u2028line\x85\ud800 \u202eend" + "x" * 10_000
    detail = str(kind(said))

    assert detail.startswith("451 [31mno INJECTED line end")
    assert detail.isprintable()
    assert len(detail) == LONGEST_DETAIL
    detail.encode()
