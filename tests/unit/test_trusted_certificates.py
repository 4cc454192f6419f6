"""Trust in a source's certificate: the public authorities, or a file of one's own; never none."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from gateway.adapters._addresses import GuardOptions
from gateway.adapters._certificates import trusting
from gateway.adapters._http import Answer, Blocked, GuardedClient, read_url
from gateway.adapters.oauth_google import GoogleConsent
from gateway.errors import NotRegistered, Unavailable
from gateway.model.grant import Grant
from tests.conftest import FakeClock
from tests.own_authority import certificate

OPEN = GuardOptions(allow_private=True)


@dataclass
class Secured:
    """A server over TLS, its certificate as a file and as it goes over the wire."""

    url: str
    file: Path
    der: bytes


async def serve(folder: Path, *, location: str = "", **values: object) -> AsyncIterator[Secured]:
    """Run a server over TLS that refuses everybody in few words, or sends them elsewhere."""
    file, der = certificate(folder, **values)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    async def refuse(_request: web.Request) -> web.Response:
        if location:
            return web.Response(status=302, headers={"Location": location})
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


@pytest.mark.parametrize("kept_in", ["the address", "a header", "nothing"])
async def test_a_password_is_never_led_out_of_tls(tmp_path: Path, kept_in: str) -> None:
    """Who signs in is not sent on from https to http; whoever does not may be (check 90)."""
    plain: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        plain.append(request)
        return web.Response(text="plain")

    app = web.Application()
    app.router.add_get("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async for server in serve(tmp_path, location=there):
        url = server.url.replace("//", "//jane:secret@") if kept_in == "the address" else server.url
        headers = {"authorization": "Basic amFuZTpzZWNyZXQ="} if kept_in == "a header" else {}
        client = GuardedClient(OPEN).apart(ca_file=str(server.file))
        asked = client.get(read_url(url, OPEN), headers=headers)
        try:
            if kept_in == "nothing":
                assert (await asked).body == b"plain"
            else:
                with pytest.raises(Blocked, match="unprotected"):
                    await asked
                assert plain == []
        finally:
            await client.close()
    await runner.cleanup()


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is a failure with a sentence, not trust in everybody."""
    with pytest.raises(Unavailable, match="cannot be read"):
        await ask("https://127.0.0.1:1/", str(tmp_path / "none.pem"))


@pytest.mark.parametrize("way", ["a source", "a token endpoint"])
async def test_a_replaced_file_counts_without_a_restart(tmp_path: Path, way: str) -> None:
    """Once the file holds another authority, its server is believed and the former is not."""
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "new").mkdir()
    named = tmp_path / "ca.pem"
    client = GuardedClient(OPEN).configured(ca_file=str(named))

    async def answers(server: Secured) -> str:
        try:
            if way == "a source":
                return str((await client.get(read_url(server.url, OPEN))).status)
            await consent(server.url, str(named)).refresh(GRANT)
        except NotRegistered:
            return "401"
        except Unavailable as error:
            return "not trusted" if "certificate" in error.detail.lower() else error.detail
        return "tokens"

    async for former in serve(old):
        async for latter in serve(new):
            former.file.replace(named)
            before = await answers(former), await answers(latter)
            latter.file.replace(named)
            after = await answers(former), await answers(latter)
            await client.close()

            assert (before, after) == (("401", "not trusted"), ("not trusted", "401"))


GRANT = Grant(subject="1", email="jane@gmail.example", refresh_token="refresh-1")


def consent(url: str, ca_file: str) -> GoogleConsent:
    """Return what asks a token endpoint under one's own trust."""
    return GoogleConsent(
        FakeClock(),
        client_id="id",
        client_secret="secret",
        auth_url=url,
        token_url=url,
        revoke_url=url,
        ca_file=ca_file,
    )


def test_the_same_authorities_are_read_once(tmp_path: Path) -> None:
    """Whoever trusts the same gets the same; a file, a text and the public ones are apart."""
    file, _ = certificate(tmp_path)
    pem = file.read_text()
    ways = [("", ""), (str(file), ""), ("", pem)]
    found = [trusting(ca_file, ca) for ca_file, ca in ways]
    again = [trusting(ca_file, ca) for ca_file, ca in ways]

    assert [id(one) for one in again] == [id(one) for one in found]
    assert len({id(one) for one in found} | {id(trusting(str(file), alone=True))}) == 4


def test_alone_only_the_named_authorities_are_trusted(tmp_path: Path) -> None:
    """What is named alone is trusted without the public authorities; nothing named is all these."""
    file, der = certificate(tmp_path)

    assert trusting(str(file), alone=True).get_ca_certs(binary_form=True) == [der]
    assert trusting(alone=True) is not trusting(str(file), alone=True)
    assert trusting(alone=True).verify_mode is ssl.CERT_REQUIRED
    assert trusting(str(file), alone=True).check_hostname
