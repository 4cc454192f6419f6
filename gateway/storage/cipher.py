"""Secrets at rest: AES-256-GCM, bound to the row and field they belong to.

Law: what is sealed carries the id of its key; the first key of the ring seals, every key of it
opens. A key that is missing, readable by others, malformed or not this database's is refused with
a sentence, never replaced.
"""

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import insert, select, update

from gateway import errors
from gateway.storage import schema, schema_access
from gateway.storage.engine import SqlStore

VERSION = b"\x01"
KEY_BYTES, ID_BYTES, NONCE_BYTES = 32, 4, 12
CHECK_ROW, CHECK_TEXT = "key_check", b"calgate"

SEALED = (
    schema.connection.c.secret,
    schema.feed.c.token_sealed,
    schema.booking.c.manage_sealed,
    schema.mail.c.raw,
    schema_access.consent.c.sealed,
    schema_access.ended_connection.c.secret,
)
"""Every column that holds sealed bytes; a row's are bound to `table.column:id` (ports.Cipher)."""


def new_key() -> str:
    """Return the text of a fresh random key, one line of a key file."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


class KeyRing:
    """Implements ports.Cipher over one key or, while they are rotated, several."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_key_id(key): key for key in keys}
        self._first = _key_id(keys[0])

    @classmethod
    def from_text(cls, text: str, *, origin: str = "The key") -> Self:
        """Read keys, a line each, the one that seals first."""
        lines = text.split()
        if not lines:
            raise errors.BadKey(f"{origin} is empty; `calgate init` shows what a key looks like.")
        return cls([_read(line, origin) for line in lines])

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a key file; one that others could read or write is refused."""
        try:
            status = path.stat()
            text = path.read_text(encoding="ascii")
        except FileNotFoundError:
            raise errors.BadKey(
                f"The key file {path} is missing. Bring it back from your copy; without it no "
                "stored secret opens. Only a gateway without data may begin with a new one."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise errors.BadKey(f"The key file {path} cannot be read: {error}.") from error
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
            raise errors.BadKey(f"The key file {path} is open to others; run `chmod 600 {path}`.")
        return cls.from_text(text, origin=f"The key file {path}")

    def seal(self, plain: bytes, *, bound_to: str) -> bytes:
        """Return the sealed bytes, which open only with the same `bound_to`."""
        nonce = os.urandom(NONCE_BYTES)
        header = VERSION + self._first
        sealed = AESGCM(self._keys[self._first]).encrypt(nonce, plain, header + bound_to.encode())
        return header + nonce + sealed

    def open(self, sealed: bytes, *, bound_to: str) -> bytes:
        """Return what was sealed; raise BadKey where the key, the row or the bytes are others."""
        header, rest = sealed[: 1 + ID_BYTES], sealed[1 + ID_BYTES :]
        key = self._keys.get(header[1:])
        if header[:1] != VERSION or key is None or len(rest) <= NONCE_BYTES:
            raise errors.BadKey("A stored secret was sealed with another key.")
        try:
            return AESGCM(key).decrypt(
                rest[:NONCE_BYTES], rest[NONCE_BYTES:], header + bound_to.encode()
            )
        except InvalidTag:
            raise errors.BadKey("A stored secret was changed, or belongs elsewhere.") from None

    def digest(self, plain: bytes) -> str:
        """Return a name for a secret under the first key."""
        key = hmac.digest(self._keys[self._first], b"calgate digest", "sha256")
        return hmac.digest(key, plain, "sha256").hex()

    def sealed_with_first(self, sealed: bytes) -> bool:
        """Tell whether the newest key sealed these bytes."""
        return sealed[1 : 1 + ID_BYTES] == self._first

    def with_new_key(self) -> Self:
        """Return a ring that seals with a fresh key and still opens with the old ones."""
        return type(self)([_read(new_key(), "The new key"), *self._keys.values()])

    def first_only(self) -> Self:
        """Return a ring of the newest key alone, for when nothing is sealed with the others."""
        return type(self)([self._keys[self._first]])

    def write(self, path: Path) -> None:
        """Write the key file in one step, for nobody else to read."""
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            for key in self._keys.values():
                file.write(base64.urlsafe_b64encode(key).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


async def check_key(store: SqlStore, ring: KeyRing) -> None:
    """Raise BadKey unless the ring has the key this database was written with."""
    table, bound_to = schema.meta.c, f"meta.value:{CHECK_ROW}"
    async with store.connect() as connection:
        row = (
            await connection.execute(select(table.value).where(table.key == CHECK_ROW))
        ).one_or_none()
        if row is not None:
            try:
                ring.open(base64.b64decode(row.value), bound_to=bound_to)
            except errors.BadKey:
                raise errors.BadKey(
                    "This key is not the one the database was written with. Bring the right key "
                    "back, or restore the backup that belongs to this one."
                ) from None
            return
        sealed = base64.b64encode(ring.seal(CHECK_TEXT, bound_to=bound_to)).decode()
        await connection.execute(insert(schema.meta).values(key=CHECK_ROW, value=sealed))


async def reseal(store: SqlStore, ring: KeyRing) -> int:
    """Seal with the ring's first key what an older one sealed; return how many secrets it were.

    What no key opens stays as it is: it was unreadable before.
    """
    count = 0
    for column in SEALED:
        identifier, place = column.table.c.id, f"{column.table.name}.{column.name}"
        async with store.connect() as connection:
            rows: Sequence[Any] = (await connection.execute(select(identifier, column))).all()
            for name, sealed in rows:
                if not sealed or ring.sealed_with_first(sealed):
                    continue
                try:
                    plain = ring.open(sealed, bound_to=f"{place}:{name}")
                except errors.BadKey:
                    continue
                fresh = ring.seal(plain, bound_to=f"{place}:{name}")
                await connection.execute(
                    update(column.table).where(identifier == name).values({column.name: fresh})
                )
                count += 1
    async with store.connect() as connection:
        sealed_text = base64.b64encode(
            ring.seal(CHECK_TEXT, bound_to=f"meta.value:{CHECK_ROW}")
        ).decode()
        await connection.execute(
            update(schema.meta).where(schema.meta.c.key == CHECK_ROW).values(value=sealed_text)
        )
    return count


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"calgate key id" + key).digest()[:ID_BYTES]


def _read(line: str, origin: str) -> bytes:
    try:
        key = base64.b64decode(line, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise errors.BadKey(
            f"{origin} is not a whole key: {KEY_BYTES} bytes in base64 are wanted; it was perhaps "
            "cut off when it was copied."
        )
    return key
