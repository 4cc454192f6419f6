"""A simulated Microsoft: sign-in, Graph's calendars and push, as a real loopback server.

It does what Microsoft does and threads tell of, faults included; nothing in it knows the gateway.
"""

from gateway.sandbox.call_faults import Fault
from gateway.sandbox.microsoft.server import MicrosoftServer
from gateway.sandbox.microsoft.world import World

__all__ = ["Fault", "MicrosoftServer", "World"]
