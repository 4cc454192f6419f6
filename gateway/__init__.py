"""calgate: a self-hosted calendar gateway."""

__version__ = "0.1.0"
