"""Who asks: Basic (RFC 7617) with an e-mail address and an app password, on every request.

Law: no request inherits what another one on the same connection proved.
"""

import base64
import binascii

from aiohttp import hdrs, web

from gateway.dav.answers import not_signed_in
from gateway.model.principal import Owner
from gateway.services.owners import OwnerService

MAX_HEADER = 4096


async def signed_in(owners: OwnerService, request: web.Request, remote: str) -> Owner:
    """Return the owner who signed this request; whatever else comes gets the same 401."""
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    pair = read_basic(given[0]) if len(given) == 1 else None
    if pair is None:
        raise not_signed_in()
    owner = await owners.authenticate_app_password(*pair, remote)
    if owner is None:
        raise not_signed_in()
    return owner


def read_basic(header: str) -> tuple[str, str] | None:
    """Return the user name and password of a header; None if it is not Basic or is malformed."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > MAX_HEADER:
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon and name and password and text.isprintable() else None
