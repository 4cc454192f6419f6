"""Content lines that others wrote, read leniently: a broken line costs itself and no other.

Of a component with thousands of lines only what shapes it or tells its time is read. Whatever is
passed over goes by the stretch, not by the line; but no call looks at more than STEP octets, for
while one does every other thread waits.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from gateway.model.content_line import CONTROLS, Property, parse_line, unfold

MAX_PROPERTIES = 2_000
"""Lines of one component, its alarms' included, from which on only what tells its time is read."""
OBSERVANCES = ("STANDARD", "DAYLIGHT")
MAX_OBSERVANCES = 1_000
"""Observances of one VTIMEZONE that are read; those after them say nothing that counts."""
FEW_DATES = 1_000
"""Exceptions in a run, each on a line of its own, from which on they are read as lists."""
MAX_LENIENT_VALUE = 1 << 20
SHORTENED = 1_024
STEP = 64 * 1024
_TELLS_TIME = (
    rb"(?i:BEGIN:|END:|DT|DUE|DURATION|RRULE|RDATE|EXDATE|RECURRENCE-ID|UID|STATUS|TRANSP|SEQUENCE"
    rb"|CLASS|CREATED|COMPLETED|FREEBUSY|TZ|X-MICROSOFT|X-CALGATE)"
)
_TIMED = re.compile(_TELLS_TIME)
# Two octets tell most lines apart from all of these, at a fifth of the price.
_NEXT_TIMED = re.compile(
    rb"\n(?=[BCDEFRSTUbcdefrstu][DEILNORTUXZdeilnortuxz]|[Xx]-[CMcm])" + _TELLS_TIME
)
_NEXT_EDGE = re.compile(rb"\n(?i:BEGIN|END):")
_LONGEST = len(b"\nRECURRENCE-ID")
# Nothing quoted, and no zone with a bare colon in its name: the head ends at the first colon.
_DATES = re.compile(rb'(?:EXDATE|RDATE|FREEBUSY)[^:"(]*:', re.IGNORECASE)
_DATES_BEGIN = frozenset(b"EeRrFf")
_COUNTED = frozenset({"EXDATE", "RDATE", "FREEBUSY", "BEGIN", "END"})
"""What tells time however often it stands; of anything else the first counts, of rules a few."""
MAX_RULES = 5
_NAME = re.compile(rb"[A-Za-z0-9_.-]+(?=[:;])")
_CONTINUES = bytes(128) + b"\x01" * 64 + bytes(64)  # octets 80 to BF continue a character


class _Left(NamedTuple):
    """Components that are left out: how one begins and ends, and whole ones, one after another."""

    begin: re.Pattern[bytes]
    end: re.Pattern[bytes]
    whole: re.Pattern[bytes]


def _left(names: bytes) -> _Left:
    # Possessive: what was once matched is never looked at again.
    begin, end = rb"BEGIN:(?:" + names + rb")[ \t]*+", rb"END:(?:" + names + rb")"
    whole = begin + rb"\n(?>(?!BEGIN:|END:)[^\n]*+\n)*+" + end + rb"[^\n]*+\n"
    return _Left(
        re.compile(begin + rb"$", re.IGNORECASE),
        re.compile(end, re.IGNORECASE),
        re.compile(rb"(?>" + whole + rb")*+", re.IGNORECASE),
    )


_ALARMS = _left(rb"VALARM")
_OBSERVANCES = _left("|".join(OBSERVANCES).encode())


def read_leniently(data: bytes) -> Iterator[Property]:
    """Yield the properties of a stream, BEGIN and END included.

    Control characters are stripped, a bare CR ends a line, broken lines are passed over, and a
    value too long to matter for time is cut.
    """
    data = data.removeprefix(b"\xef\xbb\xbf").translate(None, CONTROLS)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return _Reader(unfold(data)).read()


class _Reader:
    """One reading of unfolded lines; `_lines` stands after the line that is looked at."""

    __slots__ = ("_count", "_data", "_lines", "_observances", "_seen")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._lines = io.BytesIO(data)
        self._count = 0
        self._observances = 0
        self._seen: Counter[str] = Counter()

    def read(self) -> Iterator[Property]:
        """Yield the properties."""
        for raw in self._joined_dates():
            self._count += 1
            if self._is_passed_over(raw):
                continue
            stripped = raw.rstrip(b"\r\n \t") if len(raw) < MAX_LENIENT_VALUE else _cut(raw)
            if not stripped:
                continue
            try:
                item = parse_line(stripped.decode("utf-8", "replace"))
            except ValueError:
                continue
            self._seen[item.name] += 1
            if item.name in ("BEGIN", "END"):
                # What was seen in an alarm was not seen in its event, nor the other way round.
                self._seen.clear()
            if item.name == "BEGIN":
                self._begin(item.value.strip().upper())
            yield item

    def _begin(self, name: str) -> None:
        if name != "VALARM":
            self._count = 0
        if name == "VTIMEZONE":
            self._observances = 0
        elif name in OBSERVANCES:
            self._observances += 1

    def _is_passed_over(self, raw: bytes) -> bool:
        """Go past what need not be read from this line on; tell whether there was anything."""
        if self._observances >= MAX_OBSERVANCES and _OBSERVANCES.begin.match(raw):
            self._pass_over(_OBSERVANCES, raw)
            return True
        if self._count <= MAX_PROPERTIES:
            return False
        if not _TIMED.match(raw):
            self._lines.seek(self._next(_NEXT_TIMED, self._lines.tell()))
            return True
        if _ALARMS.begin.match(raw):
            self._pass_over(_ALARMS, raw)
            return True
        found = _NAME.match(raw)
        name = found[0].upper().decode() if found else "END"
        if name in _COUNTED or self._seen[name] < (MAX_RULES if name == "RRULE" else 1):
            return False
        self._lines.seek(self._after_run(name, self._lines.tell()))
        return True

    def _after_run(self, name: str, at: int) -> int:
        """Return where the lines of one name that stand here end, long ones aside."""
        same = _lines_of(name)
        while (found := same.match(self._data, at, at + STEP)) and found.end() > at:
            at = found.end()
        return at

    def _joined_dates(self) -> Iterator[bytes]:
        """Yield the lines; many exceptions, dates or periods, one a line, come as lists.

        Who skips lines does so after one that is no date: then none waits here.
        """
        head, run = b"", []
        for raw in self._lines:
            if not (head and raw.startswith(head)):
                found = _DATES.match(raw) if raw[0] in _DATES_BEGIN else None
                head = found[0] if found else b""
            if head:
                run.append((head, raw))
                if len(run) == 20 * FEW_DATES:  # nobody holds ten megabytes of lines
                    yield from _as_lists(run)
                    run = []
                continue
            if run:
                yield from _as_lists(run)
                run = []
            yield raw
        yield from _as_lists(run)

    def _pass_over(self, left: _Left, first: bytes) -> None:
        """Go past a component that is left out, and all such that follow it at once.

        Whatever else begins or ends, it ends what is passed over: nothing is lost in it.
        """
        after = self._lines.tell()
        at = after - len(first)
        while (found := left.whole.match(self._data, at, at + STEP)) and found.end() > at:
            at = found.end()
        if at < after:  # it is not whole, or larger than a step
            at = self._next(_NEXT_EDGE, after)
            if left.end.match(self._data, at):
                at = self._data.find(b"\n", at) + 1 or len(self._data)
        self._lines.seek(at)

    def _next(self, wanted: re.Pattern[bytes], at: int) -> int:
        """Return where the next such line begins, from the line at `at` on."""
        at -= 1  # every pattern begins with the line feed before its line
        while at < len(self._data):
            found = wanted.search(self._data, at, at + STEP + _LONGEST)
            if found:
                return found.start() + 1
            at += STEP
        return len(self._data)


@lru_cache(maxsize=64)
def _lines_of(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?>" + re.escape(name.encode()) + rb"[:;][^\n]*+\n)*+", re.IGNORECASE)


def _as_lists(run: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """Yield lines of dates, those of one head together where there are many."""
    if len(run) <= FEW_DATES:
        yield from (raw for _, raw in run)
        return
    by_head: dict[bytes, list[bytes]] = {}
    for head, raw in run:
        by_head.setdefault(head, []).append(raw)
    for head, lines in by_head.items():
        for start in range(0, len(lines), FEW_DATES):
            values = (raw[len(head) :].strip() for raw in lines[start : start + FEW_DATES])
            yield head + b",".join([value for value in values if value])


def _cut(raw: bytes) -> bytes:
    return raw.rstrip(b"\r\n \t") if is_list_of_dates(raw) else shortened(raw)


def is_list_of_dates(raw: bytes) -> bool:
    """Tell whether a line holds what counts however long it is."""
    return raw[:6].upper() in (b"EXDATE", b"RDATE:", b"RDATE;", b"FREEBU")


def shortened(raw: bytes) -> bytes:
    """Return the beginning of a text nobody can use whole; half an attachment is none."""
    if raw[:6].upper() == b"ATTACH":
        return b""
    end = SHORTENED
    while end < len(raw) and _CONTINUES[raw[end]]:
        end += 1
    return raw[:end]
