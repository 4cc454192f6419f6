"""The last look: the wanted time, and only it, read live from every source before it is booked.

Law: it fails closed. What cannot be read within the deadline is not free. What blocks is decided
by the owner's rules for each calendar, as it is for the slots that were shown.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gateway.errors import AccessLost, CalendarUnavailable, SlotTaken, UpstreamError
from gateway.freebusy.busytime import BusyPeriod, BusyType, without
from gateway.model.booking import Booking
from gateway.model.collection import Collection
from gateway.model.connection import Connection
from gateway.model.page import SchedulingPage
from gateway.model.timerange import MINUTE, TimeRange
from gateway.ports import Capability, Cipher, Sources, Store
from gateway.services.circumstances import cause_of, names
from gateway.services.sync import secret_of

DEADLINE = 2.0


@dataclass
class Unreadable(CalendarUnavailable):
    """The refusal of a last look, with the calendars it could not read."""

    collections: tuple[Collection, ...] = ()

    @classmethod
    def of(cls, collections: Sequence[Collection], cause: str = "") -> "Unreadable":
        """Return the refusal that names these calendars."""
        return cls(names(collections), cause or cause_of(collections[0]), tuple(collections))


class LastLook:
    """Asks the sources of an owner's selected calendars, all at once."""

    def __init__(
        self, store: Store, sources: Sources, cipher: Cipher, *, deadline: float = DEADLINE
    ) -> None:
        self._store = store
        self._sources = sources
        self._cipher = cipher
        self._deadline = deadline
        self._log = structlog.get_logger("gateway.last_look")

    async def check(
        self,
        page: SchedulingPage,
        span: TimeRange,
        selected: Sequence[Collection],
        stale: Sequence[Collection],
        *,
        moving: Booking | None = None,
    ) -> None:
        """Raise SlotTaken if a source is busy then, CalendarUnavailable if one does not say.

        A source that cannot be asked about one time is trusted while it works, and only then.
        `moving` is a booking whose own event does not count.
        """
        able = {
            spec.provider: Capability.LAST_LOOK in spec.capabilities
            for spec in self._sources.specs()
        }
        mute = [one for one in stale if not one.is_local and not able.get(one.provider.value)]
        if mute:
            raise Unreadable.of(mute)
        asked = [one for one in selected if not one.is_local and able.get(one.provider.value)]
        answers = await asyncio.gather(
            *(self._busy(one, page, span, moving) for one in asked), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        if any(answers):
            raise SlotTaken

    async def _busy(
        self,
        collection: Collection,
        page: SchedulingPage,
        span: TimeRange,
        moving: Booking | None,
    ) -> bool:
        window = TimeRange(
            span.start - page.buffer_before * MINUTE, span.end + page.buffer_after * MINUTE
        )
        cause = "It did not answer in time."
        try:
            async with asyncio.timeout(self._deadline):
                periods = await self._ask(collection, window)
            if moving is not None and moving.collection_id == collection.id:
                # What its owner has put over it meanwhile is the owner's to know.
                periods = without(periods, TimeRange(moving.start, moving.end))
            return any(blocks(period, window, page) for period in periods)
        except UpstreamError as error:
            cause = str(error) or cause
        except TimeoutError:
            pass
        except Exception:  # noqa: BLE001 - see below
            # A bug in an adapter or a key that fits no more: whatever it is, it is not "free".
            self._log.exception("last_look.broken", calendar=collection.public_id)
            cause = "It cannot be read at the moment."
        self._log.info("last_look.failed", calendar=collection.public_id, error=cause)
        raise Unreadable.of([collection], cause)

    async def _ask(self, collection: Collection, window: TimeRange) -> Sequence[BusyPeriod]:
        async with self._store.read() as tx:
            connection = await tx.connections.get(collection.connection_id or "")
            owner = await tx.owners.get(collection.owner_id)
        if connection is None:
            raise AccessLost("Its connection was removed.")
        adapter = self._sources.open(connection, open_secret(self._cipher, connection))
        try:
            address = owner.email.lower() if owner else ""
            return await adapter.last_look(
                collection.upstream_id, window, collection.rules, address
            )
        finally:
            await adapter.close()


def open_secret(cipher: Cipher, connection: Connection) -> bytes:
    """Return a connection's secret in the clear; a connection may have none."""
    if not connection.secret:
        return b""
    return cipher.open(connection.secret, bound_to=secret_of(connection.id))


def blocks(period: BusyPeriod, window: TimeRange, page: SchedulingPage) -> bool:
    """Tell whether a busy period keeps the page from the window."""
    if period.type is BusyType.FREE:
        return False
    if period.type is BusyType.TENTATIVE and not page.tentative_blocks:
        return False
    return period.start < window.end and window.start < period.end
