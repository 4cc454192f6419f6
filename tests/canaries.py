"""Canaries: secrets that can be told from everything else, and a world that repeats all it hears.

Where one of them turns up is where that secret would have turned up.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from aiohttp import web
from aiohttp.test_utils import TestServer

BREAKS = "\r\n\x1b[31m\x00\u2028INJECTED event=forged\x85\n"
"""What a log viewer could take for the end of a line, or for orders to a terminal."""


@dataclass
class Canaries:
    """Secrets by what they are: `hidden` stand nowhere in the clear, `private` not in any log."""

    hidden: dict[str, str] = field(default_factory=dict)
    private: dict[str, str] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        """Make a secret."""
        return self.hidden.setdefault(name, f"canary-{name}-0123456789abcdefghij".replace(" ", "-"))

    def text(self, name: str) -> str:
        """Make a text that is somebody's private matter."""
        return self.private.setdefault(name, f"canary-{name}-of-a-person".replace(" ", "-"))


def found_in(data: bytes, canaries: dict[str, str]) -> set[str]:
    """Return the names of the canaries that these bytes hold, as they are or encoded."""
    return {name for name, text in canaries.items() if any(one in data for one in forms(text))}


def forms(text: str) -> Iterable[bytes]:
    """Return how a text may be written."""
    plain = text.encode()
    yield plain
    yield quote(text, safe="").encode()
    # Base64 depends on what stands before: the inner part of all three alignments.
    for shift in range(3):
        yield base64.b64encode(b"x" * shift + plain)[4:-4]


@dataclass
class Echo:
    """A provider that is out of order and repeats in its answer whatever it was sent."""

    url: str = ""
    paths: list[str] = field(default_factory=list)


@asynccontextmanager
async def echoing() -> AsyncIterator[Echo]:
    """Run a web server all of whose answers are 500 and say everything that was asked."""
    echo = Echo()

    async def answer(request: web.Request) -> web.Response:
        echo.paths.append(request.path)
        heard = [request.path_qs, *(f"{key}: {value}" for key, value in request.headers.items())]
        text = BREAKS.join([*heard, (await request.read()).decode("utf-8", "replace")])
        return web.Response(status=500, text=text)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        echo.url = str(server.make_url("")).rstrip("/")
        yield echo


@dataclass
class MailHost:
    """A mail host that takes nothing; `refused` are the mails it was given."""

    port: int = 0
    refused: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def refusing_mail_host() -> AsyncIterator[MailHost]:
    """Run a mail host that takes a sign-in and refuses each mail, repeating all that it heard."""
    host = MailHost()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        heard = ""
        while line := await reader.readline():
            heard += line.decode("utf-8", "replace").strip() + " "
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-host\r\n250 AUTH PLAIN LOGIN\r\n")
            elif verb == b"AUTH":
                writer.write(b"235 fine\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                heard += body.decode("utf-8", "replace").replace("\r\n", " ")
                writer.write(b"451 \x1b[31m\x00" + heard.encode()[-400:] + b"\r\n")
                host.refused.append(body)
            elif verb == b"QUIT":
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        host.port = int(server.sockets[0].getsockname()[1])
        yield host
    finally:
        server.close()
