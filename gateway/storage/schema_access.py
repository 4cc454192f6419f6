"""The tables of access by consent: consents under way, ended connections, push channels."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text

from gateway.storage.schema import collection_fk, metadata, owner_fk

consent = Table(
    "consent",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("provider", String(16), nullable=False),
    Column("state_digest", String(64), nullable=False, unique=True),
    Column("session_digest", String(64), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("connection_id", String(40), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "owner_id"),
    Index(None, "expires_at"),
)

ended_connection = Table(
    "ended_connection",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("provider", String(16), nullable=False),
    Column("account", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("channels", Text, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Index(None, "owner_id"),
)

channel = Table(
    "channel",
    metadata,
    Column("id", String(64), primary_key=True),
    collection_fk(),
    Column("connection_id", String(40), nullable=False),
    Column("provider", String(16), nullable=False),
    Column("secret_digest", String(64), nullable=False),
    Column("watch_id", String(255), nullable=False),
    Column("resource", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("renew_at", BigInteger, nullable=False),
    Index(None, "collection_id"),
    Index(None, "connection_id"),
    Index(None, "provider", "watch_id"),
)
