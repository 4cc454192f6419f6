"""What Graph's refusals mean: status and code in, one of our failures out (pure).

https://learn.microsoft.com/graph/errors; codes are compared without case, as services differ.
"""

from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError

NO_ANSWER = 0
"""The status of what was sent and brought no answer that makes sense: its outcome is unknown."""
SERVER_ERROR = 500
RATE = frozenset(
    {"toomanyrequests", "applicationthrottled", "mailboxconcurrency", "errorserverbusy"}
)
MOVING = frozenset(
    {"mailboxinfostale", "errormailboxmoveinprogress", "errormailboxstoreunavailable"}
)
NO_MAILBOX = frozenset({"mailboxnotenabledforrestapi", "extensionerror"})
FLEETING = frozenset({"resourcenotfound", "request_resourcenotfound"})
"""What a directory says for a while of mailboxes that are there all the same."""
RESYNC = frozenset({"syncstatenotfound", "resyncrequired", "syncstateinvalid", "resourceremoved"})
LATER = "Office 365 asks us to come back later."


class GraphRefusal(Exception):
    """A status that is no success, with Graph's code; `wait` in seconds, if it said."""

    def __init__(self, status: int, code: str = "", wait: int | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code.lower()
        self.wait = wait

    @property
    def is_rate(self) -> bool:
        """Whether Graph wants fewer questions for a while."""
        return self.status == 429 or self.code in RATE  # noqa: PLR2004 - Too Many Requests

    @property
    def is_passing(self) -> bool:
        """Whether the same question may be answered a moment later."""
        return self.status >= SERVER_ERROR or self.is_rate

    @property
    def is_unclear(self) -> bool:
        """Whether what was asked for may have been done all the same."""
        return self.status in {NO_ANSWER, 408} or self.status >= SERVER_ERROR or self.status < 400  # noqa: PLR2004 - what is no refusal

    @property
    def ends_a_token(self) -> bool:
        """Whether a link that continues a list is no good any more; 400 is a malformed one."""
        return self.status in {400, 410} or self.code in RESYNC

    def as_failure(self) -> UpstreamError:
        """Return the failure it is to everybody else."""
        if self.is_rate:
            return Unavailable(LATER, self.wait)
        if self.code in MOVING or (self.status == 404 and self.code in FLEETING):  # noqa: PLR2004 - Not Found
            return Unavailable("Office 365 cannot find this mailbox at the moment.", self.wait)
        if self.code in NO_MAILBOX and self.status < SERVER_ERROR:
            # It comes and goes, so it counts only once it has lasted.
            return Unavailable(
                "This account has no mailbox at Exchange Online; if it is on your own server, "
                "connect it as Exchange."
            )
        return self._by_status()

    def _by_status(self) -> UpstreamError:
        if self.status == 401:  # noqa: PLR2004 - Unauthorized, after another token was tried
            return SignInNeeded("Office 365 no longer accepts this sign-in.")
        if self.status == 403:  # noqa: PLR2004 - Forbidden
            return AccessLost("Office 365 denies access to this calendar.")
        if self.status == 404:  # noqa: PLR2004 - Not Found; also what is no longer shared
            return AccessLost("Office 365 no longer shows this calendar to this account.")
        if self.status == 410:  # noqa: PLR2004 - Gone
            return AccessLost("This calendar is gone at Office 365.")
        if self.status == NO_ANSWER:
            return Unavailable("The answer of Office 365 makes no sense or broke off.")
        if self.status in {409, 412}:
            return Unavailable("The event is being changed by somebody else.")
        if self.status == 400:  # noqa: PLR2004 - Bad Request
            return Unavailable("Office 365 refuses the question.", self.wait)
        return Unavailable(f"Office 365 answered with status {self.status}.", self.wait)
