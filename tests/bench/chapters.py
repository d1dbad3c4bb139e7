"""Chapters: ours beside other methods, on data with known truth: `python -m tests.bench.chapters [--fit]`.

Of our recordings (tests/bench/howto) the third set is held back, which nothing was chosen on, and a third of the
second, which the method before this one was judged by; the rest is for tuning, and so are texts that nobody has spoken.
There ours is shown with weights that were fitted without the recording at hand. TinyRec (tests/bench/tinyrec) is longer
and was never tuned on. Every method decides on its own how many chapters there are, except equal spacing and the lot,
which are told.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from learn.embedding import Embedder
from tests.bench.howto.fit import cross_fitted, doubting, fit, fit_text, text_crossed
from tests.bench.howto.make import RECORDINGS, RECORDINGS_2, RECORDINGS_3
from tests.bench.howto.methods import (
    GRIDS,
    Case,
    Method,
    at_key_frames,
    blind,
    by_hand,
    by_lot,
    divisive,
    equal_spacing,
    longest_pauses,
    meaning_alone,
    one_chapter,
    ours,
    snapped,
    text_tiling,
    without_screens,
)
from tests.bench.howto.metrics import HEADER, Scores, score
from tests.bench.howto.titles import show_titles
from tests.bench.howto.unspoken import text_cases
from workers.language import turns
from workers.language.chapters import Weights
from workers.language.records import Sentence, Word
from workers.language.sentences import sentences

HERE = Path(__file__).resolve().parent
HOUR_S = 3600.0


def howto_cases(embedder: Embedder) -> list[Case]:
    """Return our recordings as the pipeline sees them: sentences of what Whisper base heard."""
    cases = []
    for kept in (RECORDINGS, RECORDINGS_2, RECORDINGS_3):
        for one in json.loads(kept.read_text()):
            said = sentences([Word(start_s, end_s, text) for start_s, end_s, text in one["words"]])
            cases.append(
                Case(
                    name=f"{kept.stem} {one['name']}",
                    sentences=said,
                    vectors=embedder.embed([sentence.text for sentence in said]),
                    duration_s=one["duration_s"],
                    true_s=[topic["start_s"] for topic in one["topics"][1:]],
                    scene_changes_s=one["scene_changes_s"],
                    held_back=one["held_back"] and kept != RECORDINGS,
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


def table(title: str, cases: Sequence[Case], rows: dict[str, tuple[Method, dict[str, Any]]]) -> dict[str, Scores]:
    """Print and return the scores of every method on `cases`."""
    turns = sum(len(case.true_s) for case in cases)
    minutes = sum(case.duration_s for case in cases) / 60
    print(f"\n{title}: {len(cases)} recordings, {minutes:.0f} min, {turns} turns\n{'':34}{HEADER}")
    scores = {name: run(method, cases, **numbers) for name, (method, numbers) in rows.items()}
    for name, line in scores.items():
        print(f"{name:34}{line}")
    return scores


OTHERS: dict[str, Method] = {
    "meaning alone (DP)": meaning_alone,
    "meaning alone, snapped to pauses": snapped,
    "divisive, TreeSeg-style": divisive,
    "TextTiling on embeddings": text_tiling,
    "longest pauses": longest_pauses,
}


def compare() -> dict[str, dict[str, Scores]]:
    """Print the whole comparison and return it by data set and method."""
    embedder = Embedder()
    own = howto_cases(embedder)
    tuning = [case for case in own if not case.held_back]
    rows: dict[str, tuple[Method, dict[str, Any]]] = {
        "ours": (ours, {}),
        "ours, screens from key frames": (at_key_frames, {}),
        "ours, screens unknown": (without_screens, {}),
        "hints at prices set by hand (DP)": (by_hand, {}),
    }
    for name, method in OTHERS.items():
        rows[name] = (method, tuned(method, tuning))
    rows |= {
        "equal spacing, true number given": (equal_spacing, {}),
        "by lot, true number given": (by_lot, {}),
        "one chapter": (one_chapter, {}),
    }
    for name, (_, numbers) in rows.items():
        if numbers:
            print(f"{name}: {', '.join(f'{key}={value:.2f}' for key, value in numbers.items())}")
    crossed, weights = left_out_in_turn(tuning, text_cases(embedder))
    seen = rows | {
        "ours": (ours, {"weights": weights["seen"]}),
        "ours, screens from key frames": (at_key_frames, {"weights": weights["seen"]}),
        "ours, screens unknown": (without_screens, {"weights": weights["unseen"]}),
    }
    show_titles(embedder)
    held = [case for case in own if case.held_back]
    third = [case for case in held if case.name.startswith(RECORDINGS_3.stem)]
    return {
        title: table(title, cases, shown)
        for title, cases, shown in (
            ("own sets, tuning part, left out in turn", crossed, seen),
            ("own third set, held back", third, rows),
            ("own second set, held back before", [case for case in held if case not in third], rows),
            ("TinyRec, fine", tinyrec_cases(embedder, "fine"), rows),
            ("TinyRec, coarse", tinyrec_cases(embedder, "coarse"), rows),
        )
    }


def left_out_in_turn(tuning: Sequence[Case], texts: Sequence[Case]) -> tuple[list[Case], dict[str, dict[str, Weights]]]:
    """Return the recordings with what texts say when fitted without them, and weights fitted without them."""
    crossed = text_crossed([*tuning, *texts])
    unseen = cross_fitted([blind(case) for case in crossed])
    seen = {name: doubting(weights, unseen[name]) for name, weights in cross_fitted(crossed).items()}
    return crossed[: len(tuning)], {"seen": seen, "unseen": unseen}


def fit_all() -> None:
    """Fit to recordings and texts of the tuning part; keep the text's weights, print those for `chapters`."""
    embedder = Embedder()
    cases = [case for case in howto_cases(embedder) if not case.held_back] + text_cases(embedder)
    turns.keep(fit_text(cases))
    crossed = text_crossed(cases)
    unseen = [blind(case) for case in crossed]
    no_screens = fit(unseen)
    for name, seen, weights in (
        ("FITTED", crossed, doubting(fit(crossed), no_screens)),
        ("FITTED_BLIND", unseen, no_screens),
    ):
        print(f"\n{name}: {weights}\n{'':34}{HEADER}")
        print(f"{'on what it was fitted to':34}{run(ours, seen, weights=weights)}")
        for seed in range(3):
            print(f"{f'left out in turn, lot {seed}':34}{run(ours, seen, weights=cross_fitted(seen, seed=seed))}")


if __name__ == "__main__":
    fit_all() if "--fit" in sys.argv else compare()
