"""OPTIONS (RFC 9110 section 9.3.7): what this server can do, and nothing it cannot."""

from collections.abc import Iterable

from aiohttp import hdrs, web

CLASSES = "1, 3, access-control, calendar-access, extended-mkcol"
"""The `DAV` header (RFC 4918 section 10.1): only what is true."""


def options(methods: Iterable[str]) -> web.StreamResponse:
    """Return the answer, which is the same for every path."""
    return web.Response(
        headers={"DAV": CLASSES, hdrs.ALLOW: ", ".join(["OPTIONS", *sorted(methods)])}
    )
