"""OPTIONS (RFC 9110 section 9.3.7): what this server can do, and nothing it cannot."""

from collections.abc import Iterable

from aiohttp import hdrs, web

from gateway.dav.answers import CLASSES


def options(methods: Iterable[str]) -> web.StreamResponse:
    """Return the answer, which is the same for every path."""
    return web.Response(
        headers={"DAV": CLASSES, hdrs.ALLOW: ", ".join(["OPTIONS", *sorted(methods)])}
    )
