"""Human passwords: argon2id, off the loop, in a pool that bounds what sign-ins may cost."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import NamedTuple, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

T = TypeVar("T")

MIN_LENGTH, MAX_LENGTH = 8, 1024
# Two workers keep a flood of sign-ins from taking the machine.
WORKERS = 2


class Cost(NamedTuple):
    """What hashing a password takes of whoever does it, an attacker included."""

    passes: int
    kibibytes: int


STRONG = Cost(passes=2, kibibytes=19 * 1024)
"""OWASP's choice for argon2id; tests of something else hand in a small one."""


class Passwords:
    """Hashes and verifies; a verification costs the same whether the account exists or not."""

    def __init__(self, cost: Cost = STRONG) -> None:
        self._hasher = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.kibibytes, parallelism=1
        )
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="passwords")

    @cached_property
    def _dummy(self) -> str:
        return self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        return await self._off_loop(lambda: self._hasher.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether the password is right; without a stored hash, spend the same time."""
        return await self._off_loop(lambda: self._verify(stored, password))

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            right = self._hasher.verify(stored or self._dummy, password)
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):
            return False
        return right and stored is not None

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Let the pool go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
