"""The columns of a booking that is being moved: the other time that it keeps."""

from sqlalchemy import BigInteger, Boolean, Column, Index, String, false, text


def moving_columns() -> list[Column[object]]:
    """Return the columns; `written_at` is when the event was last written."""
    return [
        Column("moving_start", BigInteger),
        Column("moving_end", BigInteger),
        Column("moving_by", String(16), nullable=False, server_default=""),
        Column("moving_since", BigInteger, nullable=False, server_default="0"),
        Column("moving_written", Boolean, nullable=False, server_default=false()),
        Column("written_at", BigInteger, nullable=False, server_default="0"),
    ]


def moving_index() -> Index:
    """Return the index of the few bookings that are being moved."""
    return Index(
        "ix_booking_owner_id_moving_end",
        "owner_id",
        "moving_end",
        sqlite_where=text("moving_end IS NOT NULL"),
        postgresql_where=text("moving_end IS NOT NULL"),
    )
