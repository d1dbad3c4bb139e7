"""How much each sentence of a recording sounds like the first of a new topic, by its words and its meaning alone.

A logistic regression, fitted to some 1,100 turns of topic in what people say while they show how something is done
(tests/bench/howto). It sees the words that sentences begin with (English; in other languages they are silent), the
vectors of the sentences around the place, and how alike what comes is to what went before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from workers.language.titles import VERBS

Floats: TypeAlias = NDArray[np.float64]

NUMBERS: Final = (
    "like 1", "like 2", "like 3", "like 5", "like all", "passed over", "goes on", "looks ahead", "central", "orders",
    "place", "near the start", "near the end",
)  # fmt: skip
AROUND: Final = ((-1, 0), (0, 1), (1, 2), (2, 5))
"""The sentences around a place whose mean vectors are looked at: before it, at it, after it, later."""
WORD_WEIGHT: Final = 0.4  # what a word is worth beside the rest while weights are fitted

_WORD = re.compile(r"[a-z']+")
_FILLERS = frozenset(("okay", "now", "then", "and", "so", "next", "please", "first", "always"))
_KEPT = Path(__file__).with_name("turns.json")


@dataclass(frozen=True)
class Weights:
    """What each clue says for a turn, as log odds: by the names of words, by number, and by vector, shape (4, d)."""

    words: dict[str, float]
    numbers: Floats
    vectors: Floats
    constant: float


def log_odds(texts: Sequence[str], vectors: NDArray[np.float32], weights: Weights | None = None) -> Floats:
    """Return for each sentence the log odds that a new topic starts with it, shape (n,).

    `vectors` has shape (n, 384), rows of unit length. Without `weights` those in `turns.json` are taken.
    """
    weights = weights or fitted()
    rows = vectors.astype(np.float64)
    words = [sum(weights.words.get(name, 0.0) for name in names) for names in word_clues(texts)]
    by_vector = (around(rows) * weights.vectors).sum(axis=(1, 2))
    found: Floats = np.array(words) + by_vector + number_clues(texts, rows) @ weights.numbers + weights.constant
    return found


@cache
def fitted() -> Weights:
    """Return the weights that were fitted (`python -m tests.bench.chapters --fit`)."""
    kept = json.loads(_KEPT.read_text())
    return Weights(kept["words"], np.array(kept["numbers"]), np.array(kept["vectors"]), kept["constant"])


def keep(weights: Weights) -> None:
    """Write the weights that `fitted` returns."""
    kept = {
        "words": {name: round(weight, 3) for name, weight in sorted(weights.words.items())},
        "numbers": weights.numbers.round(3).tolist(),
        "vectors": weights.vectors.round(3).tolist(),
        "constant": round(weights.constant, 3),
    }
    _KEPT.write_text(json.dumps(kept, ensure_ascii=False, separators=(",", ":")) + "\n")


def word_clues(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield for each sentence the names of its words: its first one and two, its first six, its neighbours' first."""
    said = [_WORD.findall(text.lower()) for text in texts]
    for at, words in enumerate(said):
        names = {f"in:{word}" for word in words[:6]}
        names |= {f"first:{words[0]}", f"first:{' '.join(words[:2])}"} if words else set()
        names |= {f"before:{said[at - 1][0]}"} if at and said[at - 1] else set()
        names |= {f"after:{said[at + 1][0]}"} if at + 1 < len(said) and said[at + 1] else set()
        yield sorted(names)


def around(rows: Floats) -> Floats:
    """Return the mean vectors of the sentences around each place, shape (n, 4, d); nothing is zero."""
    found = np.zeros((len(rows), len(AROUND), rows.shape[1]))
    for at in range(len(rows)):
        for slot, (first, after) in enumerate(AROUND):
            near = rows[max(at + first, 0) : max(at + after, 0)]
            if len(near):
                found[at, slot] = near.mean(axis=0)
    return found


def number_clues(texts: Sequence[str], rows: Floats) -> Floats:
    """Return the numbers named in `NUMBERS` for each sentence, shape (n, len(NUMBERS))."""
    count = len(rows)
    sums = np.vstack([np.zeros(rows.shape[1]), np.cumsum(rows, axis=0)])
    orders = np.array([_orders(text) for text in texts], dtype=float)

    def between(first: int, after: int) -> Floats:
        return np.asarray(sums[min(max(after, 0), count)] - sums[min(max(first, 0), count)])

    found = np.zeros((count, len(NUMBERS)))
    for at in range(count):
        found[at] = (
            *(_cosine(between(at - reach, at), between(at, at + reach)) for reach in (1, 2, 3, 5, count)),
            _cosine(between(at - 1, at), between(at + 1, at + 4)),
            _cosine(between(at, at + 1), between(at + 1, at + 2)),
            _cosine(between(at - 1, at), between(at, at + 4)),
            _cosine(between(at, at + 1), between(0, count)),
            orders[at + 1 : at + 4].mean() if at + 1 < count else 0.0,
            at / count,
            float(at < 3),
            float(count - at < 4),
        )
    return found


def _cosine(one: Floats, other: Floats) -> float:
    return float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9)


def _orders(text: str) -> bool:
    """Say whether a sentence tells somebody to do something: it begins with a verb of doing (English)."""
    words = (word.strip(".,;:!?'’\"") for word in text.lower().split())
    return next((word for word in words if word not in _FILLERS), "") in VERBS
