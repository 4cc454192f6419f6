"""Exchange on premises over EWS (docs/connect-exchange.md), with exchangelib over our own wire."""

from gateway.adapters.exchange.adapter import SPEC, build

__all__ = ["SPEC", "build"]
