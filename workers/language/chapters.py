"""Chapters: where a recording turns to its next topic.

Every way to divide a recording has a probability: that of its cuts, by clues at each sentence (a pause, the screen,
what is said: `turns`), times that of its chapters (of like sentences, of a usual length). The sum over all ways says
how probable a turn is at each sentence: a semi-Markov conditional random field (Sarawagi & Cohen 2004).
Where the weights come from and how it compares: docs/decisions/0005-chapters.md (`python -m tests.bench.chapters`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from workers.language.records import Sentence
from workers.language.titles import titles
from workers.language.turns import log_odds

Floats: TypeAlias = NDArray[np.float64]

LEAD_S: Final = 0.3  # a chapter begins this long before its first word, so that playing it cuts no sound off
MINIMUM_S: Final = 15.0
NEAR_S: Final = 5.0  # a turn found this near is found
SCENE_S: Final = 2.0
PAUSE_S: Final = 1.2
USUAL_S: Final = 40.0  # length of a chapter in a recording of `USUAL_RECORDING_S`; grows with the root of its length
USUAL_RECORDING_S: Final = 150.0
VARIANCE: Final = 0.7  # how far sentences of one topic lie from their mean (squared; MiniLM on tests/bench/howto)

# The three numbers of the decision, chosen by cross-validation inside the tuning part.
WHOLE: Final = 0.15  # a recording stays whole when it is about one thing with at least this probability
WORTH: Final = 0.3  # a cut must be worth this much: `PLACE` parts its own probability, the rest that within `NEAR_S`
PLACE: Final = 0.3

CLUES: Final = ("pause", "screen", "text")


@dataclass(frozen=True, slots=True)
class Weights:
    """Log odds: of a turn at a sentence (one a clue of `CLUES`, then the constant), and of a chapter.

    `chapter`: squared log of its length over the usual one, that log, whether it is the only one, log of the
    recording's minutes if so, and how far its sentences lie from their mean. Fitted on the tuning part of
    tests/bench/howto (`python -m tests.bench.chapters --fit`).
    """

    turn: tuple[float, ...]
    chapter: tuple[float, ...]


FITTED: Final = Weights(turn=(2.028, 2.231, 1.099, -6.272), chapter=(-4.163, -4.936, -4.89, -5.226, -1.728))
FITTED_BLIND: Final = Weights(turn=(1.888, 0.0, 1.073, -5.664), chapter=(-4.298, -5.162, -5.298, -5.392, -1.681))
"""For recordings without a known change of the screen: not looked for yet, or nothing changes."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """The start of a new topic: `index` of its first sentence (never 0).

    `confidence` is the probability that a topic turns within `NEAR_S` of it.
    """

    index: int
    start_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Chapter:
    """One topic of a recording. `confidence` is that of its start; the first chapter's is 1."""

    start_s: float
    end_s: float
    title: str
    confidence: float


def chapters(
    sentences: Sequence[Sentence],
    vectors: NDArray[np.float32],
    *,
    duration_s: float,
    scene_changes_s: Sequence[float] = (),
) -> list[Chapter]:
    """Return chapters without gaps from 0.0 to `duration_s`; one topic gives one, no sentences give none.

    `sentences` are in order of time, `vectors` has shape (len(sentences), 384), rows of unit length.
    """
    if not sentences:
        return []
    cuts = boundaries(sentences, vectors, duration_s=duration_s, scene_changes_s=scene_changes_s)
    firsts = [0, *(cut.index for cut in cuts), len(sentences)]
    spans = [slice(first, after) for first, after in pairwise(firsts)]
    named = titles([sentences[span] for span in spans], [centrality(vectors[span]) for span in spans])
    starts = [0.0, *(cut.start_s for cut in cuts)]
    ends = [*starts[1:], max(duration_s, sentences[-1].end_s)]
    sure = [1.0, *(cut.confidence for cut in cuts)]
    return [Chapter(*fields) for fields in zip(starts, ends, named, sure, strict=True)]


def centrality(vectors: NDArray[np.float32]) -> list[float]:
    """Return the cosine of each sentence to the mean of its chapter, at least 0.05."""
    mean = vectors.mean(axis=0)
    return [max(float(cosine), 0.05) for cosine in vectors @ mean / max(float(np.linalg.norm(mean)), 1e-9)]


def boundaries(
    sentences: Sequence[Sentence],
    vectors: NDArray[np.float32],
    *,
    duration_s: float,
    scene_changes_s: Sequence[float] = (),
    weights: Weights | None = None,
    text: Floats | None = None,
) -> list[Boundary]:
    """Return the places where a new topic starts, in order; shapes as for `chapters`, weights and `text` as fitted.

    Raises `ValueError` when there is not one vector a sentence.
    """
    if len(sentences) != len(vectors):
        raise ValueError(f"{len(sentences)} sentences but {len(vectors)} vectors")
    if len(sentences) < 2:
        return []
    weights = weights or (FITTED if len(scene_changes_s) else FITTED_BLIND)
    edges_s = edges(sentences, duration_s)
    if text is None:
        text = log_odds([sentence.text.strip() for sentence in sentences], vectors)
    turns = turn_clues(sentences, scene_changes_s, text) @ np.array(weights.turn)
    probable, whole = probabilities(ways(turns, vectors, edges_s, weights))
    if whole >= WHOLE:
        return []
    found = []
    for index, near in _best(probable, edges_s):
        start_s = max(sentences[index - 1].end_s, sentences[index].start_s - LEAD_S)
        found.append(Boundary(index, min(start_s, sentences[index].start_s), near))
    return found


def edges(sentences: Sequence[Sentence], duration_s: float) -> Floats:
    """Return where chapters can begin and end, in seconds, shape (n + 1,)."""
    starts_s = [0.0, *(sentence.start_s for sentence in sentences[1:])]
    return np.array([*starts_s, max(duration_s, sentences[-1].end_s)])


def turn_clues(sentences: Sequence[Sentence], scene_changes_s: Sequence[float], text: Floats) -> Floats:
    """Return what speaks for a turn at each sentence, shape (n, len(CLUES) + 1); the last column is 1.

    `text` is what its words and its meaning say (`turns.log_odds`).
    """
    return np.stack([_pauses(sentences), _scenes(sentences, scene_changes_s), text, np.ones(len(sentences))], axis=1)


def _pauses(sentences: Sequence[Sentence]) -> Floats:
    """Return how much longer the pause before each sentence is than the usual one: 1 for `PAUSE_S` and more."""
    pauses_s = np.array([0.0, *(max(after.start_s - before.end_s, 0.0) for before, after in pairwise(sentences))])
    return np.clip((pauses_s - float(np.median(pauses_s[1:]))) / PAUSE_S, 0.0, 1.0)


def _scenes(sentences: Sequence[Sentence], scene_changes_s: Sequence[float]) -> Floats:
    if not len(scene_changes_s):
        return np.zeros(len(sentences))
    starts_s = np.array([sentence.start_s for sentence in sentences])
    away_s = np.abs(np.subtract.outer(np.asarray(scene_changes_s, dtype=float), starts_s))
    changed = np.zeros(len(sentences))
    changed[[int(np.argmin(row)) for row in away_s if row.min() <= SCENE_S]] = 1.0
    return changed


def chapter_clues(vectors: NDArray[np.float32], edges_s: Floats) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """Yield for each possible end of a chapter (1 to n) what speaks for those that begin at 0, 1, … before it.

    Shape (end, 5), in the order of `Weights.chapter`, and whether the chapter is long enough, shape (end,).
    """
    rows = vectors.astype(np.float64)
    count = len(rows)
    sums = np.vstack([np.zeros(rows.shape[1]), np.cumsum(rows, axis=0)])
    squares = np.append(0.0, np.cumsum((rows**2).sum(axis=1)))
    lasts_s = edges_s[-1] - edges_s[0]
    usual_s = USUAL_S * max(lasts_s / USUAL_RECORDING_S, 1e-3) ** 0.5
    for end in range(1, count + 1):
        long_s = np.maximum(edges_s[end] - edges_s[:end], 1e-3)
        spread = squares[end] - squares[:end] - ((sums[end] - sums[:end]) ** 2).sum(axis=1) / np.arange(end, 0, -1)
        only = np.zeros(end)
        only[0] = end == count
        logs = np.log(long_s / usual_s) * (1.0 - only)
        minutes = np.log(max(lasts_s / 60.0, 1e-3))
        clues = np.stack([logs**2, logs, only, only * minutes, spread / VARIANCE], axis=1)
        yield clues, (long_s >= MINIMUM_S) | (only == 1.0)


def ways(turns: Floats, vectors: NDArray[np.float32], edges_s: Floats, weights: Weights) -> Floats:
    """Return the log odds of every chapter, shape (n + 1, n + 1): row its first sentence, column the one after it."""
    count = len(turns)
    table = np.full((count + 1, count + 1), -np.inf)
    begins = np.append(0.0, turns[1:])
    chapter = np.array(weights.chapter)
    for end, (clues, allowed) in enumerate(chapter_clues(vectors, edges_s), start=1):
        table[:end, end] = np.where(allowed, begins[:end] + clues @ chapter, -np.inf)
    return table


def probabilities(table: Floats) -> tuple[Floats, float]:
    """Return how probable a turn is at each sentence, shape (n,), and that there is none at all."""
    count = len(table) - 1
    before, after = sums_of_ways(table)
    probable = np.zeros(count)
    for at in range(1, count):
        probable[at] = np.exp(min(before[at] + after[at] - before[count], 0.0))
    return probable, float(np.exp(min(table[0, count] - before[count], 0.0)))


def sums_of_ways(table: Floats) -> tuple[Floats, Floats]:
    """Return the log of the summed odds of all ways from the start to each edge, and from each edge to the end."""
    count = len(table) - 1
    before = np.full(count + 1, -np.inf)
    after = np.full(count + 1, -np.inf)
    before[0] = after[count] = 0.0
    for at in range(1, count + 1):
        before[at] = np.logaddexp.reduce(before[:at] + table[:at, at])
    for at in range(count - 1, -1, -1):
        after[at] = np.logaddexp.reduce(table[at, at + 1 :] + after[at + 1 :])
    return before, after


def _best(probable: Floats, edges_s: Floats) -> list[tuple[int, float]]:
    """Return the cuts that together are worth most, each with the probability of a turn within `NEAR_S`."""
    starts_s = edges_s[:-1]
    near = np.array([probable[np.abs(starts_s - start_s) <= NEAR_S].sum() for start_s in starts_s])
    worth = PLACE * probable + (1.0 - PLACE) * near - WORTH
    totals = np.zeros(len(probable))  # of the best cuts of which this one is the last
    earlier = np.zeros(len(probable), dtype=int)  # the cut before it; 0 is none
    best = last = behind = 0  # `best` is the best end among the cuts far enough behind
    for at in range(1, len(probable)):
        while starts_s[behind] <= starts_s[at] - MINIMUM_S:
            if totals[behind] > totals[best]:
                best = behind
            behind += 1
        if not MINIMUM_S <= starts_s[at] <= edges_s[-1] - MINIMUM_S:
            continue
        totals[at], earlier[at] = worth[at] + totals[best], best
        if totals[at] > totals[last]:
            last = at
    cuts = []
    while last:
        cuts.append((last, min(float(near[last]), 1.0)))
        last = int(earlier[last])
    return cuts[::-1]
