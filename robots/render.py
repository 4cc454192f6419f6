"""Writes robots.txt (RFC 9309 section 2.2): what is rendered reads back as what was meant."""

import re

from robots.rules import RobotsFile, Rule

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def render(robots: RobotsFile) -> str:
    """Return the text of the file: its groups, then its other records, each line ended by LF."""
    blocks = [
        "".join(
            [f"User-agent: {_value(agent)}\n" for agent in group.agents]
            + [_rule(rule) for rule in group.rules]
        )
        for group in robots.groups
    ]
    if robots.others:
        blocks.append(
            "".join(f"{_value(name)}: {_value(value)}\n" for name, value in robots.others)
        )
    return "\n".join(blocks)


def _rule(rule: Rule) -> str:
    path = _value(rule.path)
    return f"{'Allow' if rule.allow else 'Disallow'}:{' ' if path else ''}{path}\n"


def _value(text: str) -> str:
    """Return the text without what could end the line or begin a comment."""
    return _CONTROL.sub("", text).replace("#", "%23").encode("utf-8", "replace").decode("utf-8")
