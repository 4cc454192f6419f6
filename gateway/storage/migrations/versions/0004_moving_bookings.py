"""Bookings that are being moved keep two times, and the overlap guard knows of both.

Until the first release 0001 makes the columns with their table; this brings an older database up
to it, and replaces the guard in every one.
"""

import sqlalchemy as sa
from alembic import op

from gateway.model.booking import BLOCKING
from gateway.storage.schema import booking

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = (
    ("moving_start", sa.BigInteger, None),
    ("moving_end", sa.BigInteger, None),
    ("moving_by", sa.String(16), ""),
    ("moving_since", sa.BigInteger, "0"),
    ("moving_written", sa.Boolean, sa.false()),
    ("written_at", sa.BigInteger, "0"),
)
STATES = ", ".join(f"'{state.value}'" for state in sorted(BLOCKING))


def _meets(new: tuple[str, str], other: tuple[str, str], plus: str = "") -> str:
    """Return the statement that refuses NEW's one time where it meets another's."""
    return f"""
        SELECT RAISE(ABORT, 'booking_overlap') FROM booking AS other
        WHERE other.owner_id = NEW.owner_id AND other.id <> NEW.id AND other.state IN ({STATES})
          AND other.{other[1]} > NEW.{new[0]} AND {plus}other.{other[0]} < NEW.{new[1]} LIMIT 1;
    """  # noqa: S608 - made of our own constants


OWN, NEXT = ("start_at", "end_at"), ("moving_start", "moving_end")
# A time that is not there is NULL, and meets nothing. The unary plus keeps SQLite off the index by
# start, which would walk all of the owner's past.
OVERLAP = "".join(
    [
        _meets(OWN, OWN, "+"),
        _meets(OWN, NEXT),
        _meets(NEXT, OWN, "+"),
        _meets(NEXT, NEXT),
    ]
)
SQLITE_GUARD = [
    "DROP TRIGGER IF EXISTS booking_overlap_insert",
    "DROP TRIGGER IF EXISTS booking_overlap_update",
    f"""CREATE TRIGGER booking_overlap_insert BEFORE INSERT ON booking
        WHEN NEW.state IN ({STATES}) BEGIN {OVERLAP} END""",
    f"""CREATE TRIGGER booking_overlap_update
        BEFORE UPDATE OF id, owner_id, state, start_at, end_at, moving_start, moving_end ON booking
        WHEN NEW.state IN ({STATES}) BEGIN {OVERLAP} END""",
]
# A multirange, so that a booking's two times may meet each other and nobody else's.
POSTGRESQL_GUARD = [
    "ALTER TABLE booking DROP CONSTRAINT IF EXISTS booking_overlap",
    f"""ALTER TABLE booking ADD CONSTRAINT booking_overlap EXCLUDE USING gist (
        int8range(owner_id, owner_id, '[]') WITH &&,
        (CASE WHEN moving_start IS NULL THEN int8multirange(int8range(start_at, end_at))
              ELSE int8multirange(int8range(start_at, end_at), int8range(moving_start, moving_end))
         END) WITH &&
        ) WHERE (state IN ({STATES}))""",
]


def upgrade() -> None:
    """Make what is not there yet, then the guard."""
    bind = op.get_bind()
    inspector = sa.inspect(bind)
    there = {column["name"] for column in inspector.get_columns(booking.name)}
    for name, kind, usual in COLUMNS:
        if name not in there:
            column = sa.Column(name, kind, nullable=usual is None, server_default=usual)
            op.add_column(booking.name, column)
    known = {index["name"] for index in inspector.get_indexes(booking.name)}
    for index in booking.indexes:
        if index.name not in known:
            index.create(bind)
    guard = SQLITE_GUARD if bind.dialect.name == "sqlite" else POSTGRESQL_GUARD
    for statement in guard:
        op.execute(statement)
