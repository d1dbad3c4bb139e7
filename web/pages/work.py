"""The administrator's page of work: what waits, runs, failed, and why."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from accounts.permissions import Action, require
from api.dependencies import WorkDep
from capture import service as capture
from infra import ledger
from infra.ledger import RunCount, StageState
from web import views
from web.pages.shell import PagesDep, SignedInDep, see_other, shell
from web.templating import STAGE_LABELS

router = APIRouter(prefix="/work")
_ENDED_BADLY = (StageState.DEAD, StageState.FAILED)
_SHOWN: dict[str, tuple[StageState, ...]] = {
    "all": tuple(StageState),
    "waiting": (StageState.WAITING,),
    "running": (StageState.RUNNING,),
    "dead": _ENDED_BADLY,
}


@router.get("")
async def show_work(
    request: Request,
    person: SignedInDep,
    work: WorkDep,
    pages: PagesDep,
    state: Literal["all", "waiting", "running", "dead"] = "all",
) -> Response:
    """The queues, and the rows in one state."""
    require(person, Action.ADMINISTER)
    runs = await ledger.newest_runs(work, states=_SHOWN[state], limit=100)
    titles = await capture.titles_of(work, [run.recording_id for run in runs])
    view = views.WorkPage(
        stages=_counts(await ledger.count_runs(work)),
        rows=tuple(
            views.WorkRow(
                url=f"/work/{run.recording_id}",
                stage=run.stage,
                state=run.state.value,
                title=titles.get(run.recording_id, "Deleted recording"),
                recording_url=f"/recordings/{run.recording_id}",
                attempt=run.attempt,
                changed_at=run.finished_at or run.started_at or run.created_at,
                progress=run.progress,
                reason=run.error_text if run.state != StageState.DONE else None,
            )
            for run in runs
        ),
        state=state,
        workers=await ledger.count_workers(work),
    )
    return pages.render(view, await shell(request, work, person, "work"))


def _counts(counts: list[RunCount]) -> tuple[views.StageCount, ...]:
    def total(stage: str, *states: StageState) -> int:
        return sum(count.runs for count in counts if count.stage == stage and count.state in states)

    oldest = {count.stage: count.oldest_s for count in counts if count.state == StageState.WAITING}
    return tuple(
        views.StageCount(
            name=stage,
            waiting=total(stage, StageState.WAITING),
            running=total(stage, StageState.RUNNING),
            dead=total(stage, *_ENDED_BADLY),
            oldest_waiting_s=oldest.get(stage),
        )
        for stage in STAGE_LABELS
        if any(count.stage == stage for count in counts)
    )


@router.post("/{recording_id}/retry")
async def retry(recording_id: UUID, person: SignedInDep, work: WorkDep) -> Response:
    """Run what failed again."""
    require(person, Action.ADMINISTER)
    await capture.rerun_failed_stages(work, person=person, recording_id=recording_id)
    return see_other("/work?state=dead")


@router.post("/{recording_id}/cancel")
async def cancel(recording_id: UUID, person: SignedInDep, work: WorkDep) -> Response:
    """End what waits or runs for this recording; running it again stays possible."""
    require(person, Action.ADMINISTER)
    await capture.cancel_processing(work, person=person, recording_id=recording_id)
    return see_other("/work")
