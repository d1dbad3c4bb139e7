"""The ledger: leases, fences, strikes, and work that leaves with its transaction."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from infra import ledger
from infra.database import Database, Silence, Work
from infra.ledger import Claim, ErrorClass, LeaseLost, StageState
from tests.builders import a_recording

ALL = dict.fromkeys(("probe", "transcribe", "renditions"), math.inf)


@pytest_asyncio.fixture
async def recording_id(database: Database, silence: Silence) -> AsyncIterator[UUID]:
    async with database.work(silence) as work:
        recording = await a_recording(work)
    yield recording.id


async def _require(database: Database, recording_id: UUID, version: int = 1, **stages: float) -> None:
    async with database.work(Silence()) as work:
        await ledger.require(work, recording_id, version, stages)


async def _claim(database: Database, *, lease_s: float = 60, owner: str = "w1") -> Claim | None:
    async with database.work(Silence()) as work:
        return await ledger.claim(work, stages=ALL, owner=owner, lease_s=lease_s)


async def _claimed(database: Database, *, lease_s: float = 60, owner: str = "w1") -> Claim:
    claimed = await _claim(database, lease_s=lease_s, owner=owner)
    assert claimed is not None
    return claimed


async def _expire_leases(database: Database) -> None:
    async with database.work(Silence()) as work:
        await work.session.execute(text("UPDATE stage_run SET lease_until = clock_timestamp() - interval '1 second'"))


async def _sweep(database: Database, max_strikes: int = 6) -> list[ledger.Dead]:
    async with database.work(Silence()) as work:
        return await ledger.sweep(work, max_strikes=max_strikes)


async def _row(database: Database, recording_id: UUID) -> ledger.StageRun:
    async with database.work(Silence()) as work:
        return (await ledger.runs_of(work, [recording_id]))[0]


async def _fail(database: Database, claimed: Claim, kind: ErrorClass, max_strikes: int = 6) -> StageState:
    async with database.work(Silence()) as work:
        return await ledger.fail(work, claimed, kind=kind, code="c", sentence="s", detail="d", max_strikes=max_strikes)


async def test_work_of_a_transaction_that_fails_is_never_seen(database: Database, recording_id: UUID) -> None:
    async def fails(work: Work) -> None:
        await ledger.require(work, recording_id, 1, {"probe": 1.0})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        async with database.work(Silence()) as work:
            await fails(work)
    assert await _claim(database) is None


async def test_requiring_twice_makes_one_row(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    await _require(database, recording_id, probe=1.0)
    assert await _claim(database) is not None
    assert await _claim(database) is None


async def test_short_work_comes_first_until_long_work_has_waited(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, renditions=60.0)
    await _require(database, recording_id, probe=1.0)
    assert (await _claimed(database)).stage == "probe"
    await _require(database, recording_id, version=2, probe=1.0)
    async with database.work(Silence()) as work:
        await work.session.execute(
            text("UPDATE stage_run SET created_at = created_at - interval '1 minute' WHERE stage = 'renditions'")
        )
    assert (await _claimed(database)).stage == "renditions"


async def test_many_workers_never_claim_the_same_row(database: Database, recording_id: UUID) -> None:
    for version in range(1, 21):
        await _require(database, recording_id, version=version, probe=1.0)
    claims = await asyncio.gather(*(_claim(database, owner=f"w{number}") for number in range(30)))
    taken = [claimed.version for claimed in claims if claimed is not None]
    assert sorted(taken) == list(range(1, 21))


async def test_a_lease_that_ran_out_is_a_crash_and_is_tried_again(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    first = await _claimed(database)
    await _expire_leases(database)
    assert await _sweep(database) == []
    second = await _claimed(database, owner="w2")
    assert second.fence > first.fence
    row = await _row(database, recording_id)
    assert (row.strikes, row.attempt, row.lease_owner) == (ledger.CRASH_STRIKES, 2, "w2")


async def test_a_zombie_can_end_nothing(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    zombie = await _claimed(database)
    await _expire_leases(database)
    await _sweep(database)
    owner = await _claimed(database, owner="w2")
    for end in (ledger.complete, ledger.give_back):
        with pytest.raises(LeaseLost):
            async with database.work(Silence()) as work:
                await end(work, zombie)
    with pytest.raises(LeaseLost):
        await _fail(database, zombie, ErrorClass.REJECTED)
    row = await _row(database, recording_id)
    assert (row.state, row.fence, row.lease_owner) == (StageState.RUNNING, owner.fence, "w2")


async def test_a_lease_that_is_renewed_does_not_run_out(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    mine = await _claimed(database, lease_s=1)
    await _expire_leases(database)
    async with database.work(Silence()) as work:
        key, stranger = (mine.id, mine.fence), (mine.id, mine.fence + 1)
        ours = await ledger.renew(work, {key: 0.5, stranger: 0.9}, lease_s=60)
    assert ours == {key}
    await _sweep(database)
    row = await _row(database, recording_id)
    assert (row.state, row.progress) == (StageState.RUNNING, 0.5)


async def test_a_crash_counts_double_and_too_many_strikes_are_the_end(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    await _claimed(database)
    await _expire_leases(database)
    assert await _sweep(database, max_strikes=4) == []
    await _claimed(database)
    await _expire_leases(database)
    assert [dead.stage for dead in await _sweep(database, max_strikes=4)] == ["probe"]
    assert await _claim(database) is None
    assert (await _row(database, recording_id)).error_class == ErrorClass.CRASHED


async def test_a_passing_failure_waits_and_a_bad_input_fails_at_once(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    assert await _fail(database, await _claimed(database), ErrorClass.TRANSIENT) == StageState.WAITING
    assert await _claim(database) is None, "the row waits before it is tried again"
    async with database.work(Silence()) as work:
        await work.session.execute(text("UPDATE stage_run SET not_before = clock_timestamp()"))
    assert await _fail(database, await _claimed(database), ErrorClass.REJECTED) == StageState.FAILED
    row = await _row(database, recording_id)
    assert (row.error_code, row.error_text, row.strikes) == ("c", "s", 1)


async def test_an_outage_costs_no_strike_until_it_has_lasted_for_hours(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    assert await _fail(database, await _claimed(database), ErrorClass.OUTAGE, max_strikes=1) == StageState.WAITING
    row = await _row(database, recording_id)
    assert (row.error_code, row.strikes, row.attempt) == ("c", 0, 1)
    async with database.work(Silence()) as work:
        await work.session.execute(
            text("UPDATE stage_run SET not_before = clock_timestamp(), attempt = :attempts").bindparams(
                attempts=ledger.OUTAGE_ATTEMPTS
            )
        )
    assert await _fail(database, await _claimed(database), ErrorClass.OUTAGE, max_strikes=1) == StageState.DEAD


async def test_work_given_back_costs_no_strike_and_no_attempt(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    claimed = await _claimed(database)
    async with database.work(Silence()) as work:
        await ledger.give_back(work, claimed)
    row = await _row(database, recording_id)
    assert (row.state, row.strikes, row.attempt) == (StageState.WAITING, 0, 0)
    assert await _claim(database) is not None


async def test_dead_work_can_be_run_again(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    assert await _fail(database, await _claimed(database), ErrorClass.TRANSIENT, max_strikes=1) == StageState.DEAD
    async with database.work(Silence()) as work:
        assert await ledger.run_again(work, recording_id) == ["probe"]
    row = await _row(database, recording_id)
    assert (row.state, row.strikes, row.error_code) == (StageState.WAITING, 0, None)


async def test_cancelled_work_is_taken_from_who_does_it(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0, transcribe=5.0)
    claimed = await _claimed(database)
    async with database.work(Silence()) as work:
        await ledger.cancel(work, recording_id)
        assert await ledger.renew(work, {(claimed.id, claimed.fence): 0.1}, lease_s=60) == set()
    assert await _claim(database) is None


def test_waits_between_tries_grow_and_stay_below_two_minutes() -> None:
    waits = [ledger.backoff_s(attempt) for attempt in range(1, 12)]
    assert waits[0] <= 2
    assert max(waits) <= 120
    assert waits[-1] >= 60


async def test_a_run_that_costs_more_than_asked_for_is_left_to_others(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=100.0, transcribe=20.0)
    async with database.work(Silence()) as work:
        taken = await ledger.claim(work, stages={"probe": 99.0, "transcribe": 20.0}, owner="w1", lease_s=60)
        assert taken is not None
        assert (taken.stage, taken.cost_s) == ("transcribe", 20.0)
        assert await ledger.claim(work, stages={"probe": 99.0, "transcribe": 20.0}, owner="w1", lease_s=60) is None


async def test_a_worker_that_slept_beyond_its_lease_does_not_take_its_own_work_back(
    database: Database, recording_id: UUID
) -> None:
    await _require(database, recording_id, probe=1.0)
    claimed = await _claimed(database)
    await _expire_leases(database)
    async with database.work(Silence()) as work:
        assert await ledger.sweep(work, max_strikes=6, running=[claimed.id]) == []
        assert await ledger.renew(work, {(claimed.id, claimed.fence): 0.5}, lease_s=60)
    await _sweep(database)
    row = await _row(database, recording_id)
    assert (row.state, row.strikes) == (StageState.RUNNING, 0)


async def test_what_ran_when_a_worker_crashed_can_be_left_out(database: Database, recording_id: UUID) -> None:
    await _require(database, recording_id, probe=1.0)
    fresh = await _claimed(database)
    assert not fresh.is_suspect
    await _expire_leases(database)
    await _sweep(database)
    await _require(database, recording_id, transcribe=9.0)
    async with database.work(Silence()) as work:
        other = await ledger.claim(work, stages=ALL, owner="w1", lease_s=60, suspects=False)
        assert other is not None
        assert (other.stage, other.is_suspect) == ("transcribe", False)
    suspect = await _claimed(database)
    assert (suspect.stage, suspect.is_suspect) == ("probe", True)
