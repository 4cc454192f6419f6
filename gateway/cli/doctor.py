"""doctor: what works of each connection, what does not, and what mends it."""

import click

from gateway.bootstrap import Gateway
from gateway.cli.context import Context, fail, lines, pass_context, say, the_owner
from gateway.cli.progress import progress_bar
from gateway.services.doctor import Diagnosis, Result, Step

SIGN = {Result.GOOD: "✓", Result.BAD: "✗", Result.UNTRIED: "·"}
COLOR = {Result.GOOD: "green", Result.BAD: "red", Result.UNTRIED: None}
WIDTH = 16
"""Columns of a step's name."""
INDENT = WIDTH + 5


@click.command()
@click.argument("email", required=False)
@pass_context
def doctor(context: Context, email: str | None) -> None:
    """Diagnose each connection step by step, of one owner or of all."""

    async def work(gateway: Gateway) -> list[Diagnosis]:
        owner = await the_owner(gateway, email) if email else None
        async with gateway.services.store.read() as tx:
            every = await tx.connections.of_owner(owner.id) if owner else await tx.connections.all()
        found = []
        with progress_bar("Examining connections") as report:
            for done, connection in enumerate(every, start=1):
                found.append(await gateway.services.doctor.examine(connection))
                report(done, len(every))
        return found

    found = context.run(work)
    if context.as_json:
        context.tell("", {"connections": [_facts(one) for one in found]})
    else:
        for one in found:
            _print(one)
    if not found:
        say("There is no connection to examine; local calendars always work.")
    ill = sum(not one.is_well for one in found)
    if ill:
        fail(
            "The connection does not work."
            if len(found) == 1
            else f"{ill} of {len(found)} connections do not work."
        )


def _print(found: Diagnosis) -> None:
    known = found.connection
    click.secho(f"{known.account} ({known.provider}, {known.id})", bold=True)
    for step in found.steps:
        sign = click.style(SIGN[step.result], fg=COLOR[step.result])
        first, *more = lines(step.detail, INDENT)
        click.echo(f"  {sign} {step.check.value:<{WIDTH}} {first}")
        if step.remedy:
            told, *rest = lines(step.remedy, INDENT + 2)
            more += [f"→ {told}", *(f"  {line}" for line in rest)]
        for line in more:
            click.echo(f"{'':<{INDENT}}{line}")
    click.echo()


def _facts(found: Diagnosis) -> dict[str, object]:
    return {
        "id": found.connection.id,
        "provider": found.connection.provider,
        "account": found.connection.account,
        "is_well": found.is_well,
        "steps": [_step(step) for step in found.steps],
    }


def _step(step: Step) -> dict[str, str]:
    return {
        "step": step.check.value,
        "result": step.result.value,
        "detail": step.detail,
        "remedy": step.remedy,
    }


COMMANDS = (doctor,)
