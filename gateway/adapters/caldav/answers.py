"""What an account's own user has answered to its invitations, written where busy time looks for it.

A CalDAV server tells an invitation as it is, and leaves it to the program to know which of the
attendees its user is: by the addresses that the server says are theirs (RFC 6638 section 2.4.1).
"""

import re

from gateway.model.component import CalendarObject
from gateway.model.participants import ANSWER, participation

END = re.compile(rb"(?im)^END:VEVENT[ \t]*\r?$")


def with_answers(data: bytes, item: CalendarObject, addresses: frozenset[str]) -> bytes:
    """Return an object's bytes with a line that tells the user's answer, in each event with one.

    One that the server has told already stays: that server is a gateway, and knows better.
    """
    if item.component != "VEVENT":
        return data
    answers = ["" if one.first(ANSWER) else participation(one, *addresses) for one in item.members]
    ends = list(END.finditer(data))
    if not any(answers) or len(ends) != len(answers):
        return data
    pieces, done = [], 0
    for end, answer in zip(ends, answers, strict=True):
        pieces.append(data[done : end.start()])
        if answer.isascii() and answer.replace("-", "").isalnum():
            pieces.append(f"{ANSWER}:{answer}\r\n".encode())
        done = end.start()
    return b"".join([*pieces, data[done:]])


def addresses_of(hrefs: list[str], username: str) -> frozenset[str]:
    """Return the addresses among a calendar-user-address-set, and the user name if it is one."""
    mine = {href.lower().removeprefix("mailto:") for href in hrefs if ":" in href}
    if "@" in username:
        mine.add(username.lower())
    return frozenset(mine)
