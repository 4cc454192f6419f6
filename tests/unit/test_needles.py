"""What an object's bytes must hold for a filter to match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.content_line import text_property, write_lines
from gateway.model.filter import CompFilter, PropFilter, TextMatch
from gateway.model.matching import Matcher
from gateway.model.needles import may_match, needles_of
from gateway.model.objects import read_one
from gateway.model.text_match import Collation
from gateway.model.zones import UTC_ZONE

COLLATIONS = [Collation.ASCII_CASEMAP, Collation.OCTET]


def asking(match: TextMatch) -> CompFilter:
    """Ask for an event with a text in its summary."""
    event = CompFilter(name="VEVENT", props=(PropFilter(name="SUMMARY", text_match=match),))
    return CompFilter(name="VCALENDAR", comps=(event,))


def an_event(summary: str) -> bytes:
    """Return an event with a summary, folded as we write it."""
    line = write_lines([text_property("SUMMARY", summary)])
    return (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\nUID:x\r\n"
        b"DTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\n" + line + b"END:VEVENT\r\n"
        b"END:VCALENDAR\r\n"
    )


@given(
    st.text(max_size=200),
    st.integers(0, 200),
    st.integers(1, 200),
    st.sampled_from(COLLATIONS),
    st.booleans(),
)
def test_what_matches_is_never_passed_over(
    summary: str, start: int, length: int, collation: Collation, other_case: bool
) -> None:
    """Whatever part of a text is asked for, an object that matches is looked at."""
    part = summary[start : start + length]
    asked = asking(TextMatch(part.swapcase() if other_case else part, collation))
    data = an_event(summary)

    if Matcher(read_one(data), UTC_ZONE).matches(asked):
        assert may_match(needles_of(asked), data)


def test_most_objects_are_passed_over() -> None:
    """An event without the text is not parsed, one with it across a fold is."""
    needles = needles_of(asking(TextMatch("kickoff, thursday")))

    assert needles == (b" THURSDAY",)
    assert not may_match(needles, an_event("Retrospective"))
    assert may_match(needles, an_event("x" * 60 + " the Kickoff, Thursday"))


@pytest.mark.parametrize(
    "match",
    [
        TextMatch("x", negate=True),
        TextMatch("x", Collation.UNICODE_CASEMAP),
        TextMatch(",;:"),
        TextMatch(""),
    ],
)
def test_what_proves_nothing_is_not_looked_for(match: TextMatch) -> None:
    """Negations, other foldings of case and mere punctuation pass nothing over."""
    assert needles_of(asking(match)) == ()


@pytest.mark.parametrize("raw", [b"kick\\off", b"kick\x00off"])
def test_odd_bytes_prove_nothing(raw: bytes) -> None:
    """A stray backslash and a control character are no part of what a text says."""
    data = an_event("SUMMARY-HERE").replace(b"SUMMARY-HERE", raw)
    asked = asking(TextMatch("kickoff"))

    assert Matcher(read_one(data), UTC_ZONE).matches(asked)
    assert may_match(needles_of(asked), data)
