"""Two strikes: a refused password is tried twice in all, then only after it is entered again.

Active Directory locks an account after a few refusals, for everything its owner does. A lone
refusal under load happens too, so the second try comes five minutes after the first. The refusals
are in the store: a restart or another node changes nothing (docs/adr/0017).
"""

import asyncio
from dataclasses import dataclass, field

from gateway.errors import RefusedOnce, SignInNeeded, Unavailable
from gateway.model.timerange import DAY, HOUR, MINUTE, Instant
from gateway.ports import Cipher, Clock, SignInTry, Store, Transaction

MOST = 2
APART = 5 * MINUTE
UNDER_WAY = 90
"""Seconds that a try without an answer counts: longer than any sign-in may take."""
FOR_GOOD = 400 * DAY
UNCOUNTED = 1_000_000
TRUSTED = 15 * MINUTE
"""How long an accepted password needs no reservation: only its refusals are looked up."""
FRESH = 5.0
"""Seconds after an acceptance in which others sign in beside it."""
POLL = 0.01
TRIED_ONCE = "The server refused the sign-in once; it is tried again in five minutes."
TRIED_TWICE = "The server refused this password twice; enter it again in the settings."
TRIED_ENOUGH = "The server refused this password twice; it is not tried again for an hour."
BEING_TRIED = "The sign-in is being tried already."
REFUSED, TRYING = "kept:refused:", "trying:"


@dataclass(slots=True)
class SignIns:
    """Says who may try a password now (ports.SignIns), for all nodes on one store."""

    store: Store
    clock: Clock
    cipher: Cipher
    _leading: dict[str, float] = field(default_factory=dict)
    _accepted: dict[str, tuple[Instant, float]] = field(default_factory=dict)

    async def begin(self, account: str, password: str, *, entered: bool) -> SignInTry:
        """Return the try to end with what came of it; raise while nothing may be sent.

        In a process one goes first and the others wait for what it meets: five calendars of one
        account try a changed password once, not five times.
        """
        key = self.cipher.digest(f"{account}\0{password}".encode("utf-8", "surrogatepass"))
        loop = asyncio.get_running_loop()
        while self._leading.get(key, 0.0) > loop.time():  # noqa: ASYNC110 - no event has a deadline
            await asyncio.sleep(POLL)
        known, fresh_until = self._accepted.get(key, (0, 0.0))
        if fresh_until > loop.time():
            return SignInTry(key=key)
        self._leading[key] = loop.time() + UNDER_WAY
        try:
            return await self._begun(key, known, entered=entered)
        except BaseException:
            self._leading.pop(key, None)
            raise

    def given_up(self, one: SignInTry) -> None:
        """End a try without an answer: it may have arrived, so the next one is reserved."""
        self._accepted.pop(one.key, None)
        self._leading.pop(one.key, None)

    async def accepted(self, one: SignInTry) -> None:
        """Forget refusals: the password is right."""
        now = self.clock.now()
        before, _ = self._accepted.get(one.key, (0, 0.0))
        if one.reserved_at is not None or now - before >= TRUSTED:
            async with self.store.write() as tx:
                await tx.counters.clear(REFUSED + one.key)
                await tx.counters.clear(TRYING + one.key)
        self._accepted[one.key] = (now, asyncio.get_running_loop().time() + FRESH)
        self._leading.pop(one.key, None)

    async def refused(self, one: SignInTry, *, for_good: bool) -> int:
        """Remember a refusal; return which one it is. One that is `for_good` is the last."""
        key, now = one.key, self.clock.now()
        self._accepted.pop(key, None)
        try:
            async with self.store.write() as tx:
                await tx.counters.hold(REFUSED + key)
                known = await _refusals(tx, key, now, FOR_GOOD)
                if one.reserved_at is not None:
                    await tx.counters.take_back(TRYING + key, one.reserved_at)
                for _ in range(MOST if for_good else 1):
                    await tx.counters.hit(REFUSED + key, now, window=1, limit=UNCOUNTED)
        finally:
            self._leading.pop(key, None)
        return known + 1

    async def _begun(self, key: str, accepted_at: Instant, *, entered: bool) -> SignInTry:
        now = self.clock.now()
        window = HOUR if entered else FOR_GOOD
        async with self.store.read() as tx:
            count = await _refusals(tx, key, now, window)
            wait = await tx.counters.wait(REFUSED + key, now, window=APART, limit=1)
        _check(count, wait, entered=entered)
        if not count and now - accepted_at < TRUSTED:
            return SignInTry(key=key)
        # What another node is trying may be refused as well: it counts until it is answered.
        async with self.store.write() as tx:
            await tx.counters.hold(REFUSED + key)
            count = await _refusals(tx, key, now, window)
            _check(count, 0, entered=entered)
            wait = await tx.counters.hit(TRYING + key, now, window=UNDER_WAY, limit=MOST - count)
        if wait:
            raise Unavailable(BEING_TRIED, wait)
        return SignInTry(key=key, reserved_at=now)


def _check(count: int, wait: int, *, entered: bool) -> None:
    """Raise where the server said no often enough, or just now."""
    if count >= MOST:
        raise SignInNeeded(TRIED_ENOUGH if entered else TRIED_TWICE, HOUR)
    if wait and not entered:
        raise RefusedOnce(TRIED_ONCE, wait)


async def _refusals(tx: Transaction, key: str, now: Instant, window: int) -> int:
    """Return how many refusals there were, at most as many as count."""
    waits = [
        await tx.counters.wait(REFUSED + key, now, window=window, limit=limit)
        for limit in range(1, MOST + 1)
    ]
    return sum(wait > 0 for wait in waits)
