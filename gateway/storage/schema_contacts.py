"""The tables of contacts and their engagements, and how far calendars were looked through."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.storage.schema import collection_fk, metadata, owner_fk

contact = Table(
    "contact",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("email", String(320), nullable=False),
    Column("address", String(320), nullable=False),  # as addresses are compared
    Column("name", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("sort_key", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("owner_id", "address"),
    Index(None, "owner_id", "sort_key"),
    Index(None, "address"),
)

# What came from a calendar goes with it; what was made on the record stays with the contact.
engagement = Table(
    "engagement",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("contact_id", String(40), ForeignKey("contact.id", ondelete="CASCADE"), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("is_private", Boolean, nullable=False),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("all_day", Boolean, nullable=False),
    Column("recurring", Boolean, nullable=False),
    Column("times", Text, nullable=False),
    Column("collection_id", BigInteger, ForeignKey("collection.id", ondelete="CASCADE")),
    Column("uid", String(512), nullable=False),
    Column("object_name", String(255), nullable=False),
    Column("address", String(320), nullable=False),
    Column("due_at", BigInteger),
    Column("booking_id", String(40), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # One engagement for a contact and an event, however often it is read; NULLs are all different.
    UniqueConstraint("collection_id", "contact_id", "uid"),
    Index(None, "contact_id", "start_at"),
    Index(None, "owner_id", "start_at"),
    Index(None, "collection_id", "object_name"),
    Index(None, "collection_id", "uid"),
    Index(None, "booking_id"),
    Index(None, "due_at"),
)

engagement_mark = Table(
    "engagement_mark",
    metadata,
    collection_fk(primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
