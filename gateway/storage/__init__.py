"""The database behind ports.Store: SQLAlchemy Core over sqlite3 or asyncpg."""
