"""The repositories over one connection: implements ports.Transaction."""

from gateway.storage.bookings import Bookings
from gateway.storage.channels import Channels
from gateway.storage.collections import Collections
from gateway.storage.connections import Connections
from gateway.storage.consents import Consents
from gateway.storage.contacts import Contacts
from gateway.storage.counters import Counters
from gateway.storage.engagements import Engagements
from gateway.storage.feeds import Feeds
from gateway.storage.index import Index
from gateway.storage.keys import IdempotencyKeys
from gateway.storage.mails import Mails
from gateway.storage.notices import Notices
from gateway.storage.objects import Objects
from gateway.storage.outbox import Outbox
from gateway.storage.owners import Owners
from gateway.storage.pages import Pages
from gateway.storage.repository import AnyConnection, Dialect


class SqlTransaction:
    """Every repository in the same transaction."""

    def __init__(self, connection: AnyConnection, dialect: Dialect) -> None:
        self.owners = Owners(connection, dialect)
        self.collections = Collections(connection, dialect)
        self.objects = Objects(connection, dialect)
        self.index = Index(connection, dialect)
        self.pages = Pages(connection, dialect)
        self.bookings = Bookings(connection, dialect)
        self.keys = IdempotencyKeys(connection, dialect)
        self.outbox = Outbox(connection, dialect)
        self.mails = Mails(connection, dialect)
        self.feeds = Feeds(connection, dialect)
        self.connections = Connections(connection, dialect)
        self.consents = Consents(connection, dialect)
        self.channels = Channels(connection, dialect)
        self.contacts = Contacts(connection, dialect)
        self.engagements = Engagements(connection, dialect)
        self.counters = Counters(connection, dialect)
        self.notices = Notices(connection, dialect)

    async def flush(self) -> None:
        """Write what was gathered for the end of the transaction: the merged rows per day."""
        await self.index.flush()
