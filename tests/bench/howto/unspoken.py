"""Scripts that nobody has spoken: what is said, with the times, pauses and screens a recording of it would have.

`texts/` holds them, several a file. Fitting what words and meaning say for a turn of topic needs more turns than can be
spoken and heard in reasonable time, and the sound adds nothing to it. They were written for that alone; tasks of the
third set, which is held back, are not among them.
"""

from __future__ import annotations

import re
from pathlib import Path

from learn.embedding import Embedder
from tests.bench.howto.make import Script, draw_pauses, draw_scene_changes
from tests.bench.howto.methods import Case
from workers.language.records import Sentence

TEXTS = Path(__file__).resolve().parent / "texts"
# How long the voice of the recordings takes for a sentence: a straight line through 2,500 of them.
_START_S, _CHARACTER_S = 0.11, 0.0563
_AFTER_S = 1.0


def text_scripts() -> list[Script]:
    """Return all scripts, in the order of the files."""
    blocks = [
        (path.stem, block.strip())
        for path in sorted(TEXTS.glob("*.txt"))
        for block in re.split(r"(?m)^(?=title: )", path.read_text())
        if block.strip()
    ]
    return [Script.parse(f"{stem} {at}", block) for at, (stem, block) in enumerate(blocks)]


def text_cases(embedder: Embedder) -> list[Case]:
    """Return all scripts as if they had been recorded."""
    return [_case(script, embedder) for script in text_scripts()]


def _case(script: Script, embedder: Embedder) -> Case:
    at_s, times_s = 0.0, []
    for pause_s, text in zip(draw_pauses(script), script.texts, strict=True):
        start_s = at_s + pause_s
        at_s = start_s + _START_S + _CHARACTER_S * len(text)
        times_s.append((start_s, at_s))
    return Case(
        name=script.name,
        sentences=[
            Sentence(start_s, end_s, text) for (start_s, end_s), text in zip(times_s, script.texts, strict=True)
        ],
        vectors=embedder.embed(script.texts),
        duration_s=at_s + _AFTER_S,
        true_s=[times_s[first][0] for first in script.turns[1:]],
        scene_changes_s=draw_scene_changes(script, times_s),
    )
