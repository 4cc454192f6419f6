"""Reads robots.txt as RFC 9309 section 2.2 writes it down; whatever else stands there is skipped.

Every byte string has a reading; nothing here raises on input.
"""

import re

from robots.rules import EVERYONE, Group, RobotsFile, Rule

SIZE_LIMIT = 500 * 1024
"""Bytes that are read; section 2.5 asks for at least 500 kibibytes."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|\r|\n")
_PRODUCT = re.compile(r"[A-Za-z_-]+")


def parse(data: bytes) -> RobotsFile:
    """Return the file that the bytes hold.

    Bytes that are not UTF-8 stay what they are and are compared percent-encoded. A line that the
    size limit cuts in two is dropped: half a path would say something else.
    """
    kept = data.removeprefix(_BOM)
    if len(kept) > SIZE_LIMIT:
        kept = kept[:SIZE_LIMIT]
        kept = kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1]
    groups: list[Group] = []
    others: list[tuple[str, str]] = []
    agents: list[str] = []
    rules: list[Rule] = []
    for line in _LINE_END.split(kept.decode("utf-8", "surrogateescape")):
        name, found, value = line.partition("#")[0].partition(":")
        key, text = name.strip(" \t").lower(), value.strip(" \t")
        if not found:
            continue
        if key == "user-agent":
            if rules:
                groups.append(Group(agents=tuple(agents), rules=tuple(rules)))
                agents, rules = [], []
            agents.append(product_token(text))
        elif key in ("allow", "disallow"):
            if agents:  # a rule before any user-agent line is for nobody
                rules.append(Rule(allow=key == "allow", path=text))
        elif key:
            # Section 2.2.4: other records do not end a group.
            others.append((name.strip(" \t"), text))
    if agents:
        groups.append(Group(agents=tuple(agents), rules=tuple(rules)))
    return RobotsFile(groups=tuple(groups), others=tuple(others))


def product_token(text: str) -> str:
    """Return the product token of a user-agent line or header: `ExampleBot/1.2` is ExampleBot.

    Section 2.2.1. What starts with no letter names nobody, and gives the empty string.
    """
    if text.startswith(EVERYONE) and (len(text) == 1 or text[1] in " \t"):
        return EVERYONE
    found = _PRODUCT.match(text)
    return found.group() if found else ""
