"""Every service of one gateway, for the edges: built once in bootstrap.py, passed on explicitly."""

from dataclasses import dataclass, field

from gateway.model.home import home_of
from gateway.model.principal import Owner
from gateway.ports import Cipher, Clock, Store
from gateway.services.booking import BookingService
from gateway.services.connections import ConnectionService
from gateway.services.consent import ConsentService
from gateway.services.contacts import ContactService
from gateway.services.doctor import Doctor
from gateway.services.feeds import FeedService
from gateway.services.freebusy import FreeBusyService
from gateway.services.hooks import HookService
from gateway.services.meetings import MeetingService
from gateway.services.moving import MovingService
from gateway.services.objects import ObjectService
from gateway.services.owners import OwnerService
from gateway.services.pages import PageService
from gateway.services.scheduling import SchedulingService
from gateway.services.settings import SettingsService
from gateway.services.sync import SyncService


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """What the edges need of the configuration."""

    public_url: str = "http://127.0.0.1:8080"
    hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    mail_configured: bool = False
    poll_seconds: int = 60
    custom_domains: bool = True
    exchange: bool = True

    def home_of(self, owner: Owner) -> str:
        """Return the address that links to an owner's pages begin with."""
        return home_of(owner, self.public_url, self.hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases, and the few ports that edges use directly."""

    store: Store
    clock: Clock
    cipher: Cipher
    owners: OwnerService
    objects: ObjectService
    freebusy: FreeBusyService
    bookings: BookingService
    moving: MovingService
    pages: PageService
    settings: SettingsService
    feeds: FeedService
    connections: ConnectionService
    consent: ConsentService
    contacts: ContactService
    meetings: MeetingService
    doctor: Doctor
    hooks: HookService
    sync: SyncService
    scheduling: SchedulingService
    edge: EdgeSettings = field(default_factory=EdgeSettings)
