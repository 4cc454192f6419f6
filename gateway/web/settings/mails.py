"""A kept mail, to be read where no mail host is set, or where sending it failed."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiohttp import web

from gateway.errors import NotFound
from gateway.services.mails import raw_of
from gateway.web.auth import Visit
from gateway.web.templating import page

SHOWN = ("From", "To", "Reply-To", "Subject", "Date")


async def show_mail(visit: Visit) -> web.StreamResponse:
    """Show one of the owner's mails as text, whatever it holds."""
    async with visit.services.store.read() as tx:
        mail = await tx.mails.get(visit.id)
    if mail is None or mail.owner_id != visit.owner.id:
        raise NotFound("mail")
    raw = visit.services.cipher.open(mail.raw, bound_to=raw_of(mail.id))
    message = message_from_bytes(raw, _class=EmailMessage, policy=default)
    return page(
        visit.request,
        "settings/mail.html",
        {
            "mail": mail,
            "headers": [(name, str(message[name])) for name in SHOWN if message[name]],
            "text": _text(message),
            "files": [name for part in message.walk() if (name := part.get_filename())],
        },
    )


def _text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""
