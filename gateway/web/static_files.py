"""Style sheet, icon and scripts, kept in memory under names that change with their content.

So a browser may keep each for ever; the plain name works too, and is asked for again each time.
"""

import gzip
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from aiohttp import hdrs, web

FOLDER = Path(__file__).parent / "static"
PATH = "/static/"
FOR_EVER = "public, max-age=31536000, immutable"
EACH_TIME = "public, no-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file as it is served; `url` holds the hash of its content."""

    url: str
    media_type: str
    etag: str
    body: bytes
    packed: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """Return every static file by its name, read once."""
    return MappingProxyType(
        {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.is_file()}
    )


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    mark = sha256(body).hexdigest()[:12]
    media_type, _ = mimetypes.guess_type(path.name)
    return Asset(
        url=f"{PATH}{path.stem}.{mark}{path.suffix}",
        media_type=media_type or "application/octet-stream",
        etag=f'"{mark}"',
        body=body,
        packed=gzip.compress(body, mtime=0),
    )


def asset(name: str) -> str:
    """Return the address of a static file."""
    return assets()[name].url


def routes() -> list[web.RouteDef]:
    """Return the route of the static files."""
    by_path = {f"{PATH}{name}": (one, EACH_TIME) for name, one in assets().items()} | {
        one.url: (one, FOR_EVER) for one in assets().values()
    }

    async def serve(request: web.Request) -> web.Response:
        if request.path not in by_path:
            raise web.HTTPNotFound
        found, keep = by_path[request.path]
        headers = {hdrs.CACHE_CONTROL: keep, hdrs.ETAG: found.etag, hdrs.VARY: "Accept-Encoding"}
        if found.etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=headers)
        body = found.body
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower():
            headers[hdrs.CONTENT_ENCODING], body = "gzip", found.packed
        return web.Response(
            body=body, content_type=found.media_type, charset=_charset(found), headers=headers
        )

    return [web.get(PATH + "{name}", serve)]


def _charset(found: Asset) -> str | None:
    return "utf-8" if found.media_type.startswith("text/") else None
