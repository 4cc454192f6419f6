"""Runs the migrations inside a transaction that the caller has begun."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway import errors


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


@cache
def _scripts() -> ScriptDirectory:
    """Return the migrations, each of which is a file to compile and run."""
    return ScriptDirectory.from_config(_config())


def upgrade(connection: Connection) -> None:
    """Bring the database to this version's schema; raise SchemaTooNew for one it does not know."""
    scripts = _scripts()
    head = scripts.get_current_head()
    current = revision(connection)
    if current == head:
        return
    if current is not None and current not in {
        script.revision for script in scripts.walk_revisions()
    }:
        raise errors.SchemaTooNew(
            f"The database has schema {current}, written by a newer calgate; this one knows "
            f"schemas up to {head}. Install the newer version, or restore an older backup."
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def revision(connection: Connection) -> str | None:
    """Return the schema's revision, None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """Return the revision this version writes."""
    found = _scripts().get_current_head()
    if found is None:
        raise RuntimeError("the package holds no migrations")
    return found
