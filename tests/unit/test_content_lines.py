"""Content lines: what is written is read back, nothing starts another line, nothing is lost."""

import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.model.component import Component, parse, parse_many, serialize
from gateway.model.content_line import (
    FEW_DATES,
    MAX_PROPERTIES,
    as_text,
    clean_text,
    fold,
    parse_line,
    read_lines,
    text_property,
    unescape_text,
    write_lines,
)

HOSTILE = [
    "x\r\nATTENDEE:mailto:evil@example.com",
    "x\nRRULE:FREQ=DAILY",
    "x\rBEGIN:VEVENT",
    "x\u2028ATTENDEE:y",
    "x\u2029y",
    "x\u0085ATTENDEE:y",
    "x\x0bATTENDEE:y",
    "x\x0cy",
    "x\x1cy",
    "x\x00y",
    "x\ud800y",
    "\u202e\u2066reversed",
    "a;b,c\\n\\;d",
    '"quoted" ^n ^^ \'',
    "é" * 400,
    "😀" * 100,
]


@given(st.text(max_size=300))
def test_a_text_is_read_back(text: str) -> None:
    """A TEXT value says the same after writing, folding, unfolding and unescaping."""
    (item,) = read_lines(write_lines([text_property("SUMMARY", text)]))

    assert unescape_text(item.value) == clean_text(text)


@given(st.text(max_size=200))
def test_a_parameter_is_read_back(text: str) -> None:
    """A parameter value survives quotes, line ends and carets (RFC 6868)."""
    (item,) = read_lines(write_lines([text_property("ATTENDEE", "x", cn=text)]))

    assert item.param("CN") == clean_text(text)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nothing_starts_another_line(text: str) -> None:
    """Whatever a visitor types, one property in is one property out, in text and parameters."""
    data = write_lines([text_property("SUMMARY", text, cn=text)])

    assert [item.name for item in read_lines(data)] == ["SUMMARY"]
    assert not set(data) & {0, 11, 12, 28, 127}
    assert "\u2028" not in data.decode()


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=400))
def test_a_folded_line_has_75_octets(line: str) -> None:
    """Every line has at most 75 octets and ends with CRLF; no character is cut in two."""
    folded = fold(line)

    assert all(len(part) <= 75 for part in folded.removesuffix(b"\r\n").split(b"\r\n"))
    assert folded.replace(b"\r\n ", b"") == line.encode() + b"\r\n"
    folded.replace(b"\r\n ", b"\r\n").decode()


@pytest.mark.parametrize("data", [b"A:1\r\nB:2\r\n", b"A:1\nB:2\n", b"A:1\r\nB:2", b"A:1\n\nB:2"])
def test_either_line_end_is_read(data: bytes) -> None:
    """LF alone ends a line too, and the last line may lack its end."""
    assert [(item.name, item.value) for item in read_lines(data)] == [("A", "1"), ("B", "2")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"SUMMARY", "no colon"),
        (b":x", "no property name"),
        (b"A;B:x", "equals"),
        (b"A;B=x", "no colon"),
        (b"A:\xff\xfe", "UTF-8"),
        (b"A:x\x00y", "control"),
        (b"A:x\ry", "carriage return"),
    ],
)
def test_a_broken_line_is_named(line: bytes, said: str) -> None:
    """Strict reading refuses what is no content line, with its number and its fault."""
    with pytest.raises(Refused) as refused:
        list(read_lines(b"OK:1\r\n" + line + b"\r\n"))

    assert said in refused.value.detail
    assert "line 2" in refused.value.detail


def test_lenient_reading_passes_over_what_is_broken() -> None:
    """A feed's broken lines cost only themselves."""
    data = b"A:1\r\nnothing\r\nB\x00:2\r\nC:3\rD:4\r\n"

    assert [item.name for item in read_lines(data, lenient=True)] == ["A", "B", "C", "D"]


def test_past_its_limit_a_component_is_read_for_its_time_only() -> None:
    """Of thousands of attendees, alarms and extensions the first stay, and every time counts."""
    many = b"ATTENDEE:mailto:a@example.org\r\nX-A:1\r\n" * MAX_PROPERTIES
    alarm = b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDURATION:PT1S\r\nEND:VALARM\r\n"
    event = b"BEGIN:VEVENT\r\n" + many + alarm * 10 + b"DTSTART:20261130T090000Z\r\nEND:VEVENT\r\n"
    names = Counter(item.name for item in read_lines(event + event, lenient=True))

    assert names["DTSTART"] == names["BEGIN"] == names["END"] == 2
    assert names["DURATION"] == 0
    assert names["ATTENDEE"] == MAX_PROPERTIES  # half of the lines of each of two events


@pytest.mark.parametrize("after", [b"END:VEVENT", b"BEGIN:VEVENT"])
def test_an_alarm_without_an_end_swallows_no_event(after: bytes) -> None:
    """What is passed over of an alarm ends wherever anything else begins or ends."""
    data = b"X-A:1\r\n" * MAX_PROPERTIES + b"BEGIN:VALARM\r\nX:1\r\n" + after + b"\r\n"
    *_, last = read_lines(data, lenient=True)

    assert f"{last.name}:{last.value}".encode() == after


@pytest.mark.parametrize("name", ["EXDATE", "RDATE;TZID=Europe/Amsterdam"])
def test_long_runs_of_dates_come_as_lists(name: str) -> None:
    """Thousands of exceptions, one a line, say the same as in a few lists."""
    times = [f"{20261101 + day % 28}T{day // 28 % 24:02d}0000" for day in range(FEW_DATES * 2 + 7)]
    lines = "".join(f"{name}:{time}\r\n" for time in times) + f"{name};X=1:20261231T000000\r\n"
    found = list(read_lines(lines.encode(), lenient=True))

    assert [time for item in found for time in item.value.split(",")] == [*times, "20261231T000000"]
    assert len(found) == 5
    assert found[0].params == found[1].params


def test_many_parameters_are_refused_not_counted() -> None:
    """A line of parameters costs no more than its limit."""
    with pytest.raises(ValueError, match="more than 100 parameters"):
        parse_line("A" + "".join(f";P{number}=x" for number in range(260_000)) + ":v")


names = st.sampled_from(["VEVENT", "VALARM", "X-THING", "VTODO"])
properties = st.lists(
    st.builds(text_property, st.sampled_from(["SUMMARY", "X-A", "LOCATION"]), st.text(max_size=40)),
    max_size=4,
)
components = st.recursive(
    st.builds(Component, names, properties),
    lambda inner: st.builds(Component, names, properties, st.lists(inner, max_size=3)),
    max_leaves=8,
)


@given(st.lists(components, max_size=4), properties)
def test_a_calendar_is_read_back(inside: list[Component], header: list) -> None:
    """A written calendar reads back as the same tree."""
    calendar = Component("VCALENDAR", header, inside)

    assert parse(serialize(calendar)) == calendar


@given(st.binary(max_size=300))
def test_bytes_are_read_or_refused(data: bytes) -> None:
    """Any bytes at all are a calendar or a refusal."""
    for wrapped in (data, b"BEGIN:VCALENDAR\r\n" + data + b"\r\nEND:VCALENDAR\r\n"):
        for read in (parse, parse_many):
            with contextlib.suppress(Refused):
                read(wrapped)


def test_a_character_cut_by_a_fold_is_whole_as_text() -> None:
    """What a fold cuts, as RFC 5545 section 3.1 allows, is put together; the rest stays."""
    line = "SUMMARY:" + "é" * 60
    octets = line.encode()
    cut = octets[:75] + b"\r\n " + octets[75:]
    told = as_text(b"BEGIN:VEVENT\r\n" + cut + b"\r\nEND:VEVENT\r\n")

    assert told.replace("\r\n ", "") == f"BEGIN:VEVENT\r\n{line}\r\nEND:VEVENT\r\n"
    assert as_text(b"X:1\n 2\n") == "X:1\n 2\n"
