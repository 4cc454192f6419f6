"""Decides whether a crawler may fetch a path (RFC 9309 sections 2.2.1 to 2.2.3).

Matching takes time in proportion to pattern and path: wildcards are found left to right, there is
no backtracking.
"""

import re
from urllib.parse import quote, quote_from_bytes

from robots.parse import product_token
from robots.rules import EVERYONE, Group, RobotsFile, Rule

ROBOTS_PATH = "/robots.txt"
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_NOTHING = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# What stays as it is; everything else is percent-encoded. In a query the general delimiters have
# no meaning, so `https://x` and `https%3A%2F%2Fx` are the same there (section 2.2.2, table).
_PATH_SAFE = "%/:?#[]@!&'()+,;=*$"
_QUERY_SAFE = "%!&'()+,;=*$"


def is_allowed(robots: RobotsFile, agent: str, target: str) -> bool:
    """Tell whether the crawler may fetch the target: a path, with its query if it has one.

    The longest matching pattern decides, an allow before a disallow of the same length; where
    none matches the target is allowed. `/robots.txt` itself always is.
    """
    path = _normal_target(target)
    if path == ROBOTS_PATH:
        return True
    best_length, allowed = 0, True
    for rule in rules_for(robots, agent):
        pattern = normal(rule.path)
        if not pattern or len(pattern) < best_length:
            continue
        longer = len(pattern) > best_length
        if (longer or rule.allow) and matches(pattern, path):
            best_length, allowed = len(pattern), rule.allow
    return allowed


def rules_for(robots: RobotsFile, agent: str) -> list[Rule]:
    """Return the rules of all groups for the crawler, else of all groups for everyone.

    Product tokens are compared without case; groups for the same one are one (section 2.2.1).
    """
    token = product_token(agent).lower()
    named = [group for group in robots.groups if _names(group, token)]
    chosen = named or [group for group in robots.groups if EVERYONE in group.agents]
    return [rule for group in chosen for rule in group.rules]


def matches(pattern: str, path: str) -> bool:
    """Tell whether a normal pattern matches a normal path from its start (section 2.2.3).

    `*` is any run of characters, a `$` at the end is the end of the path.
    """
    anchored = pattern.endswith("$")
    first, *rest = (pattern[:-1] if anchored else pattern).split("*")
    if not path.startswith(first):
        return False
    if not rest:
        return not anchored or len(path) == len(first)
    at = len(first)
    last = rest.pop() if anchored else ""
    for piece in rest:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return not anchored or (path.endswith(last) and len(path) - len(last) >= at)


def normal(pattern: str) -> str:
    """Return a rule's path with one spelling for each character (section 2.2.2)."""
    path, mark, query = pattern.partition("?")
    return _spell(path, _PATH_SAFE) + mark + _spell(query, _QUERY_SAFE)


def _normal_target(target: str) -> str:
    """Return a URI's path and query in that spelling; its `*` and `$` are mere characters."""
    return normal(target.partition("#")[0]).replace("*", "%2A").replace("$", "%24") or "/"


def _spell(text: str, safe: str) -> str:
    decoded = _ESCAPE.sub(_unreserved, text)
    # A percent sign that begins no escape is itself a character to be encoded.
    decoded = _BARE_PERCENT.sub("%25", decoded)
    if decoded.isascii():
        return quote(decoded, safe=safe)
    # A surrogate stands for a byte that is not UTF-8, or, in a caller's text, for nothing.
    octets = _NOTHING.sub("\ufffd", decoded).encode("utf-8", "surrogateescape")
    return quote_from_bytes(octets, safe=safe)


def _unreserved(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _names(group: Group, token: str) -> bool:
    return bool(token) and token != EVERYONE and token in map(str.lower, group.agents)
