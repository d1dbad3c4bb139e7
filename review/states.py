"""States of a submission and the allowed steps."""

from __future__ import annotations

from enum import StrEnum

from infra.states import step


class SubmissionState(StrEnum):
    """Where a submission stands."""

    WAITING = "waiting"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Decision(StrEnum):
    """What a reviewer decides."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    REJECT = "reject"


_VERDICTS = frozenset({SubmissionState.APPROVED, SubmissionState.CHANGES_REQUESTED, SubmissionState.REJECTED})

NEXT: dict[SubmissionState, frozenset[SubmissionState]] = {
    SubmissionState.WAITING: _VERDICTS | {SubmissionState.IN_REVIEW, SubmissionState.WITHDRAWN},
    SubmissionState.IN_REVIEW: _VERDICTS | {SubmissionState.WAITING},
    SubmissionState.CHANGES_REQUESTED: frozenset({SubmissionState.WAITING}),
    SubmissionState.APPROVED: frozenset(),
    SubmissionState.REJECTED: frozenset(),
    SubmissionState.WITHDRAWN: frozenset(),
}

RESULT: dict[Decision, SubmissionState] = {
    Decision.APPROVE: SubmissionState.APPROVED,
    Decision.REQUEST_CHANGES: SubmissionState.CHANGES_REQUESTED,
    Decision.REJECT: SubmissionState.REJECTED,
}


def submission_step(now: SubmissionState, to: SubmissionState) -> SubmissionState:
    """Take one step, or raise WrongState."""
    return step(NEXT, now, to, what="submission")
