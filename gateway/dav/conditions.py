"""Conditional requests (RFC 9110 section 13): the entity tags that headers carry."""

import re
from collections.abc import Iterable

from aiohttp import hdrs, web

_TAG = re.compile(r'(?P<weak>W/)?(?P<tag>"[\x21\x23-\x7e\x80-\uffff]*")')
ANY = "*"


def if_match(request: web.Request) -> str | frozenset[str] | None:
    """Return the tags of If-Match; a weak one never matches (RFC 9110 section 13.1.1)."""
    return _tags(request.headers.getall(hdrs.IF_MATCH, ()), weak=False)


def if_none_match(request: web.Request) -> str | frozenset[str] | None:
    """Return the tags of If-None-Match, compared weakly (RFC 9110 section 13.1.2)."""
    return _tags(request.headers.getall(hdrs.IF_NONE_MATCH, ()), weak=True)


def is_known(request: web.Request, etag: str) -> bool:
    """Tell whether the client has this representation already."""
    tags = if_none_match(request)
    return tags is not None and (tags == ANY or (not isinstance(tags, str) and etag in tags))


def _tags(lines: Iterable[str], *, weak: bool) -> str | frozenset[str] | None:
    joined = ",".join(lines).strip()
    if not joined:
        return None
    if joined == ANY:
        return ANY
    found = _TAG.finditer(joined)
    return frozenset(one["tag"] for one in found if weak or not one["weak"])
