"""Answers that are kept by all that they rest on, the longest unused going first.

A key that names a revision is never out of date, so nothing is ever thrown away for age.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values up to `max_weight` together and `max_one` each, in whatever unit `keep` is told."""

    def __init__(self, *, max_weight: int, max_one: int | None = None) -> None:
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0
        self._max_weight = max_weight
        self._max_one = max_weight if max_one is None else max_one

    def get(self, key: K) -> V | None:
        """Return a value that is kept."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def keep(self, key: K, value: V, weight: int = 1) -> None:
        """Keep a value; too heavy a one is not kept."""
        if weight > self._max_one or key in self._values:
            return
        self._values[key] = value, weight
        self._weight += weight
        while self._weight > self._max_weight:
            _, (_, dropped) = self._values.popitem(last=False)
            self._weight -= dropped
