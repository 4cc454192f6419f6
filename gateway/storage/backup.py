"""Backups: always a SQLite file with our schema, whichever engine it comes from or goes to."""

import asyncio
import os
import sqlite3
import tempfile
from pathlib import Path

from sqlalchemy import Integer, func, insert, select, text

from gateway import errors
from gateway.storage import schema
from gateway.storage.engine import SqlStore, open_dialect, open_store
from gateway.storage.epoch import begin_epoch
from gateway.storage.postgresql import Postgresql
from gateway.storage.repository import Writer
from gateway.storage.sqlite import Sqlite

BATCH = 1000
FILE_URL = "sqlite:///copy.db"


async def back_up(url: str, data_dir: Path, file: Path) -> int:
    """Write everything but the key into a file, checked; the gateway may run. Return its size."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as folder:
        draft = Path(folder) / "copy.db"
        store = await open_store(url, data_dir)
        try:
            if isinstance(store.dialect, Sqlite):
                await asyncio.to_thread(_copy_file, store.dialect.path, draft)
            else:
                await _dump(store, Path(folder))
        finally:
            await store.close()
        await asyncio.to_thread(_settle, draft)
        size = await asyncio.to_thread(check, draft)
        draft.replace(file)
    return size


async def restore(url: str, data_dir: Path, file: Path, *, force: bool = False) -> None:
    """Replace the database by a backup; without `force` only one that holds no owner.

    A SQLite file that is replaced stays beside the new one, named `.before-restore`.
    """
    await asyncio.to_thread(check, file)
    with tempfile.TemporaryDirectory(prefix="calgate-restore-") as folder:
        await asyncio.to_thread(_copy_file, file, Path(folder) / "copy.db")
        # Brings an older backup up to date and refuses a newer one, before anything is touched.
        copy = await open_store(FILE_URL, Path(folder))
        try:
            await _assert_replaceable(url, data_dir, force=force)
            # Clients remember revisions that come after this backup; they must not mean others now.
            async with copy.connect() as connection:
                await begin_epoch(connection, copy.dialect)
            if url.startswith("sqlite"):
                await copy.close()
                await _replace_file(url, data_dir, Path(folder) / "copy.db")
            else:
                await _load(copy, url, data_dir)
        finally:
            await copy.close()


def check(file: Path) -> int:
    """Return the size of a whole database of ours; raise ConfigError for anything else."""
    if not file.is_file():
        raise errors.ConfigError(f"There is no backup at {file}.")
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            dangling = connection.execute("PRAGMA foreign_key_check").fetchone()
            connection.execute("SELECT count(*) FROM owner, alembic_version").fetchone()
        connection.close()
    except sqlite3.Error as error:
        raise errors.ConfigError(f"{file} is not a backup of calgate: {error}.") from error
    if verdict != "ok" or dangling is not None:
        raise errors.ConfigError(f"The backup {file} is damaged: {verdict}, {dangling}.")
    return file.stat().st_size


def _copy_file(source: Path, target: Path) -> None:
    # One step under one read transaction: writers go on, and the copy is of one instant.
    origin, copy = sqlite3.connect(source), sqlite3.connect(target)
    try:
        origin.backup(copy)
    finally:
        copy.close()
        origin.close()


def _settle(file: Path) -> None:
    """Make the file whole by itself, without a WAL, on the disk, for nobody else to read."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    file.chmod(0o600)
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _dump(store: SqlStore, folder: Path) -> None:
    assert isinstance(store.dialect, Postgresql), "a file is copied as it is"
    copy = await open_store(FILE_URL, folder)
    try:
        async with store.dialect.reading() as source, copy.connect() as target:
            await _copy_rows(source, target)
    finally:
        await copy.close()


async def _load(copy: SqlStore, url: str, data_dir: Path) -> None:
    store = await open_store(url, data_dir)
    try:
        async with copy.connect() as source, store.connect() as target:
            names = ", ".join(f'"{table.name}"' for table in schema.metadata.sorted_tables)
            await target.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
            await _copy_rows(source, target)
            await _set_sequences(target)
    finally:
        await store.close()


async def _copy_rows(source: Writer, target: Writer) -> None:
    for table in schema.metadata.sorted_tables:
        rows = await source.stream(select(table))
        async for batch in rows.partitions(BATCH):
            await target.execute(insert(table), [row._asdict() for row in batch])


async def _set_sequences(target: Writer) -> None:
    """Let PostgreSQL count on from the ids that were brought in."""
    for table in schema.metadata.sorted_tables:
        identifier = table.c.get("id")
        if identifier is not None and isinstance(identifier.type, Integer):
            sequence = func.pg_get_serial_sequence(f'"{table.name}"', "id")
            last = select(func.coalesce(func.max(identifier), 0) + 1).scalar_subquery()
            await target.execute(select(func.setval(sequence, last, False)))


async def _assert_replaceable(url: str, data_dir: Path, *, force: bool) -> None:
    if force:
        return
    store = await open_store(url, data_dir)
    try:
        async with store.read() as transaction:
            owners = await transaction.owners.all()
    finally:
        await store.close()
    if owners:
        raise errors.ConfigError(
            f"The database holds {len(owners)} owners; --force replaces it by the backup."
        )


async def _replace_file(url: str, data_dir: Path, copy: Path) -> None:
    dialect = open_dialect(url, data_dir, anew=True)
    await dialect.close()
    assert isinstance(dialect, Sqlite)
    path = dialect.path
    # The old WAL must go with the old file: beside the new one it would be read into it.
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.replace(path.with_name(path.name + ".before-restore" + suffix))
    draft = path.with_name(path.name + ".restoring")
    draft.unlink(missing_ok=True)
    await asyncio.to_thread(_copy_file, copy, draft)
    await asyncio.to_thread(_settle, draft)
    draft.replace(path)
