"""Fits the weights of `workers.language.turns` and `chapters` to recordings whose chapters are known.

First what words and meaning say for a turn: a logistic regression, held back (L2), by Newton's method. Then what that
is worth beside pauses, screens and lengths: greatest likelihood of the true chapters among all ways to divide a
recording, held back a little, by BFGS (Nocedal & Wright 2006, 6.1); there each recording has the log odds of a text
model that was fitted without it. The functions are convex, so the start does not matter.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from tests.bench.howto.methods import Case
from workers.language import turns
from workers.language.chapters import (
    Floats,
    Weights,
    chapter_clues,
    edges,
    sums_of_ways,
    turn_clues,
)

SCREEN_TRUST = 0.9
"""How much of the weights fitted with screens is kept; the rest is of those that know none. Our set draws changes of
the screen by lot, and real ones come more often inside a topic. Costs little on the set."""
HELD_TURN, HELD_CHAPTER = 3.0, 0.05  # how strongly weights are held back, for clues of standard deviation 1
HELD_TEXT = 3.3
LEAST_SEEN = 20  # a word is a clue when so many sentences have it


def first_sentences(case: Case) -> set[int]:
    """Return the indexes of the sentences with which a new topic starts; the first of all is none."""
    starts_s = np.array([sentence.start_s for sentence in case.sentences])
    return {int(np.argmin(np.abs(starts_s - true_s))) for true_s in case.true_s} - {0}


def fit_text(cases: Sequence[Case]) -> turns.Weights:
    """Return the weights of words, numbers and vectors that suit `cases` best."""
    texts = [[sentence.text.strip() for sentence in case.sentences] for case in cases]
    names = [list(turns.word_clues(said)) for said in texts]
    seen = Counter(name for case in names for sentence in case for name in sentence)
    places = {name: at for at, name in enumerate(sorted(name for name, count in seen.items() if count >= LEAST_SEEN))}
    rows, truth = [], []
    for case, said, named in zip(cases, texts, names, strict=True):
        vectors = case.vectors.astype(np.float64)
        words = np.zeros((len(said), len(places)))
        for at, sentence in enumerate(named):
            words[at, [places[name] for name in sentence if name in places]] = turns.WORD_WEIGHT
        around = turns.around(vectors).reshape(len(said), -1)
        rows.append(np.hstack([words, turns.number_clues(said, vectors), around])[1:])
        starts = first_sentences(case)
        truth += [at in starts for at in range(1, len(said))]
    fitted = logistic(np.concatenate(rows), np.array(truth, dtype=float), held=HELD_TEXT)
    by_word, numbers, vectors, constant = np.split(
        fitted, np.cumsum([len(places), len(turns.NUMBERS), len(turns.AROUND) * cases[0].vectors.shape[1]])
    )
    return turns.Weights(
        words={name: float(by_word[at]) * turns.WORD_WEIGHT for name, at in places.items()},
        numbers=numbers,
        vectors=vectors.reshape(len(turns.AROUND), -1),
        constant=float(constant[0]),
    )


def logistic(rows: Floats, truth: Floats, *, held: float) -> Floats:
    """Return the weights of the columns, then the constant, that suit `truth` (0 or 1 a row) best."""
    rows = np.hstack([rows, np.ones((len(rows), 1))])
    holds = np.append(np.full(rows.shape[1] - 1, held), 1e-6)
    weights = np.zeros(rows.shape[1])
    for _ in range(25):
        probable = 1.0 / (1.0 + np.exp(-rows @ weights))
        gradient = rows.T @ (probable - truth) + holds * weights
        bend = (rows.T * (probable * (1.0 - probable))) @ rows + np.diag(holds)
        step = np.linalg.solve(bend, gradient)
        weights -= step
        if float(np.abs(step).max()) < 1e-4:
            break
    return weights


def text_crossed(cases: Sequence[Case]) -> list[Case]:
    """Return `cases` with what a text model says that was fitted without them (five parts)."""
    found: dict[int, Case] = {}
    for left_out in folds(len(cases), parts=5):
        weights = fit_text([case for at, case in enumerate(cases) if at not in left_out])
        for at in left_out:
            said = [sentence.text.strip() for sentence in cases[at].sentences]
            found[at] = replace(cases[at], text=turns.log_odds(said, cases[at].vectors, weights))
    return [found[at] for at in range(len(cases))]


class Seen:
    """A recording's clues: of turns (n, k), of chapters (n + 1, n + 1, 5), which are allowed, and the true way."""

    def __init__(self, case: Case) -> None:
        assert case.text is not None, "what the text says comes first: text_crossed"
        edges_s = edges(case.sentences, case.duration_s)
        self.turns = turn_clues(case.sentences, case.scene_changes_s, case.text)
        count = len(self.turns)
        self.chapters = np.zeros((count + 1, count + 1, 5))
        self.allowed = np.zeros((count + 1, count + 1), dtype=bool)
        for end, (clues, allowed) in enumerate(chapter_clues(case.vectors, edges_s), start=1):
            self.chapters[:end, end], self.allowed[:end, end] = clues, allowed
        self.true = list(pairwise([0, *sorted(first_sentences(case)), count]))
        for way in self.true:
            self.allowed[way] = True

    def loss(self, turn: Floats, chapter: Floats) -> tuple[float, Floats, Floats]:
        """Return minus the log likelihood of the truth, and its gradients."""
        begins = self.turns @ turn
        begins[0] = 0.0
        table = np.where(self.allowed, np.append(begins, 0.0)[:, None] + self.chapters @ chapter, -np.inf)
        before, after = sums_of_ways(table)
        share = np.exp(np.minimum(before[:, None] + table + after[None, :] - before[-1], 0.0))
        for way in self.true:
            share[way] -= 1.0
        at = share.sum(axis=1)[:-1]
        at[0] = 0.0
        lost = before[-1] - sum(table[way] for way in self.true)
        return float(lost), at @ self.turns, np.tensordot(share, self.chapters, 2)


def fit(cases: Sequence[Case]) -> Weights:
    """Return the weights that suit `cases` best."""
    return fit_seen([Seen(case) for case in cases])


def doubting(seeing: Weights, blind: Weights) -> Weights:
    """Return weights for recordings with screens, drawn towards those that know none (see `SCREEN_TRUST`)."""

    def mixed(one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
        pairs = zip(one, other, strict=True)
        return tuple(round(SCREEN_TRUST * left + (1 - SCREEN_TRUST) * right, 3) for left, right in pairs)

    return Weights(mixed(seeing.turn, blind.turn), mixed(seeing.chapter, blind.chapter))


def fit_seen(seen: Sequence[Seen]) -> Weights:
    """Return the weights that suit recordings whose clues are known best."""
    rows = np.concatenate([one.turns[1:] for one in seen])
    spread = np.where(rows.std(axis=0) > 0.0, rows.std(axis=0), 1.0)
    middle = np.append(rows.mean(axis=0)[:-1], 0.0)
    count = rows.shape[1]
    held = np.concatenate([np.full(count - 1, HELD_TURN), [1e-3], np.full(5, HELD_CHAPTER)])

    def plain(weights: Floats) -> Floats:
        turn = weights[:count] / spread
        turn[-1] -= float(turn @ middle)
        return turn

    def loss(weights: Floats) -> tuple[float, Floats]:
        turn = plain(weights)
        total, gradient = 0.5 * float((held * weights**2).sum()), held * weights
        for one in seen:
            lost, by_turn, by_chapter = one.loss(turn, weights[count:])
            total += lost
            gradient[:count] += (by_turn - middle * by_turn[-1]) / spread
            gradient[count:] += by_chapter
        return total, gradient

    found = least(loss, np.zeros(count + 5))
    return Weights(tuple(plain(found).round(3).tolist()), tuple(found[count:].round(3).tolist()))


def least(function: Callable[[Floats], tuple[float, Floats]], start: Floats, *, steps: int = 120) -> Floats:
    """Return where a smooth convex function is least; it returns its value and its gradient."""
    at, inverse = start, np.eye(len(start)) * 0.01
    value, gradient = function(at)
    for _ in range(steps):
        way = -inverse @ gradient
        length = 1.0
        while (next_value := function(at + length * way))[0] > value + 1e-4 * length * float(gradient @ way):
            length /= 2
            if length < 1e-8:
                return at
        step, change = length * way, next_value[1] - gradient
        at, gain, (value, gradient) = at + step, value - next_value[0], next_value
        curve = float(step @ change)
        if gain < 1e-3:
            break
        if curve > 1e-10:
            turned = np.eye(len(at)) - np.outer(step, change) / curve
            inverse = turned @ inverse @ turned.T + np.outer(step, step) / curve
    return at


def folds(count: int, *, parts: int = 6, seed: int = 0) -> list[list[int]]:
    """Return the indexes 0 to `count` - 1 in parts drawn by lot."""
    drawn = random.Random(seed).sample(range(count), count)
    return [drawn[part::parts] for part in range(parts)]


def cross_fitted(cases: Sequence[Case], *, seed: int = 0) -> dict[str, Weights]:
    """Return for each case (by name) weights that were fitted without it."""
    seen = [Seen(case) for case in cases]
    weights: dict[str, Weights] = {}
    for left_out in folds(len(cases), seed=seed):
        fitted = fit_seen([one for at, one in enumerate(seen) if at not in left_out])
        weights |= {cases[at].name: fitted for at in left_out}
    return weights
