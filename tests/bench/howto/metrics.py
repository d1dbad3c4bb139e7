"""How well boundaries fit the true ones. Times in seconds; the start of a recording is no boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


def matches(found_s: Sequence[float], true_s: Sequence[float], within_s: float) -> int:
    """Return how many boundaries pair off one to one within the tolerance (both lists in order: greedy is best)."""
    hits = at = 0
    for place_s in sorted(found_s):
        while at < len(true_s) and true_s[at] < place_s - within_s:
            at += 1
        if at < len(true_s) and true_s[at] <= place_s + within_s:
            hits += 1
            at += 1
    return hits


def _labels(cuts_s: Sequence[float], duration_s: float) -> list[int]:
    """Return the number of the chapter that plays in each second."""
    return [sum(cut_s <= second for cut_s in cuts_s) for second in range(max(2, round(duration_s)))]


def windows(found_s: Sequence[float], true_s: Sequence[float], duration_s: float) -> tuple[float, float]:
    """Return Pk (Beeferman 1999) and WindowDiff (Pevzner & Hearst 2002) over seconds; lower is better.

    The window is half the mean true chapter.
    """
    found, true = _labels(found_s, duration_s), _labels(true_s, duration_s)
    width = max(1, round(duration_s / (len(true_s) + 1) / 2))
    places = range(len(true) - width)
    split = sum((found[at] == found[at + width]) != (true[at] == true[at + width]) for at in places)
    counted = sum(found[at + width] - found[at] != true[at + width] - true[at] for at in places)
    return split / max(1, len(places)), counted / max(1, len(places))


@dataclass(frozen=True)
class Scores:
    """One row of the table. F1 pools the boundaries of all recordings, so that false ones anywhere count."""

    f1_5s: float
    f1_10s: float
    pk: float
    window_diff: float
    count_error: float
    one_topic: float | None

    def __str__(self) -> str:
        single = "  –  " if self.one_topic is None else f"{self.one_topic:5.2f}"
        return (
            f"{self.f1_5s:6.3f} {self.f1_10s:6.3f} {self.pk:6.3f} {self.window_diff:6.3f} "
            f"{self.count_error:6.2f}  {single}"
        )


HEADER = "  F1@5  F1@10     Pk     WD  count  one topic"


def score(cases: Sequence[tuple[Sequence[float], Sequence[float], float]]) -> Scores:
    """Return the scores of (found_s, true_s, duration_s) for each recording."""
    found_total = sum(len(found_s) for found_s, _, _ in cases)
    true_total = sum(len(true_s) for _, true_s, _ in cases)

    def f1(within_s: float) -> float:
        hits = sum(matches(found_s, true_s, within_s) for found_s, true_s, _ in cases)
        return 2 * hits / max(1, found_total + true_total)

    pairs = [windows(found_s, true_s, duration_s) for found_s, true_s, duration_s in cases]
    single = [not found_s for found_s, true_s, _ in cases if not true_s]
    return Scores(
        f1(5.0),
        f1(10.0),
        sum(pk for pk, _ in pairs) / len(cases),
        sum(wd for _, wd in pairs) / len(cases),
        sum(abs(len(found_s) - len(true_s)) for found_s, true_s, _ in cases) / len(cases),
        sum(single) / len(single) if single else None,
    )


def shortest_s(cuts_s: Sequence[float], duration_s: float) -> float:
    """Return the length of the shortest chapter."""
    return min(after - before for before, after in pairwise([0.0, *cuts_s, duration_s]))
