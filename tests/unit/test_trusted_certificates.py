"""Trust in a source's certificate: the public authorities, or a file of one's own; never none."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import Answer, GuardedClient, read_url
from gateway.errors import Unavailable
from tests.own_authority import certificate

OPEN = GuardOptions(allow_private=True)


@dataclass
class Secured:
    """A server over TLS, its certificate as a file and as it goes over the wire."""

    url: str
    file: Path
    der: bytes


async def serve(folder: Path, **values: object) -> AsyncIterator[Secured]:
    """Run a server over TLS that refuses everybody in few words."""
    file, der = certificate(folder, **values)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=401, text="no")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield Secured(f"https://127.0.0.1:{runner.addresses[0][1]}/", file, der)
    await runner.cleanup()


async def ask(url: str, ca_file: str) -> Answer:
    """Ask a server under one's own trust."""
    client = GuardedClient(OPEN).apart(ca_file=ca_file)
    try:
        return await client.request("POST", read_url(url, OPEN), body=b"x")
    finally:
        await client.close()


async def test_an_own_authority_is_trusted_by_its_file(tmp_path: Path) -> None:
    """With `ca_file` a server of one's own is read.

    Its certificate is known even of a short answer, since NTLM binds its proof to it.
    """
    async for server in serve(tmp_path):
        answers = [await ask(server.url, str(server.file)) for _ in range(5)]
        assert {answer.status for answer in answers} == {401}
        assert {answer.certificate for answer in answers} == {server.der}


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """Without the file it is refused with a sentence; there is no way to look away."""
    async for server in serve(tmp_path):
        with pytest.raises(Unavailable, match="The certificate of"):
            await ask(server.url, "")


@pytest.mark.parametrize("values", [{"host": "127.0.0.2"}, {"days": -1}], ids=str)
async def test_a_wrong_name_or_an_old_certificate_is_refused(
    tmp_path: Path, values: dict[str, object]
) -> None:
    """The file vouches for an authority, not for another name or for ever."""
    async for server in serve(tmp_path, **values):
        with pytest.raises(Unavailable, match="The certificate of"):
            await ask(server.url, str(server.file))


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is a failure with a sentence, not trust in everybody."""
    with pytest.raises(Unavailable, match="cannot be read"):
        await ask("https://127.0.0.1:1/", str(tmp_path / "none.pem"))
