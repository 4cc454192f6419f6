"""The JSON API of CONTRACT.md."""
