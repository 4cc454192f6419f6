"""The command line of CONTRACT.md; one file a noun."""

from gateway.cli.main import main

__all__ = ["main"]
