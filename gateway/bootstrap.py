"""Where everything meets: builds one gateway from its configuration, and takes it down again.

Law: this file alone knows every concrete class; what it builds knows only ports and services.
"""

import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from gateway.adapters._http import GuardedClient
from gateway.adapters.registry import Registry, load_libraries
from gateway.config import Config, InvalidConfig
from gateway.model.timerange import DAY, Instant
from gateway.outside import consents, guard_options, mailer, push_address, reach, shared
from gateway.ports import Cipher, Clock, Store
from gateway.services.booking import BookingService
from gateway.services.claim import MOVE, REMOVE, WRITE, Claim, RateLimits
from gateway.services.connections import ConnectionService
from gateway.services.consent import ConsentService
from gateway.services.contacts import ContactService
from gateway.services.doctor import Doctor
from gateway.services.ending import Ending
from gateway.services.engagement_look import Looking
from gateway.services.farewell import END
from gateway.services.feeds import FeedService
from gateway.services.follow import Follow
from gateway.services.freebusy import FreeBusyService
from gateway.services.grants import GrantService
from gateway.services.hooks import HookService
from gateway.services.index import IndexService
from gateway.services.last_look import LastLook
from gateway.services.mails import SEND, MailSending, Postbox
from gateway.services.meetings import MeetingService
from gateway.services.move_event import MoveEvent
from gateway.services.moving import MovingService
from gateway.services.notices import Notices
from gateway.services.noticing import CHECK
from gateway.services.objects import ObjectService
from gateway.services.outbox import Handler, OutboxService
from gateway.services.owners import OwnerService
from gateway.services.pages import PageService
from gateway.services.passwords import STRONG, Cost, Passwords
from gateway.services.registry import EdgeSettings, Services
from gateway.services.scheduling import SchedulingService
from gateway.services.settings import SettingsService
from gateway.services.sign_ins import SignIns
from gateway.services.sync import SyncService
from gateway.services.tokens import new_id
from gateway.services.transfer import TransferService
from gateway.services.watching import WatchService
from gateway.services.writeback import Upstreams, Writeback
from gateway.storage import backup
from gateway.storage.cipher import KeyRing, check_key, new_key, reseal
from gateway.storage.engine import open_store
from gateway.telemetry import Metrics
from gateway.web.app import build_app
from gateway.web.i18n import translate
from gateway.worker import Loop, Worker

__all__ = [
    "Gateway",
    "back_up",
    "load_libraries",
    "migrate_database",
    "new_key",
    "open_gateway",
    "restore_from",
    "rotate_keys",
]

KEEP_KEYS = 2 * DAY
"""Idempotency keys are promised for 24 hours."""
KEEP_MAILS = 90 * DAY
KEEP_COUNTS = 2 * DAY


class SystemClock:
    """The machine's clock (ports.Clock)."""

    def now(self) -> Instant:
        """Return the present in whole UTC seconds."""
        return int(time.time())


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that is open: its services, and what serves them."""

    config: Config
    services: Services
    transfer: TransferService
    app: web.Application
    worker: Worker
    metrics: Metrics


@asynccontextmanager
async def open_gateway(config: Config, *, hashing: Cost = STRONG) -> AsyncIterator[Gateway]:
    """Open the database, check the key, build every service; close all of it at the end."""
    ring = key_ring(config)
    async with AsyncExitStack() as stack:
        store = await open_store(config.database.url, config.data_path)
        stack.push_async_callback(store.close)
        await check_key(store, ring)
        clock = SystemClock()
        client = GuardedClient(guard_options(config))
        stack.push_async_callback(client.close)
        stack.callback(client.threads.close)
        passwords = Passwords(hashing)
        stack.callback(passwords.close)
        parts = _Parts(
            config,
            store=store,
            clock=clock,
            cipher=ring,
            client=client,
            passwords=passwords,
        )
        stack.push_async_callback(parts.grants.close)
        stack.push_async_callback(parts.outbox.close)
        stack.push_async_callback(parts.services.consent.close)
        metrics = Metrics()
        yield Gateway(
            config=config,
            services=parts.services,
            transfer=TransferService(store, parts.services.objects),
            app=build_app(parts.services, metrics, metrics_for=config.security.metrics),
            worker=Worker(parts.loops()),
            metrics=metrics,
        )


class _Parts:
    """The services of one gateway, each with exactly the collaborators it needs."""

    def __init__(
        self,
        config: Config,
        *,
        store: Store,
        clock: Clock,
        cipher: Cipher,
        client: GuardedClient,
        passwords: Passwords,
    ) -> None:
        # A lease names who holds it; two processes of one machine are two nodes.
        node = f"{socket.gethostname()}:{os.getpid()}:{new_id('')}"
        self.store, self.clock, self.config = store, clock, config
        postbox = Postbox(cipher, sender=config.mail.sender, sends=bool(config.mail.host))
        notices = Notices(
            postbox, cipher, translate, public_url=config.public_url, hosts=config.hosts
        )
        known = consents(config, clock)
        self.grants = grants = GrantService(store, clock, cipher, known, notices)
        sources = Registry(
            shared(
                config,
                client,
                clock,
                tokens=grants.tokens,
                sign_ins=SignIns(store, clock, cipher),
            )
        )
        ending = Ending(store, clock, cipher, sources, known, grants=grants)
        freebusy = FreeBusyService(store, clock)
        look, upstreams = LastLook(store, sources, cipher), Upstreams(store, sources, cipher)
        writeback = Writeback(
            store, clock, freebusy, look=look, upstreams=upstreams, notices=notices
        )
        moves = MoveEvent(store, clock, freebusy, look=look, upstreams=upstreams, notices=notices)
        follow = Follow(store, clock, upstreams, notices)
        sending = MailSending(store, clock, postbox, mailer(config))
        self.outbox = OutboxService(
            store,
            clock,
            {
                WRITE: Handler(run=writeback.write, buried=writeback.written_off),
                REMOVE: Handler(run=writeback.remove, buried=writeback.left_behind),
                MOVE: Handler(run=moves.run, buried=moves.left),
                CHECK: Handler(run=follow.check, buried=follow.unasked),
                SEND: Handler(run=sending.run, buried=sending.buried),
                END: Handler(run=ending.run, buried=ending.left),
            },
            node=node,
        )
        claim = Claim(
            freebusy,
            cipher,
            notices,
            RateLimits(
                per_address_per_hour=config.limits.bookings_per_address_per_hour,
                per_email_per_day=config.limits.bookings_per_email_per_day,
            ),
            node=node,
            public_url=config.public_url,
        )
        self.index = IndexService(store, clock)
        self.looking = Looking(store, clock)
        sync = SyncService(
            store,
            clock,
            sources,
            cipher,
            node=node,
            poll_seconds=config.sync.poll_seconds,
            notices=notices,
        )
        self.watching = WatchService(store, clock, sources, cipher, address=push_address(config))
        bookings = BookingService(
            store,
            clock,
            freebusy,
            claim,
            outbox=self.outbox,
            notices=notices,
            wait_seconds=config.booking.wait_seconds,
        )
        moving = MovingService(
            store,
            clock,
            bookings,
            claim,
            outbox=self.outbox,
            wait_seconds=config.booking.wait_seconds,
        )
        self.services = Services(
            store=store,
            clock=clock,
            cipher=cipher,
            owners=OwnerService(
                store,
                clock,
                passwords,
                failures_per_hour=config.limits.failed_logins_per_address_per_hour,
            ),
            objects=ObjectService(store, clock),
            freebusy=freebusy,
            bookings=bookings,
            moving=moving,
            pages=PageService(store, clock),
            settings=SettingsService(
                store,
                hosts=tuple(config.hosts),
                custom_domains=config.booking.custom_domains,
            ),
            feeds=FeedService(store, clock, freebusy, cipher),
            connections=ConnectionService(store, clock, sources, cipher, sync, grants=grants),
            consent=ConsentService(
                store,
                clock,
                cipher,
                sources,
                known,
                grants=grants,
                sync=sync,
                notices=notices,
                public_url=config.public_url,
            ),
            contacts=ContactService(store, clock, self.looking),
            meetings=MeetingService(
                store, clock, freebusy, claim, bookings=bookings, moving=moving
            ),
            doctor=Doctor(
                store,
                clock,
                cipher,
                sources,
                reach(config),
                grants=grants,
                consents=known,
                public_url=config.public_url,
            ),
            hooks=HookService(store, clock),
            sync=sync,
            scheduling=SchedulingService(store, clock, freebusy),
            edge=EdgeSettings(
                public_url=config.public_url.rstrip("/"),
                hosts=tuple(config.hosts),
                trusted_proxies=tuple(config.security.trusted_proxies),
                mail_configured=bool(config.mail.host),
                poll_seconds=config.sync.poll_seconds,
                custom_domains=config.booking.custom_domains,
                exchange=config.providers.exchange.enabled,
            ),
        )

    def loops(self) -> list[Loop]:
        """Return what runs beside the requests; two nodes may run all of it."""
        return [
            Loop(name="outbox", seconds=1.0, work=self.outbox.work),
            Loop(
                name="sync",
                seconds=2.0,
                work=self.services.sync.run_due,
                end=self.services.sync.stop,
            ),
            Loop(name="engagements", seconds=2.0, work=self.looking.work),
            Loop(name="watching", seconds=60.0, work=self.watching.work),
            Loop(name="calendars", seconds=21600.0, work=self.services.connections.follow_all),
            Loop(name="bookings", seconds=30.0, work=self.services.bookings.reconcile),
            Loop(name="index", seconds=3600.0, work=self.index.extend),
            Loop(name="housekeeping", seconds=3600.0, work=self._clean_up),
        ]

    async def _clean_up(self) -> bool:
        now = self.clock.now()
        async with self.store.write() as tx:
            await tx.keys.purge(now - KEEP_KEYS)
            await tx.mails.purge(now - KEEP_MAILS)
            await tx.counters.purge(now - KEEP_COUNTS)
            await tx.consents.purge(now)
        return False


# --- operations on a gateway that need not run ---------------------------------------------------


def key_ring(config: Config) -> KeyRing:
    """Return the keys that seal secrets; raise BadKey with a sentence."""
    if config.key:
        return KeyRing.from_text(config.key, origin="The key of the configuration")
    return KeyRing.from_file(Path(config.key_path))


async def migrate_database(config: Config) -> str:
    """Bring the database to this version's schema; return its revision."""
    store = await open_store(config.database.url, config.data_path)
    try:
        return await store.revision()
    finally:
        await store.close()


async def back_up(config: Config, file: Path) -> int:
    """Write everything but the key into a file; return its size in bytes."""
    return await backup.back_up(config.database.url, config.data_path, file)


async def restore_from(config: Config, file: Path, *, force: bool) -> None:
    """Replace the database by a backup."""
    await backup.restore(config.database.url, config.data_path, file, force=force)


async def rotate_keys(config: Config) -> int:
    """Seal every secret with a new key; return how many secrets it were.

    The new key is on the disk beside the old one before anything is sealed with it, and the old
    one goes only after everything is: interrupted anywhere, every secret still opens.
    """
    if config.key:
        if len(config.key.split()) == 1:
            raise InvalidConfig(
                "`key` stands in the configuration itself, where it cannot be replaced from here: "
                "put a new key and a space before it, run this again, then remove the old one."
            )
        return await _reseal(config, key_ring(config))
    path = Path(config.key_path)
    ring = KeyRing.from_file(path).with_new_key()
    ring.write(path)
    count = await _reseal(config, ring)
    ring.first_only().write(path)
    return count


async def _reseal(config: Config, ring: KeyRing) -> int:
    store = await open_store(config.database.url, config.data_path)
    try:
        return await reseal(store, ring)
    finally:
        await store.close()
