"""Trust in a source's certificate: the public authorities, or a file of one's own; never none."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._http import Answer, GuardedClient, read_url
from gateway.errors import Unavailable

OPEN = GuardOptions(allow_private=True)


@dataclass
class Secured:
    """A server over TLS, its certificate as a file and as it goes over the wire."""

    url: str
    file: Path
    der: bytes


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> tuple[Path, bytes]:
    """Write a certificate that vouches for itself, with its key; return both ways to see it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "exchange.test")])
    start = datetime.now(UTC) - timedelta(days=3)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file, made.public_bytes(serialization.Encoding.DER)


async def serve(folder: Path, **values: object) -> AsyncIterator[Secured]:
    """Run a server over TLS that refuses everybody in few words."""
    file, der = certificate(folder, **values)  # type: ignore[arg-type]
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
        with pytest.raises(Unavailable, match="certificate is not valid"):
            await ask(server.url, "")


@pytest.mark.parametrize("values", [{"host": "127.0.0.2"}, {"days": -1}], ids=str)
async def test_a_wrong_name_or_an_old_certificate_is_refused(
    tmp_path: Path, values: dict[str, object]
) -> None:
    """The file vouches for an authority, not for another name or for ever."""
    async for server in serve(tmp_path, **values):
        with pytest.raises(Unavailable, match="certificate is not valid"):
            await ask(server.url, str(server.file))


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is a failure with a sentence, not trust in everybody."""
    with pytest.raises(Unavailable, match="cannot be read"):
        await ask("https://127.0.0.1:1/", str(tmp_path / "none.pem"))
