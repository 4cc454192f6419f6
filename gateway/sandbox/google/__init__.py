"""A simulated Google: sign-in by consent, Calendar API v3 and push, as a real loopback server.

It does what Google does and threads tell of, faults included; nothing in it knows the gateway.
"""

from gateway.sandbox.call_faults import Fault
from gateway.sandbox.google.server import GoogleServer
from gateway.sandbox.google.world import World

__all__ = ["Fault", "GoogleServer", "World"]
