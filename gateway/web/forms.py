"""Forms, read within bounds: whatever is malformed is 400, 413 or 415."""

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from gateway.web.peer import is_cross_site

MAX_BODY = 128 * 1024
MAX_FIELDS = 500
MAX_VALUE = 20_000
FORM = "application/x-www-form-urlencoded"


class Form(Mapping[str, str]):
    """The fields of a form; of one sent twice the first counts, `all` gives every value."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, name: str) -> str:
        """Return a field without spaces around it; empty where it is missing."""
        return self._values.get(name, [""])[0].strip()

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return self._values.get(name, [])


async def read_form(request: web.Request) -> Form:
    """Read a URL-encoded form that this site sent; raise 400, 403, 413 or 415."""
    if is_cross_site(request):
        raise web.HTTPForbidden
    if request.content_type != FORM:
        raise web.HTTPUnsupportedMediaType
    if hdrs.CONTENT_ENCODING in request.headers:
        raise web.HTTPUnsupportedMediaType
    if (request.charset or "utf-8").lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise web.HTTPUnsupportedMediaType
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(body))
    try:
        pairs = parse_qsl(
            bytes(body).decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except (UnicodeDecodeError, ValueError):
        raise web.HTTPBadRequest from None
    if any(len(value) > MAX_VALUE for _, value in pairs):
        raise web.HTTPRequestEntityTooLarge(MAX_VALUE, MAX_VALUE + 1)
    return Form(pairs)
