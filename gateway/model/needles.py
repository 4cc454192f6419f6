"""Texts that an object's bytes must hold for a filter to match: most need not even be parsed.

Law: saying no is a proof, saying yes is none. What iCalendar may write in another way (escapes,
quotes, folds, other cases) is never looked for.
"""

import re
from collections.abc import Iterator

from gateway.model.filter import CompFilter, TextMatch
from gateway.model.text_match import Collation

_PLAIN = re.compile(r"[^\\,;:\"^'\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffd]+")
# What a lenient reader drops, so that the text around it reads as one.
_ODD = re.compile(rb"\\[^\\;,nN]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FOLD = re.compile(rb"\r?\n[ \t]|\r[ \t]")


def needles_of(asked: CompFilter) -> tuple[bytes, ...]:
    """Return what must be somewhere in an object, upper case by ASCII."""
    return tuple(dict.fromkeys(_needles(asked)))


def may_match(needles: tuple[bytes, ...], data: bytes) -> bool:
    """Tell whether the bytes of an object hold every needle."""
    if not needles:
        return True
    folded = b"\n " in data or b"\n\t" in data or b"\r " in data or b"\r\t" in data
    text = (_FOLD.sub(b"", data) if folded else data).upper()
    if all(needle in text for needle in needles):
        return True
    return _ODD.search(text) is not None


def _needles(asked: CompFilter) -> Iterator[bytes]:
    if asked.is_not_defined:
        return
    for prop in asked.props:
        if not prop.is_not_defined:
            yield from _of_text(prop.text_match)
            for param in prop.params:
                if not param.is_not_defined:
                    yield from _of_text(param.text_match)
    for comp in asked.comps:
        yield from _needles(comp)


def _of_text(match: TextMatch | None) -> Iterator[bytes]:
    if match is None or match.negate or match.collation is Collation.UNICODE_CASEMAP:
        return
    longest = max(_PLAIN.findall(match.text), key=len, default="")
    if longest:
        yield longest.encode("utf-8", "surrogatepass").upper()
