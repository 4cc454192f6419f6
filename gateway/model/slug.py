"""Slugs: the path of a page after /meetings/, one or two segments of `[a-z0-9-]` (CONTRACT.md)."""

import re
import unicodedata

SEGMENT_LENGTH = 64
RESERVED = frozenset(
    {
        *("admin", "api", "assets", "b", "chat", "dashboard", "dav", "embed", "feeds", "healthz"),
        *("hooks", "index", "login", "logout", "meetings", "metrics", "new", "oauth", "readyz"),
        *("robots", "settings", "static", "well-known", "widget", "www"),
    }
)
"""First segments that are ours; a page there could pass for a part of the gateway."""

_SEGMENT = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_SEPARATORS = re.compile(r"[^a-z0-9]+")


def fold_slug(text: str) -> str:
    """Return the form that slugs are compared and stored in: NFC, without case."""
    return unicodedata.normalize("NFC", text).casefold()


def slug_error(slug: str) -> str:
    """Return a sentence on what is wrong with a folded slug; empty if nothing is."""
    segments = slug.split("/")
    if not 1 <= len(segments) <= 2:  # noqa: PLR2004 - the grammar: one or two segments
        return "A page's address has one or two parts, as in jane or jane/intro."
    for segment in segments:
        if len(segment) > SEGMENT_LENGTH:
            return f"Each part of the address has at most {SEGMENT_LENGTH} characters."
        if not _SEGMENT.fullmatch(segment):
            return (
                "Use the letters a to z, digits and hyphens; start and end with a letter or digit."
            )
    if len(segments[0]) < 2:  # noqa: PLR2004 - one letter is no name
        return "The first part of the address needs at least two characters."
    if segments[0] in RESERVED:
        return f"The word {segments[0]} is reserved."
    return ""


def slugify(text: str) -> str:
    """Return a segment made of the text's letters and digits; may be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return _SEPARATORS.sub("-", plain)[:SEGMENT_LENGTH].strip("-")
