"""connect, sync: sources of events and reading them now."""

from collections.abc import Sequence
from typing import TextIO

import click

from gateway.bootstrap import Gateway
from gateway.cli.context import Context, fail, pass_context, say, secret_from_stdin, the_owner
from gateway.cli.progress import progress_bar
from gateway.errors import Forbidden
from gateway.model.collection import Collection
from gateway.model.connection import Connection
from gateway.services.connections import ConnectionState
from gateway.services.exchange_account import VERSIONS, ExchangeAccount
from gateway.services.sync_outcome import Outcome
from gateway.services.trust import MOST_BYTES

NAME_BESIDE = 24


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
@click.option(
    "--ca-file",
    default=None,
    type=click.File("r", encoding="utf-8", errors="replace"),
    help="Certificates in PEM that this server is trusted by besides.",
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
    ca_file: TextIO | None,
    password_stdin: bool,  # noqa: ARG001 - the flag says where the password is; there is no other place
) -> None:
    """Connect a mailbox on an Exchange server, 2010 SP2 or later."""
    given = ExchangeAccount(
        address=address,
        password=secret_from_stdin(),
        username=username,
        url=url,
        version=version,
        ca=ca_file.read(MOST_BYTES + 1) if ca_file else "",
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

    async def work(gateway: Gateway) -> list[tuple[Connection, Sequence[Outcome] | None]]:
        owner = await the_owner(gateway, email) if email else None
        async with gateway.services.store.read() as tx:
            every = await tx.connections.of_owner(owner.id) if owner else await tx.connections.all()
            count = [len(await tx.collections.of_connection(one.id)) for one in every]
        with progress_bar("Reading calendars") as report:
            begun: list[int] = []

            def watch(calendar: Collection, events: int) -> None:
                if calendar.id not in begun:
                    begun.append(calendar.id)
                report(len(begun) - 1, sum(count), _beside(calendar, events))

            results: list[tuple[Connection, Sequence[Outcome] | None]] = []
            for connection in every:
                outcomes = await gateway.services.sync.tick(connection.id, full=full, watch=watch)
                results.append((connection, outcomes))
            report(sum(count), sum(count))
        return results

    _tell(context, context.run(work))


def _tell(context: Context, results: list[tuple[Connection, Sequence[Outcome] | None]]) -> None:
    rows = [_row(connection, one) for connection, outcomes in results for one in outcomes or ()]
    if context.as_json or rows:
        context.table(rows if context.as_json else [_short(row) for row in rows])
    elif not results:
        say("There is no connection to read; local calendars are always up to date.")
    for connection, outcomes in results:
        if outcomes is None:
            say(f"{connection.account} is being read by another process right now.")
    failed = [row for row in rows if row["error"]]
    for row in failed:
        say(f"{row['name']}: {row['error']}")
    if failed:
        one = "The calendar could not be read." if len(rows) == 1 else ""
        fail(one or f"{len(failed)} of {len(rows)} calendars could not be read.")


def _beside(calendar: Collection, events: int) -> str:
    """Return what stands beside the bar while a calendar is read."""
    name = (calendar.display_name or calendar.name)[:NAME_BESIDE]
    return f"{name}, {events:,} events" if events else name


def _short(row: dict[str, object]) -> dict[str, object]:
    """Return a row for people: what went wrong is told below the table, in whole sentences."""
    kept = {key: row[key] for key in ("name", "provider", "changed", "removed")}
    return {**kept, "result": "failed" if row["error"] else "read"}


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
