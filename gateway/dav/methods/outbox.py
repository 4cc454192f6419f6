"""POST to the Outbox (RFC 6638 section 5): who is busy when."""

from urllib.parse import unquote

from aiohttp import web

from gateway.dav import tree
from gateway.dav.answers import HEADERS
from gateway.dav.context import Context
from gateway.dav.methods.put import read_calendar
from gateway.dav.tree import Kind
from gateway.dav.wire import multistatus
from gateway.dav.wire.names import CALDAV, escape_text, href
from gateway.errors import NotFound
from gateway.model.busy_request import BusyAnswer, read_busy_request

MAILTO = "mailto:"


async def outbox(context: Context) -> web.StreamResponse:
    """Answer with one response for each attendee, whether it could be asked or not."""
    data, _ = await read_calendar(context)
    request = read_busy_request(data)
    host = context.request.host

    def email_of(address: str) -> str | None:
        return _email_of(address, host)

    answers = await context.services.scheduling.busy(context.owner, request, email_of)
    body = multistatus.document(
        "schedule-response", "".join(map(_response, answers)), namespace=CALDAV
    )
    return web.Response(
        body=body, content_type=multistatus.CONTENT_TYPE, charset="utf-8", headers=HEADERS
    )


def _email_of(address: str, host: str) -> str | None:
    """Return the e-mail address of a `mailto:` or of a principal's path on this host."""
    if address[: len(MAILTO)].lower() == MAILTO:
        return unquote(address[len(MAILTO) :].partition("?")[0]).strip().lower() or None
    try:
        target = tree.read_href(address, host)
    except NotFound:
        return None
    return target.email if target.kind is Kind.PRINCIPAL else None


def _response(answer: BusyAnswer) -> str:
    data = ""
    if answer.reply:
        data = f"<C:calendar-data>{escape_text(answer.reply.decode())}</C:calendar-data>"
    return (
        f"<C:response><C:recipient>{href(answer.attendee)}</C:recipient>"
        f"<C:request-status>{escape_text(answer.status)}</C:request-status>{data}</C:response>"
    )
