"""HTTP as bytes: what a client library would not send, and what really comes back."""

import asyncio
from dataclasses import dataclass, field

PATIENCE = 20.0
"""Seconds until a test gives up; no answer depends on it."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, read until the server closed or the answer was whole."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bytes = b""


async def talk(port: int, data: bytes, *, end: bool = False) -> bytes:
    """Send bytes; return everything that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if end:
            writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def ask(port: int, data: bytes) -> Told:
    """Send one request that asks for the connection to be closed; return its answer."""
    return parsed(await talk(port, data))


def parsed(raw: bytes) -> Told:
    """Return the first answer in what came back; status 0 where there is none."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) < 2 or not parts[1].isdigit():
        return Told(0, raw=raw)
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Told(int(parts[1]), headers, body, raw)


def request(
    method: str = "GET",
    target: str = "/login",
    *lines: str,
    host: str | None = "localhost",
    body: bytes = b"",
) -> bytes:
    """Return a request as bytes; it asks for the connection to be closed after it."""
    head = [f"{method} {target} HTTP/1.1"]
    if host is not None:
        head.append(f"Host: {host}")
    head += [*lines, "Connection: close", "", ""]
    return "\r\n".join(head).encode("latin-1") + body


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Wait until the server closes a connection; False if it never does."""
    try:
        async with asyncio.timeout(PATIENCE):
            while await reader.read(65536):
                pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True
