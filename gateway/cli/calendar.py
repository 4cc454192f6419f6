"""calendar: local calendars, and which calendars count."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import click

from gateway.bootstrap import Gateway
from gateway.cli.context import Context, pass_context, the_owner
from gateway.errors import NotFound
from gateway.model.collection import Collection
from gateway.model.principal import Owner


@click.group()
def calendar() -> None:
    """Calendars of an owner."""


@calendar.command()
@click.argument("email")
@click.argument("name")
@click.option("--timezone", "time_zone", default="", help="Default: the owner's.")
@pass_context
def add(context: Context, email: str, name: str, time_zone: str) -> None:
    """Add a local calendar; it is selected, and the default if there is none."""

    async def work(gateway: Gateway) -> str:
        owner = await the_owner(gateway, email)
        created = await gateway.services.objects.create_collection(
            owner, display_name=name, time_zone=time_zone or owner.time_zone
        )
        return created.public_id

    public_id = context.run(work)
    context.created(f"The calendar {name} is there.", public_id, {"id": public_id})


@calendar.command("list")
@click.argument("email")
@pass_context
def list_calendars(context: Context, email: str) -> None:
    """List id, name, provider, role, selected, default and state."""

    async def work(gateway: Gateway) -> list[dict[str, object]]:
        owner = await the_owner(gateway, email)
        async with gateway.services.store.read() as tx:
            collections = await tx.collections.of_owner(owner.id)
        now = gateway.services.clock.now()
        return [
            {
                "id": one.public_id,
                "name": one.display_name or one.name,
                "provider": one.provider.value,
                "role": one.role.value,
                "selected": one.selected,
                "default": one.id == owner.default_collection_id,
                "state": one.state(now).value,
            }
            for one in collections
        ]

    context.table(context.run(work))


Change = Callable[[Gateway, Owner, Collection], Awaitable[None]]


def _change(name: str, sentence: str, change: Change) -> click.Command:
    @calendar.command(name, help=sentence)
    @click.argument("email")
    @click.argument("calendar_id", metavar="ID")
    @pass_context
    def command(context: Context, email: str, calendar_id: str) -> None:
        async def work(gateway: Gateway) -> None:
            owner = await the_owner(gateway, email)
            async with gateway.services.store.read() as tx:
                found = await tx.collections.by_public_id(owner.id, calendar_id)
            if found is None:
                raise NotFound(f"calendar {calendar_id}")
            await change(gateway, owner, found)

        context.run(work)
        context.tell(f"Done: {name} {calendar_id}", {"id": calendar_id, "done": name})

    return command


async def _select(gateway: Gateway, owner: Owner, found: Collection) -> None:
    await gateway.services.objects.update_collection(owner, replace(found, selected=True))


async def _deselect(gateway: Gateway, owner: Owner, found: Collection) -> None:
    await gateway.services.objects.update_collection(owner, replace(found, selected=False))


async def _default(gateway: Gateway, owner: Owner, found: Collection) -> None:
    await gateway.services.objects.set_default(owner, found)


_change("select", "Let a calendar decide availability.", _select)
_change("deselect", "Let a calendar no longer decide availability.", _deselect)
_change("default", "Write bookings into this calendar.", _default)

COMMANDS = (calendar,)
