"""Two gateways in a chain: one is the other's CalDAV upstream, both are edited, both must agree."""
