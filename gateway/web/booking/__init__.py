"""The public booking pages."""
