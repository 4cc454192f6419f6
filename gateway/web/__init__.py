"""The web side: booking pages, the owner's pages, JSON API, feeds, operations."""
