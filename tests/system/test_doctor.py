"""The doctor names each planted fault at its step, and what mends it; a well account is well."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result as Told
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.adapters._addresses import GuardOptions
from gateway.adapters.oauth_google import CHANGES_EVENTS, SCOPES
from gateway.adapters.reach import ServerReach, place_of
from gateway.bootstrap import open_gateway
from gateway.cli import main
from gateway.config import load
from gateway.errors import Unavailable
from gateway.ports import Place
from gateway.sandbox.google import Fault
from gateway.services.doctor import Check, Diagnosis, Result, Step
from gateway.services.sync import secret_of
from tests.builders import a_connection
from tests.connecting import JANE, Connecting
from tests.served import free_port

LOOPBACK = GuardOptions(allow_private=True)


async def examined(connecting: Connecting) -> Diagnosis:
    """Examine Jane's connection."""
    [state] = await connecting.desk.services.connections.list(connecting.jane.id)
    return await connecting.desk.services.doctor.examine(state.connection)


def the_bad(found: Diagnosis) -> Step:
    """Return the first step that failed."""
    return next(step for step in found.steps if step.result is Result.BAD)


async def test_a_well_account_is_well(connecting: Connecting) -> None:
    """Every step is named in order, and good."""
    await connecting.connect()
    found = await examined(connecting)

    assert found.is_well, found.steps
    assert [step.check for step in found.steps] == list(Check)


async def test_examining_writes_nothing(connecting: Connecting) -> None:
    """The doctor only looks."""
    await connecting.connect()
    before = len(connecting.google.world.log)
    await examined(connecting)

    assert not any(one.get("effect") for one in connecting.google.world.log[before:])


async def revoked(connecting: Connecting) -> None:
    """Jane takes her consent back at Google."""
    connecting.google.world.revoke(JANE)
    await used_up(connecting)


async def used_up(connecting: Connecting) -> None:
    """Let the access token be one that Google knows no more."""
    for grant in connecting.google.world.grants.values():
        grant.access_tokens.clear()
    [state] = await connecting.desk.services.connections.list(connecting.jane.id)
    grants = connecting.desk.services.doctor._grants
    known = replace(grants.read(state.connection), expires_at=0)
    async with connecting.desk.services.store.write() as tx:
        sealed = grants.seal(state.connection.id, known)
        await tx.connections.set_secret(state.connection.id, sealed)


async def wrong_client(connecting: Connecting) -> None:
    """Change the client secret at Google."""
    await used_up(connecting)
    connecting.google.oauth.clients["sandbox"] = "another secret"


async def fewer_scopes(connecting: Connecting) -> None:
    """Leave writing out of what was allowed."""
    [state] = await connecting.desk.services.connections.list(connecting.jane.id)
    grants = connecting.desk.services.doctor._grants
    known = replace(grants.read(state.connection), scopes=frozenset(SCOPES[:3]))
    async with connecting.desk.services.store.write() as tx:
        sealed = grants.seal(state.connection.id, known)
        await tx.connections.set_secret(state.connection.id, sealed)


async def unshared(connecting: Connecting) -> None:
    """Take the calendar out of the account."""
    del connecting.google.world.calendars[JANE]


async def denied(connecting: Connecting) -> None:
    """Google denies reading it."""
    faults = [
        Fault(route=route, status=403, reason="forbidden")
        for route in ("events.list", "freebusy.query")
    ]
    connecting.google.break_with(*faults)


async def down(connecting: Connecting) -> None:
    """Google is down."""
    connecting.google.break_with(Fault(route="calendarList.list", status=503))


async def a_page(connecting: Connecting) -> None:
    """Give a page instead of an answer."""
    connecting.google.break_with(Fault(route="calendarList.list", html=True, status=200))


async def wrong_key(connecting: Connecting) -> None:
    """Seal the secret for another row."""
    [state] = await connecting.desk.services.connections.list(connecting.jane.id)
    async with connecting.desk.services.store.write() as tx:
        sealed = connecting.desk.services.cipher.seal(b"{}", bound_to="elsewhere")
        await tx.connections.set_secret(state.connection.id, sealed)


async def idle(connecting: Connecting) -> None:
    """Nobody has read for an hour."""
    async with connecting.desk.services.store.write() as tx:
        for one in await tx.collections.of_owner(connecting.jane.id):
            health = replace(one.health, last_success_at=(one.health.last_success_at or 0) - 3600)
            await tx.collections.set_health(one.id, health)


async def gone(connecting: Connecting) -> None:
    """Nobody listens at Google's address."""
    await connecting.google.stop()


@pytest.mark.parametrize(
    ("plant", "check", "said", "remedy"),
    [
        (wrong_key, Check.SECRET, "belongs elsewhere", "Bring back the key"),
        (gone, Check.CONNECTION, "refuses connections", "firewall"),
        (revoked, Check.SIGN_IN, "wants you to sign in again", "/reconnect"),
        (wrong_client, Check.SIGN_IN, "does not accept this gateway", "client_secret"),
        (fewer_scopes, Check.PERMISSIONS, CHANGES_EVENTS, "/reconnect"),
        (unshared, Check.CALENDARS, f"No longer in the account: {JANE}", "Calendar tab"),
        (down, Check.CALENDARS, "Google", "Try again"),
        (a_page, Check.CALENDARS, "Google", "Try again"),
        (denied, Check.READ, JANE, "access again"),
        (idle, Check.FRESHNESS, "read 60 minutes ago", "calgate serve"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_a_planted_fault_is_named(
    connecting: Connecting,
    plant: Callable[[Connecting], Awaitable[None]],
    check: Check,
    said: str,
    remedy: str,
) -> None:
    """The step that fails is the one the fault belongs to; what follows is not guessed at."""
    await connecting.connect()
    await plant(connecting)
    found = await examined(connecting)

    bad = the_bad(found)
    assert (bad.check, said in bad.detail) == (check, True), bad
    assert remedy in bad.remedy
    after = found.steps[found.steps.index(bad) + 1 : -1]
    assert all(step.result is Result.UNTRIED for step in after)


# --- names, ports and certificates


def certificate(folder: Path, *, name: str = "localhost", days: int = 10) -> tuple[Path, Path]:
    """Make a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime(2026, 11, 27, tzinfo=UTC) if days > 0 else datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=36500 if days > 0 else 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


@asynccontextmanager
async def a_server(
    answer: bytes, files: tuple[Path, Path] | None = None, *, at_once: bool = False
) -> AsyncIterator[int]:
    """Answer whatever comes with these bytes; give the port."""
    handled: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, ValueError):
            if not at_once:
                await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.add(asyncio.ensure_future(handle(reader, writer)))

    context = None
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        if handled:
            await asyncio.wait(handled, timeout=5)


def a_place(port: int, **values: object) -> Place:
    """Return a server on loopback."""
    return Place(**({"host": "localhost", "port": port, "is_given": True} | values))


@pytest.mark.parametrize(
    ("name", "days", "trusts", "said"),
    [
        ("localhost", 10, False, "signed by itself"),
        ("localhost", -1, True, "has expired"),
        ("elsewhere.example", 10, True, "is for another name"),
    ],
)
async def test_a_bad_certificate_is_named(
    tmp_path: Path, name: str, days: int, trusts: bool, said: str
) -> None:
    """Self-signed, expired and for another name are three different sentences."""
    files = certificate(tmp_path, name=name, days=days)
    async with a_server(b"", files) as port:
        place = a_place(port, ca_file=str(files[0]) if trusts else "")
        with pytest.raises(Unavailable, match=said):
            await ServerReach(LOOPBACK, {}).connect(place)


async def test_a_good_certificate_is_told(tmp_path: Path) -> None:
    """A certificate of an authority that `ca_file` names is good."""
    files = certificate(tmp_path)
    async with a_server(b"", files) as port:
        said = await ServerReach(LOOPBACK, {}).connect(a_place(port, ca_file=str(files[0])))

    assert "its certificate is good" in said


async def test_plain_http_where_tls_is_expected_is_named() -> None:
    """A server that speaks no TLS on that port is said to."""
    async with a_server(b"HTTP/1.1 400 Bad Request\r\n\r\n", at_once=True) as port:
        with pytest.raises(Unavailable, match="does not speak TLS"):
            await ServerReach(LOOPBACK, {}).connect(a_place(port))


async def test_a_closed_port_is_named() -> None:
    """Nobody listens there."""
    with pytest.raises(Unavailable, match="refuses connections"):
        await ServerReach(LOOPBACK, {}).connect(a_place(free_port(), secure=False))


async def test_a_name_that_nobody_has_is_named() -> None:
    """The name server knows no such name."""
    place = a_place(443, host="no-such-host.invalid")
    with pytest.raises(Unavailable, match=r"no server called no-such-host\.invalid"):
        await ServerReach(LOOPBACK, {}).resolve(place)


async def test_the_address_guard_holds() -> None:
    """A server that an owner names must not lie inside, here as little as anywhere else."""
    async with a_server(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        reach = ServerReach(GuardOptions(), {})
        with pytest.raises(Unavailable, match="does not read"):
            await reach.connect(a_place(port, secure=False))
        assert await reach.connect(a_place(port, secure=False, is_given=False))


@pytest.mark.parametrize(
    ("answer", "methods"),
    [
        (b"WWW-Authenticate: Negotiate\r\nwww-authenticate: NTLM\r\n", ["Negotiate", "Ntlm"]),
        (b'WWW-Authenticate: Basic realm="x"\r\n', ["Basic"]),
        (b"", []),
    ],
)
async def test_ways_to_sign_in_are_read(answer: bytes, methods: list[str]) -> None:
    """The schemes of the challenge are named, and nothing else of it."""
    async with a_server(b"HTTP/1.1 401 Unauthorized\r\n" + answer + b"\r\n") as port:
        place = a_place(port, secure=False)
        assert (await ServerReach(LOOPBACK, {}).greet(place)).methods == methods


async def test_a_server_of_another_kind_is_named() -> None:
    """Something else than HTTP answers there."""
    async with a_server(b"220 mail.example.org ESMTP\r\n\r\n") as port:
        with pytest.raises(Unavailable, match="does not speak HTTP"):
            await ServerReach(LOOPBACK, {}).greet(a_place(port, secure=False))


@pytest.mark.parametrize(
    ("secret", "place"),
    [
        (b"https://a.example/x.ics?token=1", ("a.example", 443, True, "/x.ics")),
        (b"webcal://a.example/x.ics", ("a.example", 443, True, "/x.ics")),
        (
            b'{"url": "http://b.example:8080/dav/", "password": "p"}',
            ("b.example", 8080, False, "/dav/"),
        ),
        (b'{"address": "jane@example.org"}', None),
        (b"http://[::1", None),
        (b"\xff", None),
    ],
)
def test_a_server_is_found_in_a_secret(secret: bytes, place: tuple[object, ...] | None) -> None:
    """Of a connection's secret only the server is taken, never its query or password."""
    found = ServerReach(LOOPBACK, {}).places(a_connection(1), secret)

    assert [(one.host, one.port, one.secure, one.path) for one in found] == (
        [place] if place else []
    )


def test_an_address_without_a_server_is_none() -> None:
    """What is no web address leads nowhere."""
    assert place_of("ftp://example.org") is None


# --- the command


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Told]:
    """Return a function that runs a command in a folder with an owner."""
    file = tmp_path / "calgate.toml"

    def command(*words: str) -> Told:
        known = [] if words[0] == "init" else ["--config", str(file)]
        return CliRunner().invoke(main, [*known, *words], input="correct horse battery\n")

    assert command("init", str(tmp_path)).exit_code == 0
    file.write_text(
        'key = {file = "var/key"}\n[security]\nallow_private_networks = true\n', encoding="utf-8"
    )
    assert command("user", "add", "jane@example.org", "--password-stdin").exit_code == 0
    return command


async def keep_a_subscription(file: Path, url: str) -> None:
    """Store a subscription that nobody has proved."""
    async with open_gateway(load(file)) as gateway:
        connection = a_connection(1, account="club.example.org")
        sealed = gateway.services.cipher.seal(url.encode(), bound_to=secret_of(connection.id))
        async with gateway.services.store.write() as tx:
            await tx.connections.add(connection)
            await tx.connections.set_secret(connection.id, sealed)


def test_the_command_prints_the_steps(run: Callable[..., Told], tmp_path: Path) -> None:
    """A line a step with a sign, below a failed one what mends it; the exit code tells too."""
    url = f"http://127.0.0.1:{free_port()}/club.ics?token=canary"
    asyncio.run(keep_a_subscription(tmp_path / "calgate.toml", url))
    told = run("doctor", "jane@example.org")

    assert told.exit_code == 1
    assert "club.example.org (ics, cn_" in told.stdout
    assert "✓ name             127.0.0.1 is 127.0.0.1." in told.stdout
    assert "✗ connection       127.0.0.1 refuses connections" in told.stdout
    assert "→ Check the address and the firewall" in told.stdout
    assert "· sign-in          Not tried." in told.stdout
    assert "The connection does not work." in told.stderr
    assert "canary" not in told.output
    [facts] = json.loads(run("--json", "doctor").stdout)["connections"]
    assert facts["is_well"] is False
    assert [one["step"] for one in facts["steps"]] == [check.value for check in Check]


def test_the_command_says_what_it_cannot_do(run: Callable[..., Told]) -> None:
    """Without connections it says so; what is not registered is told with where to read more."""
    assert run("doctor", "jane@example.org").exit_code == 0
    told = run("connect", "google", "jane@example.org")

    assert told.exit_code == 1
    assert "docs/connect-google.md" in told.stderr
