"""The sync tick: read one connection's calendars, decide by sync_plan, apply in one transaction.

Law: a tick holds its connection's lease from the first request to the commit, and the commit looks
at the lease once more. Until it commits, every answer is given from the last good copy.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from gateway.errors import (
    AccessLost,
    CalgateError,
    SignInNeeded,
    Unavailable,
    UpstreamError,
)
from gateway.model.collection import Collection
from gateway.model.connection import Connection, Failure, Health
from gateway.model.timerange import DAY, TimeRange
from gateway.ports import (
    Adapter,
    Cipher,
    Clock,
    Lease,
    Sources,
    Store,
    Transaction,
)
from gateway.services.bulk import Batch, prepare_all
from gateway.services.engagement_look import look
from gateway.services.follow_plan import is_replaced
from gateway.services.index import basis_of
from gateway.services.lease import KEPT_UP_EVERY, LEASE_SECONDS, kept_up
from gateway.services.notices import Notices
from gateway.services.noticing import notice_changes
from gateway.services.objects import discard
from gateway.services.side_by_side import PATIENCE, SideBySide
from gateway.services.sync_lease import DoubtError, LostError, as_upstream, check_lease
from gateway.services.sync_outcome import How, Outcome, Watch
from gateway.services.sync_plan import (
    RECHECK_AFTER,
    Bookmark,
    Plan,
    Staging,
    Suspicion,
    Verdict,
    judge,
    plan,
    replacing_twins,
)
from gateway.services.sync_run import Run, Standing, Step

JUDGED_AHEAD = 400 * DAY
"""How far ahead busy time counts when a loss is judged: the horizon of the index."""
HELD = (
    "More than half of the calendar disappeared at the source; "
    "it is read again before this is believed."
)

FAILURES: dict[type[UpstreamError], Failure] = {
    Unavailable: Failure.UNAVAILABLE,
    SignInNeeded: Failure.SIGN_IN_NEEDED,
    AccessLost: Failure.ACCESS_LOST,
}


def secret_of(connection_id: str) -> str:
    """Return what a connection's sealed secret is bound to."""
    return f"connection.secret:{connection_id}"


class SyncService:
    """Keeps the copies of connected calendars fresh."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sources: Sources,
        cipher: Cipher,
        *,
        node: str = "node",
        poll_seconds: int = 60,
        kept_up_every: float = KEPT_UP_EVERY,
        notices: Notices | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sources = sources
        self._cipher = cipher
        self._node = node
        self._poll_seconds = poll_seconds
        self._kept_up_every = kept_up_every
        self._notices = notices
        self._log = structlog.get_logger("gateway.sync")
        self._due = SideBySide(self.tick, patience=patience, told=self._tell)

    async def run_due(self) -> bool:
        """Tick every connection whose time has come (a loop of the worker)."""
        async with self._store.read() as tx:
            due = await tx.connections.due(self._clock.now())
        await self._due.run(due)
        return False

    async def stop(self) -> None:
        """End the ticks that are still waiting for a source; their leases run out."""
        await self._due.stop()

    def _tell(self, connection_id: str, error: BaseException) -> None:
        expected = isinstance(error, CalgateError)
        self._log.warning(
            "sync.failing",
            connection=connection_id,
            error=str(error) or type(error).__name__,
            exc_info=None if expected else error,
        )

    async def tick(
        self, connection_id: str, *, full: bool = False, watch: Watch | None = None
    ) -> Sequence[Outcome] | None:
        """Read one connection now; None when another node is reading it or it is gone.

        `full` forgets the cursors, so that everything is compared anew. `watch` is told of each
        calendar that is begun, and how many events are in whenever a page comes.
        """
        now = self._clock.now()
        async with self._store.write() as tx:
            lease = await tx.connections.lease(connection_id, self._node, now, LEASE_SECONDS)
            connection = await tx.connections.get(connection_id)
            collections = await tx.collections.of_connection(connection_id)
            cursors = await tx.connections.cursors(connection_id)
        if lease is None or connection is None:
            return None
        outcomes: list[Outcome] = []
        run = Run(lease=lease, how=How(full=full, watch=watch), cursors=cursors)
        try:
            async with kept_up(self._store, self._clock, lease, every=self._kept_up_every):
                outcomes = await self._read_all(connection, collections, run)
        except LostError:
            return None
        finally:
            await self._end(connection, run, outcomes)
        return outcomes

    async def _end(self, connection: Connection, run: Run, outcomes: Sequence[Outcome]) -> None:
        """Store in one transaction what was found to stand, and give the lease back."""
        now = self._clock.now()
        asked = max((outcome.retry_after or 0 for outcome in outcomes), default=0)
        next_tick_at = now + max(self._poll_seconds, asked)
        async with self._store.write(owner_id=connection.owner_id) as tx:
            if not await tx.connections.release(run.lease, next_tick_at, not_before=now + asked):
                return
            if run.standing:
                current = await tx.collections.of_connection(connection.id)
                health = {one.id: one.health for one in current}
                for one in run.standing:
                    # What was judged meanwhile, such as the whole account's sign-in, is later.
                    if health.get(one.collection.id) == one.collection.health:
                        await self._stood(tx, one)

    async def _stood(self, tx: Transaction, one: Standing) -> None:
        """Store that a calendar was read; the contacts' loop sees what is due without a change."""
        calendar, step = one.collection, one.step
        if step.after != step.before:
            await tx.connections.set_cursor(calendar.id, step.after.encode())
        await tx.collections.set_health(calendar.id, calendar.health.succeeded(one.read_at))
        await self._tell_back(tx, calendar)

    async def _read_all(
        self,
        connection: Connection,
        collections: Sequence[Collection],
        run: Run,
    ) -> list[Outcome]:
        try:
            secret = self._cipher.open(connection.secret, bound_to=secret_of(connection.id))
            adapter = self._sources.open(connection, secret)
        except CalgateError as error:
            failed = as_upstream(error)
            return [await self._failed(item, failed, run.lease) for item in collections]
        try:
            return [await self._read_one(adapter, collection, run) for collection in collections]
        finally:
            await adapter.close()

    async def _read_one(self, adapter: Adapter, collection: Collection, run: Run) -> Outcome:
        try:
            try:
                return await self._sync(adapter, collection, run)
            except AccessLost as error:
                # "No" counts once a second try has confirmed it (CONTRACT.md).
                await self._failed(collection, error, run.lease)
                collection = await self._again(collection)
                return await self._sync(adapter, collection, run)
        except UpstreamError as error:
            return await self._failed(collection, error, run.lease)
        except (CalgateError, LostError):
            raise  # ours, not the source's: the store is overloaded, the lease is lost
        except Exception as error:  # noqa: BLE001 - whatever an adapter does, it costs its own calendar only
            self._log.error("sync.bug", calendar=collection.public_id, exc_info=error)
            odd = Unavailable("The source's answer could not be understood.")
            return await self._failed(collection, odd, run.lease)

    async def _again(self, collection: Collection) -> Collection:
        async with self._store.read() as tx:
            return await tx.collections.get(collection.id) or collection

    async def _sync(self, adapter: Adapter, collection: Collection, run: Run) -> Outcome:
        bookmark = Bookmark.decode(run.cursors[collection.id])
        if run.how.full:
            bookmark = replace(bookmark, cursor="")
        outcome, verdict, made = await self._attempt(adapter, collection, run, bookmark)
        if verdict is Verdict.LOOK_AGAIN:
            # A small loss: what a second read shows too is believed at once.
            since = self._clock.now() - RECHECK_AFTER
            seen = Suspicion(fingerprint=made.fingerprint, since=since)
            again = replace(bookmark, suspicion=seen)
            outcome, verdict, made = await self._attempt(adapter, collection, run, again)
        if verdict is not Verdict.APPLY:
            await self._suspect(collection, run.lease, bookmark, made)
            raise Unavailable(HELD)
        return outcome

    async def _attempt(
        self,
        adapter: Adapter,
        collection: Collection,
        run: Run,
        bookmark: Bookmark,
    ) -> tuple[Outcome, Verdict, Plan]:
        staging = Staging()
        run.how.tell(collection, 0)
        async for page in adapter.changes(collection.upstream_id, bookmark.cursor):
            staging.add(page)
            run.how.tell(collection, len(staging.objects))
        last = staging.finish()
        following = Bookmark(cursor=last.cursor or "")
        made = Plan(puts={}, removes=(), changed=())
        batch: Batch | None = None
        known = 0
        if not last.unchanged:
            async with self._store.read() as tx:
                stored = await tx.objects.tags(collection.id)
            known = len(stored)
            made = plan(staging, {name: tag.etag.strip('"') for name, tag in stored.items()})
            async with self._store.write() as tx:
                basis = await basis_of(tx, collection, self._clock.now())
            batch = await asyncio.to_thread(prepare_all, made, collection, basis, len(stored))
            staging.notes += batch.notes
            uids = {name: tag.uid for name, tag in stored.items()}
            made = replacing_twins(made, uids, batch.uids)
        step = Step(
            made=made,
            batch=batch,
            before=bookmark,
            after=following,
            is_replaced=is_replaced(
                complete=last.complete, stored=known, removed=len(made.removes)
            ),
        )
        try:
            if not run.leaves_standing(collection, step, self._clock.now()):
                await self._apply(collection, run.lease, step)
        except DoubtError as doubt:
            return Outcome(collection=collection), doubt.verdict, made
        outcome = Outcome(
            collection=collection,
            changed=len(batch.uids) if batch else 0,
            removed=len(made.removes),
            notes=tuple(staging.notes),
        )
        return outcome, Verdict.APPLY, made

    async def _apply(
        self,
        collection: Collection,
        lease: Lease,
        step: Step,
    ) -> None:
        """Write a plan with its cursor and the health, or raise DoubtError and write nothing."""
        now = self._clock.now()
        async with self._store.write(owner_id=collection.owner_id) as tx:
            await check_lease(tx, lease)
            current = await tx.collections.get(collection.id)
            if current is None:
                raise LostError
            verdict = await self._write(tx, current, step)
            if verdict is not Verdict.APPLY:
                raise DoubtError(verdict)
            if step.after != step.before:
                await tx.connections.set_cursor(collection.id, step.after.encode())
            await look(tx, current, now)
            await self._set_health(tx, current, current.health.succeeded(now))

    async def _write(self, tx: Transaction, collection: Collection, step: Step) -> Verdict:
        made, batch = step.made, step.batch
        if batch is None or (not made.removes and not batch.uids):
            return Verdict.APPLY
        now, risky = self._clock.now(), bool(made.removes or made.changed)
        if not await batch.holds(tx, collection, now):
            raise Unavailable("The calendar was changed here while it was read.")
        window = TimeRange(now, now + JUDGED_AHEAD)
        stored = await tx.objects.count(collection.id) if risky else 0
        before = (await tx.index.busy([collection.id], window))[collection.id] if risky else ()
        removed = [
            record
            for name in made.removes
            if (record := await tx.objects.get(collection.id, name)) is not None
        ]
        for record in removed:
            await discard(tx, record, now)
        await batch.write(tx, collection, now)
        if step.is_replaced:
            removed = []  # another calendar's: of our events it says nothing
        await notice_changes(tx, collection, puts=batch.written, removed=removed, now=now)
        if not risky:
            return Verdict.APPLY
        after = (await tx.index.busy([collection.id], window))[collection.id]
        return judge(
            made,
            stored=stored,
            before=before,
            after=after,
            suspicion=step.before.suspicion,
            now=now,
        )

    async def _suspect(
        self, collection: Collection, lease: Lease, bookmark: Bookmark, made: Plan
    ) -> None:
        """Remember since when a loss is seen; the cursor stays, so the next tick sees it again."""
        if bookmark.suspicion and bookmark.suspicion.fingerprint == made.fingerprint:
            return
        seen = Suspicion(fingerprint=made.fingerprint, since=self._clock.now())
        async with self._store.write() as tx:
            await check_lease(tx, lease)
            held = replace(bookmark, suspicion=seen)
            await tx.connections.set_cursor(collection.id, held.encode())

    async def _failed(self, collection: Collection, error: UpstreamError, lease: Lease) -> Outcome:
        kind = next(kind for cls, kind in FAILURES.items() if isinstance(error, cls))
        async with self._store.write() as tx:
            await check_lease(tx, lease)
            current = await tx.collections.get(collection.id)
            if current is not None:
                health = current.health.failed(kind, error.detail, self._clock.now())
                await self._set_health(tx, current, health)
        return Outcome(
            collection=current or collection, error=error.detail, retry_after=error.retry_after
        )

    async def _set_health(self, tx: Transaction, collection: Collection, health: Health) -> None:
        """Store a health; going down and coming back are told once, in the log and to the owner."""
        if health.failure is not collection.health.failure:
            event = "sync.recovered" if health.failure is None else "sync.failing"
            self._log.info(
                event,
                calendar=collection.public_id,
                provider=collection.provider.value,
                failure=health.failure.value if health.failure else "",
            )
            await tx.notices.record(
                collection.owner_id,
                event,
                f"{collection.public_id}: {health.detail}",
                self._clock.now(),
            )
        await tx.collections.set_health(collection.id, health)
        if health.failure is None:
            await self._tell_back(tx, collection)

    async def _tell_back(self, tx: Transaction, collection: Collection) -> None:
        # Only a loss that was told is told to be over (S30).
        if self._notices is not None:
            await self._notices.calendar_back(tx, collection, self._clock.now())
