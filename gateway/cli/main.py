"""The command group and its global options."""

import os
from pathlib import Path

import click

from gateway import __version__
from gateway.cli import calendar, data, demo, doctor, feed, operations, serve, source, user
from gateway.cli.context import Context


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="CALGATE_CONFIG",
    help="The configuration file (default: calgate.toml in this folder).",
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON, for machines.")
@click.version_option(__version__, prog_name="calgate")
@click.pass_context
def main(context: click.Context, config_path: Path | None, as_json: bool) -> None:
    """calgate: a self-hosted calendar gateway."""
    if os.environ.get("NO_COLOR"):
        context.color = False
    context.obj = Context(config_path=config_path, as_json=as_json)


for _module in (serve, demo, operations, user, calendar, source, feed, data, doctor):
    for _command in _module.COMMANDS:
        main.add_command(_command)
