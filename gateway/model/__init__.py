"""Values and pure rules: calendars, recurrence, zones, pages, bookings.

No clock, loop, socket or database.
"""
