"""The graph of stages. Read this first.

    probe ─┬─ playable                               (a copy that plays within seconds)
           ├─ transcribe ── chapter ── submit        (what a reviewer needs)
           └─ renditions                             (720p, 540p, poster, storyboard)
    approval ── publish ── index                     (what a learner needs)

A learner-quality answer does not wait for the last rendition.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from capture import service as capture
from infra import ledger
from infra.database import Work
from infra.ledger import Claim, StageState
from workers.slots import Slot
from workers.stages import chapter, index, playable, probe, publish, renditions, submit, transcribe
from workers.workbench import Task, Workbench


@dataclass(frozen=True)
class Stage:
    """One step: what it runs, what it waits for, which slot it takes, and what it costs to expect.

    Expected cost in seconds is `fixed_s + per_s * duration`; it only orders the waiting work.
    """

    name: str
    run: Callable[[Workbench, Task], Awaitable[None]]
    after: str | None
    slot: Slot
    fixed_s: float
    per_s: float = 0.0

    def cost_s(self, duration_s: float) -> float:
        """Expected cost for a clip of this length, in seconds."""
        return self.fixed_s + self.per_s * duration_s


STAGES: tuple[Stage, ...] = (
    Stage("probe", probe.run, None, Slot.QUICK, 1.0),
    Stage("playable", playable.run, "probe", Slot.QUICK, 0.5, 0.003),
    Stage("transcribe", transcribe.run, "probe", Slot.SPEECH, 2.0, 0.12),
    Stage("renditions", renditions.run, "probe", Slot.ENCODE, 2.0, 0.4),
    Stage("chapter", chapter.run, "transcribe", Slot.QUICK, 0.5, 0.01),
    Stage("submit", submit.run, "chapter", Slot.QUICK, 0.2),
    Stage("publish", publish.run, None, Slot.QUICK, 0.2),
    Stage("index", index.run, "publish", Slot.QUICK, 0.5, 0.01),
)
BY_NAME = {stage.name: stage for stage in STAGES}
# A recording is complete when these are done; the rest follows an approval.
UNTIL_REVIEW = frozenset({"probe", "playable", "transcribe", "renditions", "chapter", "submit"})


async def follow(work: Work, claimed: Claim, duration_s: float) -> None:
    """After a stage ended well, in the same transaction: write down what comes next, or that all is done."""
    following = {stage.name: stage.cost_s(duration_s) for stage in STAGES if stage.after == claimed.stage}
    await ledger.require(work, claimed.recording_id, claimed.version, following, trace=claimed.trace)
    runs = await ledger.runs_of(work, [claimed.recording_id])
    done = {run.stage for run in runs if run.version == claimed.version and run.state == StageState.DONE}
    if claimed.stage in UNTIL_REVIEW and done >= UNTIL_REVIEW:
        await capture.note_complete(work, claimed.recording_id)
