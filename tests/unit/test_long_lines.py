"""Content lines as they arrive: what is kept of megabytes, in whatever pieces they come."""

import random

import pytest

from gateway.model.lenient_lines import MAX_LENIENT_VALUE, read_leniently
from gateway.model.long_lines import LongLines

LONG = MAX_LENIENT_VALUE + 1
HEAD = b"BEGIN:VEVENT\r\nDTSTART:20261130T090000Z\r\n"
FOOT = b"DTEND:20261130T100000Z\r\nEND:VEVENT\r\n"


def sieved(data: bytes, *sizes: int) -> bytes:
    """Return what passes of data that comes in pieces of these sizes, over and over."""
    lines, out, at, turn = LongLines(), b"", 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        out += lines.take(data[at : at + size])
        at, turn = at + size, turn + 1
    return out + lines.finish()


def read(data: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a stream, read leniently."""
    return [(item.name, item.value) for item in read_leniently(data)]


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"], ids=repr)
def test_ordinary_lines_pass_as_they_are(end: bytes) -> None:
    """Lines, folds and folded characters say the same in pieces of any size."""
    text = (
        HEAD
        + "SUMMARY:Caf\u00e9 \u2603".encode()
        + b"\r\n of ours\r\n\tand theirs\r\nX:1\r\n"
        + FOOT
    )
    cut = text.replace("\u2603".encode(), b"\xe2\r\n \x98\r\n \x83").replace(b"\r\n", end)
    chance = random.Random(7)

    for _ in range(200):
        sizes = [chance.randint(1, 40) for _ in range(5)]
        assert read(sieved(cut, *sizes)) == read(text)


@pytest.mark.parametrize("fold", [b"", b"\r\n "], ids=["one line", "folded"])
def test_a_monstrous_value_is_shortened_and_nothing_else(fold: bytes) -> None:
    """Of a text over a mebibyte the beginning stays, and every other line of its event."""
    piece = "\u2603".encode() * 25
    value = (piece + fold) * (3 * LONG // len(piece))
    found = sieved(HEAD + b"DESCRIPTION:" + value + b"\r\n" + FOOT, 65536)

    assert len(found) < 1_500
    (short,) = (text for name, text in read(found) if name == "DESCRIPTION")
    assert set(short) == {"\u2603"}
    assert [name for name, _ in read(found)] == [
        "BEGIN",
        "DTSTART",
        "DESCRIPTION",
        "DTEND",
        "END",
    ]


def test_half_an_attachment_is_none() -> None:
    """An attachment that is too large is left out: its beginning is of no use to anybody."""
    value = b"QUJD" * LONG

    assert read(sieved(HEAD + b"ATTACH;VALUE=BINARY:" + value + b"\r\n" + FOOT, 65536)) == read(
        HEAD + FOOT
    )


def test_a_list_of_dates_passes_whole() -> None:
    """Exceptions count however many there are."""
    value = b",".join([b"20261130T090000Z"] * (LONG // 17 + 10))
    data = HEAD + b"EXDATE:" + value + b"\r\n" + FOOT

    assert read(sieved(data, 65536)) == read(data)


def test_wide_characters_pass_as_they_are() -> None:
    """UTF-16 has line feeds inside of characters and is left alone."""
    data = "BEGIN:VEVENT\r\nSUMMARY:\u0a0a\u0d0d\r\nEND:VEVENT\r\n".encode("utf-16")

    assert sieved(data, 1, 3) == data
