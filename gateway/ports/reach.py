"""What the core needs to see how far a source can be reached, one step at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.model.connection import Connection
from gateway.model.timerange import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server that a connection depends on.

    `is_given` says that an owner gave its address, so that it may lead to the public internet
    only. `ca_file` and `ca` (in PEM) are authorities it is trusted by besides. `path` is asked for
    to see how the server wants people to sign in.
    """

    host: str
    port: int
    secure: bool = True
    ca_file: str = ""
    ca: str = ""
    is_given: bool = False
    path: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a server says to somebody who is not signed in.

    `methods` are the ways to sign in that it offers (RFC 9110 section 11.6.1), none where it asks
    for none; `clock` is what time it is there, if it says so.
    """

    methods: Sequence[str] = ()
    clock: Instant | None = None


class Reach(Protocol):
    """Looks at servers from here. Each raises Unavailable with a sentence that names the fault.

    `resolve` gives a name's addresses, `connect` how the way is protected, `greet` what the server
    says first.
    """

    def places(self, connection: Connection, secret: bytes) -> Sequence[Place]: ...
    async def resolve(self, place: Place) -> Sequence[str]: ...
    async def connect(self, place: Place) -> str: ...
    async def greet(self, place: Place) -> Greeting: ...
