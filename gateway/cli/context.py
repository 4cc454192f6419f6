"""What commands share: the configuration, one opened gateway, how results and refusals are told."""

import asyncio
import json
import shutil
import sys
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from gateway.bootstrap import Gateway, open_gateway
from gateway.config import Config, InvalidConfig, load
from gateway.errors import CalgateError, NotFound
from gateway.model.principal import Owner
from gateway.telemetry import configure_logging

T = TypeVar("T")


@dataclass
class Context:
    """The options of the whole command line."""

    config_path: Path | None
    as_json: bool

    def config(self) -> Config:
        """Load the configuration, or end with its sentence."""
        try:
            return load(self.config_path)
        except InvalidConfig as error:
            fail(str(error))

    def run(self, work: Callable[[Gateway], Awaitable[T]]) -> T:
        """Open the gateway for one piece of work; a domain error ends it with its sentence."""

        async def opened(config: Config) -> T:
            async with open_gateway(config) as gateway:
                return await work(gateway)

        return self.run_plain(opened)

    def run_plain(self, work: Callable[[Config], Awaitable[T]]) -> T:
        """Do work that needs no open gateway; a domain error ends it with its sentence."""
        config = self.config()
        configure_logging(json=False, level="WARNING")

        async def awaited() -> T:
            return await work(config)

        try:
            return asyncio.run(awaited())
        except (CalgateError, InvalidConfig) as error:
            fail(str(error))

    def tell(self, words: str, facts: dict[str, Any]) -> None:
        """Print a result: words for people, one JSON object for machines."""
        click.echo(json.dumps(facts, ensure_ascii=False) if self.as_json else words)

    def created(self, sentence: str, secret_or_id: str, facts: dict[str, Any]) -> None:
        """Say what was made; its secret or id is the last word of standard output."""
        if self.as_json:
            click.echo(json.dumps(facts, ensure_ascii=False))
            return
        say(sentence)
        click.echo(secret_or_id)

    def table(self, rows: list[dict[str, Any]]) -> None:
        """Print rows under their column names; as JSON, one list."""
        if self.as_json:
            click.echo(json.dumps(rows, ensure_ascii=False))
            return
        if not rows:
            say("There is nothing to list.")
            return
        columns = list(rows[0])
        cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
        widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
        for line in cells:
            padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
            click.echo("  ".join(padded).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "") else "-"


def lines(text: str, indent: int) -> list[str]:
    """Return a text in lines that fit beside an indent; into a file or a pipe it is one line."""
    if not sys.stdout.isatty():
        return [text]
    columns = max(shutil.get_terminal_size().columns - indent, 24)
    wrapped = textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False)
    return wrapped or [""]


def say(sentence: str) -> None:
    """Print a message for the person at the terminal, on standard error."""
    click.echo(sentence, err=True)


def fail(sentence: str) -> NoReturn:
    """End the command with a sentence on standard error."""
    say(sentence)
    raise SystemExit(1)


def secret_from_stdin() -> str:
    """Read one line of standard input: a password never stands on a command line."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True))
    secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        fail("Standard input held no password.")
    return secret


async def the_owner(gateway: Gateway, email: str) -> Owner:
    """Return the owner with this address, or raise NotFound naming it."""
    async with gateway.services.store.read() as tx:
        owner = await tx.owners.by_email(email.strip().lower())
    if owner is None:
        raise NotFound(f"owner {email}")
    return owner


pass_context = click.make_pass_decorator(Context)
