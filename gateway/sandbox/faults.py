"""What goes wrong at a server on demand, and answers that are spoiled on their way."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

LOGIN_PAGE = b"<!DOCTYPE html><html><title>Sign in</title><form action='/login'></form></html>"
BOMB_BYTES = 64 * 1024 * 1024


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong with the answers of a server or of one calendar.

    `truncate` keeps so many bytes of the body, `cut` promises all of it and breaks off; `drip`
    sends a byte per so many seconds; `forget_etag` answers without validators.
    """

    status: int = 0
    delay: float = 0.0
    truncate: int = -1
    cut: int = -1
    html: bool = False
    empty: bool = False
    redirect: str = ""
    gzip_bomb: bool = False
    drip: float = 0.0
    forget_etag: bool = False
    retry_after: str = ""
    content_type: str = ""

    @property
    def spoils_the_body(self) -> bool:
        """Whether the answer breaks off, trickles or swells while it is sent."""
        return self.cut >= 0 or bool(self.drip) or self.gzip_bomb


async def spoiled(
    request: web.Request, fault: Fault, body: bytes, content_type: str, *, status: int = 200
) -> web.StreamResponse:
    """Send a body as the fault has it."""
    response = web.StreamResponse(status=status, headers={"Content-Type": content_type})
    if fault.gzip_bomb:
        response.headers["Content-Encoding"] = "gzip"
    elif fault.cut >= 0:
        response.content_length = len(body)
    # The client is expected to give up on these.
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        async for piece in _pieces(fault, body):
            await response.write(piece)
        if fault.cut >= 0 and request.transport is not None:
            request.transport.abort()
    return response


async def _pieces(fault: Fault, body: bytes) -> AsyncIterator[bytes]:
    if fault.gzip_bomb:
        for piece in _bomb():
            yield piece
    elif fault.drip:
        for index in range(len(body)):
            yield body[index : index + 1]
            await asyncio.sleep(fault.drip)
    else:
        yield body[: fault.cut]


def _bomb() -> list[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    block = b"X" * (1024 * 1024)
    pieces = [packer.compress(b"BEGIN:VCALENDAR")]
    pieces += [packer.compress(block) for _ in range(BOMB_BYTES // len(block))]
    return [piece for piece in [*pieces, packer.flush()] if piece]
