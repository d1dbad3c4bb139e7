"""The ledger of work: one row a stage run. PostgreSQL is the only truth about what is to do.

- A row is inserted by the transaction that makes the work necessary (`require`).
- A worker claims a row with a lease and a fence (`claim`), renews the lease while it works (`renew`), and ends it
  once (`complete`, `give_back`, `fail`). Every ending is conditional on the fence, so a zombie changes nothing.
- A lease that runs out is a crash (`sweep`). A failure is one strike, a crash two; too many make the row `dead`.

Times are the database's own, so a worker with a wrong clock does no harm.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel, col, select

from infra.database import EnumText, UtcDateTime, Work, utc_now

CRASH_STRIKES = 2
# What fails because a part of the platform is away costs no strike for so many attempts: about seven hours.
OUTAGE_ATTEMPTS = 300
# A waiting row gains this many seconds of priority for each second it waits, so long work is never starved.
AGEING = 2.0


class StageState(StrEnum):
    """State of a stage run."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"
    CANCELLED = "cancelled"


class ErrorClass(StrEnum):
    """Why a stage run ended badly."""

    TRANSIENT = "transient"
    REJECTED = "rejected"
    CRASHED = "crashed"
    OUTAGE = "outage"


class StageRun(SQLModel, table=True):
    """One stage of one version of one recording."""

    __tablename__ = "stage_run"
    __table_args__ = (
        UniqueConstraint("recording_id", "version", "stage"),
        Index("stage_run_waiting", "stage", "not_before", postgresql_where=text("state = 'waiting'")),
        Index("stage_run_running", "lease_until", postgresql_where=text("state = 'running'")),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    recording_id: UUID = Field(foreign_key="recording.id", index=True)
    version: int
    stage: str = Field(sa_type=Text)
    state: StageState = Field(default=StageState.WAITING, sa_type=EnumText(StageState))
    attempt: int = 0
    strikes: int = 0
    fence: int = 0
    cost_s: float = 0.0
    progress: float = 0.0
    not_before: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    lease_owner: str | None = Field(default=None, sa_type=Text)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    error_class: str | None = Field(default=None, sa_type=Text)
    error_code: str | None = Field(default=None, sa_type=Text)
    error_text: str | None = Field(default=None, sa_type=Text)
    error_detail: str | None = Field(default=None, sa_type=Text)
    trace: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WorkerSeen(SQLModel, table=True):
    """A worker and when it was last heard of."""

    __tablename__ = "worker"

    owner: str = Field(sa_type=Text, primary_key=True)
    seen_at: datetime = Field(sa_type=UtcDateTime)


class LeaseLost(Exception):
    """Somebody else owns this stage run now; whatever was made must not be published."""


@dataclass(frozen=True)
class Claim:
    """A claimed stage run: what to do, and the fence under which its outputs may be published."""

    id: UUID
    recording_id: UUID
    version: int
    stage: str
    cost_s: float
    attempt: int
    fence: int
    trace: str | None
    is_suspect: bool
    """It was running when its worker crashed: perhaps it was what killed it."""

    @property
    def prefix(self) -> str:
        """Where this attempt writes its objects; no other attempt ever writes there."""
        return f"recordings/{self.recording_id}/{self.version}/{self.stage}/{self.fence}/"


async def require(
    work: Work, recording_id: UUID, version: int, stages: Mapping[str, float], *, trace: str | None = None
) -> None:
    """Write down that `stages` (name → expected cost in seconds) are to be done. Asking twice changes nothing."""
    statement = text(
        "INSERT INTO stage_run (id, recording_id, version, stage, state, attempt, strikes, fence, cost_s, progress,"
        " not_before, created_at, trace) VALUES (:id, :recording_id, :version, :stage, 'waiting', 0, 0, 0, :cost_s, 0,"
        " clock_timestamp(), clock_timestamp(), :trace) ON CONFLICT (recording_id, version, stage) DO NOTHING"
    )
    for stage, cost_s in stages.items():
        values = {"id": uuid4(), "recording_id": recording_id, "version": version, "stage": stage}
        await work.session.execute(statement, {**values, "cost_s": cost_s, "trace": trace})
    work.has_new_stages = work.has_new_stages or bool(stages)


async def claim(
    work: Work, *, stages: Mapping[str, float], owner: str, lease_s: float, suspects: bool = True
) -> Claim | None:
    """Take the next row of these stages (name → most expected cost in seconds), or None.

    Shortest expected work first, with ageing. Without `suspects`, none that was running when its worker crashed.
    """
    row = (
        await work.session.execute(
            text(
                "WITH free AS (SELECT * FROM unnest(CAST(:stages AS text[]), CAST(:most_s AS float[]))"
                " AS free (stage, most_s)),"
                " next AS (SELECT id FROM stage_run JOIN free USING (stage) WHERE state = 'waiting'"
                " AND not_before <= clock_timestamp() AND cost_s <= most_s"
                " AND (:suspects OR error_class IS DISTINCT FROM 'crashed')"
                " ORDER BY cost_s - :ageing * extract(epoch FROM clock_timestamp() - created_at), created_at"
                " LIMIT 1 FOR UPDATE OF stage_run SKIP LOCKED)"
                " UPDATE stage_run SET state = 'running', attempt = attempt + 1, fence = fence + 1, progress = 0,"
                " lease_owner = :owner, lease_until = clock_timestamp() + make_interval(secs => :lease_s),"
                " started_at = clock_timestamp() FROM next WHERE stage_run.id = next.id"
                " RETURNING stage_run.id, recording_id, version, stage, cost_s, attempt, fence, trace,"
                " error_class IS NOT DISTINCT FROM 'crashed' AS is_suspect"
            ),
            {
                "stages": list(stages),
                "most_s": list(stages.values()),
                "owner": owner,
                "lease_s": lease_s,
                "ageing": AGEING,
                "suspects": suspects,
            },
        )
    ).one_or_none()
    return Claim(**row._mapping) if row is not None else None  # noqa: SLF001 - public API of SQLAlchemy's Row


async def complete(work: Work, claimed: Claim) -> None:
    """End the row well, in the transaction that publishes its outputs. Raises LeaseLost for a zombie."""
    await _end(
        work,
        claimed,
        "state = 'done', progress = 1, error_class = NULL, error_code = NULL, error_text = NULL,"
        " error_detail = NULL, finished_at = clock_timestamp()",
        {},
    )


async def give_back(work: Work, claimed: Claim) -> None:
    """Release an unfinished row, without a strike: the worker stops. Raises LeaseLost for a zombie."""
    await _end(work, claimed, "state = 'waiting', attempt = attempt - 1, not_before = clock_timestamp()", {})


async def fail(
    work: Work, claimed: Claim, *, kind: ErrorClass, code: str, sentence: str, detail: str, max_strikes: int
) -> StageState:
    """End the row badly and say what it became: waiting (again later), failed (bad input) or dead (too many)."""
    if kind is ErrorClass.REJECTED:
        change = "state = 'failed', finished_at = clock_timestamp()"
    else:
        strikes = CRASH_STRIKES if kind is ErrorClass.CRASHED else 1
        if kind is ErrorClass.OUTAGE and claimed.attempt <= OUTAGE_ATTEMPTS:
            strikes = 0
        change = (
            f"strikes = strikes + {strikes},"
            f" state = CASE WHEN strikes + {strikes} >= :max_strikes THEN 'dead' ELSE 'waiting' END,"
            " not_before = clock_timestamp() + make_interval(secs => :wait_s)"
        )
    values = {
        "kind": kind.value,
        "code": code,
        "sentence": sentence,
        "detail": detail[-2000:],
        "max_strikes": max_strikes,
        "wait_s": backoff_s(claimed.attempt),
    }
    change += ", error_class = :kind, error_code = :code, error_text = :sentence, error_detail = :detail"
    return await _end(work, claimed, change, values)


def backoff_s(attempt: int) -> float:
    """Seconds to wait before the next try: 2, 4, 8 … 120, with full jitter on the upper half."""
    ceiling = min(120.0, 2.0 ** min(attempt, 7))
    return ceiling / 2 + random.uniform(0, ceiling / 2)  # noqa: S311 - spreads load, guards nothing


async def _end(work: Work, claimed: Claim, change: str, values: dict[str, Any]) -> StageState:
    result = await work.session.execute(
        text(
            f"UPDATE stage_run SET {change}, lease_owner = NULL, lease_until = NULL"  # noqa: S608 - our own constants
            " WHERE id = :id AND fence = :fence AND state = 'running' RETURNING state"
        ).bindparams(id=claimed.id, fence=claimed.fence, **{k: v for k, v in values.items() if f":{k}" in change})
    )
    row = result.one_or_none()
    if row is None:
        raise LeaseLost(f"{claimed.stage} of {claimed.recording_id}, fence {claimed.fence}")
    return StageState(row.state)


async def renew(work: Work, progress: Mapping[tuple[UUID, int], float], *, lease_s: float) -> set[tuple[UUID, int]]:
    """Renew leases and store progress; keys are (id, fence). Returns the keys that are still ours."""
    ours: set[tuple[UUID, int]] = set()
    for (row_id, fence), done in sorted(progress.items(), key=str):
        result = await work.session.execute(
            text(
                "UPDATE stage_run SET progress = :done,"
                " lease_until = clock_timestamp() + make_interval(secs => :lease_s)"
                " WHERE id = :id AND fence = :fence AND state = 'running' RETURNING id"
            ),
            {"lease_s": lease_s, "id": row_id, "fence": fence, "done": done},
        )
        if result.one_or_none() is not None:
            ours.add((row_id, fence))
    return ours


@dataclass(frozen=True)
class Dead:
    """A row that has just died: nobody will try it again by itself."""

    recording_id: UUID
    version: int
    stage: str


async def sweep(work: Work, *, max_strikes: int, running: Sequence[UUID] = ()) -> list[Dead]:
    """Take back rows whose lease ran out: each is a crash. Returns those that died of it.

    `running` are rows the asking worker is at work on: their leases may have run out because the machine slept, and
    are about to be renewed.
    """
    rows = await work.session.execute(
        text(
            "WITH late AS (SELECT id FROM stage_run WHERE state = 'running' AND lease_until < clock_timestamp()"
            " AND NOT id = ANY(:running) FOR UPDATE SKIP LOCKED)"
            " UPDATE stage_run SET strikes = strikes + :strikes, lease_owner = NULL, lease_until = NULL,"
            " state = CASE WHEN strikes + :strikes >= :max_strikes THEN 'dead' ELSE 'waiting' END,"
            " not_before = clock_timestamp(), error_class = 'crashed', error_code = 'work.crashed',"
            " error_text = 'The worker stopped in the middle of this step. Your recording is safe.',"
            " error_detail = 'lease of ' || coalesce(stage_run.lease_owner, '?') || ' ran out'"
            " FROM late WHERE stage_run.id = late.id RETURNING recording_id, version, stage, state"
        ),
        {"strikes": CRASH_STRIKES, "max_strikes": max_strikes, "running": list(running)},
    )
    found = rows.all()
    work.has_new_stages = work.has_new_stages or any(row.state == "waiting" for row in found)
    return [Dead(row.recording_id, row.version, row.stage) for row in found if row.state == "dead"]


async def runs_of(work: Work, recording_ids: Sequence[UUID]) -> list[StageRun]:
    """Every stage run of these recordings, oldest first."""
    mine = col(StageRun.recording_id).in_(recording_ids)
    query = select(StageRun).where(mine).order_by(col(StageRun.created_at), col(StageRun.stage))
    return list((await work.session.exec(query)).all())


async def run_again(work: Work, recording_id: UUID) -> list[str]:
    """Set every failed, dead or cancelled stage of this recording to waiting. Returns their names."""
    rows = await work.session.execute(
        text(
            "UPDATE stage_run SET state = 'waiting', strikes = 0, attempt = 0, progress = 0, finished_at = NULL,"
            " not_before = clock_timestamp(), error_class = NULL, error_code = NULL, error_text = NULL,"
            " error_detail = NULL WHERE recording_id = :id AND state IN ('failed', 'dead', 'cancelled') RETURNING stage"
        ),
        {"id": recording_id},
    )
    stages = sorted(row.stage for row in rows)
    work.has_new_stages = work.has_new_stages or bool(stages)
    return stages


async def cancel(work: Work, recording_id: UUID) -> None:
    """End every unfinished stage of this recording; a worker in the middle of one loses its lease."""
    await work.session.execute(
        text(
            "UPDATE stage_run SET state = 'cancelled', fence = fence + 1, lease_owner = NULL, lease_until = NULL,"
            " finished_at = clock_timestamp() WHERE recording_id = :id AND state IN ('waiting', 'running')"
        ),
        {"id": recording_id},
    )


@dataclass(frozen=True)
class RunCount:
    """How many runs of a stage are in a state, their attempts, and how long the oldest has been waiting."""

    stage: str
    state: str
    runs: int
    attempts: int
    oldest_s: float


@dataclass(frozen=True)
class ErrorCount:
    """How many runs of a stage last ended with this error."""

    stage: str
    kind: str
    code: str
    runs: int


async def count_runs(work: Work) -> list[RunCount]:
    """Runs by stage and state."""
    rows = await work.session.execute(
        text(
            "SELECT stage, state, count(*) AS runs, sum(attempt) AS attempts,"
            " extract(epoch FROM clock_timestamp() - min(greatest(created_at, not_before)))::float AS oldest_s"
            " FROM stage_run GROUP BY stage, state ORDER BY stage, state"
        )
    )
    return [RunCount(row.stage, row.state, row.runs, row.attempts, max(0.0, row.oldest_s)) for row in rows]


async def count_errors(work: Work) -> list[ErrorCount]:
    """Runs by stage and last error."""
    rows = await work.session.execute(
        text(
            "SELECT stage, error_class, error_code, count(*) AS runs FROM stage_run WHERE error_code IS NOT NULL"
            " GROUP BY stage, error_class, error_code"
        )
    )
    return [ErrorCount(row.stage, row.error_class, row.error_code, row.runs) for row in rows]


async def newest_runs(work: Work, *, states: Sequence[StageState], limit: int) -> list[StageRun]:
    """Runs in these states, the newest first."""
    query = select(StageRun).where(col(StageRun.state).in_(states)).order_by(col(StageRun.created_at).desc())
    return list((await work.session.exec(query.limit(limit))).all())


async def note_worker(work: Work, owner: str) -> None:
    """A worker is alive. Forgets those that have not been heard of for a day."""
    await work.session.execute(
        text(
            "INSERT INTO worker (owner, seen_at) VALUES (:owner, clock_timestamp())"
            " ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at"
        ),
        {"owner": owner},
    )
    await work.session.execute(text("DELETE FROM worker WHERE seen_at < clock_timestamp() - interval '1 day'"))


async def forget_worker(work: Work, owner: str) -> None:
    """A worker has stopped."""
    await work.session.execute(text("DELETE FROM worker WHERE owner = :owner"), {"owner": owner})


async def count_workers(work: Work) -> int:
    """Workers that were heard of within the last 30 seconds."""
    query = "SELECT count(*) FROM worker WHERE seen_at > clock_timestamp() - interval '30 seconds'"
    return int((await work.session.execute(text(query))).scalar_one())
