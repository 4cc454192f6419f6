"""robots.txt by RFC 9309: parse, match, render; standard library only, usable on its own."""

from robots.match import is_allowed, rules_for
from robots.parse import SIZE_LIMIT, parse
from robots.render import render
from robots.rules import EVERYONE, Group, RobotsFile, Rule

__all__ = [
    "EVERYONE",
    "SIZE_LIMIT",
    "Group",
    "RobotsFile",
    "Rule",
    "is_allowed",
    "parse",
    "render",
    "rules_for",
]
