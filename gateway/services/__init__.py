"""Use cases; the only place with transactions."""
