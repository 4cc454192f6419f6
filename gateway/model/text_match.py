"""Substring matching under the collations of RFC 4790 and RFC 5051 (RFC 4791 section 7.5).

A needle is only ever looked for as it is: nothing a client sends is read as a pattern.
"""

import unicodedata
from enum import StrEnum


class Collation(StrEnum):
    """The advertised `supported-collation-set` (RFC 4791 section 7.5.1)."""

    ASCII_CASEMAP = "i;ascii-casemap"
    OCTET = "i;octet"
    UNICODE_CASEMAP = "i;unicode-casemap"

    def key(self, text: str) -> bytes:
        """Return what is compared in place of the text."""
        if self is Collation.UNICODE_CASEMAP:
            titled = "".join(map(_titlecase, text))
            return unicodedata.normalize("NFKD", titled).encode("utf-8", "surrogatepass")
        octets = text.encode("utf-8", "surrogatepass")
        # Upper-casing of bytes knows ASCII only, as RFC 4790 section 9.2.1 wants it.
        return octets.upper() if self is Collation.ASCII_CASEMAP else octets


def _titlecase(character: str) -> str:
    """Return the simple titlecase mapping, which is one character always (RFC 5051 section 2)."""
    titled = character.title()
    return titled if len(titled) == 1 else character
