"""What a live property is: how its value is told from a resource and the facts around it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.dav.tree import Resource
from gateway.model.collection import Collection
from gateway.model.principal import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the values depend on besides the resource, read once for a whole answer.

    `calendars` is filled where a wanted property lists them, `dead` (by collection id, then Clark
    name: the whole element) where a wanted property is not live.
    """

    owner: Owner
    calendars: Sequence[Collection] = ()
    dead: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


Value = Callable[[Resource, Facts], str | None]
"""Returns the content of a property's element, XML already; None where it is not defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A live property (RFC 4918 section 4.2).

    `in_allprop` says whether allprop tells it: the RFCs after 4918 keep theirs out.
    """

    name: str
    value: Value
    in_allprop: bool = False
    lists_calendars: bool = False
