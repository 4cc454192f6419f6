"""init, check-config, migrate, backup, restore, keys."""

import os
from pathlib import Path

import click

from gateway.bootstrap import back_up, migrate_database, new_key, restore_from, rotate_keys
from gateway.cli.context import Context, fail, pass_context, say

CONFIG_TEMPLATE = Path(__file__).parent / "calgate.toml"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Write a commented calgate.toml and a key file into FOLDER."""
    config, key = folder / "calgate.toml", folder / "var" / "key"
    for path in (config, key):
        if path.exists():
            fail(f"{path} is there already; nothing was changed.")
    key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(new_key() + "\n")
    config.write_text(CONFIG_TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    say(
        f"Wrote the configuration and a key. Keep a copy of {key}: nothing sealed opens without it."
    )
    say(
        f"Next: calgate --config {config} user add you@example.com "
        "--local-calendar --password-stdin"
    )
    click.echo(str(config))


@click.command("check-config")
@pass_context
def check_config(context: Context) -> None:
    """Read the configuration and say whether it can be used."""
    config = context.config()
    context.tell(
        f"The configuration is good: {config.public_url}, listening on {config.listen}.",
        {"public_url": config.public_url, "listen": config.listen},
    )


@click.command()
@pass_context
def migrate(context: Context) -> None:
    """Bring the database to this version's schema (serve does so by itself)."""
    revision = context.run_plain(migrate_database)
    context.tell(f"The database is at revision {revision}.", {"revision": revision})


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_context
def backup(context: Context, file: Path) -> None:
    """Write everything but the key into FILE, while the gateway may run."""
    size = context.run_plain(lambda config: back_up(config, file))
    say("The key is not in it: keep that apart.")
    context.tell(f"Backed up {size:,} bytes to {file}", {"file": str(file), "bytes": size})


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--force", is_flag=True, help="Replace a database that holds something.")
@pass_context
def restore(context: Context, file: Path, force: bool) -> None:
    """Bring back what `backup` wrote; the gateway must not be running."""
    context.run_plain(lambda config: restore_from(config, file, force=force))
    context.tell(f"Restored from {file}", {"file": str(file)})


@click.group()
def keys() -> None:
    """The key that seals secrets at rest."""


@keys.command()
@pass_context
def rotate(context: Context) -> None:
    """Make a new key and seal every secret with it; run it again if it was interrupted."""
    count = context.run_plain(rotate_keys)
    context.tell(f"Sealed {count} secrets with a new key.", {"sealed": count})


COMMANDS = (init, check_config, migrate, backup, restore, keys)
