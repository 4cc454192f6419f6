"""Content lines of RFC 5545 section 3.1: a bounded, linear-time reader over bytes, and the writer.

The reader unfolds octets before it decodes them, so a fold inside a UTF-8 character is harmless.
No pattern here can backtrack: every byte is looked at a fixed number of times.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from gateway.errors import Condition, Refused

MAX_LINES = 200_000
MAX_PARAMETERS = 100
FOLD_OCTETS = 75
CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BARE_CR = re.compile(rb"\r(?!\n)")
_PLAIN = re.compile(r"([A-Za-z0-9_.-]+):")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_PLAIN_VALUES = re.compile(r'([^"^;:]*+)(?=[;:])')
_PARAMETER_VALUE = re.compile(r'"([^"]*)"|([^";:,]*)')
# Exchange writes TZID=(UTC+01:00) Amsterdam\, Berlin:20260725T090000 without the quotes.
_BARE_COLON_TZID = re.compile(r";TZID=(\((?:UTC|GMT)[^\"]*):([^:\"]*)\Z", re.IGNORECASE)
_SPECIAL = re.compile('[";:^]')
_CARET = re.compile(r"\^([n'^])")
_CARET_MEANS = {"n": "\n", "'": '"', "^": "^"}
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)
# C0 and C1 controls, line and paragraph separators, lone surrogates: nothing a line may hold.
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSAFE_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_CONTINUES = bytes(128) + b"\x01" * 64 + bytes(64)  # octets 80 to BF continue a character
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029]")


class Property(NamedTuple):
    """One property: upper-case name and parameter names, the value raw, that is still escaped."""

    name: str
    params: Mapping[str, tuple[str, ...]]
    value: str

    def param(self, name: str) -> str:
        """Return the first value of a parameter, or an empty string."""
        values = self.params.get(name)
        return values[0] if values else ""


def _refuse(number: int, detail: str) -> Refused:
    return Refused(Condition.VALID_CALENDAR_DATA, f"line {number}: {detail}")


def read_lines(data: bytes) -> Iterator[Property]:
    """Yield the properties of a stream, BEGIN and END included.

    What is not a content line is refused with its number.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    _refuse_stray_bytes(data)
    return _strict_lines(unfold(data))


def unfold(data: bytes) -> bytes:
    """Return data with LF for every CRLF and without folds.

    No pattern, here and above: on ten megabytes of folds one would hold every thread for seconds.
    """
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    return data.replace(b"\n ", b"").replace(b"\n\t", b"")


def _refuse_stray_bytes(data: bytes) -> None:
    if data.count(b"\r") == data.count(b"\r\n") and data == data.translate(None, CONTROLS):
        return
    for pattern, what in (
        (_BARE_CR, "a carriage return without a line feed"),
        (_CONTROL_BYTES, "a control character"),
    ):
        found = pattern.search(data)
        if found:
            raise _refuse(data.count(b"\n", 0, found.start()) + 1, what)


def _strict_lines(data: bytes) -> Iterator[Property]:
    if data.count(b"\n") + (not data.endswith(b"\n")) > MAX_LINES:
        # Before any is read: two hundred thousand take the better part of a second.
        raise Refused(Condition.MAX_RESOURCE_SIZE, f"more than {MAX_LINES:,} lines")
    for number, raw in enumerate(io.BytesIO(data), start=1):
        stripped = raw.rstrip(b"\r\n")
        if not stripped:
            continue
        try:
            yield parse_line(stripped.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise _refuse(number, "not UTF-8") from error
        except ValueError as error:
            raise _refuse(number, str(error)) from error


def parse_line(line: str) -> Property:
    """Return one unfolded content line as a property; raise ValueError where it is none."""
    plain = _PLAIN.match(line)
    if plain is not None:
        return Property(plain[1].upper(), {}, line[plain.end() :])
    found = _NAME.match(line)
    if found is None:
        raise ValueError("no property name")
    position = found.end()
    name = found.group().upper()
    if line[position : position + 1] != ";":
        raise ValueError(f"no colon after {name[:40]}")
    bare = _BARE_COLON_TZID.match(line, position) if "(" in line else None
    if bare:
        return Property(name, {"TZID": (bare[1],)}, bare[2])
    params: dict[str, tuple[str, ...]] = {}
    while line[position : position + 1] == ";":
        if len(params) >= MAX_PARAMETERS:
            raise ValueError(f"more than {MAX_PARAMETERS} parameters")
        key, values, position = _parse_parameter(line, position + 1)
        params[key] = (params[key] + values) if key in params else values
    if line[position : position + 1] != ":":
        raise ValueError(f"no colon after the parameters of {name[:40]}")
    return Property(name, params, line[position + 1 :])


def _parse_parameter(line: str, position: int) -> tuple[str, tuple[str, ...], int]:
    found = _NAME.match(line, position)
    if found is None or line[found.end() : found.end() + 1] != "=":
        raise ValueError("a parameter without a name or an equals sign")
    key, position = found.group().upper(), found.end()
    plain = _PLAIN_VALUES.match(line, position + 1)
    if plain is not None:
        told = tuple(plain[1].split(","))
        if len(told) > MAX_PARAMETERS:
            raise ValueError(f"more than {MAX_PARAMETERS} values of {key[:40]}")
        return key, told, plain.end()
    values: list[str] = []
    while not values or line[position : position + 1] == ",":
        if len(values) >= MAX_PARAMETERS:
            raise ValueError(f"more than {MAX_PARAMETERS} values of {key[:40]}")
        value = _PARAMETER_VALUE.match(line, position + 1)
        assert value is not None  # the second branch matches the empty string
        position = value.end()
        text = value[1] if value[1] is not None else value[2]
        values.append(_CARET.sub(lambda m: _CARET_MEANS[m[1]], text) if "^" in text else text)
    return key, tuple(values), position


# --- writing ---------------------------------------------------------------------------------


def write_lines(properties: Iterable[Property]) -> bytes:
    """Return properties as folded content lines with CRLF."""
    return b"".join([fold(write_line(item)) for item in properties])


def write_line(item: Property) -> str:
    """Return one property as an unfolded line; nothing in it can start another line."""
    params = "".join(f";{key}={_written(values)}" for key, values in item.params.items())
    line = f"{item.name}{params}:{item.value}"
    return line if line.isprintable() else _UNSAFE.sub("", line)


def _written(values: tuple[str, ...]) -> str:
    """Return the values of a parameter; those that need no quotes, thousands perhaps, at once."""
    text = ",".join(values)
    if text.isprintable() and text.count(",") == len(values) - 1 and not _SPECIAL.search(text):
        return text
    return ",".join(_quote(value) for value in values)


def _quote(value: str) -> str:
    """Return a parameter value by RFC 6868, in quotes where RFC 5545 section 3.2 asks for them."""
    text = clean_text(value).replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    return f'"{text}"' if any(mark in text for mark in ";:,") else text


def fold(line: str) -> bytes:
    """Return a line folded at 75 octets, never inside a UTF-8 character, with its CRLF."""
    octets = line.encode("utf-8", "replace")
    if len(octets) <= FOLD_OCTETS:
        return octets + b"\r\n"
    if octets.isascii():  # lists of dates mostly, of megabytes
        more = range(FOLD_OCTETS, len(octets), FOLD_OCTETS - 1)
        cut = [octets[:FOLD_OCTETS], *[octets[at : at + FOLD_OCTETS - 1] for at in more]]
        return b"\r\n ".join(cut) + b"\r\n"
    parts: list[bytes] = []
    start, room = 0, FOLD_OCTETS
    while start < len(octets):
        end = min(start + room, len(octets))
        while end < len(octets) and _CONTINUES[octets[end]]:
            end -= 1
        parts.append(octets[start:end])
        start, room = end, FOLD_OCTETS - 1
    return b"\r\n ".join(parts) + b"\r\n"


def as_text(data: bytes) -> str:
    """Return a stored object as text; where a fold cuts a character, its lines are folded anew.

    RFC 5545 section 3.1 allows such a fold, XML and JSON cannot carry it.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        lines = unfold(data).split(b"\n")
        told = (line.rstrip(b"\r").decode("utf-8", "replace") for line in lines)
        return b"".join(fold(line) for line in told if line).decode("utf-8")


def clean_text(text: str) -> str:
    """Return text with one kind of line end and without control characters or lone surrogates."""
    return _UNSAFE_TEXT.sub("", _LINE_ENDS.sub("\n", text))


def escape_text(text: str) -> str:
    """Return text as a TEXT value (RFC 5545 section 3.3.11), on one line and free of controls."""
    cleaned = clean_text(text).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return cleaned.replace("\n", "\\n")


def unescape_text(value: str) -> str:
    """Return what a TEXT value says."""
    if "\\" not in value:
        return value
    return _BACKSLASH.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def split_list(value: str) -> list[str]:
    """Split a raw value at its unescaped commas, as in CATEGORIES and RESOURCES."""
    return re.findall(r"(?:\\.|[^,\\])+", value)


def text_property(name: str, text: str, **params: str) -> Property:
    """Return a TEXT property; parameter names are given in lower case with `_` for `-`."""
    return Property(name, _params(params), escape_text(text))


def raw_property(name: str, value: str, **params: str) -> Property:
    """Return a property whose value is no TEXT: a date, a rule, a URI."""
    return Property(name, _params(params), value)


def _params(params: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {key.upper().replace("_", "-"): (value,) for key, value in params.items()}
