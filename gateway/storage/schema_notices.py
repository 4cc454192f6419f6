"""The tables of limits, of what an owner was told, and of the audit trail."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from gateway.storage.schema import Key, metadata, owner_fk

counter = Table(
    "counter",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("key", String(400), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index(None, "key", "at"),
    Index(None, "at"),
)

notice = Table(
    "notice",
    metadata,
    owner_fk(primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("told_at", BigInteger, nullable=False),
    Column("repeats", Integer, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("owner_id", BigInteger),
    Column("at", BigInteger, nullable=False),
    Column("event", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "owner_id", "at"),
)
