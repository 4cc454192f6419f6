"""The outbox and the leases of connections, on both engines."""

import asyncio

import pytest

from tests.builders import NOON, a_connection

LEASE = {"seconds": 60, "limit": 10}


@pytest.fixture
async def job_id(store) -> int:
    """Add one job that is due."""
    async with store.write() as transaction:
        return await transaction.outbox.add("write", "bk_1", {"id": "bk_1"}, NOON)


async def test_a_leased_job_is_nobody_elses(store, job_id):
    """Until its lease ends a job is not handed out again."""
    async with store.write() as transaction:
        (job,) = await transaction.outbox.lease("a", NOON, **LEASE)
        during = await transaction.outbox.lease("b", NOON + 59, **LEASE)
        (again,) = await transaction.outbox.lease("b", NOON + 60, **LEASE)

    assert (job.id, job.payload, list(during)) == (job_id, {"id": "bk_1"}, [])
    assert again.fence > job.fence


async def test_a_stale_lease_cannot_finish_a_job(store, job_id):
    """Whoever lost the lease meanwhile cannot finish, delay or bury the job."""
    async with store.write() as transaction:
        (stale,) = await transaction.outbox.lease("a", NOON, **LEASE)
        (fresh,) = await transaction.outbox.lease("b", NOON + 60, **LEASE)
        late = [
            await transaction.outbox.done(stale),
            await transaction.outbox.retry(stale, NOON, "late"),
            await transaction.outbox.bury(stale, "late"),
        ]

        assert late == [False, False, False]
        assert await transaction.outbox.done(fresh)
        assert await transaction.outbox.waiting() == 0


async def test_a_job_given_back_comes_again_when_due(store, job_id):
    """A failed attempt is counted, and the job is due at the time it was given."""
    async with store.write() as transaction:
        (job,) = await transaction.outbox.lease("a", NOON, **LEASE)
        await transaction.outbox.retry(job, NOON + 30, "timeout")
        early = await transaction.outbox.lease("a", NOON + 29, **LEASE)
        (again,) = await transaction.outbox.lease("a", NOON + 30, **LEASE)

    assert (list(early), again.attempts) == ([], 1)


async def test_jobs_of_one_subject_are_done_in_order(store, job_id):
    """A later job waits for the earlier one of its subject, even while that one is delayed."""
    async with store.write() as transaction:
        later = await transaction.outbox.add("mail", "bk_1", {}, NOON)
        other = await transaction.outbox.add("mail", "bk_2", {}, NOON)
        first = await transaction.outbox.lease("a", NOON, **LEASE)
        await transaction.outbox.retry(first[0], NOON + 500, "not now")
        blocked = await transaction.outbox.lease("a", NOON, **LEASE, subject="bk_1")
        (last,) = await transaction.outbox.lease("a", NOON + 500, **LEASE, subject="bk_1")
        await transaction.outbox.done(last)
        (freed,) = await transaction.outbox.lease("a", NOON + 500, **LEASE, subject="bk_1")

    assert ([job.id for job in first], list(blocked)) == ([job_id, other], [])
    assert (last.id, freed.id) == (job_id, later)


async def test_a_buried_job_blocks_nobody(store, job_id):
    """What cannot be done is set aside and the subject goes on."""
    async with store.write() as transaction:
        later = await transaction.outbox.add("mail", "bk_1", {}, NOON)
        (job,) = await transaction.outbox.lease("a", NOON, **LEASE)
        await transaction.outbox.bury(job, "refused")
        (freed,) = await transaction.outbox.lease("a", NOON, **LEASE)

        assert (freed.id, await transaction.outbox.waiting()) == (later, 1)


async def test_workers_at_once_share_the_jobs(store):
    """Eight workers leasing at once get each job exactly once."""
    async with store.write() as transaction:
        added = [
            await transaction.outbox.add("mail", f"bk_{number}", {}, NOON) for number in range(40)
        ]

    async def work(name: str) -> list[int]:
        got: list[int] = []
        for _ in range(10):
            async with store.write() as transaction:
                jobs = await transaction.outbox.lease(name, NOON, seconds=60, limit=3)
            got += [job.id for job in jobs]
        return got

    shares = await asyncio.gather(*(work(f"worker {number}") for number in range(8)))

    assert sorted(job for share in shares for job in share) == added


async def test_one_holder_at_a_time_reads_a_connection(store, owner):
    """A connection's lease excludes others until it ends; the loser no longer holds it."""
    connection = a_connection(owner.id)
    async with store.write() as transaction:
        await transaction.connections.add(connection)
        first = await transaction.connections.lease(connection.id, "a", NOON, 60)
        refused = await transaction.connections.lease(connection.id, "b", NOON + 59, 60)
        second = await transaction.connections.lease(connection.id, "b", NOON + 60, 60)
        held = [await transaction.connections.holds(lease) for lease in (first, second)]

    assert (refused, held) == (None, [False, True])


async def test_a_released_connection_is_due_at_its_next_tick(store, owner):
    """Due are the connections whose next tick has come and that nobody holds."""
    connection = a_connection(owner.id)
    async with store.write() as transaction:
        await transaction.connections.add(connection)
        before = await transaction.connections.due(NOON)
        lease = await transaction.connections.lease(connection.id, "a", NOON, 60)
        during = await transaction.connections.due(NOON)
        await transaction.connections.release(lease, NOON + 300)
        after = [await transaction.connections.due(NOON + second) for second in (299, 300)]

    assert ([*before], [*during]) == ([connection.id], [])
    assert [list(due) for due in after] == [[], [connection.id]]
