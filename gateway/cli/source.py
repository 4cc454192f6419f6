"""connect, sync: sources of events and reading them now."""

from collections.abc import Sequence

import click

from gateway.bootstrap import Gateway
from gateway.cli.context import Context, fail, pass_context, say, secret_from_stdin, the_owner
from gateway.cli.progress import progress_bar
from gateway.errors import Forbidden
from gateway.model.connection import Connection
from gateway.services.connections import ConnectionState
from gateway.services.exchange_account import VERSIONS, ExchangeAccount
from gateway.services.sync import Outcome


@click.group()
def connect() -> None:
    """Connect a source of events."""


@connect.command("ics")
@click.argument("email")
@click.argument("url")
@click.option("--name", default="", help="What to call it (default: its own name).")
@pass_context
def connect_ics(context: Context, email: str, url: str, name: str) -> None:
    """Subscribe to a calendar by its address."""

    async def work(gateway: Gateway) -> ConnectionState:
        owner = await the_owner(gateway, email)
        return await gateway.services.connections.connect_ics(owner, url, name=name)

    _created(context, context.run(work))


@connect.command("caldav")
@click.argument("email")
@click.argument("url")
@click.option("--username", required=True, help="As the server knows the account.")
@click.option("--password-stdin", is_flag=True, required=True, help="Read it from standard input.")
@pass_context
def connect_caldav(
    context: Context,
    email: str,
    url: str,
    username: str,
    password_stdin: bool,  # noqa: ARG001 - the flag says where the password is; there is no other place
) -> None:
    """Connect an account at a CalDAV server (Nextcloud, Fastmail, iCloud, …)."""
    password = secret_from_stdin()

    async def work(gateway: Gateway) -> ConnectionState:
        owner = await the_owner(gateway, email)
        return await gateway.services.connections.connect_caldav(
            owner, url, username=username, password=password
        )

    _created(context, context.run(work))


@connect.command("exchange")
@click.argument("email")
@click.option("--address", required=True, help="The e-mail address of the mailbox.")
@click.option("--username", default="", help="Such as jane or CORP\\jane (default: the address).")
@click.option("--url", default="", help="https://mail.example.com/ews/exchange.asmx.")
@click.option(
    "--version", default="", type=click.Choice(VERSIONS), help="Default: the server says."
)
@click.option("--password-stdin", is_flag=True, required=True, help="Read it from standard input.")
@pass_context
def connect_exchange(
    context: Context,
    email: str,
    address: str,
    username: str,
    url: str,
    version: str,
    password_stdin: bool,  # noqa: ARG001 - the flag says where the password is; there is no other place
) -> None:
    """Connect a mailbox on an Exchange server, 2010 SP2 or later."""
    given = ExchangeAccount(
        address=address,
        password=secret_from_stdin(),
        username=username,
        url=url,
        version=version,
    )

    async def work(gateway: Gateway) -> ConnectionState:
        if not gateway.config.providers.exchange.enabled:
            raise Forbidden("not_offered", "This gateway connects no Exchange servers.")
        owner = await the_owner(gateway, email)
        return await gateway.services.connections.connect_exchange(owner, given)

    _created(context, context.run(work))


@connect.command("google")
@click.argument("email")
@pass_context
def connect_google(context: Context, email: str) -> None:
    """Print the address where a Google account is connected: open it signed in."""
    _linked(context, email, "google")


@connect.command("microsoft")
@click.argument("email")
@pass_context
def connect_microsoft(context: Context, email: str) -> None:
    """Print the address where an Office 365 account is connected: open it signed in."""
    _linked(context, email, "microsoft")


def _linked(context: Context, email: str, provider: str) -> None:
    async def work(gateway: Gateway) -> str:
        owner = await the_owner(gateway, email)
        if provider not in gateway.services.consent.offered:
            fail(
                f"This gateway is not registered with {provider}: set client_id and client_secret "
                f"in [providers.{provider}] (docs/connect-{provider}.md says how to get them)."
            )
        return await gateway.services.consent.link(owner, provider)

    url = context.run(work)
    context.created(
        f"Open this within an hour, in a browser where {email} is signed in. It works once.",
        url,
        {"url": url},
    )


def _created(context: Context, state: ConnectionState) -> None:
    names = ", ".join(one.collection.display_name for one in state.calendars)
    context.created(
        f"Connected: {names}.",
        state.connection.id,
        {
            "id": state.connection.id,
            "calendars": [one.collection.public_id for one in state.calendars],
        },
    )


@click.command()
@click.argument("email", required=False)
@click.option("--full", is_flag=True, help="Forget where reading stopped; compare everything.")
@pass_context
def sync(context: Context, email: str | None, full: bool) -> None:
    """Read every connected calendar now, of one owner or of all."""

    async def work(gateway: Gateway) -> list[tuple[Connection, Sequence[Outcome]]]:
        owner = await the_owner(gateway, email) if email else None
        async with gateway.services.store.read() as tx:
            all_connections = (
                await tx.connections.of_owner(owner.id) if owner else await tx.connections.all()
            )
        results = []
        with progress_bar("Reading calendars") as report:
            for done, connection in enumerate(all_connections, start=1):
                outcomes = await gateway.services.sync.tick(connection.id, full=full)
                results.append((connection, outcomes or ()))
                report(done, len(all_connections))
        return results

    results = context.run(work)
    rows = [_row(connection, one) for connection, outcomes in results for one in outcomes]
    context.table(rows)
    for connection, outcomes in results:
        if not outcomes:
            say(f"{connection.account} is being read by another process right now.")
    failed = [row for row in rows if row["error"]]
    for row in failed:
        say(f"{row['name']}: {row['error']}")
    if failed:
        fail(f"{len(failed)} of {len(rows)} calendars could not be read.")


def _row(connection: Connection, outcome: Outcome) -> dict[str, object]:
    return {
        "id": outcome.collection.public_id,
        "name": outcome.collection.display_name or outcome.collection.name,
        "provider": connection.provider,
        "changed": outcome.changed,
        "removed": outcome.removed,
        "error": outcome.error,
    }


COMMANDS = (connect, sync)
