"""The clips of the words bench: spoken by the bundled voice, clean and with noise; all sound stays in build/.

`scripts.txt` holds what is said: `# tune: TITLE`, `# seen: …`, `# held: …`, `# former: …` or `# fresh: …`, then one
sentence a line; `{Term|spoken so}` where the voice needs help with a name. Settings are chosen on `tune`, `seen` and
`former` (the latter two held back once, and looked at since), figures are told of `held`, half a minute each and dense
with terms and with everyday words near terms, and of `fresh`, a minute each (as `former`) with a term in 36 words.
`glossary.csv` is the glossary of the whole company: some of its terms are said in one part alone, some never.

The voice is one (en_US, joe), at three pitches, 1.1 to 1.3 times slower than it speaks by itself (about 160 words a
minute, pauses included); pauses are drawn by lot, seeded by the title.
"""

from __future__ import annotations

import csv
import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from samples import voice
from tests.fixtures.speech import sound
from workers.language.glossary import Term

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[2] / "build" / "words"
PITCHES = (1.0, 0.92, 1.08)
SLOWNESS = (1.2, 1.1, 1.3, 1.2)
NOISES = (sound.office, sound.typing, sound.fan, sound.music)
SNRS_DB = (15, 10)
_NAMED = re.compile(r"\{([^|}]+)\|([^}]+)\}")


@dataclass(frozen=True)
class Clip:
    """One clip: what is written, what the voice is given, and where each sentence starts once it is spoken."""

    number: int
    title: str
    kind: str
    sentences: tuple[str, ...]
    spoken: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)

    @property
    def noise(self) -> str:
        """What lies under it in its noisy form."""
        return f"{NOISES[self.number % 4].__name__} {SNRS_DB[self.number // 4 % 2]} dB"


@dataclass(frozen=True)
class Sound:
    """A clip as sound: 16 kHz PCM files, and the second in which each sentence starts."""

    clean: Path
    noisy: Path
    starts_s: list[float]
    duration_s: float


def clips(which: str) -> list[Clip]:
    """The clips of one part, in the order of the file."""
    found: list[Clip] = []
    for block in (HERE / "scripts.txt").read_text().split("# ")[1:]:
        head, *lines = block.strip().splitlines()
        kind, title = head.split(": ", 1)
        written = tuple(_NAMED.sub(r"\1", line) for line in lines)
        if kind == which:
            found.append(Clip(len(found), title, kind, written, tuple(_NAMED.sub(r"\2", line) for line in lines)))
    return found


@cache
def glossary() -> list[Term]:
    """The company's terms as its glossary holds them."""
    with (HERE / "glossary.csv").open(newline="") as file:
        return [Term(row["term"], tuple(filter(None, row["sounds_like"].split(";")))) for row in csv.DictReader(file)]


def spoken(clip: Clip) -> Sound:
    """The clip as sound, made when it is not there yet."""
    lot = random.Random(f"pauses of {clip.title}")
    pauses_s = [lot.choices([lot.uniform(0.15, 0.5), lot.uniform(0.6, 2.5)], (70, 30))[0] for _ in clip.sentences]
    pitch = PITCHES[clip.number % 3]
    slowness = round(SLOWNESS[clip.number % 4] * pitch, 3)
    said = voice.speak(clip.spoken, [pause_s * pitch for pause_s in pauses_s], after_s=0.8, slowness=slowness)
    samples = _resampled(said.samples / 32768.0, voice.RATE_HZ * pitch)
    folder = BUILD / clip.kind
    folder.mkdir(parents=True, exist_ok=True)
    noise = NOISES[clip.number % 4](len(samples) / sound.RATE_HZ + 0.1, clip.number)
    noisy = sound.under(samples, noise, SNRS_DB[clip.number // 4 % 2])
    return Sound(
        sound.write_wav(folder / f"{clip.number:02d}.wav", samples),
        sound.write_wav(folder / f"{clip.number:02d}.noisy.wav", noisy),
        [start_s / pitch for start_s, _ in said.times],
        len(samples) / sound.RATE_HZ,
    )


def _resampled(samples: sound.Samples, from_hz: float) -> sound.Samples:
    """At 16 kHz, by the Fourier transform; `from_hz` other than the true rate moves pitch and speed together."""
    spectrum = np.fft.rfft(samples)
    length = round(len(samples) * sound.RATE_HZ / from_hz)
    kept = np.zeros(length // 2 + 1, dtype=complex)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return np.asarray(np.fft.irfft(kept, length) * length / len(samples))
