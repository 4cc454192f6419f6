"""feed: merged feeds."""

import click

from gateway.bootstrap import Gateway
from gateway.cli.context import Context, pass_context, say, the_owner
from gateway.model.feed import Visibility


@click.group()
def feed() -> None:
    """Merged feeds for calendar programs."""


@feed.command()
@click.argument("email")
@click.option(
    "--calendar", "calendars", multiple=True, metavar="ID", help="Default: selected ones."
)
@click.option("--show", type=click.Choice([kind.value for kind in Visibility]), default="busy")
@click.option("--label", default="Feed")
@pass_context
def add(context: Context, email: str, calendars: tuple[str, ...], show: str, label: str) -> None:
    """Print a new feed's secret addresses: .ics to subscribe to, .ifb for free/busy."""

    async def work(gateway: Gateway) -> str:
        owner = await the_owner(gateway, email)
        made, token = await gateway.services.feeds.add(
            owner, label=label, visibility=Visibility(show), calendars=calendars
        )
        del made
        return f"{gateway.config.public_url.rstrip('/')}/feeds/{token}"

    base = context.run(work)
    if context.as_json:
        context.tell("", {"ics": f"{base}.ics", "ifb": f"{base}.ifb"})
        return
    say("Whoever has these addresses sees what the feed shows; revoke them in settings.")
    click.echo(f"{base}.ics\n{base}.ifb")


COMMANDS = (feed,)
