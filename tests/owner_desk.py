"""The gateway as an owner meets it: the real application on a real store, at a loopback port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.bootstrap import open_gateway
from gateway.config import Config, Limits, Mail, Providers, Security
from gateway.model.booking import Booking
from gateway.model.collection import Collection, Provider, Role
from gateway.model.connection import Failure, Health
from gateway.model.page import SchedulingPage
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, HOUR
from gateway.services.claim import token_of
from gateway.services.registry import Services
from gateway.services.tokens import digest, new_secret
from gateway.storage.cipher import new_key
from gateway.web.server import Deadlines, Server, start_server
from tests.builders import CHEAP, a_booking, a_collection, a_connection
from tests.plain_browser import PlainBrowser
from tests.served import free_port

PASSWORD = "correct horse battery"


@dataclass
class OwnerDesk:
    """A gateway that listens, and what tests put into it behind its back."""

    url: str
    services: Services
    server: Server

    async def owner(self, email: str = "jane@example.org", **values: Any) -> Owner:
        """Make an owner, with a seat if nothing else is said."""
        known = {"name": "Jane", "time_zone": "Europe/Amsterdam", "seat": True} | values
        return await self.services.owners.add(email, PASSWORD, **known)

    def browser(self, **options: str) -> PlainBrowser:
        """Return a fresh browser."""
        return PlainBrowser(self.url, **options)

    @asynccontextmanager
    async def signed_in(self, email: str = "jane@example.org") -> AsyncIterator[PlainBrowser]:
        """Give a browser in which an owner is signed in."""
        async with self.browser() as browser:
            page = await browser.sign_in(email, PASSWORD)
            assert page.status == 200, page.text
            yield browser

    async def fresh(self, owner: Owner) -> Owner:
        """Return the owner as stored now."""
        async with self.services.store.read() as tx:
            found = await tx.owners.get(owner.id)
        assert found is not None
        return found

    async def calendar(self, owner: Owner, name: str = "Work") -> Collection:
        """Make a local calendar."""
        return await self.services.objects.create_collection(owner, display_name=name)

    async def calendars(self, owner: Owner) -> dict[str, Collection]:
        """Return the owner's calendars by their names."""
        async with self.services.store.read() as tx:
            return {one.display_name: one for one in await tx.collections.of_owner(owner.id)}

    async def page(self, owner: Owner, title: str = "Intro", **values: Any) -> SchedulingPage:
        """Make a page with office hours."""
        draft = replace(self.services.pages.draft(owner, title), **values)
        return (await self.services.pages.create(owner, draft)).page

    async def booking(self, owner: Owner, page: SchedulingPage, **values: Any) -> Booking:
        """Put a booking two days ahead straight into the store."""
        start = (self.services.clock.now() // HOUR) * HOUR + 2 * DAY
        booking = a_booking(owner.id, **{"start": start, "page_id": page.id} | values)
        token = new_secret()
        booking = replace(
            booking,
            manage_digest=digest(token),
            manage_sealed=self.services.cipher.seal(token.encode(), bound_to=token_of(booking.id)),
        )
        async with self.services.store.write(owner_id=owner.id) as tx:
            await tx.bookings.add(booking)
        return booking

    async def lost_calendar(self, owner: Owner, name: str = "School") -> Collection:
        """Connect a subscription whose source said no for good, two days ago."""
        now = self.services.clock.now()
        connection = a_connection(owner.id, created_at=now, account="school.example.org")
        async with self.services.store.write(owner_id=owner.id) as tx:
            await tx.connections.add(connection)
            sealed = self.services.cipher.seal(
                b"https://school.example.org/x.ics", bound_to=f"connection.secret:{connection.id}"
            )
            await tx.connections.set_secret(connection.id, sealed)
            made = await tx.collections.add(
                a_collection(
                    owner.id,
                    connection_id=connection.id,
                    provider=Provider.ICS,
                    role=Role.READER,
                    name="school",
                    display_name=name,
                )
            )
            health = Health(
                last_success_at=now - 3 * DAY,
                failing_since=now - 2 * DAY,
                failure=Failure.ACCESS_LOST,
                detail="The address gives no calendar any more (404).",
                strikes=2,
            )
            await tx.collections.set_health(made.id, health)
        return made


@asynccontextmanager
async def owner_desk(
    data_dir: Path,
    *,
    public_url: str = "",
    hosts: tuple[str, ...] = ("meet.example.org",),
    failures: int = 30,
    mail_host: str = "",
    providers: Providers | None = None,
    deadlines: Deadlines | None = None,
) -> AsyncIterator[OwnerDesk]:
    """Open a gateway over an empty database and serve it on loopback."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    config = Config(
        public_url=public_url or url,
        listen=f"127.0.0.1:{port}",
        data_dir=str(data_dir),
        hosts=list(hosts),
        key=new_key(),
        mail=Mail(host=mail_host),
        limits=Limits(failed_logins_per_address_per_hour=failures),
        providers=providers or Providers(),
        security=Security(allow_private_networks=True),
    )
    async with open_gateway(config, hashing=CHEAP) as gateway:
        server = await start_server(gateway.app, "127.0.0.1", port, deadlines=deadlines)
        try:
            yield OwnerDesk(url=url, services=gateway.services, server=server)
        finally:
            await server.stop()
