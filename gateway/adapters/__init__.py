"""Sources of calendars: one file a kind, one registry line each."""
