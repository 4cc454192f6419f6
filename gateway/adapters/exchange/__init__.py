"""Exchange on premises over EWS (docs/connect-exchange.md), with exchangelib over our own wire."""
