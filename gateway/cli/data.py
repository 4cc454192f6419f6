"""import, export, erase: moving data in, out and away."""

from pathlib import Path

import click

from gateway.bootstrap import Gateway
from gateway.cli.context import Context, pass_context, say, the_owner
from gateway.cli.progress import progress_bar
from gateway.errors import NotFound
from gateway.services.transfer import Erased, Imported


@click.command("import")
@click.argument("email")
@click.argument("calendar")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@pass_context
def import_file(context: Context, email: str, calendar: str, file: Path) -> None:
    """Put the items of an .ics FILE into a local CALENDAR (its id); each refused one is named."""
    data = file.read_bytes()

    async def work(gateway: Gateway) -> Imported:
        owner = await the_owner(gateway, email)
        async with gateway.services.store.read() as tx:
            found = await tx.collections.by_public_id(owner.id, calendar)
        if found is None:
            raise NotFound(f"calendar {calendar}")
        with progress_bar("Importing") as report:
            return await gateway.transfer.import_file(owner, found, data, report)

    result = context.run(work)
    for item in result.refused:
        say(f"Not imported: {item.summary or item.uid or 'an item without a name'}: {item.reason}")
    context.tell(
        f"Imported {result.taken} of {result.taken + len(result.refused)} items.",
        {
            "imported": result.taken,
            "refused": [
                {"uid": item.uid, "summary": item.summary, "reason": item.reason}
                for item in result.refused
            ],
        },
    )


@click.command()
@click.argument("email")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@pass_context
def export(context: Context, email: str, folder: Path) -> None:
    """Write each of the owner's calendars as one .ics file into DIR."""

    async def work(gateway: Gateway) -> list[str]:
        owner = await the_owner(gateway, email)
        with progress_bar("Exporting") as report:
            return [str(path) for path in await gateway.transfer.export(owner, folder, report)]

    paths = context.run(work)
    context.tell("\n".join(paths), {"files": paths})


@click.command()
@click.argument("email", metavar="EMAIL-OF-VISITOR")
@pass_context
def erase(context: Context, email: str) -> None:
    """Forget a visitor: name, address, answers, mails, contact; their bookings stay as times."""

    async def work(gateway: Gateway) -> Erased:
        return await gateway.transfer.erase(email)

    done = context.run(work)
    say("Events that owners have in their calendars are theirs to remove.")
    context.tell(
        f"Erased from {done.bookings} bookings and {done.contacts} contacts.",
        {"bookings": done.bookings, "contacts": done.contacts},
    )


COMMANDS = (import_file, export, erase)
