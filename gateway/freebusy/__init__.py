"""Busy time, availability and slots, as arithmetic."""
