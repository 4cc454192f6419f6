"""The database behind ports.Store: SQLAlchemy Core over aiosqlite or asyncpg."""
