"""How well chapters are named, at their true boundaries: the titles of the pipeline beside those of the scripts."""

from __future__ import annotations

import json
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np

from learn.embedding import Embedder
from tests.bench.howto.make import RECORDINGS, RECORDINGS_2, RECORDINGS_3
from workers.language.chapters import centrality
from workers.language.records import Word
from workers.language.sentences import sentences
from workers.language.titles import begins_with_a_verb, titles


def show_titles(embedder: Embedder) -> None:
    """Print for each set the share of titles that are verb and object, and how like the true ones they are."""
    print("\ntitles at the true boundaries       chapters  verb, object  mean cosine to the script's")
    for kept in (RECORDINGS, RECORDINGS_2, RECORDINGS_3):
        pairs = [pair for one in json.loads(kept.read_text()) for pair in _titles(one, embedder)]
        verbs = fmean(begins_with_a_verb(found) for found, _ in pairs)
        like = fmean(float(vectors[0] @ vectors[1]) for vectors in map(embedder.embed, pairs))
        print(f"{kept.stem:34}{len(pairs):10}{verbs:14.3f}{like:13.3f}")


def _titles(one: dict[str, Any], embedder: Embedder) -> list[tuple[str, str]]:
    """Return the found and the true title of each chapter of one recording."""
    said = sentences([Word(start_s, end_s, text) for start_s, end_s, text in one["words"]])
    vectors = embedder.embed([sentence.text for sentence in said])
    starts_s = np.array([sentence.start_s for sentence in said])
    cuts = [int(np.argmin(np.abs(starts_s - topic["start_s"]))) for topic in one["topics"][1:]]
    spans = [slice(first, after) for first, after in pairwise([0, *cuts, len(said)])]
    found = titles([said[span] for span in spans], [centrality(vectors[span]) for span in spans])
    return list(zip(found, (topic["title"] for topic in one["topics"]), strict=True))
