"""Ways to find chapters, to compare ours with. Each takes a case and its numbers and returns times in seconds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tests.bench.howto.prices import BY_HAND, Prices, cheapest
from workers.language.chapters import MINIMUM_S, Weights, boundaries
from workers.language.records import Sentence

GOP_S = 2.0
"""Seconds between two key frames, as most recorders write them."""


@dataclass(frozen=True)
class Case:
    """A recording whose chapters are known: `true_s` are the starts of all but the first."""

    name: str
    sentences: Sequence[Sentence]
    vectors: NDArray[np.float32]
    duration_s: float
    true_s: Sequence[float]
    scene_changes_s: Sequence[float] = ()
    held_back: bool = False
    text: NDArray[np.float64] | None = None
    """What the text says for a turn at each sentence, when not as `turns.fitted` has it (`fit.text_crossed`)."""

    def pauses_s(self) -> NDArray[np.float64]:
        """Return the pause before each sentence, shape (n,)."""
        ends = [0.0, *(sentence.end_s for sentence in self.sentences[:-1])]
        return np.array([sentence.start_s - end for sentence, end in zip(self.sentences, ends, strict=True)]).clip(0.0)

    def at(self, indexes: Sequence[int]) -> list[float]:
        return [self.sentences[index].start_s for index in sorted(indexes)]


def ours(case: Case, weights: Weights | Mapping[str, Weights] | None = None) -> list[float]:
    """What the pipeline does; other weights may be given, also by the names of cases."""
    found = boundaries(
        case.sentences,
        case.vectors,
        duration_s=case.duration_s,
        scene_changes_s=case.scene_changes_s,
        weights=weights[case.name] if isinstance(weights, Mapping) else weights,
        text=case.text,
    )
    return [cut.start_s for cut in found]


def at_key_frames(case: Case, weights: Weights | Mapping[str, Weights] | None = None) -> list[float]:
    """The same with screens as a glimpse at key frames tells them, two seconds apart: the chapter stage does not
    wait for the renditions."""
    glimpsed = sorted({math.ceil(at_s / GOP_S) * GOP_S - GOP_S / 2 for at_s in case.scene_changes_s})
    return ours(replace(case, scene_changes_s=glimpsed), weights)


def without_screens(case: Case, weights: Weights | Mapping[str, Weights] | None = None) -> list[float]:
    """The same for a recording whose screens are not known."""
    return ours(blind(case), weights)


def blind(case: Case) -> Case:
    return replace(case, scene_changes_s=())


def by_hand(case: Case, prices: Prices = BY_HAND) -> list[float]:
    """Dynamic programming over the meaning of sentences, with hints at prices set by hand."""
    found = cheapest(
        case.sentences,
        case.vectors,
        duration_s=case.duration_s,
        scene_changes_s=case.scene_changes_s,
        weights=prices,
    )
    return case.at(found)


def meaning_alone(case: Case, split: float, length: float) -> list[float]:
    """The same without any hint."""
    hints = {"contrast": 0.0, "pause": 0.0, "scene": 0.0, "cue": 0.0, "back": 0.0}
    return by_hand(case, replace(BY_HAND, split=split, length=length, **hints))


def snapped(case: Case, split: float, length: float, within_s: float) -> list[float]:
    """Meaning alone, then each boundary moved to the longest pause nearby, as players' guidelines have it."""
    pauses_s = case.pauses_s()
    starts_s = np.array([sentence.start_s for sentence in case.sentences])
    moved = set()
    for cut_s in meaning_alone(case, split, length):
        near = np.flatnonzero((np.abs(starts_s - cut_s) <= within_s) & (starts_s >= MINIMUM_S))
        moved.add(int(near[np.argmax(pauses_s[near])]) if len(near) else int(np.argmin(abs(starts_s - cut_s))))
    return case.at(sorted(moved - {0}))


def divisive(case: Case, threshold: float) -> list[float]:
    """Split the worst chapter in two for as long as it pays (the way of TreeSeg, arXiv 2407.12028)."""
    starts_s = np.append([sentence.start_s for sentence in case.sentences], case.duration_s)
    unit = _spread(case.vectors) / max(1, len(case.sentences) - 1)
    open_parts = [(0, len(case.sentences))]
    cuts = []
    while open_parts:
        first, after = open_parts.pop()
        ways = [
            (_spread(case.vectors[first:at]) + _spread(case.vectors[at:after]), at)
            for at in range(first + 1, after)
            if min(starts_s[at] - starts_s[first], starts_s[after] - starts_s[at]) >= MINIMUM_S
        ]
        if not ways:
            continue
        cost, at = min(ways)
        if _spread(case.vectors[first:after]) - cost > threshold * unit:
            cuts.append(at)
            open_parts += [(first, at), (at, after)]
    return case.at(cuts)


def _spread(vectors: NDArray[np.float32]) -> float:
    return float(len(vectors) - np.linalg.norm(vectors.sum(axis=0)) ** 2 / max(1, len(vectors)))


def text_tiling(case: Case, window: int, depth: float) -> list[float]:
    """Cut where the likeness of the sentences before and after has a deep valley (Hearst 1997, on embeddings)."""
    count = len(case.sentences)
    likeness = np.ones(count)
    for at in range(1, count):
        before = case.vectors[max(0, at - window) : at].mean(axis=0)
        after = case.vectors[at : at + window].mean(axis=0)
        likeness[at] = before @ after / (np.linalg.norm(before) * np.linalg.norm(after))
    depths = [(_climb(likeness, at, -1) + _climb(likeness, at, 1), at) for at in range(1, count)]
    limit = float(np.mean([deep for deep, _ in depths]) + depth * np.std([deep for deep, _ in depths])) if depths else 0
    return case.at(_spaced(case, [at for deep, at in sorted(depths, reverse=True) if deep > limit]))


def _climb(likeness: NDArray[np.float64], at: int, step: int) -> float:
    top = likeness[at]
    while 0 < at + step < len(likeness) and likeness[at + step] >= top:
        at += step
        top = likeness[at]
    return float(top)


def _spaced(case: Case, ranked: Sequence[int]) -> list[int]:
    """Return the best places that are at least the shortest chapter apart."""
    kept: list[int] = []
    for at in ranked:
        edges = [0.0, case.duration_s, *(case.sentences[other].start_s for other in kept)]
        if all(abs(case.sentences[at].start_s - edge) >= MINIMUM_S for edge in edges):
            kept.append(at)
    return kept


def longest_pauses(case: Case, least_s: float) -> list[float]:
    """Cut at every pause of at least so many seconds."""
    pauses_s = case.pauses_s()
    ranked = [int(at) for at in np.argsort(-pauses_s) if at > 0 and pauses_s[at] >= least_s]
    return case.at(_spaced(case, ranked))


def equal_spacing(case: Case) -> list[float]:
    """The true number of chapters, all of one length."""
    count = len(case.true_s) + 1
    return [case.duration_s * at / count for at in range(1, count)]


def by_lot(case: Case) -> list[float]:
    """The true number of chapters, at sentences drawn by lot."""
    lot = random.Random(case.name)
    return case.at(lot.sample(range(1, len(case.sentences)), min(len(case.true_s), len(case.sentences) - 1)))


def one_chapter(case: Case) -> list[float]:
    """No boundary at all."""
    return []


Method = Callable[..., list[float]]

GRIDS: dict[Method, dict[str, Sequence[float]]] = {
    meaning_alone: {"split": np.arange(0.8, 3.01, 0.2).tolist(), "length": [0.0, 0.2, 0.4, 0.8]},
    snapped: {
        "split": np.arange(0.8, 3.01, 0.2).tolist(),
        "length": [0.0, 0.2, 0.4, 0.8],
        "within_s": [4.0, 8.0],
    },
    divisive: {"threshold": np.arange(0.8, 3.01, 0.1).tolist()},
    text_tiling: {"window": [2, 3, 4, 5, 6], "depth": np.arange(-0.5, 2.6, 0.25).tolist()},
    longest_pauses: {"least_s": np.arange(0.4, 2.6, 0.1).tolist()},
}
"""The numbers that are tried for each method on the tuning part."""
