"""What ends a sync tick early: a lease that is lost, a result that is not believed."""

from gateway.errors import CalgateError, SignInNeeded, UpstreamError
from gateway.ports import Lease, Transaction
from gateway.services.sync_plan import Verdict


class LostError(Exception):
    """Another node has the lease, or the calendar was removed: this tick must write nothing."""


class DoubtError(Exception):
    """Rolls a transaction back whose result is not believed."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.value)
        self.verdict = verdict


async def check_lease(tx: Transaction, lease: Lease) -> None:
    """Raise LostError unless the lease still holds."""
    if not await tx.connections.holds(lease):
        raise LostError


def as_upstream(error: CalgateError) -> UpstreamError:
    """Return what an error of ours means for a source."""
    if isinstance(error, UpstreamError):
        return error
    return SignInNeeded("The stored credentials of this connection cannot be read.")
