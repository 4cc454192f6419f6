"""ACL (RFC 3744 section 8.1): every access control list here is protected."""

from aiohttp import web

from gateway.dav.answers import fail
from gateway.dav.context import Context
from gateway.dav.tree import ObjectResource
from gateway.errors import Condition


async def acl(context: Context) -> web.StreamResponse:
    """Refuse: nobody has the privilege of changing who may do what."""
    await context.xml()
    if isinstance(await context.find(), ObjectResource):
        raise web.HTTPMethodNotAllowed("ACL", ())
    raise fail(403, "Who may do what cannot be changed here.", Condition.NEED_PRIVILEGES)
