"""Content lines: what is written is read back, nothing starts another line, nothing is lost."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.model.component import Component, parse, parse_many, serialize
from gateway.model.content_line import (
    MAX_LINES,
    Property,
    as_text,
    clean_text,
    fold,
    parse_line,
    read_lines,
    text_property,
    unescape_text,
    write_line,
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


@given(st.lists(st.text(alphabet='ab,;:^" \n\u00e9', max_size=4), min_size=1, max_size=6))
def test_several_values_of_a_parameter_are_read_back(values: list[str]) -> None:
    """What a parameter lists comes back value by value, whichever of them need quotes."""
    item = Property("X-A", {"X-B": tuple(values), "X-C": ("d",)}, "e")

    assert parse_line(write_line(item)) == item


@given(st.lists(st.text(alphabet="ab.=", max_size=3), min_size=1, max_size=6))
def test_values_with_and_without_quotes_are_the_same(values: list[str]) -> None:
    """Plain values say what they say in quotes, and so does a list of both."""
    quoted = [f'"{value}"' for value in values]
    lines = [f"X-A;B={','.join(told)}:c" for told in (values, quoted, [*values[:-1], quoted[-1]])]

    assert {parse_line(line).params["B"] for line in lines} == {tuple(values)}


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


def test_too_many_lines_are_refused_before_any_is_read() -> None:
    """Whatever else is wrong with a body of too many lines, it is refused for their number."""
    with pytest.raises(Refused, match="200,000 lines"):
        list(read_lines(b"no line\n" + b"X:1\n" * MAX_LINES))


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
