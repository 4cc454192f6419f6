"""A gate for each account of a source: so many calls at a time, none while it asks for quiet."""

import asyncio
from weakref import WeakValueDictionary

from gateway.errors import Unavailable
from gateway.model.timerange import Instant


class Gate:
    """What all adapters of one account go through."""

    def __init__(self, at_once: int) -> None:
        self.slots = asyncio.Semaphore(at_once)
        self._quiet_until: Instant = 0

    def close_for(self, seconds: int, now: Instant) -> None:
        """Let nothing through for a while."""
        self._quiet_until = max(self._quiet_until, now + seconds)

    def check(self, now: Instant, sentence: str) -> None:
        """Raise Unavailable while the source wants quiet."""
        if now < self._quiet_until:
            raise Unavailable(sentence, self._quiet_until - now)


class Gates:
    """The gates of a process; one that no adapter holds any more is forgotten."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Gate] = WeakValueDictionary()

    def of(self, account: str, *, at_once: int) -> Gate:
        """Return the gate of an account."""
        found = self._known.get(account)
        if found is None:
            found = self._known[account] = Gate(at_once)
        return found
