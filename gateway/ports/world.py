"""What the core needs of the machine it runs on: a clock, a cipher, a mailer."""

from typing import Protocol

from gateway.model.timerange import Instant


class Clock(Protocol):
    """The only source of the present."""

    def now(self) -> Instant: ...


class Cipher(Protocol):
    """Seals secrets at rest, bound to the row and field they belong to.

    `bound_to` is always `table.column:id`, as in `feed.token_sealed:fd_1`, so that changing the key
    can find and seal every secret again. `digest` names a secret without telling it: only who has
    the key can try guesses, and another key gives another name.
    """

    def seal(self, plain: bytes, *, bound_to: str) -> bytes: ...
    def open(self, sealed: bytes, *, bound_to: str) -> bytes: ...
    def digest(self, plain: bytes) -> str: ...


class Mailer(Protocol):
    """Hands one message to the mail host.

    Raises Unavailable (try again) or AccessLost (never will).
    """

    async def send(self, recipient: str, raw: bytes) -> None: ...
