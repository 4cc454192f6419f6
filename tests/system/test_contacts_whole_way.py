"""S10 at each provider: an event with a contact, made there, is an engagement here."""
