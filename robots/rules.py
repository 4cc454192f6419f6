"""The values of a robots.txt: rules, groups, and the file (RFC 9309 section 2.2)."""

from dataclasses import dataclass, field

EVERYONE = "*"
"""The product token that stands for every crawler without a group of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An allow or disallow line; `path` is its pattern as written (section 2.2.2)."""

    allow: bool
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules and the product tokens they are for (section 2.2.1)."""

    agents: tuple[str, ...]
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsFile:
    """A whole file; `others` are records such as Sitemap, by name and value (section 2.2.4)."""

    groups: tuple[Group, ...] = ()
    others: tuple[tuple[str, str], ...] = field(default=())
