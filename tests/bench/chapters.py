"""Chapters: ours beside other methods, on data with known truth: `python -m tests.bench.chapters [--tune]`.

The own set (tests/bench/howto) has a part for tuning and a third held back, which no number was chosen on.
TinyRec (tests/bench/tinyrec) is longer and was never tuned on. Every method decides on its own how many
chapters there are, except equal spacing and the lot, which are told.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from learn.embedding import Embedder
from tests.bench.howto.methods import (
    GRIDS,
    Case,
    Method,
    by_lot,
    divisive,
    equal_spacing,
    longest_pauses,
    meaning_alone,
    one_chapter,
    ours,
    snapped,
    text_tiling,
)
from tests.bench.howto.metrics import HEADER, Scores, score
from workers.language.chapters import TUNED, Weights
from workers.language.records import Sentence, Word
from workers.language.sentences import sentences

HERE = Path(__file__).resolve().parent
HOUR_S = 3600.0


def howto_cases(embedder: Embedder) -> list[Case]:
    """Return the own set as the pipeline sees it: sentences of what Whisper base heard."""
    cases = []
    for one in json.loads((HERE / "howto" / "recordings.json").read_text()):
        said = sentences([Word(start_s, end_s, text) for start_s, end_s, text in one["words"]])
        cases.append(
            Case(
                name=one["name"],
                sentences=said,
                vectors=embedder.embed([sentence.text for sentence in said]),
                duration_s=one["duration_s"],
                true_s=[topic["start_s"] for topic in one["topics"][1:]],
                scene_changes_s=one["scene_changes_s"],
                held_back=one["held_back"],
            )
        )
    return cases


def tinyrec_cases(embedder: Embedder, level: str) -> list[Case]:
    """Return TinyRec with its "fine" or "coarse" chapters. What follows an hour of nothing is left out."""
    cases = []
    for path in sorted((HERE / "tinyrec").glob("*.json")):
        document = json.loads(path.read_text())
        said = [Sentence.from_json(utterance) for utterance in document["utterances"]]
        gaps = [after.start_s - before.end_s for before, after in itertools.pairwise(said)]
        said = said[: next((at + 1 for at, gap_s in enumerate(gaps) if gap_s > HOUR_S), len(said))]
        cases.append(
            Case(
                name=path.stem,
                sentences=said,
                vectors=embedder.embed([sentence.text for sentence in said]),
                duration_s=max(sentence.end_s for sentence in said),
                true_s=[said[first].start_s for first, _, _ in document[level][1:]],
            )
        )
    return cases


def run(method: Method, cases: Sequence[Case], **numbers: Any) -> Scores:
    return score([(method(case, **numbers), case.true_s, case.duration_s) for case in cases])


def worth(scores: Scores) -> float:
    """Return what tuning makes as large as it can: the figures that are promised, together."""
    single = 0.0 if scores.one_topic is None else scores.one_topic
    return scores.f1_5s + scores.f1_10s + 2 * single - 0.3 * scores.count_error


def tuned(method: Method, cases: Sequence[Case]) -> dict[str, Any]:
    """Return the numbers of a method's grid that are worth most on `cases`."""
    grid = GRIDS.get(method, {})
    ways = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    return max(ways, key=lambda numbers: worth(run(method, cases, **numbers)))


TRIED: dict[str, Sequence[float]] = {
    "split": [1.8, 2.0, 2.2, 2.4, 2.6],
    "least": [0.3, 0.6, 0.9],
    "contrast": [1.0, 2.0, 2.5],
    "pause": [0.0, 0.2, 0.4, 0.6],
    "scene": [0.2, 0.4, 0.6],
    "cue": [0.2, 0.4, 0.6, 0.8],
    "back": [0.0, 0.3, 0.6, 0.9],
    "length": [0.1, 0.2, 0.3],
    "length_s": [30.0, 40.0, 50.0],
}


def search(cases: Sequence[Case], *, draws: int = 500, keep: int = 40) -> Weights:
    """Return good weights: the median of the best of many drawn by lot, which is less lucky than the best one."""
    lot = random.Random(7)
    drawn = [replace(TUNED, **{name: lot.choice(values) for name, values in TRIED.items()}) for _ in range(draws)]
    ranked = sorted(drawn, key=lambda weights: -worth(run(ours, cases, weights=weights)))[:keep]
    middle = {
        field.name: sorted(getattr(weights, field.name) for weights in ranked)[keep // 2] for field in fields(Weights)
    }
    print(f"best by lot: {ranked[0]} {run(ours, cases, weights=ranked[0])}")
    return Weights(**middle)


def table(title: str, cases: Sequence[Case], rows: dict[str, tuple[Method, dict[str, Any]]]) -> dict[str, Scores]:
    """Print and return the scores of every method on `cases`."""
    turns = sum(len(case.true_s) for case in cases)
    minutes = sum(case.duration_s for case in cases) / 60
    print(f"\n{title}: {len(cases)} recordings, {minutes:.0f} min, {turns} turns\n{'':34}{HEADER}")
    scores = {name: run(method, cases, **numbers) for name, (method, numbers) in rows.items()}
    for name, line in scores.items():
        print(f"{name:34}{line}")
    return scores


def compare() -> dict[str, dict[str, Scores]]:
    """Print the whole comparison and return it by data set and method."""
    embedder = Embedder()
    own = howto_cases(embedder)
    tuning = [case for case in own if not case.held_back]
    rows: dict[str, tuple[Method, dict[str, Any]]] = {"ours: meaning + hints (DP)": (ours, {})}
    others: dict[str, Method] = {
        "meaning alone (DP)": meaning_alone,
        "meaning alone, snapped to pauses": snapped,
        "divisive, TreeSeg-style": divisive,
        "TextTiling on embeddings": text_tiling,
        "longest pauses": longest_pauses,
    }
    for name, method in others.items():
        rows[name] = (method, tuned(method, tuning))
    rows |= {
        "equal spacing, true number given": (equal_spacing, {}),
        "by lot, true number given": (by_lot, {}),
        "one chapter": (one_chapter, {}),
    }
    for name, (_, numbers) in rows.items():
        if numbers:
            print(f"{name}: {', '.join(f'{key}={value:.2f}' for key, value in numbers.items())}")
    return {
        title: table(title, cases, rows)
        for title, cases in {
            "own set, tuning part": tuning,
            "own set, held back": [case for case in own if case.held_back],
            "TinyRec, fine": tinyrec_cases(embedder, "fine"),
            "TinyRec, coarse": tinyrec_cases(embedder, "coarse"),
        }.items()
    }


def tune() -> None:
    """Print weights that suit the tuning part, for `workers.language.chapters.TUNED`."""
    cases = [case for case in howto_cases(Embedder()) if not case.held_back]
    found = search(cases)
    print(f"median of the best: {found} {run(ours, cases, weights=found)}")
    print(f"in use:             {TUNED} {run(ours, cases)}")


if __name__ == "__main__":
    tune() if "--tune" in sys.argv else compare()
