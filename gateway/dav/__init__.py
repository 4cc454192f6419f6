"""The CalDAV server (RFC 4791 and its family)."""
