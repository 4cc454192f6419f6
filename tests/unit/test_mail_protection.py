"""Mail over TLS: the mail host's certificate is checked before it gets anything."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import SMTP

from gateway.adapters._certificates import trusting
from gateway.errors import Unavailable
from gateway.mail import SmtpMailer
from tests.own_authority import certificate

LETTER = b"Subject: Hello\r\n\r\nHello Jane\r\n"


class Box(Message):
    """Keeps what is handed in."""

    def __init__(self) -> None:
        super().__init__()
        self.subjects: list[str] = []

    def handle_message(self, message: object) -> None:
        """Take one message."""
        self.subjects.append(message["Subject"])  # type: ignore[index] - a mail


@asynccontextmanager
async def mail_host(file: Path, box: Box) -> AsyncIterator[int]:
    """Run a mail host that speaks after STARTTLS only; yield its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def speak() -> SMTP:
        return SMTP(box, hostname="mail.test", tls_context=context, require_starttls=True)

    server = await asyncio.get_running_loop().create_server(speak, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_only_a_host_that_is_trusted_gets_mail(tmp_path: Path, is_trusted: bool) -> None:
    """With `starttls` a certificate that nobody vouches for ends the conversation."""
    file, _ = certificate(tmp_path)
    box = Box()
    async with mail_host(file, box) as port:
        mailer = SmtpMailer(
            host="127.0.0.1",
            port=port,
            sender="calgate@example.org",
            starttls=True,
            trusted=lambda: trusting(str(file) if is_trusted else ""),
        )
        sent = mailer.send("jane@example.org", LETTER)
        if is_trusted:
            await sent
        else:
            with pytest.raises(Unavailable):
                await sent

    assert box.subjects == (["Hello"] if is_trusted else [])
