"""user, app-password, api-token: owners and their secrets."""

import click

from gateway.bootstrap import Gateway
from gateway.cli.context import Context, pass_context, say, secret_from_stdin, the_owner
from gateway.model.principal import CredentialKind


@click.group()
def user() -> None:
    """Owners of calendars."""


@user.command()
@click.argument("email")
@click.option("--name", default="", help="The name visitors see (default: the part before @).")
@click.option("--timezone", "time_zone", default="UTC", show_default=True)
@click.option("--seat/--no-seat", default=True, show_default=True, help="May change URLs.")
@click.option("--admin", is_flag=True)
@click.option("--local-calendar", is_flag=True, help="Add a local calendar as the default.")
@click.option("--password-stdin", is_flag=True, required=True, help="Read it from standard input.")
@pass_context
def add(
    context: Context,
    email: str,
    name: str,
    time_zone: str,
    seat: bool,
    admin: bool,
    local_calendar: bool,
    password_stdin: bool,  # noqa: ARG001 - the flag says where the password is; there is no other place
) -> None:
    """Make an owner; without a local calendar they start offline."""
    password = secret_from_stdin()

    async def work(gateway: Gateway) -> str:
        owner = await gateway.services.owners.add(
            email, password, name=name, time_zone=time_zone, seat=seat, admin=admin
        )
        if local_calendar:
            await gateway.services.objects.create_collection(
                owner, name="calendar", display_name="Calendar", time_zone=owner.time_zone
            )
        return owner.email

    address = context.run(work)
    context.created("The owner is made and can sign in.", address, {"email": address})


@click.group("app-password")
def app_password() -> None:
    """Passwords for calendar clients."""


@app_password.command("add")
@click.argument("email")
@click.argument("label")
@click.option("--password-stdin", is_flag=True, help="Take a given one of 16+ characters.")
@pass_context
def add_app_password(context: Context, email: str, label: str, password_stdin: bool) -> None:
    """Print a password for calendar clients, once."""
    given = secret_from_stdin() if password_stdin else None
    _add_credential(context, CredentialKind.APP_PASSWORD, email, label, given)


@click.group("api-token")
def api_token() -> None:
    """Tokens for the JSON API."""


@api_token.command("add")
@click.argument("email")
@click.argument("label")
@pass_context
def add_api_token(context: Context, email: str, label: str) -> None:
    """Print a bearer token for the JSON API, once."""
    _add_credential(context, CredentialKind.API_TOKEN, email, label, None)


def _add_credential(
    context: Context, kind: CredentialKind, email: str, label: str, given: str | None
) -> None:
    async def work(gateway: Gateway) -> tuple[str, str]:
        owner = await the_owner(gateway, email)
        owners = gateway.services.owners
        credential, secret = await owners.add_credential(owner.id, kind, label, secret=given)
        return credential.id, secret

    credential_id, secret = context.run(work)
    say("This is shown once; keep it now.")
    context.created("", secret, {"id": credential_id, "secret": secret})


COMMANDS = (user, app_password, api_token)
