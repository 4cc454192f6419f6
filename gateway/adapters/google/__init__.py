"""Google Calendar (API v3): one connected account, read, watched and written to."""
