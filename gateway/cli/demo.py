"""demo: a gateway with an invented person's calendars, for looking around; gone when it stops."""

import asyncio
import secrets
import signal
import tempfile
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import click
import msgspec

from gateway.bootstrap import Gateway, load_libraries, new_key, open_gateway
from gateway.cli.context import fail
from gateway.config import Config, Google, Microsoft, Providers, Security
from gateway.errors import CalgateError
from gateway.model.feed import Visibility
from gateway.model.principal import CredentialKind, Owner, Session
from gateway.model.timerange import HOUR, to_datetime
from gateway.sandbox import demo_data
from gateway.sandbox.demo_accounts import (
    EXCHANGE,
    EXCHANGE_PASSWORD,
    DemoAccounts,
    demo_accounts,
)
from gateway.sandbox.ics_server import IcsServer
from gateway.services.consent import Callback
from gateway.services.exchange_account import ExchangeAccount
from gateway.telemetry import configure_logging
from gateway.web.server import start_server

EMAIL = "demo@calgate.example"
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tour:
    """What a visitor of the demo needs."""

    password: str
    app_password: str
    page: str
    feed: str


@click.command()
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
def demo(port: int) -> None:
    """Run a gateway with embedded data; Ctrl-C stops it, and nothing of it is kept."""
    configure_logging(json=False, level="WARNING")
    with tempfile.TemporaryDirectory(prefix="calgate-demo-") as folder:
        config = Config(
            public_url=f"http://{HOST}:{port}",
            listen=f"{HOST}:{port}",
            data_dir=folder,
            key=new_key(),
            security=Security(allow_private_networks=True),
        )
        try:
            asyncio.run(_run(config))
        except CalgateError as error:
            fail(str(error))
        except OSError as error:
            fail(
                f"Cannot listen on {config.listen}: {error.strerror or error}. "
                f"Another port: PORT={port + 1000} make demo"
            )


async def _run(config: Config) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        IcsServer() as club,
        demo_accounts() as accounts,
        open_gateway(_registered(config, accounts)) as gateway,
    ):
        host, port = config.address
        server = await start_server(gateway.app, host, port)
        try:
            tour = await _fill(gateway, club)
            await _connect(gateway, accounts)
            await gateway.worker.start()
            click.echo(_told(config.public_url, tour))
            await _connect_exchange(gateway, accounts)
            await stop.wait()
        finally:
            await gateway.worker.stop()
            await server.stop()


def _registered(config: Config, accounts: DemoAccounts) -> Config:
    """Return the configuration with this gateway registered at the simulated providers."""
    google, microsoft = accounts.google, accounts.microsoft
    client = {"client_id": "sandbox", "client_secret": "secret"}
    providers = Providers(
        google=Google(
            api_url=google.url,
            auth_url=f"{google.url}/o/oauth2/v2/auth",
            token_url=f"{google.url}/token",
            revoke_url=f"{google.url}/revoke",
            **client,
        ),
        microsoft=Microsoft(authority=microsoft.authority, graph_url=microsoft.graph_url, **client),
    )
    return msgspec.structs.replace(config, providers=providers)


async def _connect(gateway: Gateway, accounts: DemoAccounts) -> None:
    """Connect the accounts with a consent page as their owner would."""
    services = gateway.services
    now = to_datetime(services.clock.now())
    accounts.fill(now.astimezone(ZoneInfo(demo_data.ZONE)).date())
    async with services.store.read() as tx:
        owner = await tx.owners.by_email(EMAIL)
    assert owner is not None, "the demo has made its owner"
    session = Session(
        digest="demo", owner_id=owner.id, csrf="", expires_at=services.clock.now() + HOUR
    )
    for provider in services.consent.offered:
        url = await services.consent.begin(owner, session, provider, acceptance="demo")
        answer = await accounts.allow(url)
        told = Callback(state=answer["state"], code=answer["code"])
        await services.consent.finish(owner, session, provider, told)


async def _connect_exchange(gateway: Gateway, accounts: DemoAccounts) -> None:
    """Connect the mailbox too, once the addresses are told: its library takes a second to load."""
    await asyncio.to_thread(load_libraries)
    async with gateway.services.store.read() as tx:
        owner = await tx.owners.by_email(EMAIL)
    assert owner is not None, "the demo has made its owner"
    given = ExchangeAccount(address=EXCHANGE, password=EXCHANGE_PASSWORD, url=accounts.exchange.url)
    await gateway.services.connections.connect_exchange(owner, given)


async def _fill(gateway: Gateway, club: IcsServer) -> Tour:
    """Make the owner, the calendars of the coming weeks, a booking page and a feed."""
    services = gateway.services
    password = secrets.token_urlsafe(9)
    owner = await services.owners.add(
        EMAIL, password, name="Demi Demo", time_zone=demo_data.ZONE, seat=True, admin=True
    )
    today = to_datetime(services.clock.now()).astimezone(ZoneInfo(demo_data.ZONE)).date()
    for name, events in (("Work", demo_data.WORK), ("Private", demo_data.PRIVATE)):
        calendar = await services.objects.create_collection(
            owner, name=name.lower(), display_name=name, time_zone=demo_data.ZONE
        )
        items = [(f"{one.uid}.ics", demo_data.calendar_of(one, today)) for one in events]
        await services.objects.put_many(owner, calendar, items)
    club.calendars["club"] = demo_data.subscription(demo_data.CLUB, today)
    owner = await _fresh(gateway, owner)
    await services.connections.connect_ics(owner, club.url("club"), name="Rowing club")
    draft = replace(services.pages.draft(owner, "Meet Demi"), slug="demi", durations=(30, 60))
    page = await services.pages.create(owner, draft)
    _, token = await services.feeds.add(
        owner, label="Everything", visibility=Visibility.TITLE, calendars=()
    )
    _, app_password = await services.owners.add_credential(
        owner.id, CredentialKind.APP_PASSWORD, "Demo"
    )
    base = services.edge.public_url
    return Tour(
        password=password,
        app_password=app_password,
        page=f"{base}/meetings/{page.page.slug}",
        feed=f"{base}/feeds/{token}.ics",
    )


async def _fresh(gateway: Gateway, owner: Owner) -> Owner:
    async with gateway.services.store.read() as tx:
        return await tx.owners.get(owner.id) or owner


def _told(base: str, tour: Tour) -> str:
    return f"""
calgate is running with invented calendars. Ctrl-C stops it; nothing is kept.

  Owner's side   {base}/login
                 {EMAIL}   password {tour.password}
  Booking page   {tour.page}
  CalDAV         {base}/dav/
                 {EMAIL}   password {tour.app_password}
  Merged feed    {tour.feed}
"""


COMMANDS = (demo,)
