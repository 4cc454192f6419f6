"""Two strikes: a refused password is tried twice in all, then only after it is entered again.

Active Directory locks an account after a few refusals, for everything its owner does. A lone
refusal under load happens too, so the second try comes five minutes after the first.
"""

import hashlib
from dataclasses import dataclass, field

from gateway.errors import SignInNeeded
from gateway.model.timerange import HOUR, MINUTE, Instant

MOST = 2
APART = 5 * MINUTE


@dataclass(slots=True)
class Strikes:
    """The refusals of this process, by account and password."""

    _refused: dict[str, list[Instant]] = field(default_factory=dict)

    def check(
        self, server: str, username: str, password: str, now: Instant, *, entered: bool
    ) -> None:
        """Raise SignInNeeded where the server said no twice: nothing is sent to it.

        A password that somebody has just `entered` is tried again after an hour.
        """
        refused = self._refused.get(_key(server, username, password), [])
        if entered:
            refused = [one for one in refused if now - one < HOUR]
        if len(refused) >= MOST:
            raise SignInNeeded(
                "The server refused this password twice; it is not tried again for an hour."
                if entered
                else "The server refused this password twice; enter it again in the settings.",
                HOUR,
            )

    def refused(self, server: str, username: str, password: str, now: Instant) -> int:
        """Remember a refusal; return which one it is."""
        known = self._refused.setdefault(_key(server, username, password), [])
        known.append(now)
        return len(known)

    def accepted(self, server: str, username: str, password: str) -> None:
        """Forget: the password is right."""
        self._refused.pop(_key(server, username, password), None)


def _key(server: str, username: str, password: str) -> str:
    # Of a password nothing is kept that could be turned back.
    text = f"{server.lower()}\0{username.lower()}\0{password}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
