"""Hours as owners type them: many spellings in, one out, and nothing guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.settings.hours_text import (
    UnreadableError,
    read_dates,
    read_hours,
    show_dates,
    show_hours,
)

CLOCKS = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
HOURS = st.lists(st.tuples(CLOCKS, CLOCKS | st.just("24:00")), max_size=5).map(tuple)
DAYS = st.dates().filter(lambda day: day.year >= 1900).map(lambda day: day.isoformat())


@pytest.mark.parametrize(
    ("typed", "hours"),
    [
        ("09:00-17:00", (("09:00", "17:00"),)),
        ("9-17", (("09:00", "17:00"),)),
        (" 9.30 \u2013 12h15 , 13:00\u201417:00 ", (("09:30", "12:15"), ("13:00", "17:00"))),
        ("9 to 12 and 13 to 24", (("09:00", "12:00"), ("13:00", "24:00"))),
        ("9 tot 12 en 13 tot 17", (("09:00", "12:00"), ("13:00", "17:00"))),
        ("22:00-02:00", (("22:00", "02:00"),)),
        ("", ()),
        ("closed", ()),
        ("Gesloten", ()),
        ("-", ()),
    ],
)
def test_the_usual_spellings_are_read(typed: str, hours: tuple[tuple[str, str], ...]) -> None:
    """Hyphens and dashes, dots and colons, words in English and Dutch."""
    assert read_hours(typed) == hours


@pytest.mark.parametrize(
    "typed",
    ["9", "from nine", "25-26", "9-9:60", "24:00-25:00", "9-17-19", "9:0-10", "-9-10", "9--10"],
)
def test_what_is_not_hours_is_refused(typed: str) -> None:
    """Nothing is guessed: an hour too many would be offered to visitors."""
    with pytest.raises(UnreadableError):
        read_hours(typed)


@given(HOURS)
def test_shown_hours_can_be_read_again(hours: tuple[tuple[str, str], ...]) -> None:
    """What the form shows is what it reads."""
    assert read_hours(show_hours(hours)) == hours


@given(st.dictionaries(DAYS, HOURS, max_size=5), st.sampled_from(["closed", "gesloten"]))
def test_shown_dates_can_be_read_again(
    dates: dict[str, tuple[tuple[str, str], ...]], closed: str
) -> None:
    """Dates too, in both languages' word for closed."""
    assert read_dates(show_dates(dates, closed)) == dates


def test_dates_are_read_a_line_each() -> None:
    """With or without a colon, empty lines ignored, a date alone is closed."""
    typed = "2026-12-24: 9-12\r\n\r\n2026-12-25 closed\n2026-1-2\n"

    assert read_dates(typed) == {
        "2026-12-24": (("09:00", "12:00"),),
        "2026-12-25": (),
        "2026-01-02": (),
    }


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text is an error of ours."""
    for read in (read_hours, read_dates):
        try:
            read(text)
        except UnreadableError:
            continue
