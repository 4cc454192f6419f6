"""`.ics` subscriptions: one URL, one read-only calendar.

Whatever is not a whole calendar (a login page, half a file, another type) is a failure, never an
empty calendar; the caller keeps its last good copy. The URL is a secret and stays out of messages.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from gateway.adapters._http import Answer, GuardedClient, Target, Unreachable, read_url, retry_after
from gateway.adapters._shared import Shared
from gateway.errors import AccessLost, Refused, SignInNeeded, Unavailable
from gateway.freebusy.blocking import blocking_time
from gateway.freebusy.busytime import BusyPeriod, coalesce
from gateway.model.collection import ALL_BLOCKS, BusyRules
from gateway.model.component import folded_lines
from gateway.model.connection import Connection
from gateway.model.long_lines import LongLines
from gateway.model.objects import CalendarObject, RefusedItem
from gateway.model.recurrence import compile_object
from gateway.model.stream import Stream, read_stream
from gateway.model.timerange import TimeRange
from gateway.model.zones import UTC_ZONE, zone
from gateway.ports import (
    AdapterSpec,
    Capability,
    Clock,
    UpstreamCalendar,
    UpstreamObject,
    UpstreamPage,
)

SPEC = AdapterSpec(
    provider="ics",
    title="ICS",
    capabilities=Capability.READ | Capability.LIST_CALENDARS | Capability.LAST_LOOK,
)
UPSTREAM_ID = "feed"
OFF_LOOP = 64 * 1024
CURSOR_VERSION = 1
MAX_VALIDATOR = 500
SOME_UNREADABLE = "Some events of the calendar cannot be read."
STAMPS = (b"DTSTAMP:", b"DTSTAMP;")
MAX_OBJECTS_BYTES = 128 * 1024 * 1024
"""How much the objects of one calendar may come to: each takes the zones along that it names."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class IcsOptions:
    """What an owner can set: the address, from the connection's sealed secret."""

    address: str


class IcsAdapter:
    """Reads one subscription (an `Adapter` of ports.py)."""

    def __init__(self, options: IcsOptions, client: GuardedClient, clock: Clock) -> None:
        self._targets = _targets(options.address, client)
        self._client = client
        self._clock = clock

    async def calendars(self) -> Sequence[UpstreamCalendar]:
        """Read the calendar once, so that connecting proves that it can be read."""
        stream = await _read(await self._get({}))
        return [
            UpstreamCalendar(
                upstream_id=UPSTREAM_ID,
                name=stream.name or self._targets[0].url.host or "",
                time_zone=stream.time_zone,
                is_primary=True,
            )
        ]

    async def changes(self, upstream_id: str, cursor: str) -> AsyncIterator[UpstreamPage]:
        """Yield the whole calendar as one complete page, or `unchanged`."""
        del upstream_id
        known = _decode_cursor(cursor)
        answer = await self._get(_conditions(known))
        if answer.status == 304:  # noqa: PLR2004 - Not Modified, RFC 9110 section 15.4.5
            yield UpstreamPage(objects=(), cursor=cursor, unchanged=True)
            return
        digest = hashlib.sha256(answer.body).hexdigest()
        following = _encode_cursor(answer, digest)
        if known.get("digest") == digest:
            yield UpstreamPage(objects=(), cursor=following, unchanged=True)
            return
        stream = await _read(answer)
        objects = await _off_loop(len(answer.body), _upstream_objects, stream.objects)
        yield UpstreamPage(
            objects=objects,
            cursor=following,
            complete=True,
            unreadable=tuple(item.uid for item in stream.refused if item.uid),
            notes=tuple(_note(item) for item in stream.refused),
        )

    async def last_look(
        self,
        upstream_id: str,
        window: TimeRange,
        rules: BusyRules = ALL_BLOCKS,
        address: str = "",
    ) -> Sequence[BusyPeriod]:
        """Read the calendar now, return its busy time in the window; what is unreadable fails."""
        del upstream_id
        answer = await self._get({})
        stream = await _read(answer)
        if stream.refused:
            raise Unavailable(SOME_UNREADABLE)
        return await _off_loop(len(answer.body), _busy, stream, window, rules, address)

    async def close(self) -> None:
        """Nothing of its own to close: the client is shared."""

    async def _get(self, conditions: dict[str, str]) -> Answer:
        headers = {"Accept": "text/calendar, */*;q=0.1", **conditions}
        try:
            answer = await self._client.get(self._targets[0], headers=headers, sieve=LongLines)
        except Unreachable:
            if len(self._targets) == 1:
                raise
            answer = await self._client.get(self._targets[1], headers=headers, sieve=LongLines)
        _check_status(answer, self._clock, conditional=bool(conditions))
        return answer


def build(connection: Connection, secret: bytes, shared: Shared) -> IcsAdapter:
    """Build an adapter from a connection's secret, which is the address."""
    del connection
    options = IcsOptions(address=secret.decode("utf-8"))
    return IcsAdapter(options, shared.client, shared.clock)


def _targets(address: str, client: GuardedClient) -> tuple[Target, ...]:
    # webcal:// says "subscribe" and nothing of TLS: https is tried first, plain http only without
    # credentials to lose.
    scheme, colon, rest = address.strip().partition(":")
    if not colon or scheme.lower() not in {"webcal", "webcals"}:
        return (read_url(address.strip(), client.options),)
    secure = read_url(f"https:{rest}", client.options)
    if scheme.lower() == "webcals" or secure.auth is not None:
        return (secure,)
    return (secure, read_url(f"http:{rest}", client.options))


def _check_status(answer: Answer, clock: Clock, *, conditional: bool) -> None:
    status = answer.status
    if status == 200 or (status == 304 and conditional):  # noqa: PLR2004 - RFC 9110 section 15
        return
    if status == 401:  # noqa: PLR2004 - Unauthorized
        raise SignInNeeded("The server wants a sign-in for this address.")
    if status == 403:  # noqa: PLR2004 - Forbidden
        raise AccessLost("The server denies access to this calendar.")
    if status in {404, 410}:
        raise AccessLost("The calendar is no longer at this address.")
    wait = retry_after(answer.headers, clock.now())
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        raise Unavailable("The server asks us to come back later.", wait)
    raise Unavailable(f"The server answered with status {status}.", wait)


async def _read(answer: Answer) -> Stream:
    return await _off_loop(len(answer.body), _stream, answer)


async def _off_loop(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    # A small calendar is read at once; a big one would hold up everybody on the loop.
    if size <= OFF_LOOP:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def _stream(answer: Answer) -> Stream:
    try:
        return read_stream(answer.body, answer.charset)
    except Refused as error:
        raise Unavailable(error.detail) from error


def _upstream_objects(objects: Sequence[CalendarObject]) -> list[UpstreamObject]:
    found, size = [], 0
    for item in objects:
        lines = folded_lines(item.calendar)
        size += sum(map(len, lines))
        if size > MAX_OBJECTS_BYTES:
            raise Unavailable("The events of this calendar come to more than the gateway takes.")
        # Many servers stamp every event with the time of the download; that is no change.
        lasting = b"".join(line for line in lines if not line.startswith(STAMPS))
        etag, data = hashlib.sha256(lasting).hexdigest()[:32], b"".join(lines)
        found.append(UpstreamObject(key=item.uid, uid=item.uid, etag=etag, data=data))
    return found


def _busy(stream: Stream, window: TimeRange, rules: BusyRules, address: str) -> list[BusyPeriod]:
    default = zone(stream.time_zone) or UTC_ZONE
    periods: list[BusyPeriod] = []
    for item in stream.objects:
        try:
            times = compile_object(item, default, lenient=True)
        except Refused as error:
            raise Unavailable(SOME_UNREADABLE) from error
        periods += blocking_time(times, window, rules, address)
    return coalesce(periods, window)


def _note(item: RefusedItem) -> str:
    return (
        f"“{(item.summary or item.uid or 'An event')[:80]}” cannot be read and was left as it was."
    )


def _conditions(known: dict[str, str]) -> dict[str, str]:
    conditions = {}
    if known.get("etag"):
        conditions["If-None-Match"] = known["etag"]
    if known.get("modified"):
        conditions["If-Modified-Since"] = known["modified"]
    return conditions


def _encode_cursor(answer: Answer, digest: str) -> str:
    etag, modified = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
    return json.dumps(
        {
            "version": CURSOR_VERSION,
            "etag": etag if len(etag) <= MAX_VALIDATOR else "",
            "modified": modified if len(modified) <= MAX_VALIDATOR else "",
            "digest": digest,
        }
    )


def _decode_cursor(cursor: str) -> dict[str, str]:
    try:
        known = json.loads(cursor or "{}")
    except ValueError:
        return {}
    if not isinstance(known, dict) or known.pop("version", None) != CURSOR_VERSION:
        return {}
    return {name: value for name, value in known.items() if isinstance(value, str)}
