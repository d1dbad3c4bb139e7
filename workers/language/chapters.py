"""Chapters: where a recording turns to its next topic.

Change points over sentence embeddings, found exactly by dynamic programming. A split costs a penalty, so
that the number of chapters follows from the recording; a pause, a change on the screen or a word like "next"
at the place makes it cheaper. How it compares with other methods, and where the numbers come from:
docs/decisions/0005-chapters.md (`python -m tests.bench.chapters`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from workers.language.records import Sentence
from workers.language.titles import titles

Floats: TypeAlias = NDArray[np.float64]

LEAD_S: Final = 0.3  # a chapter begins this long before its first word, so that playing it cuts no sound off
MINIMUM_S: Final = 15.0
SCENE_S: Final = 2.0
PAUSE_S: Final = 1.2
VARIANCE: Final = 0.7  # how far sentences of one topic lie from their mean (squared; MiniLM on tests/bench/howto)
USUAL_CONTRAST: Final = 0.55  # one minus the cosine of three sentences and the next three, there on average
NEIGHBOURS: Final = 3


@dataclass(frozen=True, slots=True)
class Weights:
    """What a split costs and what makes it cheaper, in units of `VARIANCE`.

    Chosen on the tuning part of tests/bench/howto (`python -m tests.bench.chapters --tune`).
    """

    split: float = 2.0
    least: float = 0.6  # below this no hints can press the price: they move splits, they do not make them
    contrast: float = 2.0  # for each unit by which the sentences around it differ more than `USUAL_CONTRAST`
    pause: float = 0.2  # for a pause of `PAUSE_S` more than the recording's usual one
    scene: float = 0.4  # for a change of the screen within `SCENE_S`
    cue: float = 0.6  # for words like "the next step"
    back: float = 0.6  # how much dearer before words that point back ("it", "because")
    length: float = 0.2  # for a chapter e times longer or shorter than `length_s`
    length_s: float = 40.0


TUNED: Final = Weights()


@dataclass(frozen=True, slots=True)
class Boundary:
    """The start of a new topic: `index` of its first sentence (never 0); `confidence` from 0 to 1."""

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

    `sentences` are in order of time, `vectors` has shape (len(sentences), d), rows of unit length.
    """
    if not sentences:
        return []
    cuts = boundaries(sentences, vectors, duration_s=duration_s, scene_changes_s=scene_changes_s)
    firsts = [0, *(cut.index for cut in cuts), len(sentences)]
    spans = [slice(first, after) for first, after in pairwise(firsts)]
    named = titles([sentences[span] for span in spans], [_centrality(vectors[span]) for span in spans])
    starts = [0.0, *(cut.start_s for cut in cuts)]
    ends = [*starts[1:], max(duration_s, sentences[-1].end_s)]
    sure = [1.0, *(cut.confidence for cut in cuts)]
    return [Chapter(*fields) for fields in zip(starts, ends, named, sure, strict=True)]


def _centrality(vectors: NDArray[np.float32]) -> list[float]:
    """Return the cosine of each sentence to the mean of its chapter, at least 0.05."""
    mean = vectors.mean(axis=0)
    return [max(float(cosine), 0.05) for cosine in vectors @ mean / max(float(np.linalg.norm(mean)), 1e-9)]


def boundaries(
    sentences: Sequence[Sentence],
    vectors: NDArray[np.float32],
    *,
    duration_s: float,
    scene_changes_s: Sequence[float] = (),
    weights: Weights = TUNED,
) -> list[Boundary]:
    """Return the places where a new topic starts, in order; shapes as for `chapters`.

    Raises `ValueError` when there is not one vector a sentence.
    """
    if len(sentences) != len(vectors):
        raise ValueError(f"{len(sentences)} sentences but {len(vectors)} vectors")
    if len(sentences) < 2:
        return []
    starts_s = np.array([sentence.start_s for sentence in sentences])
    edges_s = np.append(starts_s, max(duration_s, sentences[-1].end_s))
    edges_s[0] = 0.0
    prices = split_prices(sentences, vectors, scene_changes_s, weights)
    costs = _segment_costs(vectors.astype(np.float64), edges_s, weights)
    best, cuts = _cheapest(costs, prices)
    found = []
    for index in cuts:
        without = prices.copy()
        without[index] = np.inf
        gap = _cheapest(costs, without)[0] - best
        start_s = max(sentences[index - 1].end_s, sentences[index].start_s - LEAD_S)
        found.append(Boundary(index, min(start_s, sentences[index].start_s), gap / (gap + weights.split)))
    return found


def split_prices(
    sentences: Sequence[Sentence],
    vectors: NDArray[np.float32],
    scene_changes_s: Sequence[float],
    weights: Weights,
) -> Floats:
    """Return what starting a chapter at each sentence costs, shape (n,), n >= 2; the first entry is not used."""
    starts_s = np.array([sentence.start_s for sentence in sentences])
    ends_s = np.array([sentence.end_s for sentence in sentences])
    pauses_s = np.maximum(np.append(0.0, starts_s[1:] - ends_s[:-1]), 0.0)
    usual_s = float(np.median(pauses_s[1:]))
    prices = np.full(len(sentences), weights.split)
    prices -= weights.contrast * (_contrasts(vectors) - USUAL_CONTRAST)
    prices -= weights.pause * np.clip((pauses_s - usual_s) / PAUSE_S, 0.0, 1.0)
    prices -= weights.cue * np.array([announces(sentence.text) for sentence in sentences])
    prices += weights.back * np.array([points_back(sentence.text) for sentence in sentences])
    away_s = np.abs(np.subtract.outer(np.asarray(scene_changes_s, dtype=float), starts_s))
    changed = {int(np.argmin(row)) for row in away_s if row.min() <= SCENE_S}
    prices[sorted(changed)] -= weights.scene
    prices[prices < weights.least] = weights.least
    return prices


def _contrasts(vectors: NDArray[np.float32]) -> Floats:
    """Return for each sentence how the few from it on differ from the few before it: 0 alike, 1 unrelated."""
    contrasts = np.full(len(vectors), USUAL_CONTRAST)
    for index in range(1, len(vectors)):
        before = vectors[max(0, index - NEIGHBOURS) : index].sum(axis=0)
        after = vectors[index : index + NEIGHBOURS].sum(axis=0)
        lengths = float(np.linalg.norm(before) * np.linalg.norm(after))
        contrasts[index] = 1.0 - float(before @ after) / max(lengths, 1e-9)
    return contrasts


_OPENER = r"(?i)^(?:(?:okay|ok|alright|all right|good|great|right|so|and)[,.]?\s+)*"
_STEP = re.compile(
    _OPENER + r"(?:next|step \w+|second(?:ly)?|third(?:ly)?|finally|lastly|moving on|let(?:'s| us) move on|"
    r"(?:once|now that) (?:that|this|it|everything) is (?:done|finished|ready)|"
    r"the (?:first|second|third|fourth|fifth|next|last|final) (?:step|thing|part|job))\b"
)
_NOW = re.compile(_OPENER + r"now\b")


_BACK = re.compile(
    r"(?i)^(?:it|they|them|this|that|those|these|he|she|because|since|but|otherwise|also|and|or|its|their|then|"
    r"both|even|unless|so)\b"
)


def points_back(text: str) -> bool:
    """Say whether a sentence begins with a word that leans on the one before (English)."""
    return _BACK.match(text.strip()) is not None and announces(text) == 0.0


def announces(text: str) -> float:
    """Return 1 when a sentence begins with words that announce a step, 0.5 for "now", else 0 (English)."""
    if _STEP.match(text.strip()):
        return 1.0
    return 0.5 if _NOW.match(text.strip()) else 0.0


def _segment_costs(vectors: Floats, edges_s: Floats, weights: Weights) -> Floats:
    """Return costs of shape (n + 1, n + 1): row first sentence, column first sentence after; inf = forbidden.

    The squared distance of the sentences to their mean, in units of `VARIANCE`, and a price for lengths far from
    the usual one. A fixed unit: the recording's own variance is the larger the more topics it has.
    """
    count = len(vectors)
    sums = np.vstack([np.zeros(vectors.shape[1]), np.cumsum(vectors, axis=0)])
    squares = np.append(0.0, np.cumsum((vectors**2).sum(axis=1)))
    costs = np.full((count + 1, count + 1), np.inf)
    for after in range(1, count + 1):
        spans = sums[after] - sums[:after]
        lengths = np.arange(after, 0, -1)
        spread = squares[after] - squares[:after] - (spans**2).sum(axis=1) / lengths
        lasts_s = np.maximum(edges_s[after] - edges_s[:after], 1e-3)
        odd = np.log(lasts_s / weights.length_s) ** 2
        cost = spread / VARIANCE + weights.length * odd
        allowed = (lasts_s >= MINIMUM_S) | (lengths == count)
        costs[:after, after] = np.where(allowed, cost, np.inf)
    return costs


def _cheapest(costs: Floats, prices: Floats) -> tuple[float, list[int]]:
    """Return the least total and its splits: exact, O(n²) (Auger & Lawrence 1989, segment neighbourhoods)."""
    count = len(prices)
    priced = np.append(0.0, prices[1:])
    totals = np.zeros(count + 1)
    origins = np.zeros(count + 1, dtype=int)
    for after in range(1, count + 1):
        ways = totals[:after] + costs[:after, after] + priced[:after]
        origins[after] = int(np.argmin(ways))
        totals[after] = ways[origins[after]]
    cuts: list[int] = []
    at = int(origins[count])
    while at > 0:
        cuts.append(at)
        at = int(origins[at])
    return float(totals[count]), cuts[::-1]
