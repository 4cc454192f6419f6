"""Every table.

Instants are BIGINT UTC seconds; what only one dialect can say stands in engine.py and the
migrations.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.storage.schema_moving import moving_columns, moving_index

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives a rowid only to INTEGER; PostgreSQL wants room for 2**63.
Key = BigInteger().with_variant(Integer, "sqlite")


def owner_fk(*, primary_key: bool = False) -> Column[int]:
    """Return the column of a row's owner, with whom it goes."""
    return Column(
        "owner_id",
        BigInteger,
        ForeignKey("owner.id", ondelete="CASCADE"),
        nullable=False,
        primary_key=primary_key,
    )


def collection_fk(*, primary_key: bool = False) -> Column[int]:
    """Return the column of a row's calendar, with which it goes."""
    return Column(
        "collection_id",
        BigInteger,
        ForeignKey("collection.id", ondelete="CASCADE"),
        nullable=False,
        primary_key=primary_key,
    )


def _object_fk() -> Column[int]:
    return Column(
        "object_id", BigInteger, ForeignKey("object.id", ondelete="CASCADE"), nullable=False
    )


meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

owner = Table(
    "owner",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("email", String(320), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("locale", String(16), nullable=False),
    Column("seat", Boolean, nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("default_collection_id", BigInteger),
    Column("settings", Text, nullable=False),
)

credential = Table(
    "credential",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("kind", String(16), nullable=False),
    Column("label", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    UniqueConstraint("kind", "digest"),
    Index(None, "owner_id"),
)

session = Table(
    "session",
    metadata,
    Column("digest", String(64), primary_key=True),
    owner_fk(),
    Column("csrf", String(64), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "owner_id"),
)

connection = Table(
    "connection",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("provider", String(16), nullable=False),
    Column("account", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("lease_holder", String(64), nullable=False, server_default=""),
    Column("lease_until", BigInteger, nullable=False, server_default="0"),
    Column("lease_fence", BigInteger, nullable=False, server_default="0"),
    Column("next_tick_at", BigInteger, nullable=False, server_default="0"),
    Column("quiet_until", BigInteger, nullable=False, server_default="0"),
    Column("poked_at", BigInteger, nullable=False, server_default="0"),
    Column("refresh_until", BigInteger, nullable=False, server_default="0"),
    Index(None, "owner_id"),
)

collection = Table(
    "collection",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("public_id", String(40), nullable=False, unique=True),
    owner_fk(),
    Column("connection_id", String(40), ForeignKey("connection.id", ondelete="CASCADE")),
    Column("provider", String(16), nullable=False),
    Column("upstream_id", Text, nullable=False),
    Column("name", String(255), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("color", String(64), nullable=False),
    Column("order", BigInteger, nullable=False),
    Column("time_zone", String(255), nullable=False),
    Column("time_zone_ics", Text, nullable=False),
    Column("components", String(255), nullable=False),
    Column("selected", Boolean, nullable=False),
    Column("role", String(16), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("rules", Text, nullable=False),
    Column("health", Text, nullable=False),
    Column("cursor", Text, nullable=False, server_default=""),
    Column("horizon_start", BigInteger),
    Column("horizon_end", BigInteger),
    Column("tzdata", String(32), nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("owner_id", "name"),
    Index(None, "connection_id"),
)

dead_property = Table(
    "dead_property",
    metadata,
    collection_fk(primary_key=True),
    Column("name", String(512), primary_key=True),
    Column("xml", Text, nullable=False),
)

object_ = Table(
    "object",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    collection_fk(),
    Column("name", String(255), nullable=False),
    Column("uid", String(512), nullable=False),  # what a PostgreSQL index entry can hold
    Column("component", String(16), nullable=False),
    Column("etag", String(72), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    UniqueConstraint("collection_id", "name"),
    UniqueConstraint("collection_id", "uid"),
    Index(None, "collection_id", "revision"),
    Index(None, "collection_id", "component"),
)

tombstone = Table(
    "tombstone",
    metadata,
    collection_fk(primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("removed_at", BigInteger, nullable=False),
    Index(None, "collection_id", "revision"),
)

# --- the index: what an answer about time reads
# ---------------------------------------------------------------

component = Table(
    "component",
    metadata,
    Column("object_id", BigInteger, ForeignKey("object.id", ondelete="CASCADE"), primary_key=True),
    collection_fk(),
    Column("first_start", BigInteger, nullable=False),
    Column("last_end", BigInteger, nullable=False),  # NEVER_ENDS where the set is infinite
    Column("recurring", Boolean, nullable=False),
    Column("dense", Boolean, nullable=False),
    Column("floating", Boolean, nullable=False),
    Index(None, "collection_id", "recurring", "last_end"),
    Index(None, "collection_id", "dense"),
)

occurrence = Table(
    "occurrence",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    collection_fk(),
    _object_fk(),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("fbtype", String(16), nullable=False),  # FREE where it only matters to calendar-query
    Index("ix_occurrence_scan", "collection_id", "start_at", "end_at", "fbtype", "object_id"),
    Index(None, "object_id"),
)

# Longer than two days, apart, so that a scan of `occurrence` needs only start_at > from - 2 days.
long_occurrence = Table(
    "long_occurrence",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    collection_fk(),
    _object_fk(),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("fbtype", String(16), nullable=False),
    Index("ix_long_occurrence_scan", "collection_id", "end_at", "start_at"),
    Index(None, "object_id"),
)

busy_day = Table(
    "busy_day",
    metadata,
    collection_fk(primary_key=True),
    Column("day", Integer, primary_key=True),  # days since 1970-01-01, UTC
    Column("fbtype", String(16), primary_key=True),
    Column("periods", Text, nullable=False),  # "start-end,start-end" in seconds of that day
)

# --- pages and bookings
# --------------------------------------------------------------------------------------

page = Table(
    "page",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("slug", String(130), nullable=False, unique=True),  # folded: lower case, NFC
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "owner_id"),
)

# The overlap guard is a trigger on SQLite and an EXCLUDE constraint on PostgreSQL, both in a
# migration. A booking that is being moved keeps two times.
booking = Table(
    "booking",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("page_id", String(40), nullable=False),
    Column("state", String(16), nullable=False),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("buffer_before", Integer, nullable=False),
    Column("buffer_after", Integer, nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("email", String(320), nullable=False),
    Column("answers", Text, nullable=False),
    Column("guests", Text, nullable=False),
    Column("uid", String(255), nullable=False, unique=True),
    Column("sequence", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("collection_id", BigInteger),
    Column("manage_digest", String(64), nullable=False, unique=True),
    Column("manage_sealed", LargeBinary, nullable=False),
    Column("source", String(32), nullable=False),
    Column("locale", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    # Of a meeting without a page (ports.Bookings); otherwise the page says it.
    Column("title", Text, nullable=False, server_default=""),
    Column("place", Text, nullable=False, server_default=""),
    *moving_columns(),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index(None, "owner_id", "start_at"),
    Index(None, "owner_id", "end_at"),
    moving_index(),
    Index(None, "collection_id", "end_at"),
    Index(None, "page_id", "start_at"),
    Index(None, "state"),
    Index(None, "email"),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("page_id", String(40), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("booking_id", String(40), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "created_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("subject", String(64), nullable=False),  # jobs of one subject are done in order
    Column("payload", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("lease_holder", String(64), nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("buried", Boolean, nullable=False),
    Column("error", Text, nullable=False),
    Index(None, "buried", "due_at"),
    Index(None, "subject"),
)

mail = Table(
    "mail",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("recipient", String(320), nullable=False),
    Column("subject", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("error", Text, nullable=False),
    Index(None, "owner_id", "created_at"),
)

feed = Table(
    "feed",
    metadata,
    Column("id", String(40), primary_key=True),
    owner_fk(),
    Column("label", Text, nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("calendars", Text, nullable=False),
    Column("token_digest", String(64), nullable=False, unique=True),
    Column("token_sealed", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "owner_id"),
)

NEVER_ENDS = 2**62
"""What `component.last_end` holds for a recurrence set without an end."""
