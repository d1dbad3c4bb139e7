"""The method of before: a split costs a price set by hand, the cheapest way to divide is found by dynamic programming.

Kept to compare with; without hints it is "meaning alone".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.language.chapters import MINIMUM_S, PAUSE_S, SCENE_S, VARIANCE, Floats, edges
from workers.language.records import Sentence

USUAL_CONTRAST: Final = 0.55  # one minus the cosine of three sentences and the next three, on average
NEIGHBOURS: Final = 3


@dataclass(frozen=True, slots=True)
class Prices:
    """What a split costs and what makes it cheaper, in units of `VARIANCE`.

    Chosen by hand and by lot on the first set (November 2026).
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


BY_HAND: Final = Prices()


def cheapest(
    sentences: Sequence[Sentence],
    vectors: NDArray[np.float32],
    *,
    duration_s: float,
    scene_changes_s: Sequence[float],
    weights: Prices = BY_HAND,
) -> list[int]:
    """Return the indexes of the sentences that start a chapter, the first one left out."""
    if len(sentences) < 2:
        return []
    prices = split_prices(sentences, vectors, scene_changes_s, weights)
    costs = _segment_costs(vectors.astype(np.float64), edges(sentences, duration_s), weights)
    return _cheapest(costs, prices)


def split_prices(
    sentences: Sequence[Sentence],
    vectors: NDArray[np.float32],
    scene_changes_s: Sequence[float],
    weights: Prices,
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


def _segment_costs(vectors: Floats, edges_s: Floats, weights: Prices) -> Floats:
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


def _cheapest(costs: Floats, prices: Floats) -> list[int]:
    """Return the splits of the least total: exact, O(n²) (Auger & Lawrence 1989, segment neighbourhoods)."""
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
    return cuts[::-1]
