"""What goes wrong with the calls of an API: before the effect, after it, or in the answer."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec
from aiohttp import web

from gateway.sandbox.faults import LOGIN_PAGE

CANARY = "canary-internal"
"""A word that stands in every planned error, so that a test sees it if it gets through."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong with the calls of a route (`events.*` means all of these).

    The first `skip` calls go well, then `times` go wrong (0: all). `drop` breaks the connection
    off before the effect, after it, or has the effect come `late` seconds later; a `status` has no
    effect unless `effect` says so. The rest spoils a good answer: `truncate` and `cut` keep so
    many bytes, `drip` sends a byte per so many seconds, `lose_next` and `endless` take or add the
    next page, `lose_items` says that there is nothing.
    """

    route: str = "*"
    skip: int = 0
    times: int = 0
    delay: float = 0.0
    delay_after: float = 0.0
    status: int = 0
    reason: str = ""
    retry_after: str = ""
    effect: bool = False
    drop: Literal["", "before", "after", "late"] = ""
    late: float = 0.0
    html: bool = False
    body: str | None = None
    truncate: int = -1
    cut: int = -1
    drip: float = 0.0
    bad_gzip: bool = False
    redirect: str = ""
    lose_next: bool = False
    lose_items: bool = False
    endless: bool = False


@dataclass(slots=True)
class Faults:
    """The faults in force, each with how often its route was called."""

    active: list[tuple[Fault, list[int]]] = field(default_factory=list)

    def set(self, faults: Iterable[Fault]) -> None:
        """Replace all of them."""
        self.active = [(fault, [0]) for fault in faults]

    def pick(self, route: str) -> Fault:
        """Return what happens to this call: the first fault that is due, or none."""
        chosen = Fault()
        for fault, seen in self.active:
            if not fnmatchcase(route, fault.route):
                continue
            seen[0] += 1
            due = seen[0] > fault.skip and (not fault.times or seen[0] <= fault.skip + fault.times)
            if due and chosen == Fault():
                chosen = fault
        return chosen


def planned(fault: Fault, told: Callable[[int, str], web.Response]) -> web.Response:
    """Return the error that a fault asks for; `told` says a status and reason as the API does."""
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    if fault.redirect:
        headers["Location"] = fault.redirect
        return web.Response(status=fault.status or 302, headers=headers)
    if fault.html:
        return web.Response(
            status=fault.status, body=LOGIN_PAGE, content_type="text/html", headers=headers
        )
    answer = told(fault.status, fault.reason)
    answer.headers.update(headers)
    return answer


async def send(request: web.Request, fault: Fault, status: int, body: bytes) -> web.StreamResponse:
    """Send a body as a fault has it."""
    kind = "application/json"
    if fault.html:
        return web.Response(body=LOGIN_PAGE, content_type="text/html")
    if fault.body is not None:
        return web.Response(status=status, text=fault.body, content_type=kind)
    if fault.truncate >= 0:
        return web.Response(status=status, body=body[: fault.truncate], content_type=kind)
    if fault.bad_gzip:
        spoiled = gzip.compress(body)[:-9] + b"spoiled"
        return web.Response(
            status=status, body=spoiled, content_type=kind, headers={"Content-Encoding": "gzip"}
        )
    if fault.cut < 0 and not fault.drip:
        return web.Response(status=status, body=body, content_type=kind)
    response = web.StreamResponse(status=status, headers={"Content-Type": kind})
    response.content_length = len(body)
    # The client is expected to give up on these.
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        if fault.drip:
            for index in range(len(body)):
                await response.write(body[index : index + 1])
                await asyncio.sleep(fault.drip)
        else:
            await response.write(body[: fault.cut])
            abort(request)
    return response


def abort(request: web.Request) -> None:
    """Break the connection off."""
    if request.transport is not None:
        request.transport.abort()


def encode(answer: Any) -> bytes:
    """Return an answer as JSON."""
    return msgspec.json.encode(answer)


def read_faults(data: bytes) -> list[Fault]:
    """Read the body of the control endpoint: one fault or a list of them."""
    found = json.loads(data)
    return msgspec.convert(found if isinstance(found, list) else [found], list[Fault])
