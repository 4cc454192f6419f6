"""Conditional requests (RFC 9110 section 13): the entity tags that headers carry."""

import re
from collections.abc import Iterable

from aiohttp import hdrs, web

from gateway.model.timerange import Instant, to_instant

_TAG = re.compile(r'(?P<weak>W/)?(?P<tag>"[\x21\x23-\x7e\x80-\uffff]*")')
ANY = "*"


def if_match(request: web.Request) -> str | frozenset[str] | None:
    """Return the tags of If-Match; a weak one never matches (RFC 9110 section 13.1.1)."""
    return _tags(request.headers.getall(hdrs.IF_MATCH, ()), weak=False)


def if_none_match(request: web.Request) -> str | frozenset[str] | None:
    """Return the tags of If-None-Match, compared weakly (RFC 9110 section 13.1.2)."""
    return _tags(request.headers.getall(hdrs.IF_NONE_MATCH, ()), weak=True)


def is_known(request: web.Request, etag: str, modified_at: Instant | None = None) -> bool:
    """Tell whether the client has this representation already.

    The date counts only where no tag was sent (RFC 9110 section 13.2.2).
    """
    tags = if_none_match(request)
    if tags is not None:
        return tags == ANY or (not isinstance(tags, str) and etag in tags)
    since = request.if_modified_since
    return since is not None and modified_at is not None and to_instant(since) >= modified_at


def _tags(lines: Iterable[str], *, weak: bool) -> str | frozenset[str] | None:
    joined = ",".join(lines).strip()
    if not joined:
        return None
    if joined == ANY:
        return ANY
    found = _TAG.finditer(joined)
    return frozenset(one["tag"] for one in found if weak or not one["weak"])
