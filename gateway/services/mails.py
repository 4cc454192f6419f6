"""Outgoing mail: built so that nobody's text can become a header, kept sealed, then sent.

A mail is stored in the transaction that decides it and sent afterwards by the outbox, byte for
byte the same at every try, so a message that was sent twice is recognised as one.
"""

import re
from dataclasses import dataclass
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from hashlib import sha256

from gateway.errors import AccessLost
from gateway.model.address import addr_spec
from gateway.model.content_line import clean_text
from gateway.model.timerange import DAY, to_datetime
from gateway.ports import Cipher, Clock, Job, Mailer, Store, StoredMail, Transaction
from gateway.services.outbox import GiveUp, Leased

SEND = "mail.send"
PATIENCE = 3 * DAY
"""How long a mail host may be away before a mail is given up."""
MAX_HEADER = 150
POLICY = SMTP.clone(max_line_length=200)
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail before it is a message.

    `kind` and `subject_id` with `sequence` make its Message-ID, so they name it for good. `method`
    is that of the iTIP message in `calendar`.
    """

    owner_id: int
    recipient: str
    kind: str
    subject_id: str
    sequence: int = 0
    subject: str
    text: str
    reply_to: str = ""
    calendar: bytes = b""
    method: str = ""


class Postbox:
    """Keeps mails and, where a mail host is set, has them sent; the dashboard reads them here."""

    def __init__(self, cipher: Cipher, *, sender: str, sends: bool) -> None:
        self._cipher = cipher
        self._sender = sender_address(sender)
        self._sends = sends

    async def post(self, tx: Transaction, letter: Letter, now: int) -> None:
        """Store a letter in the transaction that decides it; one posted before is not doubled."""
        recipient = addr_spec(letter.recipient)
        if recipient is None:
            await tx.notices.record(
                letter.owner_id, "mail.no_address", f"{letter.kind} {letter.subject_id}", now
            )
            return
        name = message_name(letter, recipient)
        mail_id = f"ml_{sha256(name.encode()).hexdigest()[:32]}"
        if await tx.mails.get(mail_id) is not None:
            return
        message = compose(letter, recipient, self._sender, name, now)
        stored = StoredMail(
            id=mail_id,
            owner_id=letter.owner_id,
            recipient=recipient,
            subject=str(message["Subject"]),
            raw=self._cipher.seal(message.as_bytes(policy=POLICY), bound_to=raw_of(mail_id)),
            created_at=now,
        )
        await tx.mails.add(stored)
        if self._sends:
            # One line per booking and recipient: a cancellation never overtakes its invitation.
            line = sha256(f"{letter.subject_id} {recipient}".encode()).hexdigest()[:40]
            await tx.outbox.add(SEND, f"mail:{line}", {"mail": mail_id}, now)

    def read(self, mail: StoredMail) -> bytes:
        """Return the message of a stored mail, as it was or would be sent."""
        return self._cipher.open(mail.raw, bound_to=raw_of(mail.id))


class MailSending:
    """The outbox's handler for mails."""

    def __init__(self, store: Store, clock: Clock, postbox: Postbox, mailer: Mailer) -> None:
        self._store = store
        self._clock = clock
        self._postbox = postbox
        self._mailer = mailer

    async def run(self, leased: Leased) -> None:
        """Send one mail; a refusal for good ends it, anything else is tried again for days."""
        mail_id = leased.job.payload["mail"]
        async with self._store.read() as tx:
            mail = await tx.mails.get(mail_id)
        if mail is None or mail.sent_at is not None:
            return
        if self._clock.now() - mail.created_at > PATIENCE:
            raise GiveUp("The mail host could not be reached for three days.")
        try:
            await self._mailer.send(mail.recipient, self._postbox.read(mail))
        except AccessLost as refusal:
            raise GiveUp(refusal.detail) from refusal
        async with leased.finish() as tx:
            await tx.mails.mark(mail_id, sent_at=self._clock.now())

    async def buried(self, tx: Transaction, job: Job, reason: str) -> None:
        """Show in the dashboard that, and why, a mail did not go out."""
        await tx.mails.mark(job.payload["mail"], sent_at=None, error=reason)


def raw_of(mail_id: str) -> str:
    """Return what a stored mail's bytes are bound to; they hold links that manage a booking."""
    return f"mail.raw:{mail_id}"


def sender_address(sender: str) -> Address:
    """Return the configured sender; its address must be one addr-spec or a local name's."""
    name, address = parseaddr(sender)
    local, _, domain = address.rpartition("@")
    return Address(header_text(name), local or "calendar", domain or "localhost")


def message_name(letter: Letter, recipient: str) -> str:
    """Return what names a mail for good: the same event told twice has the same name."""
    who = sha256(recipient.encode()).hexdigest()[:12]
    return f"{letter.subject_id}.{letter.kind}.{letter.sequence}.{who}"


def compose(letter: Letter, recipient: str, sender: Address, name: str, now: int) -> EmailMessage:
    """Return the message of a letter: plain text, and the iTIP message as its alternative."""
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = _address(recipient)
    reply_to = addr_spec(letter.reply_to)
    if reply_to:
        message["Reply-To"] = _address(reply_to)
    message["Subject"] = header_text(letter.subject) or "Calendar"
    message["Date"] = format_datetime(to_datetime(now).astimezone(UTC))
    message["Message-ID"] = f"<{name}@{sender.domain}>"
    # RFC 3834: nobody's vacation notice answers this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(clean_text(letter.text), cte="quoted-printable")
    if letter.calendar:
        message.add_alternative(
            letter.calendar,
            maintype="text",
            subtype="calendar",
            cte="base64",
            params={"charset": "utf-8", "method": letter.method, "name": "invite.ics"},
        )
    return message


def _address(address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(username=local, domain=domain)


def header_text(text: str) -> str:
    """Return text fit for a header: one short line without controls or direction marks."""
    line = " ".join(_INVISIBLE.sub("", clean_text(text)).split())
    return line if len(line) <= MAX_HEADER else f"{line[: MAX_HEADER - 1]}…"
