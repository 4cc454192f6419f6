"""OPTIONS (RFC 9110 section 9.3.7): what this server can do, and nothing it cannot."""

from aiohttp import hdrs, web

CLASSES = "1, 3, access-control, calendar-access, extended-mkcol"
"""The `DAV` header (RFC 4918 section 10.1): only what is true."""
_ALLOWED = ("OPTIONS", "POST", "PROPFIND", "REPORT")


def allow() -> tuple[str, ...]:
    """Return the methods that are answered somewhere below `/dav/`."""
    return _ALLOWED


def options() -> web.StreamResponse:
    """Return the answer, which is the same for every path."""
    return web.Response(headers={"DAV": CLASSES, hdrs.ALLOW: ", ".join(_ALLOWED)})
