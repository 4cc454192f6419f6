"""Content lines as they arrive, without what nobody can use: values of megabytes.

An attachment or a description may be larger than a whole calendar is allowed to be; the times of
its event are wanted all the same. What passes here is bounded by what is kept, not by what is sent.
"""

import re
from enum import Enum, auto

from gateway.model.content_line import unfold
from gateway.model.lenient_lines import MAX_LENIENT_VALUE, is_list_of_dates, shortened

STEP = 64 * 1024
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_FOLDS = b" \t"
_END = re.compile(rb"\n(?=[^ \t])")
"""Where a property ends: at the line feed that no fold follows."""


class _Open(Enum):
    """What becomes of the property that is open."""

    HELD = auto()
    PASSED = auto()
    DROPPED = auto()


class LongLines:
    """Takes a stream in chunks of any size and gives it back, LF for every line end.

    A value over MAX_LENIENT_VALUE is shortened as the lenient reader would; lists of dates are
    not. UTF-16, told by its mark, passes as it is.
    """

    def __init__(self) -> None:
        self._tail = b""
        self._held = b""
        self._open = _Open.HELD
        self._wide: bool | None = None

    def take(self, chunk: bytes) -> bytes:
        """Return what is certain after these octets."""
        data = self._tail + chunk
        if self._wide is None and len(data) >= len(_WIDE[0]):
            self._wide = data.startswith(_WIDE)
        if self._wide is not False:
            self._tail = b"" if self._wide else data
            return data if self._wide else b""
        ended = len(data) - data.endswith(b"\r")  # its LF may be in the next chunk
        self._tail = data[ended:]
        data = data[:ended].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return b"".join(
            self._step(self._held + data[start : start + STEP])
            for start in range(0, len(data), STEP)
        )

    def finish(self) -> bytes:
        """Return what is left at the end of the stream."""
        left = self._held if self._open is not _Open.DROPPED else b""
        return left + self._tail

    def _step(self, data: bytes) -> bytes:
        """Pass on every property that has ended, and hold the one that is open."""
        out: list[bytes] = []
        if self._open is not _Open.HELD:
            end = _END.search(data)
            passed = data[: end.start()] if end else data.removesuffix(b"\n")
            out.append(passed if self._open is _Open.PASSED else b"")
            if end is None:
                self._held = data[-1:] if data.endswith(b"\n") else b""
                return b"".join(out)
            self._open = _Open.HELD
            data = data[end.start() :]
        last = _last_property(data)
        whole, self._held = data[:last], data[last:]
        if len(whole) > MAX_LENIENT_VALUE:
            # Only the first can be that long: all that came after it is of this step.
            end = _END.search(whole)
            first = whole[: end.start()] if end else whole.removesuffix(b"\n")
            out += [_bounded(first), whole[len(first) :]]
        else:
            out.append(whole)
        if len(self._held) > MAX_LENIENT_VALUE:
            self._let_go(out)
        return b"".join(out)

    def _let_go(self, out: list[bytes]) -> None:
        """Hold no more of a property that is too long; its line feed may be its end."""
        ended = self._held.endswith(b"\n")
        held = self._held.removesuffix(b"\n")
        self._open = _Open.PASSED if is_list_of_dates(held) else _Open.DROPPED
        out.append(_bounded(held))
        self._held = b"\n" * ended


def _last_property(data: bytes) -> int:
    """Return where the last property begins, which a fold may still continue."""
    at = data.rfind(b"\n")
    while at >= 0 and (at + 1 == len(data) or data[at + 1] in _FOLDS):
        at = data.rfind(b"\n", 0, at)
    return at + 1


def _bounded(line: bytes) -> bytes:
    if len(line) <= MAX_LENIENT_VALUE or is_list_of_dates(line):
        return line
    return shortened(unfold(line))
