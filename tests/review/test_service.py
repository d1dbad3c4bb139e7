"""A verdict holds for exactly what was seen, is given once, and never by whoever recorded it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from accounts.models import Person, Role
from capture import service as capture
from capture.states import RecordingState
from infra.database import Database, Silence
from infra.errors import Forbidden, InvalidInput, LorecastError, NotFound, WrongState
from review import service
from review.states import NEXT, RESULT, Decision, SubmissionState
from tests.builders import a_clip, a_person, a_recording, a_submission

APPROVE, CHANGES, REJECT = Decision.APPROVE, Decision.REQUEST_CHANGES, Decision.REJECT


@dataclass
class Case:
    """A submission, the people around it, and what the database says."""

    database: Database
    owner: Person
    reviewer: Person
    other: Person
    submission_id: UUID
    recording_id: UUID

    async def digest(self) -> str:
        async with self.database.work(Silence()) as work:
            return (await service.get_submission(work, person=self.reviewer, submission_id=self.submission_id)).digest

    async def decide(self, person: Person, decision: Decision = APPROVE, digest: str = "", said: str = "") -> None:
        digest = digest or await self.digest()
        async with self.database.work(Silence()) as work:
            await service.decide(
                work, person=person, submission_id=self.submission_id, decision=decision, digest=digest, text=said
            )

    async def everything(self) -> dict[str, Any]:
        async with self.database.work(Silence()) as work:
            return {
                table: [dict(row) for row in (await work.session.execute(text(f"SELECT * FROM {table}"))).mappings()]
                for table in ("submission", "verdict", "comment", "stage_run", "clip", "recording")
            }

    async def refuse(self, error: type[LorecastError], person: Person, *args: Any, **said: Any) -> str:
        before = await self.everything()
        with pytest.raises(error) as refused:
            await self.decide(person, *args, **said)
        assert await self.everything() == before
        return refused.value.code

    async def stages(self) -> list[str]:
        return [row["stage"] for row in (await self.everything())["stage_run"]]

    async def state(self) -> str:
        return str((await self.everything())["submission"][0]["state"])


@pytest.fixture
async def case(database: Database) -> Case:
    async with database.work(Silence()) as work:
        owner = await a_person(work, role=Role.REVIEWER, name="Owner")
        recording = await a_recording(work, owner=owner, state=RecordingState.READY)
        submission = await a_submission(work, clip=await a_clip(work, recording=recording))
        reviewer, other = await a_person(work, role=Role.REVIEWER), await a_person(work, role=Role.REVIEWER)
    return Case(database, owner, reviewer, other, submission.id, recording.id)


async def test_an_approval_publishes_and_says_who_saw_what(case: Case) -> None:
    digest = await case.digest()
    await case.decide(case.reviewer, digest=digest)
    state = await case.everything()
    assert [row["state"] for row in state["submission"]] == ["approved"]
    (verdict,) = state["verdict"]
    assert (verdict["reviewer_id"], verdict["decision"], verdict["digest"]) == (case.reviewer.id, "approve", digest)
    assert await case.stages() == ["publish"]


@pytest.mark.parametrize(("decision", "state"), [(CHANGES, "changes_requested"), (REJECT, "rejected")])
async def test_a_refusal_needs_a_reason_and_publishes_nothing(case: Case, decision: Decision, state: str) -> None:
    for said in ("", "  \n", "\0"):
        assert await case.refuse(InvalidInput, case.reviewer, decision, said=said) == "review.text_missing"
    assert await case.refuse(InvalidInput, case.reviewer, decision, said="x" * 4001) == "review.text_too_long"
    await case.decide(case.reviewer, decision, said="Show the label\0 roll.")
    assert await case.state() == state
    assert [row["text"] for row in (await case.everything())["verdict"]] == ["Show the label roll."]
    assert await case.stages() == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE recording SET title = 'Another'",
        "UPDATE recording SET sha256 = repeat('1', 64)",
        "UPDATE clip SET captions = 'WEBVTT'",
        "UPDATE clip SET transcript = jsonb_set(transcript, '{segments,0,words,0,text}', '\"Shut\"')",
        "UPDATE clip SET chapters = jsonb_set(chapters, '{0,title}', '\"Another\"')",
    ],
)
async def test_a_verdict_for_what_has_changed_since_is_refused(case: Case, change: str) -> None:
    seen = await case.digest()
    async with case.database.work(Silence()) as work:
        await work.session.execute(text(change))
    for decision in Decision:
        code = await case.refuse(WrongState, case.reviewer, decision, digest=seen, said="Because.")
        assert code == "submission.stale_digest"
    await case.decide(case.reviewer)
    assert await case.state() == "approved"


async def test_a_change_of_the_words_that_is_under_way_is_waited_for(case: Case) -> None:
    seen = await case.digest()
    async with case.database.work(Silence()) as work:
        await work.session.execute(text("UPDATE clip SET captions = 'WEBVTT'"))
        approving = asyncio.create_task(case.decide(case.reviewer, digest=seen))
        await asyncio.sleep(0.3)
        assert not approving.done()
    with pytest.raises(WrongState) as refused:
        await approving
    assert refused.value.code == "submission.stale_digest"
    assert await case.state() == "waiting"


async def test_of_many_verdicts_at_once_one_counts(case: Case) -> None:
    digest = await case.digest()
    people = [case.reviewer, case.other] * 4
    decisions = [APPROVE, REJECT, CHANGES, APPROVE] * 2
    outcomes = await asyncio.gather(
        *(case.decide(who, what, digest, "Because.") for who, what in zip(people, decisions, strict=True)),
        return_exceptions=True,
    )
    assert [one for one in outcomes if one is not None and not isinstance(one, WrongState)] == []
    (verdict,) = (await case.everything())["verdict"]
    assert outcomes.count(None) == 1
    assert await case.state() == RESULT[Decision(verdict["decision"])].value
    assert await case.stages() == (["publish"] if verdict["decision"] == "approve" else [])


async def test_what_was_decided_stays_decided(case: Case) -> None:
    await case.decide(case.reviewer)
    for decision in Decision:
        code = await case.refuse(WrongState, case.other, decision, said="Because.")
        assert code == "submission.wrong_state"


async def test_nobody_judges_what_they_recorded(case: Case) -> None:
    for decision in Decision:
        assert await case.refuse(Forbidden, case.owner, decision, said="Because.") == "forbidden.judge"


async def test_only_reviewers_judge_and_to_strangers_it_is_not_there(case: Case) -> None:
    async with case.database.work(Silence()) as work:
        learner = await a_person(work, role=Role.LEARNER)
        expert = await a_person(work, role=Role.EXPERT)
        await work.session.execute(text("UPDATE recording SET owner_id = :id"), {"id": expert.id})
        await work.session.execute(text("UPDATE submission SET owner_id = :id"), {"id": expert.id})
    assert await case.refuse(NotFound, learner) == "submission.not_found"
    assert await case.refuse(Forbidden, expert) == "forbidden.judge"


async def test_a_recording_deleted_meanwhile_is_not_approved(case: Case) -> None:
    digest = await case.digest()
    async with case.database.work(Silence()) as work:
        await capture.delete_recording(work, person=case.owner, recording_id=case.recording_id)
        approving = asyncio.create_task(case.decide(case.reviewer, digest=digest))
        await asyncio.sleep(0.3)
        assert not approving.done()
    with pytest.raises(NotFound):
        await approving
    assert (await case.state(), await case.stages()) == ("waiting", [])


async def test_submitting_twice_changes_nothing(database: Database) -> None:
    async with database.work(Silence()) as work:
        recording = await a_recording(work, state=RecordingState.READY)
        clip = await a_clip(work, recording=recording)
    for _ in range(2):
        async with database.work(Silence()) as work:
            made = await service.submit(work, recording_id=recording.id, version=clip.version)
        async with database.work(Silence()) as work:
            await work.session.execute(text("UPDATE submission SET state = 'in_review'"))
            rows = (await work.session.execute(text("SELECT id, clip_id, owner_id FROM submission"))).all()
        assert [tuple(row) for row in rows] == [(made.id, clip.id, recording.owner_id)]
    async with database.work(Silence()) as work:
        assert (await work.session.execute(text("SELECT state FROM submission"))).scalar_one() == "in_review"
        assert (await work.session.execute(text("SELECT in_review_at FROM recording"))).scalar_one() is not None


async def test_the_queue_is_for_reviewers_and_everybody_else_sees_their_own(case: Case) -> None:
    async with case.database.work(Silence()) as work:
        expert = await a_person(work, role=Role.EXPERT)
        mine = await a_submission(work, clip=await a_clip(work, recording=await a_recording(work, owner=expert)))
        done = await a_submission(work, state=SubmissionState.APPROVED)
        seen = {
            who.id: [view.submission.id for view in await service.list_submissions(work, person=who)]
            for who in (case.reviewer, expert)
        }
        decided = await service.list_submissions(work, person=case.reviewer, states=[SubmissionState.APPROVED])
    assert seen == {case.reviewer.id: [case.submission_id, mine.id], expert.id: [mine.id]}
    assert [view.submission.id for view in decided] == [done.id]


async def test_comments_lie_inside_the_clip_and_say_something(case: Case) -> None:
    for said, at_s, error in (("", 1.0, InvalidInput), ("x", 15.1, InvalidInput), ("x", -1.0, InvalidInput)):
        with pytest.raises(error):
            async with case.database.work(Silence()) as work:
                await service.comment(work, person=case.owner, submission_id=case.submission_id, text=said, at_s=at_s)
    with pytest.raises(NotFound):
        async with case.database.work(Silence()) as work:
            await service.comment(work, person=case.owner, submission_id=uuid4(), text="x", at_s=None)
    assert (await case.everything())["comment"] == []
    async with case.database.work(Silence()) as work:
        await service.comment(work, person=case.owner, submission_id=case.submission_id, text=" Look ", at_s=15.0)
        await service.comment(work, person=case.reviewer, submission_id=case.submission_id, text="Yes", at_s=None)
        await work.session.flush()
        found = await service.comments_of(work, person=case.owner, submission_id=case.submission_id)
    assert [(said.text, said.at_s, who.id) for said, who in found] == [
        ("Look", 15.0, case.owner.id),
        ("Yes", None, case.reviewer.id),
    ]


async def test_a_verdict_is_possible_in_open_states_only(case: Case) -> None:
    for now in SubmissionState:
        for decision in Decision:
            await try_in_state(case, now, decision)


async def try_in_state(case: Case, now: SubmissionState, decision: Decision) -> None:
    async with case.database.work(Silence()) as work:
        await work.session.execute(text("UPDATE submission SET state = :now"), {"now": now.value})
    if now in service.OPEN:
        await case.decide(case.reviewer, decision, said="Because.")
        assert await case.state() == RESULT[decision].value
    else:
        assert await case.refuse(WrongState, case.reviewer, decision, said="Because.") == "submission.wrong_state"


def test_every_state_has_its_steps_and_what_is_over_stays_over() -> None:
    assert set(NEXT) == set(SubmissionState)
    assert {now.value: sorted(state.value for state in steps) for now, steps in NEXT.items()} == {
        "waiting": ["approved", "changes_requested", "in_review", "rejected", "withdrawn"],
        "in_review": ["approved", "changes_requested", "rejected", "waiting"],
        "changes_requested": ["waiting"],
        "approved": [],
        "rejected": [],
        "withdrawn": [],
    }
